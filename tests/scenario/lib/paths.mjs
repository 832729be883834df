// SPDX-License-Identifier: BSD-2-Clause
// Spellings of a path that a route guards, and paths that are unusual and honest. An origin of these
// tests answers with SECRET wherever it takes a path for /admin/secret.
import assert from 'node:assert/strict';
import { startGateway } from './gateway.mjs';
import { connect, head } from './raw-client.mjs';

export const SECRET = 'the secret of /admin';

const DOTS = ['..%2f', '..%2F', '..%5c', '..\\', '..;/', '..;a=b/', '..;a%2fb/', '..%3b/', '%2e%2e%2f', '.%2e%5C',
    '%252e%252e%252f', '..%252f', '%252e%252e/', '..%255c', '.;/..;/', '..//', '../', '%2e%2e/', './../', '..%2f;x/',
    '..;%2f', '..\\;/', '..%2f%2f', '..%25%32%66', '%2E%252E;/'];

export const HOSTILE = [
    ...DOTS.map((dots) => `/pub/${dots}admin/secret`),
    ...['/pub/x/', '/pub;/x/'].flatMap((start) => ['..%2f../', '..;/..;/', '..%5c..%5c', '..%252f..%252f']
        .map((dots) => `${start}${dots}admin/secret`)),
    '/pub%2f..%2fadmin/secret', '/pub%2f../admin/secret', '/pub\\..\\admin\\secret', '/pub%5c..%5cadmin%5csecret', '/pub;/../admin/secret',
    '/admin%2fsecret', '/admin%5csecret', '/admin\\secret', '/%61dmin/secret', '/%2561dmin/secret', '/admin;x/secret', '/admin/secret;x',
    '/admin/secret%3fx', '/admin/secret%23x', '//admin/secret', '///admin//secret', '/./admin/secret', '/.;/admin/secret', '/;/admin/secret',
    '/;a=b/admin/secret', '/%2fadmin/secret', '/%5cadmin/secret', '/\\admin/secret', '/%3b/admin/secret', '/%2e/admin/secret', '/%252e/admin/secret',
    '//pub/admin/secret', '/\\pub/admin/secret', '/%2fpub/admin/secret', '/%2f%2fpub/admin/secret', '/adm;x/../admin/secret', '/x/..;/admin%2fsecret',
    '///pub/admin/secret', '////x/admin/secret', '/\\/x/admin/secret', '/\\\\x/admin/secret', '/%5c/x/admin/secret', '/%2f%2f%2fx/admin/secret', '//;/x/admin/secret',
    '//x//admin/secret', '//x//admin//secret',
];

export const UNUSUAL = [
    '/projects/a%2Fb', '/projects/a%2fb/c', '/pub/x;v=1', '/pub;v=1/x', '/pub//x', '/pub/x//', '/api//v1///x', '//pub/x.txt', '/@scope%2fname',
    '/~user/', '/caf%C3%A9', '/caf%c3%a9/', '/%E2%82%AC%20', '/a%20b', '/a+b%2Bc', '/100%25', '/50%25%20off', '/a%252Fb', '/wiki/C%23', '/wiki/What%3F',
    '/fetch/https://host.example/x', '/fetch/https%3A%2F%2Fhost.example%2Fa%3Fb%3D1%23c', '/fetch/https%253A%252F%252Fhost.example%252Fa', '/.well-known/x',
    '/a/...', '/a..b/.c', '/x;jsessionid=0A.b', '/map;lat=50;long=20/x', '/odata/Users(\'a%2Fb\')/$value', '/v2/x/manifests/sha256:0a', '/a|b^c', '/"q"/{id}',
    '/x%5Cy', '/C:%5Cdir%5Cfile', '/a%3Bb', '/a=b&c,d', '/!$&\'()*+', '/-/x.tar.gz', '/a%09b', '/a%22%3C%3E', '/admins', '/adm%69nistrator-guide/%2F',
];

// What else must be there for an origin to be worth asking: it knows its secret by its plain name.
async function assertIsThere(t, origin) {
    const client = await connect(t, { connectOptions: { host: '127.0.0.1', port: origin.port } });
    const answer = await client.ask(head('GET /admin/secret HTTP/1.1', 'Host: a', 'Connection: close'));
    assert.ok(answer.text.includes(SECRET), `the origin itself: ${answer.status} ${answer.text}`);
}

export function guarded(address) {
    return `services: {app: {origins: ["${address}"]}}
routes:
  - {name: admin, match: {path_prefix: /admin/}, respond: {status: 403}}
  - {name: admin-itself, match: {path: /admin}, respond: {status: 403}}
  - {name: pub, match: {path_prefix: /pub}, service: app}
  - {name: projects, match: {path_prefix: /projects/}, service: app}
  - {name: rest, service: app}
`;
}

// The spellings that came through to the secret. One connection each: some origins close it.
export async function spellingsThatReach(t, origin) {
    await assertIsThere(t, origin);
    const gateway = await startGateway(t, guarded(origin.address));
    const reached = [];
    for (const target of HOSTILE) {
        const client = await connect(t, gateway);
        const answer = await client.ask(head(`GET ${target} HTTP/1.1`, 'Host: a', 'Connection: close'));
        assert.ok(answer.status >= 200, target);
        if (answer.text.includes(SECRET)) {
            reached.push(target);
        }
    }
    return reached;
}
