// SPDX-License-Identifier: BSD-2-Clause
// What one client connection may use of time, rate and number: for each budget a client that
// oversteps it, which is cut with its cause in the log, and one that nearly does, which is not.
// Windows are short here; what keeps to a rate does so by a wide margin, so that a hiccup of this
// process cuts no client.
import assert from 'node:assert/strict';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { through } from './lib/configs.mjs';
import { adminIn, askJson, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { skipLinuxOnly } from './lib/linux-only.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { authority, certificateList } from './lib/tls.mjs';
import { patient, pause, until } from './lib/wait.mjs';
import { Http2Peer, POST, RST_STREAM, data, headers } from '../peers/http2_peer.mjs';

const GET = head('GET / HTTP/1.1', 'Host: a');
const WINDOW = 200;
const LONG_WINDOW = 1000; // where a client must not be slow by the machine's fault
const RESPOND = 'routes: [{name: here, respond: {body: hello}}]\n';

// One more every so many ms until `act` returns false. What a busy machine came too late for is made up: a
// rate is kept, not a number of ticks.
function keepRate(t, ms, act) {
    const began = performance.now();
    let done = 0;
    const timer = setInterval(() => {
        for (const due = (performance.now() - began) / ms; done < due; done++) {
            if (!act(done)) {
                clearInterval(timer);
                return;
            }
        }
    }, ms);
    defer(t, () => clearInterval(timer));
}

// One piece every 20 ms until the connection ends or there is none left.
function drip(t, client, pieces) {
    keepRate(t, 20, (next) => {
        const goesOn = !client.ended && !(Array.isArray(pieces) && next >= pieces.length);
        if (goesOn) {
            client.send(Array.isArray(pieces) ? pieces[next] : pieces);
        }
        return goesOn;
    });
}

async function expectCut(gateway, cause) {
    const entries = await gateway.logged((all) => all.some((entry) => entry['turnpike.closed_by'] !== undefined));
    assert.deepEqual(entries.map((entry) => entry['turnpike.closed_by']).filter(Boolean), [cause]);
}

async function expectNoCut(gateway, count = 1) {
    for (const entry of await gateway.logged(count)) {
        assert.equal(entry['turnpike.closed_by'], undefined);
    }
}

// An origin that takes every body to its end and answers with its length.
const takesBodies = (t) => rawOrigin(t, async (wire) => {
    for (;;) {
        const { body } = await wire.request(patient(60_000));
        wire.ok(`${body.length}`);
    }
});

// An origin that answers each request with `size` bytes.
const gives = (t, size) => rawOrigin(t, async (wire) => {
    for (;;) {
        await wire.request(patient(60_000));
        wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
        wire.send(Buffer.alloc(size, 'x'));
    }
});

test('budgets of a client', { concurrency: 6 }, async (t) => {
    const cases = [];
    const scenario = (name, act) => cases.push(t.test(name, { skip: skipLinuxOnly(name) }, act));

    // --- heads ---

    scenario('a head that drips is cut', async (t) => {
        const gateway = await startGateway(t, `timeouts: {head: ${WINDOW}ms}\n${RESPOND}`);
        const client = await connect(t, gateway);
        client.send('GET / HTTP/1.1\r\nX: ');
        drip(t, client, 'x');
        assert.equal((await client.answer()).status, 408);
        await client.closed();
        await expectCut(gateway, 'head');
    });

    // --- bodies ---

    const bodies = {
        'with a length': { fields: ['Content-Length: 1000000'], piece: 'x' },
        'that is gathered': { fields: ['Content-Length: 5000'], piece: 'x' },
        'in chunks': { fields: ['Transfer-Encoding: chunked'], piece: '1\r\nx\r\n' },
    };
    for (const [kind, { fields, piece }] of Object.entries(bodies)) {
        scenario(`a body ${kind} that drips is cut`, async (t) => {
            const origin = await takesBodies(t);
            const gateway = await startGateway(t, through(origin, { more: `timeouts: {request_buffer: none}\nmin_rates: {request_body: 10KiB, window: ${WINDOW}ms}` }));
            const client = await connect(t, gateway);
            client.send(head('POST / HTTP/1.1', 'Host: a', ...fields));
            drip(t, client, piece);
            assert.equal((await client.answer()).status, 408);
            await client.closed();
            await expectCut(gateway, 'body-rate');
            assert.equal(origin.requests.length, 0);
            assert.equal(origin.heads.length, 0, 'the first of a body is gathered');
        });
    }

    scenario('a body that drips once it is under way is cut, and its origin connection with it', async (t) => {
        const origin = await takesBodies(t);
        const gateway = await startGateway(t, through(origin, { more: `min_rates: {request_body: 10KiB, window: ${WINDOW}ms}` }));
        const client = await connect(t, gateway);
        client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1000000') + 'x'.repeat(20_000));
        drip(t, client, 'x');
        assert.equal((await client.answer()).status, 408);
        await expectCut(gateway, 'body-rate');
        assert.equal(origin.heads.length, 1);
        await origin.wires[0].closed();
    });

    scenario('a body that keeps to the rate is not, in many windows', async (t) => {
        const gateway = await startGateway(t, through(await takesBodies(t), { more: 'min_rates: {request_body: 1KiB, window: 1s}' }));
        const client = await connect(t, gateway);
        const pieces = Array.from({ length: 200 }, () => 'x'.repeat(300));
        client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 60000'));
        drip(t, client, pieces);
        assert.equal((await client.answer({ deadline: patient(60_000) })).body.toString(), '60000');
        await expectNoCut(gateway);
    });

    scenario('an upload that its origin does not take is not its client\'s fault', async (t) => {
        const size = 16_000_000;
        let take;
        const taken = new Promise((resolve) => (take = resolve));
        const origin = await rawOrigin(t, async (wire) => {
            const request = await wire.requestHead();
            wire.socket.pause();
            await taken;
            wire.socket.resume();
            await wire.requestBody(request, patient(60_000));
            wire.ok('thanks');
        });
        const gateway = await startGateway(t, through(origin, { more: `min_rates: {request_body: 1MiB, window: ${WINDOW}ms}` }));
        const client = await connect(t, gateway);
        client.send(head('POST / HTTP/1.1', 'Host: a', `Content-Length: ${size}`));
        client.send(Buffer.alloc(size));
        await until('the origin to hear of it', () => origin.heads.length === 1);
        let last = -1;
        await until('all buffers to be full', async () => {
            const before = last;
            last = client.socket.bytesWritten - client.socket.writableLength;
            await pause(100);
            return last === before;
        });
        await pause(5 * WINDOW);
        client.expectSilence();
        take();
        assert.equal((await client.answer({ deadline: patient(60_000) })).body.toString(), 'thanks');
        await expectNoCut(gateway);
    });

    scenario('a route may ask for less than its listener, or more', async (t) => {
        const origin = await takesBodies(t);
        const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", min_rates: {request_body: 1MiB, window: ${WINDOW}ms}}]
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: slow, match: {path: /slow}, service: app, min_rates: {request_body: none}}
  - {name: fast, match: {path: /fast}, service: app}
`);
        const patientClient = await connect(t, gateway);
        const cut = await connect(t, gateway);
        for (const [client, path] of [[patientClient, '/slow'], [cut, '/fast']]) {
            client.send(head(`POST ${path} HTTP/1.1`, 'Host: a', 'Content-Length: 1000'));
        }
        drip(t, cut, 'x');
        drip(t, patientClient, Array.from({ length: 50 }, () => 'x'.repeat(20)));
        assert.equal((await cut.answer()).status, 408);
        assert.equal((await patientClient.answer()).body.toString(), '1000');
        const byRoute = Object.fromEntries((await gateway.logged(2)).map((entry) => [entry['turnpike.route'], entry['turnpike.closed_by']]));
        assert.deepEqual(byRoute, { slow: undefined, fast: 'body-rate' });
    });

    // --- answers ---

    const SIZE = 2_000_000;

    scenario('a reader that stops is cut', async (t) => {
        const gateway = await startGateway(t, through(await gives(t, SIZE), { more: `min_rates: {response: 10KiB, window: ${WINDOW}ms}` }));
        const client = await connect(t, gateway);
        client.send(GET);
        client.socket.pause();
        await expectCut(gateway, 'answer-rate');
        client.socket.resume();
        await client.closed();
        assert.ok(client.everReceived < SIZE);
    });

    scenario('a reader that drips is cut', async (t) => {
        const gateway = await startGateway(t, through(await gives(t, SIZE), { more: `min_rates: {response: 1MiB, window: ${WINDOW}ms}` }));
        const client = await connect(t, gateway, { highWaterMark: 16 });
        client.send(GET);
        client.socket.pause();
        const timer = setInterval(() => client.socket.read(1), 50);
        defer(t, () => clearInterval(timer));
        await expectCut(gateway, 'answer-rate');
    });

    scenario('response_idle still ends one that takes nothing at all, where no rate is asked for', async (t) => {
        const gateway = await startGateway(t, through(await gives(t, SIZE), { more: `timeouts: {response_idle: ${WINDOW}ms}\nmin_rates: {response: none}` }));
        const client = await connect(t, gateway);
        client.send(GET);
        client.socket.pause();
        await expectCut(gateway, 'answer-idle');
    });

    scenario('a reader that keeps to the rate is not cut', async (t) => {
        const gateway = await startGateway(t, through(await gives(t, SIZE), { more: `min_rates: {response: 100KiB, window: 1s}` }));
        const client = await connect(t, gateway);
        client.send(GET);
        // Reads some 500 kB/s, for several windows.
        let reads = 0;
        client.socket.pause();
        client.socket.on('data', () => --reads > 0 || client.socket.pause());
        keepRate(t, 100, () => {
            reads++;
            client.socket.resume();
            return !client.ended;
        });
        assert.equal((await client.answer({ deadline: patient(60_000) })).body.length, SIZE);
        await expectNoCut(gateway);
    });

    scenario('an answer that its origin does not give is not its client\'s fault', async (t) => {
        const half = 1_500_000;
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
            wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${2 * half}\r\n\r\n`);
            wire.send(Buffer.alloc(half, 'x'));
            await pause(3 * LONG_WINDOW);
            wire.send(Buffer.alloc(half, 'x'));
        });
        const gateway = await startGateway(t, through(origin, { more: `min_rates: {response: 64KiB, window: ${LONG_WINDOW}ms}` }));
        const client = await connect(t, gateway);
        client.send(GET);
        assert.equal((await client.answer()).body.length, 2 * half);
        await expectNoCut(gateway);
    });

    // --- bytes held ---

    // An answer of unknown length may wait in the gateway as far as the budget goes, so that its
    // origin is free; the rest stays where it is until the client reads on.
    scenario('no more is held for a client than its listener grants', async (t) => {
        const size = 8_000_000;
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
            wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
            for (let left = size; left > 0; left -= 8000) {
                wire.send(`1f40\r\n${'x'.repeat(8000)}\r\n`);
            }
            wire.send('0\r\n\r\n');
        });
        const gateway = await startGateway(t, (folder) => `
limits: {request_buffer: 8KiB}
min_rates: {response: none}
listeners:
  - {address: "127.0.0.1:0", limits: {connection_buffer: 16KiB}}
  - {address: "127.0.0.1:0"}
  - {address: "127.0.0.1:0", limits: {connection_buffer: 128KiB}}
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: all, service: app}]
${adminIn(folder)}`);
        const clients = [];
        for (const listener of gateway.listeners) {
            const client = await connect(t, listener);
            client.socket.pause();
            client.keepsLog = false;
            client.send(GET);
            clients.push(client);
        }
        let held = {};
        await until('all to be waited for', async () => {
            const before = held;
            const { connections } = await askJson(gateway, '/v1/connections?top=10');
            held = Object.fromEntries(connections.filter((row) => row.state === 'takes-answer').map((row) => [row.client, row.memory_bytes]));
            await pause(100);
            return Object.keys(held).length === 3 && JSON.stringify(held) === JSON.stringify(before);
        });
        const [little, usual, much] = Object.values(held).sort((a, b) => a - b);
        const RELAYED = 52 * 1024; // the one buffer beside the budget
        assert.ok(little <= RELAYED + 16 * 1024, `${little} bytes are held of 16 KiB`);
        assert.ok(usual <= 48 * 1024, `${usual} bytes are held by default`);
        assert.ok(much > little + 16 * 1024 && much <= 128 * 1024, `${much} bytes are held of 128 KiB`);
        for (const client of clients) {
            client.socket.resume();
            assert.equal((await client.answer({ deadline: patient(60_000) })).body.length, size);
        }
    });

    scenario('no more is held of an upload that its origin does not take', async (t) => {
        const origin = await rawOrigin(t, (wire) => {
            wire.socket.pause();
        });
        const gateway = await startGateway(t, (folder) => `
listeners: [{address: "127.0.0.1:0"}]
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: all, service: app}]
${adminIn(folder)}`);
        const client = await connect(t, gateway);
        client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
        for (let i = 0; i < 1000; i++) {
            client.send(`1f40\r\n${'x'.repeat(8000)}\r\n`);
        }
        let moved = -1;
        let held = 0;
        await until('it to be waited for', async () => {
            const before = moved;
            const { connections: [row] } = await askJson(gateway, '/v1/connections?top=1');
            moved = row?.bytes_moved ?? 0;
            held = row?.memory_bytes ?? 0;
            await pause(100);
            return moved > 100_000 && moved === before;
        });
        assert.ok(held <= 64 * 1024, `${held} bytes are held`);
        client.destroy();
    });

    // --- number and age ---

    scenario('one that asks again in time is not idle', async (t) => {
        const gateway = await startGateway(t, `timeouts: {keepalive_idle: 2s}\n${RESPOND}`);
        const client = await connect(t, gateway);
        for (let i = 0; i < 10; i++) {
            assert.equal((await client.ask(GET)).status, 200);
            await pause(300);
        }
        await expectNoCut(gateway, 10);
        await client.expectClose();
    });

    scenario('a connection past its lifetime closes with an answer, one within it does not', async (t) => {
        const gateway = await startGateway(t, `timeouts: {lifetime: 2s}\n${RESPOND}`);
        const client = await connect(t, gateway);
        assert.equal((await client.ask(GET)).get('Connection'), undefined);
        let last;
        await until('an answer to be the last', async () => {
            last = await client.ask(GET);
            return last.get('Connection') === 'close';
        });
        assert.equal(last.body.toString(), 'hello');
        await client.expectClose();
    });

    scenario('the number of requests is spread over an eighth', async (t) => {
        const gateway = await startGateway(t, `limits: {requests_per_connection: 400}\n${RESPOND}`);
        const counts = [];
        for (let i = 0; i < 6; i++) {
            const client = await connect(t, gateway);
            let count = 0;
            for (let answer; answer?.get('Connection') !== 'close'; count++) {
                answer = await client.ask(GET);
            }
            await client.expectClose();
            counts.push(count);
        }
        assert.ok(counts.every((count) => count >= 350 && count <= 400), `${counts}`);
        assert.ok(new Set(counts).size > 1, `not all alike: ${counts}`);
    });

    scenario('two listeners, two budgets', async (t) => {
        const gateway = await startGateway(t, `
listeners:
  - {address: "127.0.0.1:0", limits: {requests_per_connection: 1}, timeouts: {keepalive_idle: 1m}}
  - {address: "127.0.0.1:0", timeouts: {keepalive_idle: ${WINDOW}ms}}
${RESPOND}`);
        const [one, other] = await Promise.all(gateway.listeners.map((listener) => connect(t, listener)));
        assert.equal((await one.ask(GET)).get('Connection'), 'close');
        assert.equal((await other.ask(GET)).get('Connection'), undefined);
        await other.expectClose();
    });

    scenario('every cut is counted by its cause', async (t) => {
        const gateway = await startGateway(t, (folder) => `timeouts: {head: ${WINDOW}ms, keepalive_idle: 1500ms}\nlimits: {requests_per_connection: 2}\n${RESPOND}${adminIn(folder)}`);
        const late = await connect(t, gateway);
        late.send('GET');
        const idle = await connect(t, gateway);
        await idle.ask(GET);
        const many = await connect(t, gateway);
        await many.ask(GET);
        await many.ask(GET);
        await Promise.all([late, idle, many].map((client) => client.closed()));
        const metrics = await metricsOf(gateway);
        const cuts = (cause) => valueOf(metrics, 'turnpike_client_forced_closes_total', { cause });
        assert.deepEqual(['head', 'keepalive', 'requests', 'body-rate'].map(cuts), [1, 1, 1, 0]);
    });

    await Promise.all(cases);
});

// A byte in a record is 22 and more on the wire, and none of them counts for the rate but that one.
for (const protocol of ['HTTP/1', 'HTTP/2']) {
    test(`${protocol}: a body in TLS records of a byte each is judged by its bytes`, async (t) => {
        const ca = await authority(t);
        const own = await ca.issue({ names: ['a.example'] });
        const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}]
${through(await takesBodies(t), { more: 'min_rates: {request_body: 1MiB, window: 1s}' })}`);
        const peer = protocol === 'HTTP/2' && await Http2Peer.connect(t, gateway, { ca: ca.pem });
        const client = peer ? peer.wire : await connect(t, gateway, { secure: { ca: ca.pem, servername: 'a.example' } });

        client.send(peer ? headers(1, POST) : head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 60000'));
        drip(t, client, peer ? [...data(1, Buffer.alloc(2000))].map((byte) => Buffer.from([byte])) : 'x');
        if (peer) {
            assert.ok(await peer.until(({ type, stream }) => type === RST_STREAM && stream === 1));
        } else {
            assert.equal((await client.answer()).status, 408);
        }
        await expectCut(gateway, 'body-rate');
    });
}
