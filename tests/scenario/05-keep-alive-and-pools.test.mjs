// SPDX-License-Identifier: BSD-2-Clause
// Connections are kept on both sides, and a kept one that is no good any more is not used.
import assert from 'node:assert/strict';
import test from 'node:test';
import { keepAliveAgent, request, tally } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { answerAll, rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const GET = head('GET / HTTP/1.1', 'Host: a');

test('a client connection carries many requests', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    for (let i = 0; i < 50; i++) {
        assert.equal((await client.ask(GET)).text, 'origin');
    }
    client.expectSilence();
});

test('one origin connection serves request after request, of different clients too', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, through(origin));
    for (let i = 0; i < 20; i++) {
        assert.equal((await request(gateway)).status, 200);
    }
    assert.equal(origin.connections, 1);
});

test('a connection on which a user has made himself known carries no other user', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        let user = 'nobody'; // of the whole connection, as NTLM and Negotiate have it
        for (;;) {
            const asked = await wire.request(3_600_000);
            user = asked.get('authorization')?.split(' ')[1] ?? user;
            wire.ok(user);
        }
    });
    const gateway = await startGateway(t, through(origin));
    for (const scheme of ['NTLM', 'negotiate', 'Negotiate']) {
        const alice = await connect(t, gateway);
        const mallory = await connect(t, gateway);
        assert.equal((await alice.ask(head('GET / HTTP/1.1', 'Host: a', `Authorization: ${scheme} alice`))).text, 'alice');
        assert.equal((await mallory.ask(GET)).text, 'nobody', scheme);
    }
});

test('Connection: close of the client closes its side only', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, through(origin));
    for (let i = 0; i < 3; i++) {
        const client = await connect(t, gateway);
        const answer = await client.ask(head('GET / HTTP/1.1', 'Host: a', 'Connection: close'));
        assert.equal(answer.get('connection')?.toLowerCase(), 'close');
        await client.expectClose();
    }
    assert.equal(origin.connections, 1);
    assert.ok(origin.requests.every((each) => each.headers.connection !== 'close'));
});

test('Connection: close of the origin closes its side only', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.ok('bye', 'Connection: close').end();
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    for (let i = 0; i < 5; i++) {
        const answer = await client.ask(GET);
        assert.equal(answer.text, 'bye');
        assert.equal(answer.get('connection'), undefined);
    }
    assert.equal(origin.wires.length, 5);
});

test('an origin that closes between requests costs no error', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.ok().end();
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    for (let i = 0; i < 20; i++) {
        assert.equal((await client.ask(GET)).status, 200);
        await origin.wires[i].closed();
    }
    assert.equal(origin.wires.length, 20);
});

test('bytes without a request on a kept connection are never an answer', async (t) => {
    const origin = await rawOrigin(t, async (wire, number) => {
        await wire.request();
        wire.ok(`answer ${number}`);
        if (number === 0) {
            wire.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale');
            return;
        }
        await answerAll(wire);
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    assert.equal((await client.ask(GET)).text, 'answer 0');
    await origin.wires[0].closed();
    assert.equal((await client.ask(GET)).text, 'answer 1');
});

test('the most recently used connection is taken first', async (t) => {
    const origin = await httpOrigin(t, {
        handler: (asked, answer, record) => until('its turn', () => origin.go || asked.url !== '/together').then(() => answer.end(String(record.connection))),
    });
    origin.go = false;
    const gateway = await startGateway(t, through(origin, { service: 'pool: {max_idle: 8}' }));
    const together = Array.from({ length: 4 }, () => request(gateway, { path: '/together' }));
    await until('four origin connections', () => origin.connections === 4);
    origin.go = true;
    await Promise.all(together);
    const used = new Set();
    for (let i = 0; i < 10; i++) {
        used.add((await request(gateway)).body);
    }
    assert.equal(used.size, 1);
    assert.equal(origin.connections, 4);
});

test('no more idle connections than pool.max_idle', async (t) => {
    let go = false;
    const origin = await httpOrigin(t, {
        handler: (asked, answer) => until('its turn', () => go).then(() => answer.end()),
    });
    const gateway = await startGateway(t, through(origin, { service: 'pool: {max_idle: 2}' }));
    const together = Array.from({ length: 6 }, () => request(gateway));
    await until('six origin connections', () => origin.open.size === 6);
    go = true;
    await Promise.all(together);
    await until('two left', () => origin.open.size === 2);
});

test('no more requests on a connection than pool.requests_per_connection', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, through(origin, { service: 'pool: {requests_per_connection: 3}' }));
    for (let i = 0; i < 9; i++) {
        await request(gateway);
    }
    assert.deepEqual(origin.requests.map((each) => each.connection), [0, 0, 0, 1, 1, 1, 2, 2, 2]);
});

test('idle connections close after pool.idle_timeout', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, through(origin, { service: 'pool: {idle_timeout: 100ms}' }));
    await request(gateway);
    await until('the idle connection to close', () => origin.open.size === 0);
    assert.equal((await request(gateway)).status, 200);
    assert.equal(origin.connections, 2);
});

test('connections are not used beyond pool.max_age', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, through(origin, { service: 'pool: {max_age: 100ms}' }));
    const started = Date.now();
    await until('a second connection', async () => {
        await request(gateway);
        return origin.connections > 1;
    });
    assert.ok(Date.now() - started >= 90);
});

test('limits.requests_per_connection ends a client connection politely', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, through(origin, { more: 'limits: {requests_per_connection: 3}' }));
    const client = await connect(t, gateway);
    assert.equal((await client.ask(GET)).get('connection'), undefined);
    assert.equal((await client.ask(GET)).get('connection'), undefined);
    assert.equal((await client.ask(GET)).get('connection')?.toLowerCase(), 'close');
    await client.expectClose();
});

test('many clients at once share few origin connections', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const seen = await tally(gateway, 1000, { connections: 16 });
    assert.deepEqual(seen, { origin: 1000 });
    assert.ok(origin.connections <= 16, `${origin.connections} origin connections`);
});

test('a client that leaves while the origin works', async (t) => {
    const origin = await rawOrigin(t);
    const stuck = await rawOrigin(t, async (wire) => {
        await wire.request();
    });
    const gateway = await startGateway(t, `
services: {slow: {origins: ["${stuck.address}"]}, app: {origins: ["${origin.address}"]}}
routes:
  - {name: slow, match: {path: /slow}, service: slow}
  - {name: all, service: app}
`);
    const client = await connect(t, gateway);
    client.send(head('GET /slow HTTP/1.1', 'Host: a'));
    await until('the origin to have it', () => stuck.requests.length === 1);
    client.reset();
    await stuck.wires[0].closed();
    const agent = keepAliveAgent();
    assert.equal((await request(gateway, { agent })).status, 200);
    agent.destroy();
});
