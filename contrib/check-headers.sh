#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does every header of src/ compile alone? One that leans on what its includer had included
# before breaks for the next includer. Prints the compiler's words for each that does not and
# exits 1. Called by contrib/check.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
count=0
while read -r header; do
    count=$((count + 1))
    # Included, not compiled as the main file: compilers warn otherwise about unused inlines.
    if ! printf '#include "%s"\n' "${header#src/}" |
        ${CC:-cc} -std=gnu17 -D_GNU_SOURCE -Isrc -Wall -Wextra -Werror -fsyntax-only -x c -; then
        echo "does not compile alone: $header"
        failed=1
    fi
done < <(find src -name '*.h' | sort)
[ "$failed" = 0 ] && echo "headers: $count compile alone"
exit "$failed"
