#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# big-bodies.sh [MINUTES [MEGABYTES [BINARY]]]: uploads and downloads of 2 GB, each with a length
# and chunked, every byte compared, while a WebSocket echoes all the time and for MINUTES (3) at
# least; the gateway may never use 20 MB (contrib/big-bodies.mjs). Builds a copy first unless it
# is given a BINARY, which must be one without sanitizers.
set -euo pipefail
minutes=${1:-3}
megabytes=${2:-2048}
binary=${3:+$(realpath "$3")}
cd "$(dirname "$0")/.."

if [ -z "$binary" ]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-bodies.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    contrib/build-copy.sh "$work" >"$work/output" 2>&1 || { cat "$work/output"; exit 1; }
    binary=$work/build/src/turnpike
fi

TURNPIKE=$binary MINUTES=$minutes MEGABYTES=$megabytes node contrib/big-bodies.mjs
