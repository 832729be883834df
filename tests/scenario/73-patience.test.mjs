// SPDX-License-Identifier: BSD-2-Clause
// Clients that pause for 45 s, or are slow, are served by default, as they are by others: a slow
// client that holds little hurts no other. All at once, since each takes its time.
import assert from 'node:assert/strict';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { authority, certificateList, secureConnect } from './lib/tls.mjs';
import { patient, pause, until } from './lib/wait.mjs';

const PAUSE = 45_000;
const LONG = patient(90_000);
const LARGE = 4_000_000;
const SMALL = 150_000; // all of it fits into the kernel's buffers

// Answers /large and /small with so many bytes, /events with an event now and then, and all else
// with the length of the body that came.
const library = (t) => rawOrigin(t, async (wire) => {
    wire.keepsLog = false;
    for (;;) {
        const { target, body } = await wire.request(LONG);
        const size = { '/large': LARGE, '/small': SMALL }[target];
        if (size !== undefined) {
            wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
            wire.send(Buffer.alloc(size, 'x'));
        } else {
            wire.ok(`${body.length}`);
        }
    }
});

test('by default', { concurrency: 20 }, async (t) => {
    const origin = await library(t);
    const ca = await authority(t);
    const own = await ca.issue();
    const gateway = await startGateway(t, `
listeners:
  - {address: "127.0.0.1:0"}
  - {address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}
${through(origin)}`);
    const [plain, secure] = gateway.listeners;
    const kinds = {
        plain: (t) => connect(t, plain),
        TLS: (t) => secureConnect(t, secure, { ca: ca.cert }),
    };
    const cases = [];

    for (const [kind, come] of Object.entries(kinds)) {
        const scenario = (name, act) => cases.push(t.test(`${kind}: ${name}`, async (t) => {
            const client = await come(t);
            client.keepsLog = false;
            await act(client, t);
        }));

        scenario('a head that pauses', async (client) => {
            client.send('POST / HTTP/1.1\r\nHost: a\r\n');
            await pause(PAUSE);
            client.send('Content-Length: 2\r\n\r\nok');
            assert.equal((await client.answer()).text, '2');
        });

        // What git does while it packs.
        scenario('a chunked upload that pauses after its first bytes', async (client) => {
            client.send(head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked') + `1ea\r\n${'p'.repeat(490)}\r\n`);
            await pause(PAUSE);
            client.send(`186a0\r\n${'q'.repeat(100_000)}\r\n0\r\n\r\n`);
            assert.equal((await client.answer()).text, '100490');
        });

        for (const [size, before] of [[10, 3], [1_000_000, 490], [1_000_000, 300_000]]) {
            scenario(`an upload of ${size} bytes that pauses after ${before}`, async (client) => {
                client.send(head('POST / HTTP/1.1', 'Host: a', `Content-Length: ${size}`) + 'x'.repeat(before));
                await pause(PAUSE);
                client.send('x'.repeat(size - before));
                assert.equal((await client.answer({ deadline: LONG })).text, `${size}`);
            });
        }

        scenario('a log shipper that sends 120 bytes a second', async (client, t) => {
            client.send(head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'));
            const timer = setInterval(() => client.send(`78\r\n${'l'.repeat(120)}\r\n`), 1000);
            defer(t, () => clearInterval(timer));
            await pause(PAUSE);
            assert.equal(client.ended, null);
            clearInterval(timer);
            client.send('0\r\n\r\n');
            assert.ok(Number((await client.answer()).text) >= 30 * 120);
        });

        for (const path of ['/large', '/small']) {
            scenario(`a download of ${path} that pauses`, async (client) => {
                client.socket.pause();
                client.send(head(`GET ${path} HTTP/1.1`, 'Host: a'));
                await pause(PAUSE);
                client.socket.resume();
                assert.equal((await client.answer({ deadline: LONG })).body.length, path === '/large' ? LARGE : SMALL);
                client.send(head('GET /again HTTP/1.1', 'Host: a'));
                assert.equal((await client.answer()).text, '0');
            });
        }
    }
    await Promise.all(cases);
    assert.deepEqual(gateway.entries().map((entry) => entry['turnpike.closed_by']).filter(Boolean), []);
});

test('where clients wait for a connection, those that achieve nothing give way', async (t) => {
    const gateway = await startGateway(t, 'workers: 1\nlimits: {max_connections: 4}\nroutes: [{name: ping, respond: {body: pong}}]\n');
    for (let i = 0; i < 4; i++) {
        (await connect(t, gateway)).send('GET / HTTP/1.1\r\nHost');
    }
    const client = await connect(t, gateway);
    client.send(head('GET / HTTP/1.1', 'Host: a'));
    assert.equal((await client.answer()).text, 'pong');
    const entries = await gateway.logged((all) => all.some((entry) => entry['http.response.status_code'] === 200));
    await until('one to be told', () => gateway.entries().length > 0);
    assert.ok(entries.length > 0);
});

test('in a conversation the client may listen for longer than body_idle', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead();
        wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        for (let i = 0; i < 20; i++) {
            await pause(100);
            wire.send('1\r\nx\r\n');
        }
        wire.send('0\r\n\r\n');
    });
    const gateway = await startGateway(t, through(origin, { more: 'timeouts: {body_idle: 500ms}' }));
    const client = await connect(t, gateway);
    client.send(head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'));
    assert.equal((await client.answer()).text, 'x'.repeat(20));
});
