#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Counts Turnpike's system calls per request for answers and uploads of 13 bytes to 64 kB, plain and
# over TLS. `syscalls.sh --check` fails when they are more than they may be; --help lists options.
# Needs python3, cc, openssl and strace (exits 77, "not run", where strace is not there or may not
# attach to a process).
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/syscalls.py" "$@"
