#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# format.sh [--check]: lays out all C files as .clang-format says. With --check it names the
# lines that it would change, and exits 1 if there are any. Needs version 14 of clang-format: others
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
    all_files | xargs -P "$(nproc)" -n 32 clang-format-14 --style=file --dry-run -Werror || exit 1
    ;;
*)
    echo "usage: format.sh [--check]" >&2
    exit 2
    ;;
esac
