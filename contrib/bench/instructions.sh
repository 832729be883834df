#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Counts Turnpike's user-space instructions per request and fails when they are more than 10% above
# instructions.baseline. Renew that file with --renew; `instructions.sh --help` lists options.
# Needs python3, cc and valgrind (exits 77, "not run", without valgrind or on a sanitizer build).
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/instructions.py" "$@"
