#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# path-guard.sh [BINARY]: sends the spellings of a guarded path that tests/scenario/lib/paths.mjs
# lists to PHP (files, and a front controller) and to Tomcat (as it comes, and as lenient as it can be
# set): none may reach what is guarded (contrib/path-guard.mjs). nginx, Node and Python are in the
# check. Needs the Debian packages php-cli, tomcat10 and a Java runtime (exits 77, "not run", without
# them). Builds a copy first unless it is given a BINARY.
set -euo pipefail
binary=${1:+$(realpath "$1")}
cd "$(dirname "$0")/.."

for program in php java /usr/share/tomcat10/bin/catalina.sh; do
    if ! command -v "$program" >/dev/null; then
        echo "path-guard.sh: $program is missing; apt-get install php-cli tomcat10 default-jre-headless" >&2
        exit 77
    fi
done

if [ -z "$binary" ]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-paths.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    contrib/build-copy.sh "$work" >"$work/output" 2>&1 || { cat "$work/output"; exit 1; }
    binary=$work/build/src/turnpike
fi

TURNPIKE=$binary node contrib/path-guard.mjs
