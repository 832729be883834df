#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Real programs through the gateway with default settings, beside the same without it: WebDAV
# (litmus), git, WebSocket, socket.io, event streams, an npm registry, a container registry, eight
# HTTP clients, pauses of 45 s, two-way streams, gRPC's libraries in Go and C. Prints a table of what
# each counted directly and through the gateway; exits 1 if a row differs.
#
#   contrib/real-clients.sh [ROW...]      only rows whose names contain one of the words
#
# TURNPIKE is the binary (default build/src/turnpike of this checkout). Debian packages that are
# missing are installed by name, which takes root or sudo; npm packages go to a temporary folder.
# A row whose program cannot be installed is told as missing, and counts as a difference.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export TURNPIKE=${TURNPIKE:-$root/build/src/turnpike}
[ -x "$TURNPIKE" ] || { echo "there is no $TURNPIKE; run make first, or set TURNPIKE" >&2; exit 1; }

# A program may be there without its package.
missing=
while read -r program package; do
    command -v "$program" >/dev/null || missing="$missing $package"
done <<'END'
litmus litmus
/usr/sbin/apache2 apache2-bin
git git
skopeo skopeo
docker-registry docker-registry
go golang-go
javac default-jdk-headless
curl curl
wget wget
node nodejs
npm npm
END
while read -r module package; do
    /usr/bin/python3 -c "import $module" 2>/dev/null || missing="$missing $package"
done <<'END'
requests python3-requests
grpc python3-grpcio
END
[ -d /usr/share/gocode/src/google.golang.org/grpc ] || missing="$missing golang-google-grpc-dev"
if [ -n "$missing" ]; then
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    # One at a time: a package that is not to be had stops no other.
    for package in $missing; do
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
            "$package" >/dev/null 2>&1 || echo "not installed by apt: $package" >&2
    done
    # A registry that its package started is not ours to use.
    $as_root systemctl disable --now docker-registry >/dev/null 2>&1 || true
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export REAL_CLIENTS=$folder
cd "$folder"
npm init -y >/dev/null 2>&1
npm pkg set overrides.node-fetch=2.7.0 2>/dev/null # which verdaccio names by a tag that not every mirror has
for package in ws socket.io socket.io-client axios undici verdaccio@5; do
    npm install --silent --no-fund --no-audit "$package" >/dev/null 2>&1 ||
        echo "not installed by npm: $package" >&2
done

mkdir go java
cp "$root"/contrib/real-clients/*.go go/
cp "$root/contrib/real-clients/Client.java" java/
for program in client grpc_client; do
    (cd go && GOCACHE=$folder/go-cache GOPATH=/usr/share/gocode GO111MODULE=off go build $program.go) || true
done
javac -d java java/Client.java || true

ulimit -n 8192 2>/dev/null || true
node "$root/contrib/real-clients/run.mjs" "$@"
