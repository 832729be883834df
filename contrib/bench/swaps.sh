#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Certificates swapped under full TLS load: keep-alive requests and short connections at full speed
# while the files are replaced and SIGHUP is sent, 100 times. Fails when a request failed or a swap
# was not seen. `swaps.sh --help` lists options. Needs python3, cc, openssl, wrk, libssl-dev.
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/swaps.py" "$@"
