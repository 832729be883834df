#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs testssl.sh (Debian: testssl.sh) against Turnpike with its default TLS settings, and fails
# on any finding above "info". A longer check, about two minutes; the README names it.
#
#   contrib/testssl.sh [TURNPIKE]     the binary, by default build/src/turnpike of this checkout
#
# Left out of the findings: what the DNS says of the name (localhost), and headers that are the
# application's business.
set -euo pipefail
cd "$(dirname "$0")/.."
turnpike=$(realpath "${1:-build/src/turnpike}")
program=$(command -v testssl || command -v testssl.sh) ||
    { echo "testssl.sh is not installed (apt install testssl.sh)" >&2; exit 2; }

work=$(mktemp -d)
gateway=
trap '[ -z "$gateway" ] || kill "$gateway" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
key ca.key && key own.key
openssl req -x509 -key ca.key -out ca.crt -days 30 -subj "/CN=Check CA" 2>/dev/null
openssl req -new -key own.key -out own.csr -subj /CN=localhost 2>/dev/null
printf '%s\n' subjectAltName=DNS:localhost extendedKeyUsage=serverAuth \
    crlDistributionPoints=URI:http://localhost/none.crl >extensions
openssl x509 -req -in own.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 90 \
    -extfile extensions -out own.crt 2>/dev/null
chmod 600 own.key

cat >turnpike.yaml <<END
access_log: off
listeners:
  - address: 127.0.0.1:0
    hsts: max-age=31536000; includeSubDomains
    tls: {certificates: [{cert: $work/own.crt, key: $work/own.key}]}
routes:
  - {name: hello, respond: {body: hello}}
END
"$turnpike" -c turnpike.yaml 2>gateway.log &
gateway=$!
port=
for _ in $(seq 100); do
    port=$(sed -n 's/.* listening on 127\.0\.0\.1:\([0-9]*\) .*/\1/p' gateway.log)
    grep -q ' ready: ' gateway.log && break
    sleep 0.1
done
[ -n "$port" ] || { cat gateway.log >&2; exit 1; }

"$program" --quiet --color 0 --warnings batch --add-ca ca.crt --jsonfile findings.json \
    "localhost:$port" >said.txt 2>&1 || true # its exit status counts findings of all kinds
python3 - findings.json <<'END'
import json
import sys

not_ours = {'DNS_CAArecord', 'security_headers'}
try:
    findings = json.load(open(sys.argv[1]))
except (OSError, ValueError) as error:
    sys.exit(f'testssl.sh left no findings: {error}')
bad = [f for f in findings if f['severity'] not in ('OK', 'INFO') and f['id'] not in not_ours]
for finding in bad:
    print(f"{finding['severity']:8} {finding['id']}: {finding['finding']}")
print(f'testssl: {len(findings)} findings, {len(bad)} above info')
sys.exit(bool(bad) or len(findings) < 100)
END
