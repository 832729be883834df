#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# check-unused.sh [BUILD]: which functions and data does src/ offer to other files that no other file
# takes? They are either not needed at all or belong to their file alone (static). BUILD (build) has to be
# built with its tests (make check TESTS=) and without link-time optimisation, which hides who calls
# whom. What only a test takes is fine: it is there to be tested. Prints a line each and exits 1.
# Called by contrib/check.sh.
set -euo pipefail
export LC_ALL=C
build=${1:-$(dirname "$0")/../build}
build=$(cd "$build" && pwd)
cd "$(dirname "$0")/.."

# A pattern each of what is there for others than our own files.
# The portable files alone take the engine's timer.
kept='^(main|malloc_usable_size|watch_(set|start)_timer)$'

# Lines "FILE TYPE SYMBOL" of the global symbols of all objects.
all_symbols() {
    find "$build" -name '*.o' -not -path '*/libs/*' -print0 | xargs -0 nm -A -g | awk '{
        file = $1
        sub(/\.o:.*/, "", file)
        print file, $(NF - 1), $NF
    }'
}

findings=$(all_symbols | sed "s,^$build/,," | awk -v kept="$kept" '
    $2 == "U" { takers[$3] = takers[$3] " " $1; next }
    $1 ~ /^src\// && $3 !~ kept { giver[$3] = $1 }
    END {
        for (symbol in giver) {
            if (!(symbol in takers))
                print giver[symbol] ".c: no other file takes " symbol
        }
    }' | sort)
if [ -n "$findings" ]; then
    echo "$findings"
    exit 1
fi
echo "exports: each is taken by another file"
