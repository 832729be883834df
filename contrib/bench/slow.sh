#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What slow clients take from busy ones, beside nginx and HAProxy; `slow.sh --help` lists options.
# Needs what run.sh needs, and a limit of 40,000 descriptors (ulimit -n) for all of its cases.
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/slow.py" "$@"
