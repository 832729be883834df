// SPDX-License-Identifier: BSD-2-Clause
// Unix sockets and IPv6 on both sides.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';

const hasIpv6 = Object.values(os.networkInterfaces()).flat().some((each) => each.address === '::1');

test('an origin on a Unix socket', async (t) => {
    const folder = temporaryFolder(t);
    const origin = await httpOrigin(t, { name: 'local', path: path.join(folder, 'origin.sock') });
    const gateway = await startGateway(t, through(origin));
    for (let i = 0; i < 3; i++) {
        assert.equal((await request(gateway)).body, 'local');
    }
    assert.equal(origin.connections, 1);
});

test('a listener on a Unix socket', async (t) => {
    const folder = temporaryFolder(t);
    const file = path.join(folder, 'front.sock');
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, `
listeners: [{address: "unix:${file}", mode: "0600"}]
${through(origin)}`);

    await t.test('serves', async () => {
        const client = await connect(t, { path: file });
        assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a'))).text, 'origin');
        assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a'))).text, 'origin');
    });

    await t.test('has the mode it is given', () => {
        assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    });

    await t.test('claims no client address', () => {
        const seen = origin.requests[0];
        assert.doesNotMatch(seen.headers['x-forwarded-for'] ?? 'unknown', /[0-9]/);
    });

    await t.test('leaves no file behind', async () => {
        await gateway.stop();
        assert.equal(fs.existsSync(file), false);
    });
});

test('a stale socket file does not stop the start', async (t) => {
    const folder = temporaryFolder(t);
    const file = path.join(folder, 'front.sock');
    const yaml = `
listeners: [{address: "unix:${file}"}]
routes: [{name: ping, match: {path: /ping}, respond: {status: 200, body: pong}}]
`;
    const first = await startGateway(t, yaml);
    first.expectsExit = true;
    first.signal('SIGKILL');
    await first.exited;
    assert.ok(fs.existsSync(file));
    const second = await startGateway(t, yaml);
    const client = await connect(t, second);
    assert.equal((await client.ask(head('GET /ping HTTP/1.1', 'Host: a'))).text, 'pong');
});

test('what is no socket is not taken away for one', async (t) => {
    const file = path.join(temporaryFolder(t), 'precious.txt');
    fs.writeFileSync(file, 'kept');
    const { code, stderr } = await runGateway(t, `
listeners: [{address: "unix:${file}"}]
routes: [{name: ping, respond: {status: 200, body: pong}}]
`);
    assert.equal(code, 1);
    assert.match(stderr, /cannot listen on unix:.*precious\.txt/);
    assert.equal(fs.readFileSync(file, 'utf8'), 'kept');
});

test('workers on a Unix socket share its connections', async (t) => {
    const folder = temporaryFolder(t);
    const gateway = await startGateway(t, `
workers: 2
listeners: [{address: "unix:${path.join(folder, 'front.sock')}"}]
routes: [{name: ping, match: {path: /ping}, respond: {status: 200, body: pong}}]
`);
    for (let i = 0; i < 20; i++) {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(head('GET /ping HTTP/1.1', 'Host: a'))).text, 'pong');
    }
});

test('IPv6', { skip: hasIpv6 ? false : 'no ::1 here' }, async (t) => {
    const origin = await httpOrigin(t, { name: 'six', host: '::1' });
    const gateway = await startGateway(t, `
listeners: [{address: "[::1]:0"}]
${through(origin)}`);
    const client = await connect(t, gateway);

    await t.test('serves on both sides', async () => {
        assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: [::1]:8080'))).text, 'six');
    });

    await t.test('is written as RFC 7239 wants it', () => {
        const seen = origin.requests[0];
        assert.equal(seen.headers['x-forwarded-for'], '::1');
        assert.match(seen.headers.forwarded, /for="\[::1\](:[0-9]+)?"/i);
        assert.equal(seen.headers.host, '[::1]:8080');
    });

    await t.test('is in the log', async () => {
        assert.equal((await gateway.logged(1))[0]['client.address'], '::1');
    });
});
