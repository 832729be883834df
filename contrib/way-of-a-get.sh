#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# way-of-a-get.sh [TURNPIKE]: how much code the way of one forwarded GET touches (files, functions
# and lines by folder, on a keep-alive connection), and how long src/ is. TURNPIKE has to be built
# without inlining, so that each function shows: ../configure --disable-lto CFLAGS='-O1 -g
# -fno-inline'. Without it, one is built in a copy of the sources. Given --instructions BINARY (a
# build as it is by default), the instructions per request follow, from bench/instructions.sh.
# Needs python3, cc and valgrind.
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/bench/way_of_a_get.py" "$@"
