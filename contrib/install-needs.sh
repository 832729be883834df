#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# install-needs.sh build|test|package: installs the Debian packages that are missing. "build" is
# what compiling takes, "test" adds what contrib/check.sh runs, "package" what make-deb.sh takes. Calls apt only when something is
# missing, and then needs root or sudo. Called by contrib/quickstart.sh and contrib/check.sh.
set -euo pipefail

build_needs="gcc libc6-dev make autoconf automake pkg-config
    libevent-dev libyaml-dev libssl-dev libc-ares-dev libnghttp2-dev"
# clang with its runtime and llvm (names in sanitizer reports): the second build and the
# fuzzers. nginx-light and nodejs: origins, and the program that plays the scenarios.
# nghttp2-client: nghttp and h2load. git: a real client, and its server. procps: ps and pgrep.
# python3 and valgrind: the count of instructions a request.
test_needs="libcmocka-dev clang libclang-rt-14-dev llvm-14 clang-format-14 clang-tidy-14
    nginx-light nodejs nghttp2-client git curl openssl procps python3 valgrind"

case ${1:-} in
build) wanted=$build_needs ;;
test)
    wanted="$build_needs $test_needs"
    # The scenarios with a gRPC library install that by npm, which may have come with nodejs.
    command -v npm >/dev/null || wanted="$wanted npm"
    ;;
package) wanted="$build_needs debhelper dpkg-dev fakeroot" ;;
*) echo "usage: install-needs.sh build|test|package" >&2; exit 2 ;;
esac

is_installed() {
    # The status of a removed package is known too, hence the look at what it is.
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
for package in $wanted; do
    is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "These Debian packages are missing, and there is no apt-get:$missing" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    as_root=sudo
    if ! command -v sudo >/dev/null; then
        echo "Installing these packages takes root or sudo:$missing" >&2
        exit 1
    fi
fi
echo "Installing:$missing"

# nginx is wanted as a program that the tests start, never as a service: its package would
# start one on port 80 of this machine. Debian asks policy-rc.d before it starts any service;
# 101 means "no". A file that is there already is left alone.
policy=/usr/sbin/policy-rc.d
allow_services() { :; }
if [ ! -e "$policy" ]; then
    allow_services() { $as_root rm -f "$policy"; }
    trap allow_services EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi

apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300"
# shellcheck disable=SC2086  # words are meant
$apt update
# shellcheck disable=SC2086
$apt install -y --no-install-recommends $missing

# Nor at the next start of the machine.
case $missing in
*nginx*) $as_root update-rc.d nginx disable >/dev/null || true ;;
esac
