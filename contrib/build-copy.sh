#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# build-copy.sh FOLDER: builds the program from a copy of the sources, as FOLDER/build/src/turnpike;
# the checkout stays as it was. Called by the longer runs when they are not given a binary.
set -euo pipefail
folder=$1
cd "$(dirname "$0")/.."

contrib/install-needs.sh test
contrib/copy-tree.sh "$folder/source"
mkdir -p "$folder/build"
cd "$folder/build"
../source/configure --quiet
make -j"$(nproc)" src/turnpike
