#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# format.sh [--check]: lays out all C files as .clang-format says. With --check it shows what
# it would change, and exits 1 if that is anything. Needs version 14 of clang-format: others
# lay out otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

all_files() {
    find src tests contrib -name '*.[ch]' | LC_ALL=C sort
}

case ${1:-} in
'')
    all_files | xargs clang-format-14 --style=file -i
    ;;
--check)
    failed=0
    while read -r file; do
        clang-format-14 --style=file "$file" |
            diff -u --label "$file" --label "$file as contrib/format.sh leaves it" "$file" - ||
            failed=1
    done < <(all_files)
    exit $failed
    ;;
*)
    echo "usage: format.sh [--check]" >&2
    exit 2
    ;;
esac
