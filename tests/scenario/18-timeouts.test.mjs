// SPDX-License-Identifier: BSD-2-Clause
// Every timeout, with small values: what it ends, with which answer, and what it leaves alone.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { defer } from './lib/cleanup.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { answerAll, rawOrigin } from './lib/raw-origin.mjs';
import { patient, pause, until } from './lib/wait.mjs';

const SHORT = 500;
const limit = (name) => `timeouts: {${name}: ${SHORT}ms}`;
// Where a timeout must not strike, it is long against a hiccup of this process, and DRIPS longer.
const GENEROUS = 2000;
const generous = (name) => `timeouts: {${name}: ${GENEROUS}ms}`;
const DRIP = 100;
const DRIPS = 25;
const GET = head('GET / HTTP/1.1', 'Host: a');

// Not earlier than the timeout (less a tick), and not very much later. `start` is read before the clock
// of the gateway can begin: what is seen of its beginning may be seen late.
async function takesAbout(milliseconds, start, act) {
    const result = await act();
    const took = Date.now() - start;
    assert.ok(took >= milliseconds - 30, `after ${took} ms, wanted ${milliseconds}`);
    assert.ok(took < milliseconds + patient(2000), `only after ${took} ms, wanted ${milliseconds}`);
    return result;
}

test('timeouts', { concurrency: 8 }, async (t) => {
    const cases = [];
    const scenario = (name, act) => cases.push(t.test(name, act));

    scenario('head: a head that never ends is 408', async (t) => {
        const gateway = await startGateway(t, through(await rawOrigin(t), { more: limit('head') }));
        const start = Date.now();
        const client = await connect(t, gateway);
        client.send('GET / HTTP/1.1\r\nHost:');
        assertOwnError(await takesAbout(SHORT, start, () => client.answer()), 408);
        await client.expectClose();
    });

    scenario('head: trickling does not prolong it', async (t) => {
        const gateway = await startGateway(t, through(await rawOrigin(t), { more: limit('head') }));
        const start = Date.now();
        const client = await connect(t, gateway);
        client.send('GET / HTTP/1.1\r\n');
        const trickle = setInterval(() => client.ended || client.send('X: y\r\n'), 20);
        defer(t, () => clearInterval(trickle));
        assertOwnError(await takesAbout(SHORT, start, () => client.answer()), 408);
    });

    scenario('head: a fresh connection without a byte is closed in silence', async (t) => {
        const gateway = await startGateway(t, through(await rawOrigin(t), { more: `timeouts: {head: ${SHORT}ms, keepalive_idle: ${SHORT}ms}` }));
        const client = await connect(t, gateway);
        await client.expectClose();
    });

    scenario('keepalive_idle: a connection between requests is closed in silence', async (t) => {
        const gateway = await startGateway(t, through(await rawOrigin(t), { more: limit('keepalive_idle') }));
        const start = Date.now();
        const client = await connect(t, gateway);
        assert.equal((await client.ask(GET)).status, 200);
        await takesAbout(SHORT, start, () => client.expectClose());
    });

    scenario('body_idle: a gathered body that stops is 408 and no origin hears of it', async (t) => {
        const origin = await rawOrigin(t);
        const gateway = await startGateway(t, through(origin, { more: limit('body_idle') }));
        const start = Date.now();
        const client = await connect(t, gateway);
        client.send(`${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 10')}01234`);
        assertOwnError(await takesAbout(SHORT, start, () => client.answer()), 408);
        await client.expectClose();
        assert.equal(origin.heads.length, 0);
    });

    scenario('body_idle: a streamed body that stops is 408 and the origin connection ends', async (t) => {
        const origin = await rawOrigin(t);
        const gateway = await startGateway(t, through(origin, { more: limit('body_idle') }));
        const start = Date.now();
        const client = await connect(t, gateway);
        client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 100000'));
        client.send(Buffer.alloc(50_000));
        assertOwnError(await takesAbout(SHORT, start, () => client.answer()), 408);
        await client.expectClose();
        await (await origin.wire(0)).closed();
    });

    scenario('body_idle: a body that never begins is 408', async (t) => {
        const gateway = await startGateway(t, through(await rawOrigin(t), { more: limit('body_idle') }));
        const start = Date.now();
        const client = await connect(t, gateway);
        client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 10'));
        assertOwnError(await takesAbout(SHORT, start, () => client.answer()), 408);
        await client.expectClose();
    });

    scenario('body_idle: a slow body that goes on is fine', async (t) => {
        const origin = await rawOrigin(t);
        const gateway = await startGateway(t, through(origin, { more: generous('body_idle') }));
        const client = await connect(t, gateway);
        client.send(head('POST / HTTP/1.1', 'Host: a', `Content-Length: ${DRIPS}`));
        let left = DRIPS;
        const drip = setInterval(() => left-- > 0 && client.send('x'), DRIP);
        defer(t, () => clearInterval(drip));
        assert.equal((await client.answer()).status, 200);
    });

    scenario('connect: an origin that does not accept is 504', async (t) => {
        const full = await fullOrigin(t);
        const gateway = await startGateway(t, through(full.address, { more: limit('connect') }));
        const start = Date.now();
        const client = await connect(t, gateway);
        client.send(GET);
        assertOwnError(await takesAbout(SHORT, start, () => client.answer()), 504, 'connection_timeout');
        assert.equal((await gateway.logged(1))[0]['error.type'], 'connection_timeout');
    });

    scenario('first_byte: an origin that says nothing is 504', async (t) => {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
        });
        const gateway = await startGateway(t, through(origin, { more: limit('first_byte') }));
        const start = Date.now();
        const client = await connect(t, gateway);
        client.send(GET);
        assertOwnError(await takesAbout(SHORT, start, () => client.answer()), 504, 'http_response_timeout');
        await origin.wires[0].closed();
    });

    scenario('first_byte: of a route stands before the global one', async (t) => {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
        });
        const gateway = await startGateway(t, through(origin, { route: 'timeouts: {first_byte: 100ms}', more: 'timeouts: {first_byte: 1h}' }));
        const client = await connect(t, gateway);
        client.send(GET);
        assertOwnError(await client.answer(), 504, 'http_response_timeout');
    });

    scenario('first_byte: the connection of the client goes on', async (t) => {
        const origin = await rawOrigin(t, async (wire, number) => {
            if (number > 0) {
                await answerAll(wire);
            }
            await wire.request();
        });
        const gateway = await startGateway(t, through(origin, { more: generous('first_byte') }));
        const client = await connect(t, gateway);
        assert.equal((await client.ask(GET)).status, 504);
        assert.equal((await client.ask(GET)).status, 200);
    });

    scenario('response_idle: an answer that stops in its head is 504', async (t) => {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
            wire.send('HTTP/1.1 200 OK\r\nX-A:');
        });
        const gateway = await startGateway(t, through(origin, { more: 'timeouts: {response_idle: 200ms, first_byte: 300ms}' }));
        const client = await connect(t, gateway);
        client.send(GET);
        assertOwnError(await client.answer(), 504);
        await origin.wires[0].closed();
    });

    scenario('response_idle: an answer that stops in its body breaks off', async (t) => {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
            wire.send('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
            wire.send(Buffer.alloc(100_000));
        });
        const gateway = await startGateway(t, through(origin, { more: limit('response_idle') }));
        const client = await connect(t, gateway);
        client.send(GET);
        assert.equal((await client.answerHead()).status, 200);
        await client.closed();
        assert.ok(client.held.length < 1_000_000);
        await origin.wires[0].closed();
        assert.match((await gateway.logged(1))[0]['turnpike.outcome'], /timeout|broke/);
    });

    scenario('response_idle: a slow answer that goes on is fine', async (t) => {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
            wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${DRIPS}\r\n\r\n`);
            let left = DRIPS;
            const drip = setInterval(() => left-- > 0 && wire.send('x'), DRIP);
            defer(t, () => clearInterval(drip));
        });
        const gateway = await startGateway(t, through(origin, { more: generous('response_idle') }));
        const client = await connect(t, gateway);
        assert.equal((await client.ask(GET)).text, 'x'.repeat(DRIPS));
    });

    scenario('response_idle: a client that stops reading is let go', async (t) => {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
            wire.send('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
            wire.send(Buffer.alloc(100_000_000));
        });
        const gateway = await startGateway(t, through(origin, { more: limit('response_idle') }));
        const client = await connect(t, gateway);
        client.send(GET);
        await client.answerHead();
        client.socket.pause();
        await (await origin.wire(0)).closed();
    });

    scenario('tunnel_idle: a tunnel without a byte is closed', async (t) => {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
            wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n');
        });
        const gateway = await startGateway(t, through(origin, { more: limit('tunnel_idle') }));
        const start = Date.now();
        const client = await connect(t, gateway);
        client.send(head('GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: bytes'));
        assert.equal((await client.answer()).status, 101);
        await takesAbout(SHORT, start, () => client.closed());
        await origin.wires[0].closed();
    });

    scenario('tunnel_idle: bytes one way keep it open', async (t) => {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
            wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n');
            const drip = setInterval(() => wire.ended || wire.send('.'), DRIP);
            defer(t, () => clearInterval(drip));
        });
        const gateway = await startGateway(t, through(origin, { more: generous('tunnel_idle') }));
        const client = await connect(t, gateway);
        client.send(head('GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: bytes'));
        assert.equal((await client.answer()).status, 101);
        await client.take(DRIPS);
    });

    scenario('first_byte does not run while the body is on its way', async (t) => {
        const origin = await rawOrigin(t);
        const gateway = await startGateway(t, through(origin, { more: generous('first_byte') }));
        const client = await connect(t, gateway);
        client.send(head('POST / HTTP/1.1', 'Host: a', `Content-Length: ${DRIPS * 10_000}`));
        let left = DRIPS;
        const drip = setInterval(() => left-- > 0 && client.send(Buffer.alloc(10_000)), DRIP);
        defer(t, () => clearInterval(drip));
        assert.equal((await client.answer()).status, 200);
    });

    await Promise.all(cases);
});

// A machine that migrates, or is stopped, has all its timers due at once when it goes on.
test('what came while the whole process was stopped came in time', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
    });
    const gateway = await startGateway(t, through(origin, { more: `timeouts: {first_byte: ${GENEROUS}ms}` }));
    const client = await connect(t, gateway);
    client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 0'));
    await until('the origin to have it', () => origin.requests.length === 1);
    gateway.signal('SIGSTOP');
    await pause(GENEROUS / 2);
    origin.wires[0].ok('executed');
    await pause(GENEROUS);
    gateway.signal('SIGCONT');
    const answer = await client.answer();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.text, 'executed');
});

// A listening socket whose queue is full: further SYNs are dropped, connecting takes for ever.
async function fullOrigin(t) {
    const { Worker } = await import('node:worker_threads');
    // A thread that listens with a queue of one and then blocks, so that nothing is accepted.
    const worker = new Worker(`
        const net = require('node:net');
        const { parentPort } = require('node:worker_threads');
        const server = net.createServer();
        server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
            parentPort.postMessage(server.address().port);
            setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60000));
        });
    `, { eval: true });
    defer(t, () => worker.terminate());
    const port = await new Promise((resolve) => worker.once('message', resolve));
    const fillers = [];
    defer(t, () => fillers.forEach((each) => each.destroy()));
    let stuck = 0;
    for (let i = 0; i < 8; i++) {
        const socket = net.connect({ host: '127.0.0.1', port });
        socket.on('error', () => {});
        fillers.push(socket);
    }
    await until('a connection attempt that hangs', () => {
        stuck = fillers.filter((each) => each.connecting).length;
        return stuck > 0 && stuck < fillers.length;
    });
    return { address: `127.0.0.1:${port}` };
}
