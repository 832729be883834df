#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# fuzz.sh [SECONDS [NAME...]]: runs each fuzz target (tests/fuzz/fuzz_NAME.c), or those named,
# for SECONDS (60 unless told) from its corpus tests/corpus/NAME, as many at a time as there
# are CPUs, under AddressSanitizer and UBSan. Prints a line each. Exits 1 on any finding; the
# input is then kept in fuzz-findings/ and belongs into the corpus with the fix.
# contrib/check.sh replays the corpora; this looks for what they do not hold yet.
set -euo pipefail
seconds=${1:-60}
shift || true
cd "$(dirname "$0")/.."
findings=$PWD/fuzz-findings

contrib/install-needs.sh test
work=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT

sanitize=address,undefined
build_targets() {
    local target
    contrib/copy-tree.sh "$work/source"
    mkdir -p "$work/build"
    cd "$work/build"
    ../source/configure --quiet CC=clang \
        CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,$sanitize -fno-sanitize-recover=all"
    make -j"$(nproc)" libraries
    for target in "$@"; do
        # shellcheck disable=SC2046  # words are meant
        clang -std=gnu17 -D_GNU_SOURCE -I../source -I../source/src -O1 -g -pthread \
            -fsanitize=fuzzer,$sanitize -fno-sanitize-recover=all \
            "../source/tests/fuzz/fuzz_$target.c" -Wl,--start-group src/lib*.a -Wl,--end-group \
            $(pkg-config --libs libevent_core libevent_pthreads yaml-0.1) \
            $(pkg-config --libs libssl libcrypto libcares libnghttp2) \
            -o "$target"
    done
}

# One target for its time; the line says how far it came.
fuzz() {
    local name=$1 status=0 runs
    mkdir -p "$work/new/$name" "$findings"
    # New inputs go to the first folder; the corpus in the tree is only read.
    ./"$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$findings/$name-" "$work/new/$name" "$work/source/tests/corpus/$name" \
        >"$work/$name.log" 2>&1 || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.log")
    if [ "$status" = 0 ]; then
        echo "$name: nothing found in ${runs:-?} runs, $seconds s," \
            "$(find "$work/new/$name" -type f | wc -l) new inputs"
    else
        echo "$name: FOUND something (exit $status), see fuzz-findings/"
        grep -m1 -A25 -E 'ERROR: |runtime error: ' "$work/$name.log" | sed 's/^/    /' || true
    fi
    return "$status"
}

if [ $# -gt 0 ]; then
    targets=("$@")
else
    mapfile -t targets < <(cd tests/fuzz && ls fuzz_*.c | sed 's/^fuzz_\(.*\)\.c$/\1/')
fi
set +e # bash drops -e inside a tested command; this way the subshell keeps its own
(
    set -e
    build_targets "${targets[@]}"
) >"$work/build.log" 2>&1
built=$?
set -e
if [ $built != 0 ]; then
    cat "$work/build.log"
    exit 1
fi

cd "$work/build"
symbolizer=$(command -v llvm-symbolizer-14) && export ASAN_SYMBOLIZER_PATH=$symbolizer
failed=0
running=0
for name in "${targets[@]}"; do
    if [ "$running" -ge "$(nproc)" ]; then
        wait -n || failed=1
        running=$((running - 1))
    fi
    fuzz "$name" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
done
rmdir "$findings" 2>/dev/null || true
exit $failed
