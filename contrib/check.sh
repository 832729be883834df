#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Everything that must hold before a change lands, on a bare Debian 12: installs what is
# missing, looks at the sources, builds with warnings as errors, runs all tests, then builds
# with clang under AddressSanitizer and UBSan and runs them again. Works on a copy in a folder
# of its own, so the checkout stays as it was. A step that fails prints what it said; the last
# line is the total, and the exit status is 1 when anything failed.
# --portable: only the scenarios with the portable files, but all of them; some ten minutes.
set -uo pipefail
only=${1:-}
case $only in
'' | --portable) ;;
*)
    echo "usage: check.sh [--portable]" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.." || exit

contrib/install-needs.sh test || exit 1

work=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-check.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
jobs=$(nproc)
scenario_seconds=1500 # of one pass; a hanging scenario must not hang the check

reported=$SECONDS
passed=0
failed=0
skipped=0

# count PASSED FAILED SKIPPED: adds to the totals.
count() {
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
}

# report NAME FAILED OUTPUT: one line a step with the seconds since the last one, and what it said when
# it failed.
report() {
    local took=$((SECONDS - reported))
    reported=$SECONDS
    if [ "$2" = 0 ]; then
        printf 'ok      %s (%d s)\n' "$1" $took
    else
        printf 'FAILED  %s (%d s)\n' "$1" $took
        sed 's/^/        /' "$3"
    fi
}

# step NAME COMMAND...: one command that passes or fails as a whole; 77: it cannot run here.
step() {
    local name=$1 wrong=0
    shift
    "$@" >"$work/output" 2>&1 || wrong=$?
    if [ $wrong = 77 ]; then
        count 0 0 1
        printf 'skipped %s: %s\n' "$name" "$(tail -1 "$work/output")"
        return
    fi
    wrong=$((wrong != 0))
    count $((1 - wrong)) $wrong 0
    report "$name" $wrong "$work/output"
    return $wrong
}

finish() {
    local line="$passed passed, $failed failed"
    if [ "$skipped" != 0 ]; then
        line="$line, $skipped skipped"
    fi
    echo
    echo "$line"
    [ "$failed" = 0 ]
    exit
}

build_program() ( # BUILD CONFIGURE_ARGUMENT...
    mkdir -p "$1" && cd "$1" || return
    shift
    "$work/source/configure" --quiet --enable-werror "$@" && make -j"$jobs" all
)

build_with_tests() { # BUILD CONFIGURE_ARGUMENT...
    build_program "$@" && make -C "$1" -j"$jobs" check TESTS= # only builds them
}

# Prints "PASSED FAILED" as cmocka's summaries in a log say; a program may run several groups.
cmocka_totals() { # LOG
    awk '
        /^\[  PASSED  \] [0-9]+ test/ { good += $4 }
        /^\[  FAILED  \] [0-9]+ test/ { bad += $4 }
        END { print good + 0, bad + 0 }' "$1"
}

# Counts the tests of each program. One without cmocka's summary (the replay of a corpus, or a
# crash before the summary) counts as one test.
count_units() { # BUILD
    local result log good bad
    while read -r result; do
        log=${result%.trs}.log
        read -r good bad < <(cmocka_totals "$log")
        case $(sed -n 's/^:test-result: //p' "$result") in
        PASS) count $((good > 0 ? good : 1)) 0 0 ;;
        SKIP) count 0 0 1 ;;
        *) count "$good" $((bad > 0 ? bad : 1)) 0 ;;
        esac
    done < <(find "$1" -name '*.trs')
}

# A unit test program that failed beside others runs once more alone. What passes then is told, and
# counts as passed: a busy machine must not refuse a sound change, and a broken program fails twice.
# Some wait for most of their time: twice as many run at a time as there are cores.
units() { # PASS BUILD
    local wrong=0 before=$failed again
    if ! make -C "$2" -k -j$((jobs * 2)) check >"$work/output" 2>&1; then
        again=$(find "$2" -name '*.trs' -exec grep -l '^:test-result: FAIL' {} + |
            sed "s|^$2/||; s|\.trs$||" | LC_ALL=C sort | paste -sd' ')
        if [ -z "$again" ] || ! make -C "$2" -k recheck >"$work/output" 2>&1; then
            wrong=1
        else
            printf 'again   %s: passed alone only: %s\n' "$1" "$again"
        fi
    fi
    count_units "$2"
    if [ $wrong != 0 ] && [ "$failed" = "$before" ]; then
        count 0 1 0 # did not come as far as a test
    elif [ $wrong != 0 ]; then
        cp "$2/test-suite.log" "$work/output" # the logs of what failed, and of nothing else
    fi
    report "$1: unit tests and corpora" $wrong "$work/output"
}

