#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The worst that clients and origins can send, in bytes that are allowed: what the gateway's CPU pays
# for it, against an honest request or answer of the same bytes, and what an honest client feels
# beside one connection that sends nothing else. `worst_inputs.sh --help` lists options; exits 1
# where a case costs more than 20 times as much, or the honest client's median is above 5 ms.
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/worst_inputs.py" "$@"
