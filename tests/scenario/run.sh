#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs every scenario in order of its number, the most basic first, and ends with totals.
# Usage: tests/scenario/run.sh [part of a file name ...]
#   TURNPIKE           the binary (default build/src/turnpike)
#   TURNPIKE_JOBS      files at a time (default 2)
#   TURNPIKE_WRAP      a command to run the binary under
#   TURNPIKE_PATIENCE  factor on every deadline (10 under valgrind)
#   TURNPIKE_SECONDS   most that one file may take (default 180, times the patience)
set -u
here=$(cd "$(dirname "$0")" && pwd)
node=${NODE:-node}
jobs=${TURNPIKE_JOBS:-2}
seconds=$((${TURNPIKE_SECONDS:-180} * ${TURNPIKE_PATIENCE:-1}))
logs=$(mktemp -d) || exit 1
runner=
trap '[ -n "$runner" ] && kill "$runner" 2>/dev/null; rm -rf "$logs"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

files=
for file in "$here"/[0-9]*.test.mjs; do
    wanted=no
    [ $# -eq 0 ] && wanted=yes
    for part in "$@"; do
        case ${file##*/} in *"$part"*) wanted=yes ;; esac
    done
    [ $wanted = yes ] && files="$files ${file##*/}"
done
[ -n "$files" ] || { echo "no such scenario: $*" >&2; exit 2; }

# One file: its test output goes to a log, its exit code beside it.
start=$(date +%s)
# shellcheck disable=SC2086
printf '%s\n' $files >"$logs/files"
xargs -P "$jobs" -I '{}' sh -c '
    begin=$(date +%s%N)
    trap "kill \$child 2>/dev/null; exit 143" TERM
    timeout "$4" "$1" --test-reporter=tap "$2/{}" >"$3/{}.log" 2>&1 &
    child=$!
    wait $child
    echo $? >"$3/{}.code"
    echo $((($(date +%s%N) - begin) / 1000000)) >"$3/{}.time"' sh "$node" "$here" "$logs" "$seconds" \
    <"$logs/files" &
runner=$!
wait $runner
runner=

total=0
failed=0
skipped=0
for file in $files; do
    log=$logs/$file.log
    # A test that holds others is not counted itself.
    of() { sed -n "s/^# $1 \([0-9]*\)$/\1/p" "$log" | tail -n 1; }
    here_total=$(of tests)
    failures=$(of fail)
    cancelled=$(of cancelled)
    here_failed=$((${failures:-0} + ${cancelled:-0}))
    total=$((total + ${here_total:-0}))
    left_out=$(of skipped)
    skipped=$((skipped + ${left_out:-0}))
    code=$(cat "$logs/$file.code")
    time=$(cat "$logs/$file.time")
    if [ "$code" -eq 0 ]; then
        printf 'ok      %-44s %4s tests %6s ms\n' "$file" "${here_total:-?}" "$time"
    else
        [ "$here_failed" -eq 0 ] && here_failed=1
        failed=$((failed + here_failed))
        printf 'FAILED  %-44s %4s of %s tests %6s ms\n' "$file" "$here_failed" "${here_total:-?}" "$time"
        sed 's/^/    /' "$log" | grep -v '^ *ok \|^ *duration_ms\|^ *type: ' >"$logs/failed.$file"
    fi
done
for file in $files; do
    if [ -f "$logs/failed.$file" ]; then
        echo
        echo "--- $file"
        head -n "${TURNPIKE_LINES:-200}" "$logs/failed.$file"
    fi
done
echo
echo "scenarios: $total tests, $failed failed, $skipped skipped, $(($(date +%s) - start)) s"
[ "$failed" -eq 0 ]