# Scenarios that wait for most of their time are played beside the others, of which twice as many are
# played at a time as there are cores: they wait as well.
waiting_scenarios='/(18-timeouts|61-deadlines-and-leaving|70-budgets-of-a-client|73-patience|79-git-and-event-streams|135-manners-of-grpc-libraries)\.'

left_out='^$' # files that a pass does without

# play GROUP BUILD FILE...: leaves what node says in GROUP.output and its TAP in GROUP.tap.
play() {
    local group=$work/$1 build=$2
    shift 2
    rm -f "$group.tap"
    cd "$work/source" && TURNPIKE="$build/src/turnpike" timeout -k 10 "$scenario_seconds" \
        node --test --test-reporter=spec --test-reporter-destination=stdout \
        --test-reporter=tap --test-reporter-destination="$group.tap" "$@" >"$group.output" 2>&1
}

# The number behind "# NAME" in the summary that ends node's TAP; 0 where there is none.
tap_number() { # GROUP NAME
    local number
    number=$(sed -n "s/^# $2 \([0-9]*\)$/\1/p" "$work/$1.tap" | tail -1)
    echo "${number:-0}"
}

# The files in which a test of the group failed, one a line. Node 18 does not say them.
files_that_failed() { # GROUP
    sed -n "s/^ *location: '.*\/\(tests\/.*\.test\.mjs\):[0-9]*:[0-9]*'$/\1/p" "$work/$1.tap" |
        LC_ALL=C sort -u
}

# report_scenarios PASS GROUP FAILED: one line, and what node said of those that failed.
report_scenarios() {
    # node tells each failure where it happened and all of them again at the end: once is enough.
    if grep -q 'failing tests:' "$work/$2.output"; then
        sed -i '1,/failing tests:/d' "$work/$2.output"
    fi
    report "$1: scenarios that $2" "$3" "$work/$2.output"
}

