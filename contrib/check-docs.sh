#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Is there still what the documents name? First, in doc/ARCHITECTURE.md and doc/MECHANISMS.md,
# everything in `backticks`:
# a file must lie in src/ or where it says, every other word must stand in the code (not only in a
# comment), and in a file that stands right beside it: `name` (`file.c`), `name` in `file.c`,
# **`file.c`** `name`. Then, everywhere: options, files that links lead to, and paths under contrib/, doc/
# and etc/; in the pages for those who come from a peer, each word in the column of ours.
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
    done < <(grep -oE '`[^`]+`' "$fresh/walk" | tr -d '`' | tr ' ' '\n' | sort -u)
}

names_in_other_files() {
    local name file paths
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

# Options stand in doc/CONFIG.md, which check-options.sh compares with the schema; commands of turnpikectl
# in its table. On each page an option is a text in backticks with a group before it: `timeouts.connect`.
# In the right column of a page for those who come from a peer, each text in backticks is an option, a part of one (`connect`), a
# value (`least_requests`), YAML with them, or a command. Header names and paths begin otherwise.
# The last part of an option's former name (`samples`) stands on no page for users, unless it means
# something else, too.
options_that_are_gone() {
    grep -oE '^    \{"[a-z]+"' src/turnpikectl.c | tr -d ' {"' >"$fresh/commands"
    grep -oE '^    \{"[a-z-]+"' src/main.c | tr -d ' {"' | sed 's/^/--/' >>"$fresh/commands"
    sed -nE 's/^    \{[A-Z_]+, +"([a-z_.]+)", .*/\1/p' src/config/schema/renamed.c >"$fresh/renamed"
    awk '
        function known(path) {
            return path in option || path in part || path in value || path ~ /^(user_agent|tls\.(client|protocol))\.|^tls\.(cipher|resumed)$/
        }
        # YAML: each key below the keys that enclose it.
        function read_yaml(text,    depth, path, key, at) {
            depth = 0
            path[0] = ""
            while (match(text, /[a-z0-9_.]+:( |$)|[][{}]|"[^"]*"/)) {
                key = substr(text, RSTART, RLENGTH)
                at = RSTART + RLENGTH
                text = substr(text, at)
                if (key ~ /^[[{]$/) {
                    path[depth + 1] = path[depth "k"]
                    depth++
                    path[depth "k"] = path[depth]
                } else if (key ~ /^[]}]$/) {
                    depth--
                } else if (key !~ /^"/) {
                    sub(/: ?$/, "", key)
                    if (path[depth] in free) {
                        continue
                    }
                    key = path[depth] (path[depth] == "" ? "" : ".") key
                    sub(/^(listeners|routes)\./, "", key)
                    path[depth "k"] = key
                    if (!(key in option) && !(depth == 0 && key in part)) {
                        print FILENAME ": no option " key
                    }
                }
            }
        }
        function read_text(text,    words) {
            if (text ~ /^turnpikectl [a-z]/) {
                split(text, words, " ")
                if (!(words[2] in command)) {
                    print FILENAME ": no command " words[2] " of turnpikectl"
                }
            } else if (text ~ /^turnpike --[a-z]/) {
                split(text, words, " ")
                if (!(words[2] in command)) {
                    print FILENAME ": no option " words[2] " of turnpike"
                }
            } else if (text ~ /^[a-z0-9_.]+: ?/ && text !~ /^(srv|unix):/) {
                read_yaml(text)
            } else if (text ~ /^[a-z0-9_]+(\.[a-z0-9_]+)*$/ && text !~ /^turnpike/ && !known(text)) {
                print FILENAME ": no option " text
            }
        }
        FILENAME == commands { command[$1] = 1; next }
        FILENAME == renamed { sub(/.*\./, ""); former[$0] = 1; next }
        FILENAME == "doc/CONFIG.md" && !/^\| `/ { next }
        FILENAME == "doc/CONFIG.md" {
            split($0, cell, " \\| ")
            name = cell[1]
            gsub(/[|` ]/, "", name)
            option[name] = 1
            count = split(name, parts, ".")
            last = parts[count]
            if (cell[2] ~ /^mapping|places in a request/) {
                free[name] = free[last] = 1
            }
            part[last] = 1
            if (count > 1) {
                group[parts[1]] = 1
            }
            for (rest = cell[3] cell[4]; match(rest, /`[^`]+`/); rest = substr(rest, RSTART + RLENGTH)) {
                value[substr(rest, RSTART + 1, RLENGTH - 2)] = 1
            }
            next
        }
        {
            ours = FILENAME ~ /FROM-/ && /^\| / && sub(/^\| .* \| /, "")
            for (rest = $0; match(rest, /`[^`]+`/);) {
                text = substr(rest, RSTART + 1, RLENGTH - 2)
                rest = substr(rest, RSTART + RLENGTH)
                first = text
                sub(/\..*/, "", first)
                if (text in former && !known(text) && !(text in command) && FILENAME !~ /ARCHITECTURE|MECHANISMS/) {
                    print FILENAME ": " text " is the former name of an option"
                } else if (ours) {
                    read_text(text)
                } else if (text ~ /^[a-z0-9_]+(\.[a-z0-9_]+)+$/ && text !~ /\.[ch]$/ && first in group && !known(text)) {
                    print FILENAME ": no option " text
                }
            }
        }
    ' commands="$fresh/commands" renamed="$fresh/renamed" "$fresh/commands" "$fresh/renamed" doc/CONFIG.md *.md doc/*.md
}

gone=$(
    for walk in doc/ARCHITECTURE.md doc/MECHANISMS.md; do
        tr '\n' ' ' <"$walk" | tr -s ' ' >"$fresh/walk" # lines may break within a name, or between two
        words_that_are_gone
        names_in_other_files
    done
    options_that_are_gone
    links_to_nowhere
    paths_to_nowhere
)
if [ -n "$gone" ]; then
    echo "$gone"
    exit 1
fi
echo "documents: what they name is there"
