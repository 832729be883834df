#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# thread-check.sh: do threads share what they should not? Builds a copy of the sources under
# ThreadSanitizer and runs the unit tests that start threads. Any finding ends the test that found it.
# Prints a line a test, with what it said where it failed, and exits 1 then; 77
# where the sanitizer does not work. Called by contrib/check.sh.
#
# Left out: tests/unit/process, which have an allocator of their own that the sanitizer cannot stand
# beside; their threads are those of the workers, which the scenarios run under the others.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

contrib/install-needs.sh test || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-threads.XXXXXX")
trap 'rm -rf "$work"' EXIT

mapfile -t tests < <(grep -lE 'pthread_create|loop_post' -r tests/unit --include='test_*.c' |
    grep -v '^tests/unit/process/' | sed 's/\.c$//' | LC_ALL=C sort)
# The clock of the machine is not random enough for the sanitizer's map of addresses otherwise.
apart=(setarch "$(uname -m)" -R)
"${apart[@]}" true 2>/dev/null || apart=()

# Nor does it start where the kernel spreads addresses wider than it knows, and a process may not ask for less.
printf 'int main(void) { return 0; }\n' >"$work/trial.c"
if ! clang -fsanitize=thread -o "$work/trial" "$work/trial.c" || ! "${apart[@]}" "$work/trial"; then
    echo "not run: programs under ThreadSanitizer do not start on this machine"
    exit 77
fi

build() {
    contrib/copy-tree.sh "$work/source" && mkdir -p "$work/build" && cd "$work/build" &&
        "$work/source/configure" --quiet --disable-lto CC=clang \
            CFLAGS='-O1 -g -fsanitize=thread' LDFLAGS='-fsanitize=thread' &&
        make -s -j"$(nproc)" "${tests[@]}"
}
if ! (build) >"$work/log" 2>&1; then
    cat "$work/log"
    exit 1
fi

failed=0
cd "$work/build" || exit
for test in "${tests[@]}"; do
    if TSAN_OPTIONS=halt_on_error=1 timeout 300 "${apart[@]}" "$test" >"$work/log" 2>&1; then
        echo "ok      $test"
    else
        failed=1
        echo "FAILED  $test"
        sed 's/^/        /' "$work/log"
    fi
done
exit $failed
