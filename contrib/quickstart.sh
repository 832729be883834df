#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# From a bare Debian 12 to a running gateway: installs what is missing, builds into build/ (a
# second run has nothing to build), runs etc/quickstart.yaml on 127.0.0.1:8080 in the
# foreground, and says what to try once it answers. Ctrl-C ends it cleanly.
set -euo pipefail
cd "$(dirname "$0")/.."
front=127.0.0.1:8080

# A shell that starts this in the background has SIGINT ignored, and bash cannot undo that.
if [ -z "${QUICKSTART_TAKES_SIGINT:-}" ]; then
    QUICKSTART_TAKES_SIGINT=yes exec env --default-signal=INT contrib/quickstart.sh
fi

accepts() { # ADDRESS
    (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null
}

build() {
    contrib/list-sources.sh
    if [ ! -f configure ]; then
        ./autogen.sh
    fi
    mkdir -p build
    if [ ! -f build/Makefile ]; then
        (cd build && ../configure --quiet)
    fi
    make -C build -j"$(nproc)" --no-print-directory src/turnpike src/turnpikectl
}

# Returns once the gateway accepts; 1 when it ended instead.
wait_until_ready() {
    until accepts "$front"; do
        kill -0 "$gateway" 2>/dev/null || return 1
        sleep 0.1
    done
    kill -0 "$gateway" 2>/dev/null
}

# A signal ends `wait` before the gateway has ended. bash remembers how a child ended, so the
# last `wait` tells that whichever of them saw it.
wait_for_end() {
    while kill -0 "$gateway" 2>/dev/null; do
        wait "$gateway" || true
    done
    wait "$gateway"
}

contrib/install-needs.sh build
build
if accepts "$front"; then
    echo "Something else accepts connections on $front already." >&2
    exit 1
fi

# In a session of its own, so that Ctrl-C reaches this script alone and the gateway is asked
# to stop once: a second signal would make it drop what is in flight.
setsid build/src/turnpike -c etc/quickstart.yaml &
gateway=$!
stopping=no
trap 'stopping=yes; kill -TERM "$gateway" 2>/dev/null || true' INT TERM HUP

if ! wait_until_ready; then
    if [ $stopping = yes ]; then
        wait_for_end
        exit
    fi
    wait "$gateway" || true
    echo "The gateway did not start; what it said stands above." >&2
    exit 1
fi
cat <<END

Turnpike runs on http://$front/ (etc/quickstart.yaml). In another terminal, try:

    curl -i http://$front/
    build/src/turnpikectl -s /tmp/turnpike-quickstart.sock weight front demo-v2=50

Nine answers of ten come from demo-v1, one from demo-v2, until you set another weight.
Ctrl-C stops it.
END
wait_for_end
