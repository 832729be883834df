// SPDX-License-Identifier: BSD-2-Clause
// TLS with origins: who is trusted and who is not, what is shown to them, and how often a whole
// handshake is needed.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import https from 'node:https';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { defer } from './lib/cleanup.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { nginxOrigin } from './lib/nginx-origin.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { authority } from './lib/tls.mjs';
import { until } from './lib/wait.mjs';

// A Node server with that certificate; notes each connection and request.
async function secureOrigin(t, own, options = {}) {
    const origin = { connections: 0, resumed: [], names: [], subjects: [], bodies: [], closed: 0 };
    const server = https.createServer({ cert: fs.readFileSync(own.cert), key: fs.readFileSync(own.key), ...options }, (asked, answer) => {
        const parts = [];
        asked.on('data', (part) => parts.push(part));
        asked.on('end', () => {
            origin.bodies.push(Buffer.concat(parts));
            origin.subjects.push(asked.socket.getPeerCertificate()?.subject?.CN);
            if (asked.url === '/close') {
                answer.shouldKeepAlive = false;
            }
            answer.end(asked.url === '/large' ? Buffer.alloc(3_000_000, 'l') : `secure ${asked.headers.host}`);
        });
    });
    server.on('secureConnection', (socket) => {
        origin.connections++;
        origin.resumed.push(socket.isSessionReused());
        origin.names.push(socket.servername);
        socket.on('error', () => {});
        socket.on('close', () => origin.closed++);
    });
    server.on('tlsClientError', () => {});
    server.keepAliveTimeout = 60_000;
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    defer(t, () => new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
    }));
    origin.port = server.address().port;
    origin.address = `127.0.0.1:${origin.port}`;
    return origin;
}

const to = (address, tls, more = '') => `
services: {app: {origins: ["${address}"], tls: ${tls}${more}}}
routes: [{name: all, service: app}]
`;

for (const version of ['TLSv1.2', 'TLSv1.3']) {
    test(`requests go to an origin over ${version}, many on one connection`, async (t) => {
        const ca = await authority(t);
        const origin = await secureOrigin(t, await ca.issue({ names: ['IP:127.0.0.1'] }), { minVersion: version, maxVersion: version });
        const gateway = await startGateway(t, to(origin.address, `{ca: ${ca.cert}}`));
        for (let i = 0; i < 5; i++) {
            const answer = await request(gateway, { headers: { Host: 'shop.example' } });
            assert.equal(answer.body, 'secure shop.example');
        }
        assert.equal((await request(gateway, { path: '/large' })).body.length, 3_000_000);
        const body = Buffer.alloc(2_000_000, 'u');
        assert.equal((await request(gateway, { method: 'POST', body })).status, 200);
        assert.ok(origin.bodies.at(-1).equals(body));
        assert.ok(origin.connections <= 2, 'the POST may have wanted a fresh one');
        assert.ok(origin.names.every((name) => name === false), 'an address is not asked for by SNI');
    });
}

test('the name is that of the service or of the origin, not that of Host', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['pay.internal', 'localhost'] });
    const origin = await secureOrigin(t, own);
    const named = await startGateway(t, to(origin.address, `{ca: ${ca.cert}, server_name: pay.internal}`));
    assert.equal((await request(named, { headers: { Host: 'other.example' } })).status, 200);
    const byHost = await startGateway(t, to(`localhost:${origin.port}`, `{ca: ${ca.cert}}`));
    assert.equal((await request(byHost)).status, 200);
    assert.deepEqual(origin.names, ['pay.internal', 'localhost']);
});

test('after a close the next handshake is an abbreviated one', async (t) => {
    const ca = await authority(t);
    const origin = await secureOrigin(t, await ca.issue({ names: ['pay.internal'] }));
    const gateway = await startGateway(t, to(origin.address, `{ca: ${ca.cert}, server_name: pay.internal}`));
    for (let i = 0; i < 4; i++) {
        assert.equal((await request(gateway, { path: '/close' })).status, 200);
    }
    assert.deepEqual(origin.resumed, [false, true, true, true]);
});

