// SPDX-License-Identifier: BSD-2-Clause
// One side takes no more, and the other goes on, waits or leaves: nothing is held for ever.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { through } from './lib/configs.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { linuxOnly } from './lib/linux-only.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { patient, pause, until } from './lib/wait.mjs';

const PIECE = Buffer.alloc(16_384, 'x');
const LENGTH = 1_000_000_000;
const UPLOAD = head('POST / HTTP/1.1', 'Host: a', `Content-Length: ${LENGTH}`);
const UPGRADE = head('GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: bytes');
const UPGRADES = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n';
// No clock ends anything while a test looks on.
const PATIENT = 'timeouts: {send_idle: 1h, response_idle: 1h, body_idle: 1h, tunnel_idle: 1h, first_byte: 1h}\nmin_rates: {request_body: none, response: none}';

// On a Unix socket, whose buffers are small and stay so. `script` follows the head.
async function stallingOrigin(t, script = () => {}) {
    const folder = temporaryFolder(t);
    const origin = await rawOrigin(t, async (wire) => {
        wire.keepsLog = false;
        await wire.requestHead();
        wire.socket.pause();
        await script(wire);
    }, { path: path.join(folder, 'origin.sock') });
    origin.folder = folder;
    return origin;
}

// Sends until no more is taken. How much that was.
async function fill(wire) {
    for (let sent = 0; ; sent += PIECE.length) {
        const taken = new Promise((resolve) => wire.socket.write(PIECE, () => resolve(true)));
        if (!(await Promise.race([taken, pause(patient(500)).then(() => false)]))) {
            return sent;
        }
    }
}

async function outcomeOf(gateway) {
    return (await gateway.logged(1))[0];
}

for (const [name, framing, body] of [
    ['of known length', `Content-Length: ${LENGTH}`, Buffer.alloc(20_000_000, 'x')],
    ['in chunks', 'Transfer-Encoding: chunked', Buffer.concat([Buffer.from('1312d00\r\n'), Buffer.alloc(20_000_000, 'x')])],
]) {
    test(`an origin that takes no more of a body ${name} is 504`, async (t) => {
        const origin = await stallingOrigin(t);
        const gateway = await startGateway(t, through(origin, { more: PATIENT.replace('send_idle: 1h', 'send_idle: 300ms') }));
        const client = await connect(t, gateway);
        client.send(head('POST / HTTP/1.1', 'Host: a', framing)).send(body);
        assertOwnError(await client.answer(), 504, 'connection_write_timeout');
        assert.equal((await outcomeOf(gateway))['error.type'], 'connection_write_timeout');
    });
}

test('an origin that takes a body slowly, but takes it, is waited for', async (t) => {
    const origin = await stallingOrigin(t, async (wire) => {
        const drip = setInterval(() => wire.socket.read(), 100);
        defer(t, () => clearInterval(drip));
        await wire.waitFor('the body', () => wire.everReceived >= 3_000_000, patient(30_000));
        clearInterval(drip);
        wire.ok('ok');
    });
    const gateway = await startGateway(t, through(origin, { more: PATIENT.replace('send_idle: 1h', 'send_idle: 1s') }));
    const client = await connect(t, gateway);
    client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 3000000')).send(Buffer.alloc(3_000_000, 'x'));
    assert.equal((await client.answer({ deadline: patient(30_000) })).text, 'ok');
});

// The kernel calls a socket writable only once a good part of what it holds was taken.
test(...linuxOnly('also where that is not enough for its socket to be writable within send_idle'), async (t) => {
    const SIZE = 700_000;
    const origin = await stallingOrigin(t, async (wire) => {
        const drip = setInterval(() => wire.socket.read(), 1200);
        defer(t, () => clearInterval(drip));
        await wire.waitFor('the body', () => wire.everReceived >= SIZE, patient(60_000));
        clearInterval(drip);
        wire.ok('ok');
    });
    const gateway = await startGateway(t, through(origin, { more: PATIENT.replace('send_idle: 1h', 'send_idle: 3s') }));
    const client = await connect(t, gateway);
    client.send(head('POST / HTTP/1.1', 'Host: a', `Content-Length: ${SIZE}`)).send(Buffer.alloc(SIZE, 'x'));
    assert.equal((await client.answer({ deadline: patient(60_000) })).text, 'ok');
});

test('an answer that begins before its upload ends may wait for that', async (t) => {
    const PIECES = 16;
    const origin = await rawOrigin(t, async (wire) => {
        const request = await wire.requestHead();
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n');
        await wire.requestBody(request);
        wire.send('ok');
    });
    const gateway = await startGateway(t, through(origin, { more: 'timeouts: {response_idle: 600ms}' }));
    const client = await connect(t, gateway);
    client.send(head('POST / HTTP/1.1', 'Host: a', `Content-Length: ${PIECES * 10_000}`));
    let left = PIECES;
    const drip = setInterval(() => left-- > 0 && client.send(Buffer.alloc(10_000)), 100);
    defer(t, () => clearInterval(drip));
    assert.equal((await client.answer()).text, 'ok');
});

