#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What being looked at costs: with 1,000 routes at a fixed rate of requests, CPU time per request and
# p99 without observers, and with a scrape each second and the live page open. `observers.sh --help`
# lists options. Needs python3, cc, taskset, two cores.
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/observers.py" "$@"
