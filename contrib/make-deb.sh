#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make-deb.sh [FOLDER]: builds the Debian package from a copy of the tree, and leaves it in FOLDER
# (the current one by default). Installs what building takes. The last line is the package's path.
set -euo pipefail
folder=$(realpath "${1:-.}")
cd "$(dirname "$0")/.."

contrib/install-needs.sh package >&2
work=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
contrib/copy-tree.sh "$work/turnpike" >&2
cp -r contrib/debian "$work/turnpike/debian"
(cd "$work/turnpike" && dpkg-buildpackage -us -uc -b) >&2
cp "$work"/turnpike_*.deb "$folder/"
ls "$folder"/turnpike_*.deb
