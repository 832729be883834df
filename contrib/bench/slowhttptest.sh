#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# slowhttptest's four modes against a Turnpike with default budgets: heads, bodies, ranges, slow
# reads. Each must leave the service available throughout, which its own probe connection tells.
# `slowhttptest.sh [SECONDS [CONNECTIONS]]`, each mode takes so long (default 40 s, 2,000).
# Needs slowhttptest, python3 and cc; TURNPIKE names the binary.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
turnpike=${TURNPIKE:-$here/../../build/src/turnpike}
seconds=${1:-40}
connections=${2:-2000}
folder=$(mktemp -d)
origin=
gateway=
trap 'kill $gateway $origin 2>/dev/null || :; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
origin_port=$(free_port)
port=$(free_port)
cc -O2 -std=gnu17 -D_GNU_SOURCE -pthread "$here/origin.c" -o "$folder/origin"
"$folder/origin" "$origin_port" 1 &
origin=$!
cat >"$folder/turnpike.yaml" <<YAML
access_log: $folder/access.log
listeners:
  - address: 127.0.0.1:$port
services:
  origins: {origins: ["127.0.0.1:$origin_port"]}
routes:
  - {name: all, service: origins}
YAML
"$turnpike" -c "$folder/turnpike.yaml" 2>"$folder/said" &
gateway=$!
until grep -q ' ready: ' "$folder/said"; do
    kill -0 $gateway
    sleep 0.1
done

failed=0
mode() {
    name=$1
    shift
    slowhttptest "$@" -c "$connections" -r "$connections" -l "$seconds" -p 3 -g -o "$folder/$name" \
        >"$folder/$name.txt" 2>&1 || :
    # Columns: seconds, closed, pending, connected, available (of so many probes, 0 or the number).
    lost=$(awk -F, 'NR > 1 && $5 + 0 == 0 { lost++ } END { print lost + 0 }' "$folder/$name.csv")
    rows=$(awk 'END { print NR - 1 }' "$folder/$name.csv")
    echo "$name: available in $((rows - lost)) of $rows seconds"
    if [ "$lost" -gt 0 ] || [ "$rows" -lt 2 ]; then
        failed=1
    fi
}

mode heads -H -i 5 -t GET -u "http://127.0.0.1:$port/13"
mode bodies -B -i 5 -s 8192 -t POST -u "http://127.0.0.1:$port/13"
mode ranges -R -a 10 -b 3000 -t HEAD -u "http://127.0.0.1:$port/13"
mode reads -X -w 512 -y 1024 -n 5 -z 32 -k 3 -u "http://127.0.0.1:$port/1m"
kill -0 $gateway
exit $failed