test('an answer that begins early and then stops, like its upload, is cut', async (t) => {
    const origin = await stallingOrigin(t, (wire) => wire.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'));
    const gateway = await startGateway(t, through(origin, { more: PATIENT.replace('response_idle: 1h', 'response_idle: 300ms') }));
    const client = await connect(t, gateway);
    client.send(UPLOAD).send(Buffer.alloc(20_000_000, 'x'));
    await client.closed();
    assert.equal((await outcomeOf(gateway))['turnpike.outcome'], 'closed-by-timeout');
});

test('a client that resets while its upload waits is let go', async (t) => {
    const origin = await stallingOrigin(t);
    const gateway = await startGateway(t, through(origin, { more: PATIENT }));
    const client = await connect(t, gateway);
    client.send(UPLOAD);
    await fill(client);
    client.reset();
    assert.equal((await outcomeOf(gateway))['turnpike.outcome'], 'client-gone');
    (await origin.wire(0)).socket.resume();
    await origin.wires[0].closed();
});

for (const [name, framing, before] of [
    ['of known length', `Content-Length: ${LENGTH}`, ''],
    ['in chunks', 'Transfer-Encoding: chunked', '3b9aca00\r\n'],
]) {
    test(...linuxOnly(`a client that ends in the middle of a body ${name} which waits is noticed`), async (t) => {
        const origin = await stallingOrigin(t);
        const front = path.join(origin.folder, 'front.sock');
        const gateway = await startGateway(t, `listeners: [{address: "unix:${front}", mode: "0600"}]\n${through(origin, { more: PATIENT })}`);
        const client = await connect(t, { path: front });
        client.send(head('POST / HTTP/1.1', 'Host: a', framing) + before);
        await fill(client);
        client.end();
        // Room for what the client still holds, and no more: its last bytes wait in the gateway.
        const { socket } = origin.wires[0];
        while (!client.socket.writableFinished) {
            socket.read();
            await pause(100);
        }
        assert.ok(origin.wires[0].everReceived > 0);
        assert.equal((await outcomeOf(gateway))['turnpike.outcome'], 'client-gone');
    });
}

test('a client that has sent its whole body and half-closed gets its answer, however late', async (t) => {
    const BODY = 400_000; // more than the buffers of one Unix socket, less than those of two
    let go;
    const origin = await stallingOrigin(t, async (wire) => {
        await new Promise((resolve) => (go = resolve));
        wire.socket.resume();
        await wire.waitFor('the body', () => wire.everReceived >= BODY);
        wire.ok('whole');
    });
    const front = path.join(origin.folder, 'front.sock');
    const gateway = await startGateway(t, `listeners: [{address: "unix:${front}", mode: "0600"}]\n${through(origin, { more: PATIENT })}`);
    const client = await connect(t, { path: front });
    client.send(head('POST / HTTP/1.1', 'Host: a', `Content-Length: ${BODY}`)).send(Buffer.alloc(BODY, 'x'));
    client.end();
    await until('the origin to hear of it', () => go);
    await pause(2500); // the gateway has looked by then, and more than once
    client.expectSilence();
    go();
    assert.equal((await client.answer()).text, 'whole');
});

test('a client that leaves a tunnel whose origin takes no more is noticed', async (t) => {
    const origin = await stallingOrigin(t, (wire) => wire.send(UPGRADES));
    const gateway = await startGateway(t, through(origin, { more: PATIENT }));
    const client = await connect(t, gateway);
    client.send(UPGRADE);
    assert.equal((await client.answer()).status, 101);
    await fill(client);
    client.reset();
    assert.equal((await outcomeOf(gateway))['turnpike.outcome'], 'tunnel-closed');
});

test('a tunnel that is full both ways ends when its client leaves, and by tunnel_idle', async (t) => {
    for (const leaves of [true, false]) {
        const origin = await stallingOrigin(t, async (wire) => {
            wire.send(UPGRADES);
            await fill(wire);
            wire.isFull = true;
        });
        const more = leaves ? PATIENT : PATIENT.replace('tunnel_idle: 1h', 'tunnel_idle: 3s');
        const gateway = await startGateway(t, through(origin, { more }));
        const client = await connect(t, gateway);
        client.send(UPGRADE);
        assert.equal((await client.answer()).status, 101);
        client.socket.pause();
        await fill(client);
        if (leaves) {
            await until('the other way to be full', () => origin.wires[0].isFull);
            client.reset();
        }
        assert.equal((await outcomeOf(gateway))['turnpike.outcome'], leaves ? 'tunnel-closed' : 'closed-by-timeout');
    }
});

test('a client that stalls in a download and resets is noticed at once', async (t) => {
    const origin = await stallingOrigin(t, async (wire) => {
        wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LENGTH}\r\n\r\n`);
        await fill(wire);
        wire.isFull = true;
    });
    const gateway = await startGateway(t, through(origin, { more: PATIENT }));
    const client = await connect(t, gateway);
    client.send(head('GET / HTTP/1.1', 'Host: a'));
    await client.answerHead();
    client.socket.pause();
    await until('the download to stall', () => origin.wires[0].isFull);
    client.reset();
    assert.equal((await outcomeOf(gateway))['turnpike.outcome'], 'client-gone');
});
