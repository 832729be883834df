#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# One command for the benchmark; `run.sh --help` lists options and scenarios. Needs python3, cc,
# wrk, nginx, haproxy and taskset (Debian: apt-get install python3 gcc libc6-dev wrk nginx haproxy
# util-linux) and a built Turnpike.
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/bench.py" "$@"
