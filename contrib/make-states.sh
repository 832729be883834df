#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make-states.sh [--check]: writes doc/STATES.md from the tables of states and failures in src/,
# and from the tables formers that guard every change of state. --check compares instead,
# prints the difference and exits 1 when there is one.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

# PREFIX HEADER SOURCE: the table PREFIX_STATES of the header; the source with its table formers,
# "-" where states are set without one.
machines='
CLIENT            src/client/client_private.h    src/client/client_connection.c
CLIENT_H1         src/client/client_private.h    -
EXCHANGE          src/exchange/exchange_private.h src/exchange/exchange.c
ATTEMPT           src/exchange/attempt.h src/exchange/attempt.c
ORIGIN_CONNECTION src/origin/origin_private.h    src/origin/origin_connection.c
'

# Lines "NAME|SENTENCE" of a table of rows.
states_of() { # PREFIX HEADER
    awk -v start="#define $1_STATES(ROW)" '
        index($0, start) == 1 { inside = 1; next }
        inside && /ROW\(/ {
            name = $0; sub(/.*ROW\(/, "", name); sub(/,.*/, "", name)
            sentence = $0; sub(/^[^"]*"/, "", sentence); sub(/".*/, "", sentence)
            print name "|" sentence
            if ($0 !~ /\\$/) exit
        }' "$2"
}

# Lines "NAME|AFTER": the states that NAME may follow, in words, of a table formers.
followers_of() { # PREFIX SOURCE
    awk -v prefix="$1_" '
        /^static const uint16_t formers\[\]/ { table = 1; next }
        table && /^}/ { exit }
        table && /\] =$/ { held = $0; next } # its states stand on the next line
        held != "" { sub(/^ +/, ""); $0 = held " " $0; held = "" }
        table && /\] = / {
            name = $1; gsub(/[\[\]]/, "", name); sub(prefix, "", name)
            said = $0; sub(/^[^=]*= /, "", said); sub(/,[^,]*$/, "", said)
            if (said == "0") said = "none: the first one"
            if (said ~ / - 1$/) { sub(/ - 1$/, "", said); said = "any but " said }
            gsub(/FROM\(|\)/, "", said); gsub(/ \| /, ", ", said)
            print name "|" said
            next
        }' "$2"
}

machine() { # PREFIX HEADER SOURCE
    printf '\n## %s\n\n' "$1"
    if [ "$3" = - ]; then
        printf 'Table in `%s`.\n\n| State | A thing in it |\n|---|---|\n' "$2"
        states_of "$1" "$2" | awk -F'|' '{ print "| `" $1 "` | " $2 " |" }'
        return
    fi
    printf 'Table in `%s`; changes guarded in `%s`.\n\n' "$2" "$3"
    printf '| State | A thing in it | May follow |\n|---|---|---|\n'
    awk -F'|' 'NR == FNR { after[$1] = $2; next }
        { print "| `" $1 "` | " $2 " | " (($1 in after) ? after[$1] : "?") " |" }' \
        <(followers_of "$1" "$3") <(states_of "$1" "$2")
}

failures() {
    printf '\n## Why an attempt failed\n\nTable in `src/origin/failure.h`.\n\n'
    printf '| Failure | Status | Error type (RFC 9209) | Sentence |\n|---|---|---|---|\n'
    sed -nE 's/^ *ROW\(([A-Z0-9_]+), *([0-9]+), *[A-Z]+, *[A-Z]+, *"([^"]*)", *"([^"]*)"\).*/| `\1` | \2 | \3 | \4 |/p' \
        src/origin/failure.h
}

page() {
    printf '# States\n\n'
    printf 'Made by `contrib/make-states.sh` from the sources; edit those. '
    printf '[ARCHITECTURE.md](ARCHITECTURE.md) says who moves between them.\n'
    while read -r prefix header source; do
        [ -z "$prefix" ] || machine "$prefix" "$header" "$source"
    done <<<"$machines"
    failures
}

if [ "${1:-}" = --check ]; then
    diff -u doc/STATES.md <(page)
else
    page >doc/STATES.md
fi
