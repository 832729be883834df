#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Writes sources.am, which Makefile.am includes: every source file by the folder it lies in.
# A file belongs to the build by lying in its folder, so there is no list to edit. Of twins one is
# built, as configure was told: *_libevent.c or *_epoll.c, *_linux.c or *_posix.c. The file is left
# untouched when nothing changed; otherwise make runs automake again by itself.
# Called by autogen.sh and contrib/quickstart.sh.
set -euo pipefail
export LC_ALL=C
shopt -s nullglob
cd "$(dirname "$0")/.."

layers="base http net config cache dns observe tls origin route split exchange client control remote
    process"

# assign VARIABLE WORD...: one make assignment, one word a line.
assign() {
    local variable=$1
    shift
    printf '%s =' "$variable"
    printf ' \\\n\t%s' "$@"
    printf '\n\n'
}

# twins CONDITION VARIABLE YES NO FILE...: appends to VARIABLE those whose names end on YES if the
# condition holds, on NO if it does not.
twins() {
    local condition=$1 variable=$2 yes=$3 no=$4 file words_yes=() words_no=()
    shift 4
    for file; do
        case $file in
        *_"$yes".c) words_yes+=("$file") ;;
        *_"$no".c) words_no+=("$file") ;;
        esac
    done
    [ $((${#words_yes[@]} + ${#words_no[@]})) -gt 0 ] || return 0
    printf 'if %s\n' "$condition"
    printf '%s += %s\n' "$variable" "${words_yes[*]}"
    printf 'else\n'
    printf '%s += %s\n' "$variable" "${words_no[*]}"
    printf 'endif\n\n'
}

# layer_library FOLDER: the library of src/FOLDER and the rooms in it, once it holds a source file.
layer_library() {
    local layer=$1
    local all=(src/"$layer"/*.c src/"$layer"/*/*.c) sources=() file
    for file in "${all[@]}"; do
        case $file in
        *_libevent.c | *_epoll.c | *_linux.c | *_posix.c) ;;
        *) sources+=("$file") ;;
        esac
    done
    local headers=(src/"$layer"/*.h src/"$layer"/*/*.h)
    if [ ${#sources[@]} -eq 0 ]; then
        return
    fi
    printf 'noinst_LIBRARIES += src/lib%s.a\n' "$layer"
    printf '%s_library = src/lib%s.a\n' "$layer" "$layer"
    assign "src_lib${layer}_a_SOURCES" "${sources[@]}" "${headers[@]}"
    twins EVENTS_EPOLL "src_lib${layer}_a_SOURCES" epoll libevent "${all[@]}"
    twins SYSTEM_LINUX "src_lib${layer}_a_SOURCES" linux posix "${all[@]}"
}

# program LIST NAME SOURCE...: one program for that list of automake's.
program() {
    local list=$1 name=$2
    shift 2
    printf '%s += %s\n' "$list" "$name"
    assign "${name//[^A-Za-z0-9_]/_}_SOURCES" "$@"
}

installed_and_helper_programs() {
    if [ -f src/main.c ]; then
        printf 'src_turnpike_LDADD = $(program_libraries)\n'
        program sbin_PROGRAMS src/turnpike src/main.c
    fi
    if [ -f src/turnpikectl.c ]; then
        printf 'src_turnpikectl_LDADD = $(remote_libraries)\n'
        program sbin_PROGRAMS src/turnpikectl src/turnpikectl.c
    fi
    if [ -f contrib/make_config_doc.c ]; then
        printf 'contrib_make_config_doc_LDADD = $(program_libraries)\n'
        program noinst_PROGRAMS contrib/make_config_doc contrib/make_config_doc.c
    fi
}

test_programs() {
    local source
    local fakes=(tests/fakes/*.c tests/fakes/*.h)
    if compgen -G 'tests/fakes/*.c' >/dev/null; then
        printf 'check_LIBRARIES += tests/libfakes.a\n'
        printf 'fakes_library = tests/libfakes.a\n'
        assign tests_libfakes_a_SOURCES "${fakes[@]}"
    fi
    printf 'if HAVE_CMOCKA\n'
    for source in tests/unit/*/test_*.c tests/unit/*/*/test_*.c; do
        program check_PROGRAMS "${source%.c}" "$source"
    done
    printf 'endif\n\n'
    for source in tests/fuzz/fuzz_*.c; do
        program check_PROGRAMS "${source%.c}" "$source" tests/fuzz/replay.c
    done
    printf 'tests_oracle_oracle_LDADD = $(base_library) $(TLS_LIBS) $(NGHTTP2_LIBS)\n'
    program EXTRA_PROGRAMS tests/oracle/oracle tests/oracle/*.c tests/oracle/*.h \
        tests/fakes/certificate_files.c
}

{
    printf '# Written by contrib/list-sources.sh; not kept in the repository.\n\n'
    for layer in $layers; do
        layer_library "$layer"
    done
    installed_and_helper_programs
    test_programs
} >sources.am.new.$$

if cmp -s sources.am.new.$$ sources.am; then
    rm sources.am.new.$$
else
    mv sources.am.new.$$ sources.am
fi