# Files with a failed test are played alone, up to twice: their clocks may have missed their time
# on a busy machine. What passes then is told, and counts as passed; a broken one fails three times.
play_again() { # PASS GROUP BUILD
    local files
    mapfile -t files < <(files_that_failed "$2")
    [ ${#files[@]} != 0 ] || return
    if ! (play again "$3" --test-concurrency=1 "${files[@]}") && ! play_failed_again "$2" "$3"; then
        echo "alone, ${files[*]} said:" >>"$work/$2.output"
        sed '1,/failing tests:/d' "$work/again.output" >>"$work/$2.output"
        return 1
    fi
    printf 'again   %s: passed alone only: %s\n' "$1" "${files[*]}"
    sed -n 's/^ *not ok [0-9]* - /        /p' "$work/$2.tap"
}

# What failed alone is played a last time; its failures are kept with those of the group.
play_failed_again() { # GROUP BUILD
    local files
    mapfile -t files < <(files_that_failed again)
    [ ${#files[@]} != 0 ] || return
    echo "alone, for the first time, ${files[*]} said:" >>"$work/$1.output"
    sed '1,/failing tests:/d' "$work/again.output" >>"$work/$1.output"
    (play again "$2" --test-concurrency=1 "${files[@]}")
}

count_scenarios() { # PASS GROUP WRONG BUILD
    local good bad
    good=$(tap_number "$2" pass)
    bad=$(($(tap_number "$2" fail) + $(tap_number "$2" cancelled)))
    if [ "$3" != 0 ] && [ $bad = 0 ]; then
        bad=1 # cut off before the summary
        echo "scenarios were cut off (they may take $scenario_seconds s)" >>"$work/$2.output"
    elif [ $bad != 0 ] && play_again "$1" "$2" "$4"; then
        good=$((good + bad))
        bad=0
    fi
    count "$good" $bad "$(tap_number "$2" skipped)"
    report_scenarios "$1" "$2" $((bad > 0))
}

# scenario_files PATTERN: in order; without those of waiting_scenarios, or only them ("-v" or "").
scenario_files() { # PATTERN INVERT
    (cd "$work/source" && find tests -name '*.test.mjs' | grep -E "$1" | grep -vE "$left_out" |
        grep -E "$2" "$waiting_scenarios" | LC_ALL=C sort)
}

scenarios() { # PASS BUILD PATTERN
    local work_wrong=0 wait_wrong=0 working waiting beside
    mapfile -t working < <(scenario_files "$3" -v)
    mapfile -t waiting < <(scenario_files "$3" -e)
    if [ ${#waiting[@]} != 0 ]; then
        (play wait "$2" "${waiting[@]}") &
        beside=$!
    fi
    (play work "$2" --test-concurrency=$((jobs * 2)) "${working[@]}") || work_wrong=1
    if [ ${#waiting[@]} != 0 ]; then
        wait "$beside" || wait_wrong=1
    fi
    count_scenarios "$1" work $work_wrong "$2"
    if [ ${#waiting[@]} != 0 ]; then
        count_scenarios "$1" wait $wait_wrong "$2"
    fi
}

# one_pass NAME CONFIGURE_ARGUMENT...: builds, runs all unit tests and scenarios.
one_pass() {
    local name=$1 build="$work/$1"
    shift
    step "$name: build" build_with_tests "$build" "$@" || return
    step "$name: layers by symbol" "$work/source/contrib/check-layers.sh" "$build"
    step "$name: options" "$work/source/contrib/check-options.sh" "$build/contrib/make_config_doc"
    units "$name" "$build"
    scenarios "$name" "$build" .
}

run_each() { # PROGRAM...
    local program
    for program in "$@"; do
        "$program" || return
    done
}

# For builds that only play scenarios: the plain build warns of the same sources, and is measured. The compiler
# takes two thirds of the time.
quickly=(--disable-lto CFLAGS=-O1)

# The other engine behind net/watch.h: the unit tests of net/, the oracle, and the scenarios that lean
# on the engine most.
epoll() {
    local build="$work/epoll" programs
    mapfile -t programs < <(cd "$work/source" && find tests/unit/net -name 'test_*.c' | sed 's/\.c$//')
    step "epoll: build" build_program "$build" --with-events=epoll "${quickly[@]}" || return
    step "epoll: build of tests" make -C "$build" -j"$jobs" "${programs[@]}" tests/oracle/oracle || return
    step "epoll: layers by symbol" "$work/source/contrib/check-layers.sh" "$build"
    step "epoll: unit tests of net" run_each "${programs[@]/#/$build/}"
    step "epoll: oracle" env TURNPIKE="$build/src/turnpike" "$work/source/tests/oracle/short.sh"
    scenarios epoll "$build" '/(01|03|04|10|14|25|27|38|40|43|54|56|61)-'
}

# Without anything that only Linux has (tests/scenario/linux-only.txt), waiting with poll. Its unit
# tests are those of the Linux build, whose timers they move by hand.
portable() {
    step "posix: build" build_program "$work/posix" --with-system=posix "${quickly[@]}" || return
    EVENT_NOEPOLL=1 scenarios posix "$work/posix" .
}

step "copy of the sources" contrib/copy-tree.sh "$work/source" || finish
if [ "$only" = --portable ]; then
    portable
    finish
fi
step "layers by include" "$work/source/contrib/check-layers.sh"
step "headers compile alone" "$work/source/contrib/check-headers.sh"
step "documents" "$work/source/contrib/check-docs.sh"
step "image" "$work/source/contrib/make-image.sh" --check
step "states" "$work/source/contrib/make-states.sh" --check
step "system" "$work/source/contrib/check-system.sh"
if command -v clang-tidy-14 >/dev/null; then
    step "static" "$work/source/contrib/check-static.sh"
fi
if command -v clang-format-14 >/dev/null; then
    step "format" "$work/source/contrib/format.sh" --check
fi

one_pass plain
epoll

# With the portable files, scenarios that say something about the system and do not wait for long;
# --portable plays the others, too.
left_out='/(18|26|3[0-58]|45|4[7-9]|5[0-2568]|6[0-689]|7[01369]|80|8[6-9]|9[0-9]|10[013]|11[289]|12[0-68]|13[0-9])-'
portable
left_out='^$'

# clang as the second compiler: its warnings differ, and they are errors here too.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
symbolizer=$(command -v llvm-symbolizer-14) && export ASAN_SYMBOLIZER_PATH=$symbolizer
one_pass sanitized --enable-sanitizers CC=clang
step "exports" "$work/source/contrib/check-unused.sh" "$work/sanitized"
step "threads" "$work/source/contrib/thread-check.sh"

finish
