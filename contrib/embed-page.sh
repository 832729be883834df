#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# embed-page.sh PAGE.html PIECE.css|PIECE.js...: the live page as one file, in C.
# The line "<!-- style -->" of the page becomes the style sheets, "<!-- script -->" the scripts,
# each kind joined in the order given. Writes the array live_page_html and, for the page's policy,
# the hashes LIVE_PAGE_STYLE and LIVE_PAGE_SCRIPT of what stands between the tags. Called by make.
set -euo pipefail
export LC_ALL=C

page=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

: >"$work/style"
: >"$work/script"
for piece; do
    case $piece in
    *.css) cat "$piece" >>"$work/style" ;;
    *.js) cat "$piece" >>"$work/script" ;;
    *) echo "embed-page.sh: neither a style sheet nor a script: $piece" >&2 && exit 1 ;;
    esac
done

# "sha256-..." as a policy names it (CSP level 3, section 2.3.1).
hash_of() { # FILE
    sha256sum <"$1" | awk '{
        digits = "0123456789abcdef"
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        hex = substr($1, 1, 64) "00"
        for (i = 1; i <= 64; i += 3) {
            twelve = 0
            for (j = 0; j < 3; j++) twelve = twelve * 16 + index(digits, substr(hex, i + j, 1)) - 1
            out = out substr(letters, int(twelve / 64) + 1, 1) substr(letters, twelve % 64 + 1, 1)
        }
        print "sha256-" substr(out, 1, 43) "="
    }'
}

while IFS= read -r line; do
    case $line in
    '<!-- style -->')
        printf '<style>'
        cat "$work/style"
        printf '</style>\n'
        ;;
    '<!-- script -->')
        printf '<script>'
        cat "$work/script"
        printf '</script>\n'
        ;;
    *) printf '%s\n' "$line" ;;
    esac
done <"$page" >"$work/page"

printf '/* Written by contrib/embed-page.sh; not kept in the repository. */\n'
printf '#define LIVE_PAGE_STYLE "%s"\n' "$(hash_of "$work/style")"
printf '#define LIVE_PAGE_SCRIPT "%s"\n' "$(hash_of "$work/script")"
printf 'static const char live_page_html[] = {\n'
od -An -v -td1 <"$work/page" | awk '{ for (i = 1; i <= NF; i++) printf "%s,", $i; print "" }'
printf '};\n'
