#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make-image.sh [--check] [NAME]: builds the Debian package and an image of it (contrib/Containerfile),
# named NAME (turnpike by default), with podman, buildah or docker. Without one of them that works, and
# with --check, it only looks whether the Containerfile fits the tree: each instruction is known, what it
# copies is what make-deb.sh makes, paths and options that it names are there. Exits 1 where it does not.
set -euo pipefail
cd "$(dirname "$0")/.."
file=contrib/Containerfile

wrong=0
complain() {
    echo "$file: $1" >&2
    wrong=1
}
# Lines that a backslash joins are one.
instructions() {
    grep -v '^ *#' "$file" | sed -e ':more' -e '/\\$/{N;s/\\\n//;b more' -e '}' | grep -v '^ *$'
}
check() {
    local words='FROM COPY RUN USER ENV VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD' word rest
    [ "$(instructions | head -1 | cut -d' ' -f1)" = FROM ] || complain "does not begin with FROM"
    while read -r word rest; do
        grep -qw -- "$word" <<<"$words" || complain "unknown instruction $word"
        case $word in
        ENTRYPOINT | CMD | HEALTHCHECK)
            python3 -c 'import json, sys; json.loads(sys.argv[1])' "${rest#CMD }" 2>/dev/null ||
                complain "$word is no JSON list, so a shell would get the signals"
            ;;
        esac
    done < <(instructions)
    instructions | grep -q '^USER turnpike$' || complain "it would run as root"
    instructions | grep -q '^ENTRYPOINT \["/usr/sbin/turnpike"\]$' || complain "the program is /usr/sbin/turnpike"
    grep -q -- '--sbindir=/usr/sbin' contrib/debian/rules || complain "the package has its programs elsewhere"
    grep -q 'address: 0.0.0.0:8080' etc/package.yaml || complain "the package's configuration has another port"
    grep -q -- '"--last-good"\|--last-good ' src/main.c || complain "there is no --last-good"
}
check
[ $wrong = 0 ] || exit 1
if [ "${1:-}" = --check ]; then
    echo "$file: fits the tree"
    exit
fi
tool=
for candidate in podman buildah docker; do
    if command -v "$candidate" >/dev/null && "$candidate" info >/dev/null 2>&1; then
        tool=$candidate
        break
    fi
done
if [ -z "$tool" ]; then
    echo "$file: fits the tree; no podman, buildah or docker works here to build it" >&2
    exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-image.XXXXXX")
trap 'rm -rf "$work"' EXIT
contrib/make-deb.sh "$work" >&2
"$tool" build -f "$file" -t "${1:-turnpike}" "$work"
