#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# 20 minutes of full load: resident memory every 10 s, and its growth from the first minute to the
# last; exits 1 above 2%. `soak.sh --help` lists options.
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/soak.py" "$@"
