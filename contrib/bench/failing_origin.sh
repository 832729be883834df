#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What requests feel of an origin that is dead, slow or stalled: three origins, a steady stream of
# requests, and one trouble after the other. Prints what share was answered well and how attempts
# compare with requests; exits 1 where that is not enough. `failing_origin.sh --help` lists options.
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/failing_origin.py" "$@"
