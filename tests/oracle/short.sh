#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Thirty-four thousand random requests through $TURNPIKE, each looked at where it arrives, and its
# answer too; a part of `make check`. contrib/oracle.sh is the long run.
set -euo pipefail
oracle=$(dirname "$TURNPIKE")/../tests/oracle/oracle
"$oracle" --gateway "$TURNPIKE" --requests 12000 --seed 1 --reload-every 3000
"$oracle" --gateway "$TURNPIKE" --requests 8000 --seed 2 --reload-every 3000 --tls
"$oracle" --gateway "$TURNPIKE" --requests 8000 --seed 3 --reload-every 2000 --tls --h2
"$oracle" --gateway "$TURNPIKE" --requests 6000 --seed 4 --reload-every 2000 --tls --h2 --h2-origins
