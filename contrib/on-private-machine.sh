# SPDX-License-Identifier: BSD-2-Clause
# Sourced by check-package.sh and check-start.sh, with their words. Outside: builds the Debian package
# unless one is given, runs the script once more on a copy of this machine (private-machine.sh), and
# exits as that did, or with 77 where there can be no such copy. Inside: $package is the package.
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${1:-}" != --inside ]; then
    contrib/private-machine.sh true || exit
    built=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-package.XXXXXX")
    trap 'rm -rf "$built"' EXIT
    package=${1:-}
    [ -n "$package" ] || package=$(contrib/make-deb.sh "$built" | tail -1)
    contrib/private-machine.sh bash "contrib/$(basename "$0")" --inside "$(realpath "$package")"
    exit
fi
package=$2
