#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# leak-check.sh [BINARY [REQUESTS]]: 10,000 requests of all kinds (contrib/leak-check.mjs) through
# the program under valgrind, then SIGTERM. Fails on a byte that is not given back, on an access
# that is not allowed, on a descriptor that stays open and on an answer that is wrong. Builds a
# copy first unless it is given a BINARY, which must be one without sanitizers. A minute or two.
set -euo pipefail
binary=${1:+$(realpath "$1")}
requests=${2:-10000}
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
    echo "This takes valgrind (apt-get install valgrind)." >&2
    exit 1
fi

if [ -z "$binary" ]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-leaks.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    contrib/build-copy.sh "$work" >"$work/output" 2>&1 || { cat "$work/output"; exit 1; }
    binary=$work/build/src/turnpike
fi

# All kinds of leaks are errors, what is still reachable at the end too: whatever the program
# took it gives back. Threads take turns by fairness, or one worker starves the other.
valgrind="valgrind -q --fair-sched=yes --leak-check=full --show-leak-kinds=all"
valgrind="$valgrind --errors-for-leak-kinds=all --num-callers=30 --error-exitcode=9"
TURNPIKE=$binary TURNPIKE_WRAP=$valgrind TURNPIKE_PATIENCE=10 REQUESTS=$requests \
    node contrib/leak-check.mjs
