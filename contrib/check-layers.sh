#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# check-layers.sh [BUILD]: do all arrows between the folders of src/ point down, and do those
# between the files of one folder go in no circle?
# First by the #include lines, where the message can name the line; then, given a build
# folder, by the symbols of its libraries, which catches what an extern declaration hides.
# Prints one line an offender and exits 1 when there is any. Called by contrib/check.sh.
set -euo pipefail
export LC_ALL=C
build=${1:+$(cd "$1" && pwd)}
cd "$(dirname "$0")/.."

# FOLDER LEVEL. A folder may use those of lower levels; folders of one level do not know each
# other. src/main.c and src/turnpikectl.c stand above all.
levels='
base      0
config    1
http      2
io        2
observe   2
origin    3
exchange  4
client    5
control   6
remote    6
process   7
'

# FOLDER FILE: what a folder may use all the same. message and header_names say what an HTTP
# message is: plain structs and tables that depend on nothing but base. Routes match on them
# (config) and outcomes name them (observe); lifted into a folder of their own they would part
# from the codecs that give them their meaning.
exceptions='
config    http/message
config    http/header_names
observe   http/message
observe   http/header_names
'

# PREFIX FILES: libraries that are not ours show in these files only, in no header.
foreign='
sys/epoll src/io/watch.c
ares      src/io/resolver.c src/io/srv_answer.c
yaml.h    src/config/yaml_reader.c
openssl/  src/io/transport_tls.c src/io/tls_*.c src/process/fingerprint.c
'

# For awk: level[FOLDER], and allowed[FOLDER " " FILE] of the exceptions.
read_tables='
    function read_tables(    count, word, i) {
        count = split(levels, word, " ")
        for (i = 1; i < count; i += 2) level[word[i]] = word[i + 1]
        count = split(exceptions, word, " ")
        for (i = 1; i < count; i += 2) allowed[word[i] " " word[i + 1]] = 1
    }
'

# Lines "FILE:LINE:INCLUDED" of every #include in src/.
all_includes() {
    grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include' src |
        sed -E 's/^([^:]*:[0-9]+):[^<"]*[<"]([^>"]*)[>"].*/\1:\2/'
}

includes_that_reach_up() {
    all_includes | awk -F: -v levels="$levels" -v exceptions="$exceptions" "$read_tables"'
        BEGIN { read_tables() }
        {
            split($1, path, "/")
            from = path[2]
            slash = index($3, "/")
            to = slash ? substr($3, 1, slash - 1) : ""
            file = $3
            sub(/\.h$/, "", file)
            where = $1 ":" $2 ": "
            if ($1 ~ /^src\/[^\/]*$/) next               # main.c, turnpikectl.c
            if (!(from in level)) { print where "folder " from " has no level in " \
                "contrib/check-layers.sh"; next }
            if (!(to in level) || to == from || ((from " " file) in allowed)) next
            if (level[to] >= level[from])
                print where from " (level " level[from] ") includes " $3 " (level " level[to] ")"
        }'
}

# Ours are found by "folder/file.h"; a name alone would depend on who includes it.
includes_without_folder() {
    grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^/"]*"' src |
        sed -E 's/^([^:]*:[0-9]+):(.*)/\1: without its folder: \2/' || true
}

foreign_includes_elsewhere() {
    local prefix files file line included pattern known
    while read -r prefix files; do
        [ -n "$prefix" ] || continue
        while IFS=: read -r file line included; do
            known=no
            for pattern in $files; do
                # shellcheck disable=SC2053  # a pattern is meant
                [[ $file == $pattern ]] && known=yes
            done
            [ "$known" = yes ] || echo "$file:$line: <$included> belongs in $files only"
        done < <(all_includes | awk -F: -v prefix="$prefix" 'index($3, prefix) == 1')
    done <<<"$foreign"
}

# Lines "FOLDER FILE TYPE SYMBOL" of the global symbols of all libraries.
all_symbols() {
    local library folder
    for library in "$build"/src/lib*.a; do
        folder=${library##*/lib}
        folder=${folder%.a}
        nm -A -g "$library" | awk -v folder="$folder" '{
            split($1, part, ":")
            sub(/\.o$/, "", part[2])
            print folder, part[2], $(NF - 1), $NF
        }'
    done
}

symbols_that_reach_up() {
    all_symbols | awk -v levels="$levels" -v exceptions="$exceptions" "$read_tables"'
        BEGIN { read_tables() }
        $3 == "U" { wanted[$1 " " $4] = $2; next }
        $3 ~ /^[TDBRCVW]$/ { folder_of[$4] = $1; file_of[$4] = $2 }
        END {
            for (want in wanted) {
                split(want, part, " ")
                from = part[1]; symbol = part[2]
                if (!(symbol in folder_of)) continue       # a foreign library has it
                to = folder_of[symbol]
                if (to == from || level[to] < level[from]) continue
                if ((from " " to "/" file_of[symbol]) in allowed) continue
                print from " reaches " (level[to] > level[from] ? "up" : "aside") ": " symbol \
                    " (of " to "/" file_of[symbol] ".c, in " from "/" wanted[want] ".c)"
            }
        }' | sort
}

# Within a folder: files that call each other, or one another in a circle.
files_in_circles() {
    all_symbols | awk '
        $3 == "U" { wanted[$1 " " $2 " " $4]; next }
        $3 ~ /^[TDBRCVW]$/ { file_of[$1 " " $4] = $2 }
        END {
            for (want in wanted) {
                split(want, part, " ")
                to = file_of[part[1] " " part[3]]
                if (to != "" && to != part[2]) print part[1] "/" part[2], part[1] "/" to
            }
        }' | sort | { tsort 2>&1 >/dev/null || true; } |
        sed -nE 's,^tsort: ([a-z0-9_]+/[a-z0-9_]+)$,in a circle of calls: src/\1.c,p' | sort -u
}

findings=$(
    includes_that_reach_up
    includes_without_folder
    foreign_includes_elsewhere
    if [ -n "$build" ]; then
        symbols_that_reach_up
        files_in_circles
    fi
)
if [ -n "$findings" ]; then
    echo "$findings"
    exit 1
fi
echo "layers: all arrows point down${build:+, in includes and in symbols; no circles}"
