#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# check-package.sh [TURNPIKE.deb]: installs the Debian package, starts what it brings, asks it, hands
# it over to the binary of a second installation, removes it and purges it; all of that on a copy of
# this machine (contrib/private-machine.sh). Builds the package when none is given. Ends with "N passed,
# N failed"; exits 77 where there can be no such copy.
set -uo pipefail
. "$(dirname "$0")/on-private-machine.sh"

apt-get purge --yes turnpike >/dev/null 2>&1 # where this machine has it
work=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-package.XXXXXX")
gateway=
cleanup() {
    [ -z "$gateway" ] || kill -9 "$gateway" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT

passed=0
failed=0
step() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        echo "ok      $name"
        passed=$((passed + 1))
    else
        echo "FAILED  $name"
        sed 's/^/        /' "$work/output"
        failed=$((failed + 1))
    fi
}

answers() {
    curl -fsS --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8080/ |
        grep -q 'Turnpike runs'
}
start() { # CONFIGURATION: as the unit does, without systemd
    install -d -o turnpike -g turnpike /run/turnpike
    setpriv --reuid turnpike --regid turnpike --init-groups env STATE_DIRECTORY=/var/lib/turnpike \
        /usr/sbin/turnpike -c "$1" --last-good 2>"$work/log" &
    gateway=$!
}
stop() {
    kill -TERM "$gateway" && wait "$gateway"
    local status=$?
    gateway=
    return $status
}
exposure() {
    local level
    level=$(systemd-analyze security --offline=true /lib/systemd/system/turnpike.service |
        sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p')
    echo "exposure level $level"
    awk -v level="$level" 'BEGIN { exit !(level != "" && level <= 2.0) }'
}
# A certificate made here, and the unit's configuration with a TLS listener.
serves_tls() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$work/key" -out "$work/crt" || return
    chmod 755 "$work" && chown turnpike "$work/key" && chmod 400 "$work/key"
    sed "s|^listeners:|listeners:\n  - {address: 127.0.0.1:8443, tls: {certificates: [{cert: $work/crt, key: $work/key}]}}|
        s|^include: .*||" /etc/turnpike/turnpike.yaml >"$work/tls.yaml"
    start "$work/tls.yaml"
    curl -fsS --retry 20 --retry-connrefused --retry-delay 1 --cacert "$work/crt" \
        https://localhost:8443/ --connect-to localhost:8443:127.0.0.1:8443 | grep -q 'Turnpike runs'
    local wrong=$?
    stop && [ $wrong = 0 ]
}
# Where systemd runs, these two make the user and the folders; here they are only tried.
makes_user_and_folders() {
    systemd-sysusers --dry-run /usr/lib/sysusers.d/turnpike.conf &&
        systemd-tmpfiles --create /usr/lib/tmpfiles.d/turnpike.conf &&
        [ "$(stat -c '%U %a' /run/turnpike /var/lib/turnpike /var/log/turnpike | tr '\n' ' ')" = \
            "turnpike 755 turnpike 750 turnpike 750 " ]
}
rotates_logs() {
    if command -v logrotate >/dev/null; then
        logrotate --debug /etc/logrotate.d/turnpike
    else
        grep -q 'kill -s USR1' /etc/logrotate.d/turnpike
    fi
}
# Each line of the kernel's settings names one that there is.
names_kernel_settings() {
    local key value
    while IFS='= ' read -r key value; do
        [ -e "/proc/sys/$(tr . / <<<"$key")" ] || return
    done < <(grep -v '^#' /usr/share/doc/turnpike/examples/turnpike.sysctl)
}
has_recipes() {
    [ "$(find /usr/share/doc/turnpike/examples -name '*.yaml' | wc -l)" -ge 9 ]
}
is_gone() {
    [ ! -e /usr/sbin/turnpike ] && [ ! -e /lib/systemd/system/turnpike.service ]
}
leaves_nothing() {
    [ ! -e /etc/turnpike/turnpike.yaml ] && [ ! -e /var/lib/turnpike ] && [ ! -e /run/turnpike ]
}

step "installs" dpkg -i "$package"
step "its configuration is good" turnpike -t -c /etc/turnpike/turnpike.yaml
step "has its user" id turnpike
step "man pages are readable" sh -c 'man -l /usr/share/man/man8/turnpike.8.gz | grep -q SYNOPSIS'
step "user and folders by sysusers and tmpfiles" makes_user_and_folders
step "rotation of logs" rotates_logs
step "settings of the kernel" names_kernel_settings
step "recipes" has_recipes
step "systemd-analyze security: at most 2.0" exposure
start /etc/turnpike/turnpike.yaml
step "serves what it was installed with" answers
step "turnpikectl asks it" turnpikectl status
step "a reload is told to be good" turnpikectl reload
step "is installed again over itself" dpkg -i "$package"
step "still serves" answers
step "stops" stop
step "serves TLS" serves_tls
step "is removed" dpkg -r turnpike
step "is gone" is_gone
step "is purged" dpkg -P turnpike
step "leaves nothing" leaves_nothing
echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
