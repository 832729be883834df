#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What do clients notice of a reload? POSTs on kept connections, short connections, a long download
# and WebSockets through many reloads: how much is lost, closed or late. Turnpike, and nginx and
# HAProxy beside it. `reload.sh --help` lists options.
set -eu
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/reload.py" "$@"
