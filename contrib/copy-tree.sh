#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# copy-tree.sh FOLDER: copies the source tree, without anything a build left in it, to FOLDER
# (made if missing) and makes ./configure there. The checkout stays as it is, may be read-only
# or configured in place, and may be edited while a long run goes on.
# Called by contrib/check.sh and contrib/fuzz.sh.
set -euo pipefail
target=$1
cd "$(dirname "$0")/.."

mkdir -p "$target"
# A name of tar's that starts with "./" is that one file; any other is looked for everywhere.
tar --exclude=./.git --exclude='./build*' --exclude=./autom4te.cache --exclude=./config.status \
    --exclude=./config.log --exclude=./Makefile --exclude=./sources.am --exclude=.deps \
    --exclude=.dirstamp --exclude='*.o' --exclude='*.a' --exclude='*.trs' \
    -cf - . | tar -C "$target" -xf -
cd "$target"
./autogen.sh
