// SPDX-License-Identifier: BSD-2-Clause
// A slow client holds no connection to an origin that another could use: what is small never has
// one while it is slow, and of a limited number a share is not for slow ones.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { adminIn, askJson } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { linuxOnly } from './lib/linux-only.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { authority, certificateList, secureConnect } from './lib/tls.mjs';
import { patient, pause, until } from './lib/wait.mjs';

const LARGE = 4_000_000;
const GET = (path) => head(`GET ${path} HTTP/1.1`, 'Host: a');
// No rate would cut anyone here.
const SLOW_IS_FINE = 'min_rates: {request_body: none, response: none}';

// Answers /large with LARGE bytes, /small-N with N bytes and all else with "ok"; takes bodies.
const library = (t) => rawOrigin(t, async (wire) => {
    for (;;) {
        const { target } = await wire.request(patient(60_000));
        if (target === '/large') {
            wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE}\r\n\r\n`);
            wire.send(Buffer.alloc(LARGE, 'x'));
        } else if (target.startsWith('/small-')) {
            wire.ok('x'.repeat(Number(target.slice('/small-'.length))));
        } else {
            wire.ok('ok');
        }
    }
});

// A client that asks for /large and reads nothing of it; back when the origin has heard of it.
async function slowReader(t, gateway, origin) {
    const heard = origin.requests.length;
    const client = await connect(t, gateway);
    client.keepsLog = false;
    client.send(GET('/large'));
    client.socket.pause();
    await until('the origin to be asked', () => origin.requests.length > heard);
    return client;
}

// What is counted has begun, and grows no more.
async function untilItStands(what, count) {
    let last = 0;
    await until(what, async () => {
        const before = last;
        last = await count();
        await pause(200);
        return last > 0 && last === before;
    });
}

const limited = (origin, connections, more = '') =>
    through(origin, { service: `pool: {max_connections: ${connections}, reserve: 25%${more}}`, more: SLOW_IS_FINE });

const cuts = (entries) => entries.map((entry) => entry['turnpike.closed_by']).filter(Boolean);

test(...linuxOnly('slow readers beyond their share of an origin give way to those that wait'), async (t) => {
    const origin = await library(t);
    const gateway = await startGateway(t, limited(origin, 4));
    const readers = [];
    for (let i = 0; i < 4; i++) {
        readers.push(await slowReader(t, gateway, origin));
    }
    const fast = await connect(t, gateway);
    assert.equal((await fast.ask(GET('/'))).text, 'ok');
    const entries = await gateway.logged(2);
    assert.deepEqual(cuts(entries), ['reserve']);
    assert.equal(entries.find((entry) => entry['turnpike.closed_by'])['turnpike.outcome'], 'closed-by-timeout');
    // The other three are within the share, and get all of theirs.
    readers.forEach((reader) => reader.socket.resume());
    const ends = await Promise.allSettled(readers.map((reader) => reader.answer({ deadline: patient(30_000) })));
    assert.equal(ends.filter(({ status, value }) => status === 'fulfilled' && value.body.length === LARGE).length, 3);
});

// Of four workers hardly ever all four clients are one's: it is the share of all that counts.
test(...linuxOnly('wherever the slow ones are, and whichever client waits'), async (t) => {
    const origin = await library(t);
    const gateway = await startGateway(t, `workers: 4\n${limited(origin, 4)}`);
    const readers = [];
    for (let i = 0; i < 4; i++) {
        readers.push(await slowReader(t, gateway, origin));
    }
    for (let i = 0; i < 8; i++) {
        const fast = await connect(t, gateway);
        assert.equal((await fast.ask(GET('/'))).text, 'ok');
    }
    readers.forEach((reader) => reader.socket.resume());
    const ends = await Promise.allSettled(readers.map((reader) => reader.answer({ deadline: patient(30_000) })));
    assert.equal(ends.filter(({ status, value }) => status === 'fulfilled' && value.body.length === LARGE).length, 3);
    assert.deepEqual(cuts(await gateway.logged(12)), ['reserve']);
});

test(...linuxOnly('of two connections one is for the others'), async (t) => {
    const origin = await library(t);
    const gateway = await startGateway(t, limited(origin, 2));
    await slowReader(t, gateway, origin);
    await slowReader(t, gateway, origin);
    const fast = await connect(t, gateway);
    assert.equal((await fast.ask(GET('/'))).text, 'ok');
    assert.deepEqual(cuts(await gateway.logged(2)), ['reserve']);
});

test('within their share they are left alone, however many wait', async (t) => {
    const origin = await library(t);
    const gateway = await startGateway(t, limited(origin, 4, ', pending_timeout: 2s'));
    const readers = [];
    for (let i = 0; i < 3; i++) {
        readers.push(await slowReader(t, gateway, origin));
    }
    await pause(1200); // long enough to count as slow
    const others = await Promise.all(Array.from({ length: 8 }, () => connect(t, gateway)));
    for (const answer of await Promise.all(others.map((other) => other.ask(GET('/'))))) {
        assert.equal(answer.text, 'ok');
    }
    readers.forEach((reader) => reader.socket.resume());
    for (const reader of readers) {
        assert.equal((await reader.answer({ deadline: patient(30_000) })).body.length, LARGE);
    }
    assert.deepEqual(cuts(await gateway.logged(11)), []);
});

test('slow uploads too, with 408', async (t) => {
    const origin = await library(t);
    const gateway = await startGateway(t, limited(origin, 1).replace('25%', '100%'));
    const slow = await connect(t, gateway);
    slow.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1000000') + 'x'.repeat(20_000));
    await until('the origin to hear of it', () => origin.wires.length === 1 && origin.wires[0].everReceived > 0);
    const fast = await connect(t, gateway);
    assert.equal((await fast.ask(GET('/'))).text, 'ok');
    assert.equal((await slow.answer()).status, 408);
    assert.deepEqual(cuts(await gateway.logged(2)), ['reserve']);
});

test('but not one whose request is whole by now', async (t) => {
    let asked = 0;
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.request(patient(60_000));
            asked++;
            await pause(asked === 1 ? 800 : 0);
            wire.ok('ok');
        }
    });
    const gateway = await startGateway(t, limited(origin, 1).replace('25%', '100%'));
    const slow = await connect(t, gateway);
    slow.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 20001') + 'x'.repeat(20_000));
    await until('the origin to hear of it', () => origin.wires.length === 1 && origin.wires[0].everReceived > 0);
    await pause(1500);
    slow.send('x');
    await until('the request to be whole', () => asked === 1);
    const fast = await connect(t, gateway);
    fast.send(GET('/'));
    assert.equal((await slow.answer()).text, 'ok');
    assert.equal((await fast.answer()).text, 'ok');
    assert.deepEqual(cuts(await gateway.logged(2)), []);
});

test('an origin that is slow itself makes no client give way', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.request(patient(60_000));
            wire.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha');
            await pause(1500);
            wire.send('lf');
        }
    });
    const gateway = await startGateway(t, limited(origin, 1));
    const first = await connect(t, gateway);
    first.send(GET('/'));
    await until('the origin to be asked', () => origin.requests.length === 1);
    const second = await connect(t, gateway);
    second.send(GET('/'));
    assert.equal((await first.answer()).text, 'half');
    assert.equal((await second.answer()).text, 'half');
    assert.deepEqual(cuts(await gateway.logged(2)), []);
});

test('a small answer is off its origin whatever its reader does', async (t) => {
    const origin = await library(t);
    const gateway = await startGateway(t, limited(origin, 1).replace('25%', '0%'));
    // Pipelined, so that what the kernel takes is soon full: the last of them waits in the gateway.
    const slow = await connect(t, gateway, { highWaterMark: 16 });
    slow.socket.pause();
    slow.send(GET('/small-30000').repeat(40));
    await untilItStands('the gateway to stop asking', () => origin.requests.length);
    const fast = await connect(t, gateway);
    assert.equal((await fast.ask(GET('/'))).text, 'ok');
});

// What waits for it waits in the kernel, which has it anyway: before it was a buffer of 52 KiB, over
// TLS two of them.
test(...linuxOnly('of a long answer that its client does not read next to nothing is held'), async (t) => {
    const origin = await library(t);
    const ca = await authority(t);
    const own = await ca.issue();
    const gateway = await startGateway(t, (folder) => `${adminIn(folder)}
listeners:
  - {address: "127.0.0.1:0"}
  - {address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: all, service: app}]
`);
    const [plain, secure] = gateway.listeners;
    for (let i = 0; i < 8; i++) {
        const client = i % 2 === 0 ? await connect(t, plain) : await secureConnect(t, secure, { ca: ca.cert });
        client.send(GET('/large'));
        client.socket.pause();
    }
    const moving = async () => (await askJson(gateway, '/v1/connections?top=10')).connections.filter((row) => row.bytes_moved > 60_000);
    await until('all to be waited for', async () => (await moving()).length === 8);
    await untilItStands('no more to move', async () => (await moving()).reduce((sum, row) => sum + row.bytes_moved, 0));
    for (const row of await moving()) {
        assert.ok(row.memory_bytes < 20_000, `${row.memory_bytes} bytes for ${row.client}`);
    }
});

test('a body that drips is gathered without an origin', async (t) => {
    const origin = await library(t);
    // In chunks it would go on after timeouts.request_buffer: its sender may wait for an answer.
    const gateway = await startGateway(t, limited(origin, 1).replace('25%', '0%') + 'timeouts: {request_buffer: none}\n');
    for (const fields of [['Content-Length: 3000'], ['Content-Length: 100000000'], ['Transfer-Encoding: chunked']]) {
        const slow = await connect(t, gateway);
        slow.send(`${head('POST / HTTP/1.1', 'Host: a', ...fields)}5\r\nabc`);
    }
    const fast = await connect(t, gateway);
    assert.equal((await fast.ask(GET('/'))).text, 'ok');
    assert.equal(origin.heads.length, 1);
});
