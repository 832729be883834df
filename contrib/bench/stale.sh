#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# POSTs against an origin that closes its idle connections at random, through nginx, HAProxy and
# Turnpike: what failed, what ran twice, what the clients were told. `stale.sh --help` lists
# options; exits 1 where Turnpike misses its promise.
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/stale.py" "$@"