test('who cannot be verified is 502, with the reason in the log, and gets no request', async (t) => {
    const ca = await authority(t);
    const other = await authority(t, 'Other CA');
    const cases = [
        ['expired', await ca.issue({ names: ['pay.internal'], to: '20200601000000Z' }), /certificate has expired/],
        ['wrong name', await ca.issue({ names: ['elsewhere.internal'] }), /[Hh]ostname mismatch/],
        ['wrong CA', await other.issue({ names: ['pay.internal'] }), /unable to get local issuer|unable to verify/],
        ['self-signed', { cert: other.cert, key: other.key }, /self[- ]signed certificate/],
    ];
    for (const [name, own, reason] of cases) {
        await t.test(name, async (t) => {
            const origin = await secureOrigin(t, own);
            const gateway = await startGateway(t, to(origin.address, `{ca: ${ca.cert}, server_name: pay.internal}`));
            const client = await connect(t, gateway);
            const answer = await client.ask(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 0'));
            assertOwnError(answer, 502, 'tls_certificate_error');
            await gateway.said(new RegExp(`warning origin ${origin.address}: .*pay\\.internal: .*(${reason.source})`));
            assert.equal(origin.bodies.length, 0);
            const [entry] = await gateway.logged(1);
            assert.equal(entry['error.type'], 'tls_certificate_error');
        });
    }
});

test('what the system trusts does not hold our CA', async (t) => {
    const ca = await authority(t);
    const origin = await secureOrigin(t, await ca.issue({ names: ['pay.internal'] }));
    const gateway = await startGateway(t, to(origin.address, '{server_name: pay.internal}'));
    assert.equal((await request(gateway)).status, 502);
});

test('insecure_skip_verify talks to anybody and says so', async (t) => {
    const ca = await authority(t);
    const origin = await secureOrigin(t, await ca.issue({ names: ['elsewhere.internal'], to: '20200601000000Z' }));
    const gateway = await startGateway(t, to(origin.address, '{insecure_skip_verify: true}'));
    assert.equal((await request(gateway)).status, 200);
    await gateway.said(/warning service app: tls\.insecure_skip_verify/);
});

test('an origin that wants a certificate gets ours', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['gateway.internal'], client: true });
    const options = { requestCert: true, rejectUnauthorized: true, ca: ca.pem };
    const origin = await secureOrigin(t, await ca.issue({ names: ['pay.internal'] }), options);
    const gateway = await startGateway(t, to(origin.address, `{ca: ${ca.cert}, server_name: pay.internal, cert: ${own.cert}, key: ${own.key}}`));
    assert.equal((await request(gateway)).status, 200);
    assert.deepEqual(origin.subjects, ['gateway.internal']);
    const without = await startGateway(t, to(origin.address, `{ca: ${ca.cert}, server_name: pay.internal}`));
    assert.equal((await request(without)).status, 502);
    await without.said(/warning origin [0-9.:]+: it ended the TLS connection with an alert: .*certificate required/);
});

test('an origin that speaks plain HTTP is 502', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.take(5);
        wire.send('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    const ca = await authority(t);
    const gateway = await startGateway(t, to(origin.address, `{ca: ${ca.cert}}`));
    const client = await connect(t, gateway);
    assertOwnError(await client.ask(head('GET / HTTP/1.1', 'Host: a')), 502, 'tls_protocol_error');
});

test('an origin that never answers the handshake is 504', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.take(5);
    });
    const ca = await authority(t);
    const gateway = await startGateway(t, `timeouts: {connect: 300ms}\n${to(origin.address, `{ca: ${ca.cert}}`)}`);
    const client = await connect(t, gateway);
    assertOwnError(await client.ask(head('GET / HTTP/1.1', 'Host: a')), 504, 'connection_timeout');
});

test('nginx as a secure origin, and probes that speak TLS', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['pay.internal'] });
    const origin = await secureOrigin(t, own);
    const gateway = await startGateway(t, to(origin.address, `{ca: ${ca.cert}, server_name: pay.internal}`,
        ', health: {probe: {type: http, path: /probe, interval: 1s, unhealthy: 1}}'));
    await until('a probe to arrive', () => origin.bodies.length > 0);
    assert.equal((await request(gateway)).status, 200);
    const nginx = await nginxOrigin(t, {
        files: { 'index.html': 'from nginx' },
        tls: own,
    });
    const second = await startGateway(t, to(nginx.address, `{ca: ${ca.cert}, server_name: pay.internal}`));
    assert.equal((await request(second)).body, 'from nginx');
});

