#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Breaks origins, names and the gateway itself under load, through nginx, HAProxy (where they are
# installed) and Turnpike, and counts what clients noticed. `faults.sh --help` lists options; exits 1
# where Turnpike misses its promise.
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/bench/faults.py" "$@"
