#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Are the files made from the option table (src/config/schema/schema.c) up to date, and do the
# configurations that we hand out load?
#
#   contrib/check-options.sh [--update] [MAKE_CONFIG_DOC]
#
# MAKE_CONFIG_DOC is the built generator, by default contrib/make_config_doc in the folder
# where this is called. --update writes the files instead of comparing them.
set -eu

update=no
if [ "${1:-}" = --update ]; then
    update=yes
    shift
fi
generator=${1:-contrib/make_config_doc}
root=$(cd "$(dirname "$0")/.." && pwd)
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
status=0

check_made() { # KIND FILE
    "$generator" "$1" >"$fresh/made"
    if [ "$update" = yes ]; then
        cp "$fresh/made" "$root/$2"
    elif ! diff -u "$root/$2" "$fresh/made"; then
        echo "check-options: $2 is not what the option table says; run contrib/check-options.sh --update" >&2
        status=1
    fi
}

check_made doc doc/CONFIG.md
check_made sample etc/turnpike.yaml
check_made schema etc/turnpike.schema.json
"$generator" check "$root/etc/turnpike.yaml" "$root/etc/quickstart.yaml" || status=1
exit $status
