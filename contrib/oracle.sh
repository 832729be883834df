#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# oracle.sh [REQUESTS [SEED]]: random clients (trailers, pipelining, splits, waiting, retries, early
# answers, Expect, bodies of up to a megabyte to slow readers, clients that leave, reloads) and origins
# that report whatever no client sent; see tests/oracle/oracle.h. A tenth of REQUESTS (2000000) goes
# through a build with sanitizers, plain only, with TLS, with half of the clients over HTTP/2, and with
# the origins over HTTP/2 as well, and then all of them, in the same ways, through one as it is by
# default. Builds copies of the sources; the checkout stays as it
# was. An hour on two cores; the seed is told first.
set -euo pipefail
case ${1:-}${2:-} in
*[!0-9]*) echo "usage: oracle.sh [REQUESTS [SEED]]" >&2; exit 2 ;;
esac
requests=${1:-2000000}
seed=${2:-$RANDOM}
cd "$(dirname "$0")/.."

work=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-oracle.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

build() { # FOLDER CONFIGURE_ARGUMENT...
    mkdir "$work/$1"
    (cd "$work/$1" && shift && ../source/configure --quiet "$@" &&
        make -j"$(nproc)" src/turnpike tests/oracle/oracle) >"$work/output" 2>&1 ||
        { cat "$work/output"; exit 1; }
}

run() { # BUILD OPTION...
    local folder=$work/$1
    shift
    echo "== ${folder##*/}: $*"
    "$work/default/tests/oracle/oracle" --gateway "$folder/src/turnpike" --seed "$seed" "$@"
}

contrib/install-needs.sh test
contrib/copy-tree.sh "$work/source"
build default
build sanitized --enable-sanitizers CC=clang
run sanitized --requests $((requests / 10)) --reload-every 5000
run sanitized --requests $((requests / 10)) --reload-every 5000 --tls
run sanitized --requests $((requests / 10)) --reload-every 5000 --tls --h2
run sanitized --requests $((requests / 10)) --reload-every 5000 --tls --h2 --h2-origins
run default --requests "$requests" --reload-every 25000
run default --requests "$requests" --reload-every 25000 --h2
run default --requests "$requests" --reload-every 25000 --tls --h2 --h2-origins
