#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Is there still what the documents name? First, in doc/ARCHITECTURE.md and doc/MECHANISMS.md,
# everything in `backticks`:
# a file must lie in src/ or where it says, every other word must stand in the code (not only in a
# comment), and in a file that stands right beside it: `name` (`file.c`), `name` in `file.c`,
# **`file.c`** `name`. Then, everywhere: files that links lead to, and paths under contrib/, doc/ and etc/.
# Prints one line for each that is gone and exits 1 when there is any. Called by contrib/check.sh.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

# The code without its comments.
code_of() { # FILE...
    cat "$@" | "${CC:-cc}" -fpreprocessed -dD -E -P -x c - 2>/dev/null
}

# Where a document's name for a file leads to: "http/message.h", "retry.c", "contrib/check.sh".
files_named() { # NAME
    local name=$1 path
    for path in $name src/$name src/*/$name src/*/*/$name doc/$name; do
        if [ -e "$path" ]; then
            echo "$path"
        fi
    done
}

is_file_name() {
    [[ $1 =~ ^[A-Za-z0-9_.][A-Za-z0-9_./*-]*$ && ($1 == */* || $1 =~ \.(c|h|sh|md|mjs|yaml|am)$) ]]
}

words_that_are_gone() {
    local word part
    code_of src/*.c src/*/*.[ch] src/*/*/*.[ch] | grep -oE '[A-Za-z0-9_]+' | sort -u >"$fresh/words"
    while read -r word; do
        if is_file_name "$word"; then
            [ -n "$(files_named "$word")" ] || echo "$walk: there is no file $word"
            continue
        fi
        [[ $word != -* ]] || continue # an option of a command
        for part in $(tr -cs 'A-Za-z0-9_' ' ' <<<"$word"); do
            grep -qxF "$part" "$fresh/words" || echo "$walk: no \`$part\` in the code"
        done
    done < <(grep -oE '`[^`]+`' "$walk" | tr -d '`' | tr ' ' '\n' | sort -u)
}

# Lines may break between the two.
names_in_other_files() {
    local name file paths
    tr '\n' ' ' <"$walk" | tr -s ' ' >"$fresh/walk"
    {
        grep -oE '`[a-z0-9_]+`( in |, in | \()`[a-z0-9_/]+\.[ch]`' "$fresh/walk" |
            tr -d '`,(' | sed -E 's/ (in )?/ /'
        grep -oE '\*\*`[a-z0-9_/]+\.[ch]`\*\*:? `[a-z0-9_]+`' "$fresh/walk" |
            tr -d '`*:' | awk '{ print $2, $1 }'
    } | sort -u >"$fresh/pairs"
    while read -r name file; do
        mapfile -t paths < <(files_named "$file")
        [ ${#paths[@]} -gt 0 ] || continue # told above
        code_of "${paths[@]}" >"$fresh/code"
        grep -qw "$name" "$fresh/code" || echo "$walk: no \`$name\` in $file"
    done <"$fresh/pairs"
}

links_to_nowhere() {
    local page target
    for page in *.md doc/*.md doc/decisions/*.md; do
        grep -oE '\]\([^)# ]+' "$page" | sed 's/^](//' | { grep -v '://' || true; } | sort -u |
            while read -r target; do
                [ -e "$(dirname "$page")/$target" ] || echo "$page: a link to $target"
            done || true
    done
}

# A program that the build makes has its source there.
paths_to_nowhere() {
    local page path
    grep -roE '(^|[^A-Za-z0-9_./$-])(contrib|doc|etc)/[A-Za-z0-9_./-]*[A-Za-z0-9_]' \
        *.md NEWS src contrib doc etc .ci |
        sed -E 's/^([^:]*):[^A-Za-z]?/\1 /' | sort -u |
        while read -r page path; do
            [ -e "$path" ] || [ -e "$path.c" ] || echo "$page: there is no $path"
        done
}

gone=$(
    for walk in doc/ARCHITECTURE.md doc/MECHANISMS.md; do
        words_that_are_gone
        names_in_other_files
    done
    links_to_nowhere
    paths_to_nowhere
)
if [ -n "$gone" ]; then
    echo "$gone"
    exit 1
fi
echo "documents: what they name is there"