test('an address may be met in several ways, and in another after a reload', async (t) => {
    const ca = await authority(t);
    const origin = await secureOrigin(t, await ca.issue({ names: ['a.example', 'b.example'] }));
    const config = (name) => `
services:
  one: {origins: ["${origin.address}"], tls: {ca: ${ca.cert}, server_name: a.example}}
  other: {origins: ["${origin.address}"], tls: {ca: ${ca.cert}, server_name: ${name}}}
routes: [{name: one, match: {path: /one}, service: one}, {name: all, service: other}]
`;
    const gateway = await startGateway(t, config('b.example'));
    const bodies = async () => {
        for (const path of ['/one', '/other']) {
            assert.equal((await request(gateway, { path })).status, 200);
        }
    };
    await bodies();
    assert.deepEqual(origin.names.sort(), ['a.example', 'b.example']);
    gateway.rewrite(config('a.example'));
    gateway.signal('SIGHUP');
    await gateway.said(/info reload: generation/);
    await bodies();
});

test('a new CA file is taken up by a reload, and open connections stay', async (t) => {
    const ca = await authority(t);
    const next = await authority(t, 'Next CA');
    const file = `${ca.folder}/trusted.crt`;
    fs.copyFileSync(ca.cert, file);
    const old = await secureOrigin(t, await ca.issue({ names: ['pay.internal'] }));
    const fresh = await secureOrigin(t, await next.issue({ names: ['pay.internal'] }));
    const gateway = await startGateway(t, `
services:
  old: {origins: ["${old.address}"], tls: {ca: ${file}, server_name: pay.internal}}
  fresh: {origins: ["${fresh.address}"], tls: {ca: ${file}, server_name: pay.internal}}
routes:
  - {name: old, match: {path: /old}, service: old}
  - {name: fresh, service: fresh}
`);
    assert.equal((await request(gateway, { path: '/old' })).status, 200);
    assert.equal((await request(gateway)).status, 502);
    fs.copyFileSync(next.cert, file);
    gateway.signal('SIGHUP');
    await gateway.said(/info reload: generation/);
    assert.equal((await request(gateway)).status, 200);
    assert.equal((await request(gateway, { path: '/old' })).status, 200);
    assert.equal(old.connections, 1, 'its connection was kept');
});

test('mistakes in tls of a service are told at the start', async (t) => {
    const ca = await authority(t);
    const cases = [
        [to('127.0.0.1:1', '{ca: relative.pem}'), /'tls\.ca' expects an absolute path/],
        [to('127.0.0.1:1', `{cert: ${ca.cert}}`), /'key' is missing/],
        [to('127.0.0.1:1', '{ca: /nowhere/ca.pem}'), /turnpike\.yaml:\d+:\d+: service \S+: \/nowhere\/ca\.pem cannot be read/],
        [to('unix:/run/app.sock', `{ca: ${ca.cert}}`), /add tls\.server_name/],
    ];
    for (const [yaml, expected] of cases) {
        const { code, stderr } = await runGateway(t, `listeners: [{address: "127.0.0.1:0"}]\n${yaml}`);
        assert.equal(code, 1);
        assert.match(stderr, expected);
    }
});

test('one address may speak TLS for one service and plain for another, and change over by reload', async (t) => {
    const ca = await authority(t);
    const origin = await secureOrigin(t, await ca.issue({ names: ['IP:127.0.0.1'] }));
    const config = (more) => `
services:
  plain: {origins: ["${origin.address}"]${more}}
  secure: {origins: ["${origin.address}"], tls: {ca: "${ca.cert}"}}
routes: [{name: plain, match: {path: /plain}, service: plain}, {name: all, service: secure}]
`;
    const gateway = await startGateway(t, config(''));
    assert.equal((await request(gateway)).status, 200);
    assert.notEqual((await request(gateway, { path: '/plain' })).status, 200);
    assert.match(await gateway.reload(config(`, tls: {ca: "${ca.cert}"}`)), /1 changed \(plain\)/);
    assert.equal((await request(gateway, { path: '/plain' })).status, 200);
    assert.match(await gateway.reload(config('')), /1 changed \(plain\)/);
    assert.notEqual((await request(gateway, { path: '/plain' })).status, 200);
});
