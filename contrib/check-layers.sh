#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# check-layers.sh [BUILD]: do all arrows between the folders of src/ point down? The rooms within a
# folder are for finding things: files of one folder may call each other.
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
http      1
net       1
config    2
cache     3
dns       3
observe   3
tls       3
origin    4
route     4
split     4
exchange  5
client    6
control   7
remote    7
process   8
'

# PREFIX FILES: libraries that are not ours show in these files only, in no header but a private one.
foreign='
sys/epoll src/net/watch_epoll.c
event2/   src/net/watch_libevent.c
ares      src/dns/resolver.c src/dns/srv_answer.c
yaml.h    src/config/yaml/yaml_reader.c
nghttp2/  src/http/h2/h2_session_private.h src/http/h2/h2_memory.c
openssl/  src/tls/transport_tls.c src/tls/tls_*.c
'

# For awk: level[FOLDER].
read_tables='
    function read_tables(    count, word, i) {
        count = split(levels, word, " ")
        for (i = 1; i < count; i += 2) level[word[i]] = word[i + 1]
    }
'

# Lines "FILE:LINE:INCLUDED" of every #include in src/.
all_includes() {
    grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include' src |
        sed -E 's/^([^:]*:[0-9]+):[^<"]*[<"]([^>"]*)[>"].*/\1:\2/'
}

includes_that_reach_up() {
    all_includes | awk -F: -v levels="$levels" "$read_tables"'
        BEGIN { read_tables() }
        {
            split($1, path, "/")
            from = path[2]
            slash = index($3, "/")
            to = slash ? substr($3, 1, slash - 1) : ""
            where = $1 ":" $2 ": "
            if ($1 ~ /^src\/[^\/]*$/) next               # main.c, turnpikectl.c
            if (!(from in level)) { print where "folder " from " has no level in " \
                "contrib/check-layers.sh"; next }
            if (!(to in level) || to == from) next
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
    all_symbols | awk -v levels="$levels" "$read_tables"'
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
                print from " reaches " (level[to] > level[from] ? "up" : "aside") ": " symbol \
                    " (of " to "/" file_of[symbol] ".c, in " from "/" wanted[want] ".c)"
            }
        }' | sort
}

findings=$(
    includes_that_reach_up
    includes_without_folder
    foreign_includes_elsewhere
    if [ -n "$build" ]; then
        symbols_that_reach_up
    fi
)
if [ -n "$findings" ]; then
    echo "$findings"
    exit 1
fi
echo "layers: all arrows point down${build:+, in includes and in symbols}"
