// SPDX-License-Identifier: BSD-2-Clause
// A request in chunks may be one half of a conversation: its head goes on though nothing of its body
// has come, what its client says is passed on at once, and so is what the origin answers meanwhile.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { pause, until } from './lib/wait.mjs';

const CHUNKED = ['Host: a', 'Transfer-Encoding: chunked'];
const POST = (path = '/') => head(`POST ${path} HTTP/1.1`, ...CHUNKED);
const chunk = (text) => `${text.length.toString(16)}\r\n${text}\r\n`;

// Begins its answer with the head of the request and sends each chunk back as it comes.
const echo = (t) => rawOrigin(t, async (wire) => {
    await wire.requestHead();
    wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (;;) {
        const size = Number.parseInt((await wire.takeLine(3_600_000)).toString(), 16);
        wire.send(chunk((await wire.take(size + 2)).subarray(0, size).toString()));
        if (size === 0) {
            return;
        }
    }
});

test('a conversation in chunks', async (t) => {
    const origin = await echo(t);
    const gateway = await startGateway(t, through(origin));

    await t.test('that the origin opens', async () => {
        const client = await connect(t, gateway);
        client.send(POST());
        assert.equal((await client.answerHead()).status, 200);
        for (const said of ['one', 'two', 'three']) {
            client.send(chunk(said));
            await client.expect(chunk(said));
        }
        client.send('0\r\n\r\n');
        await client.expect('0\r\n\r\n');
    });

    await t.test('that the client opens', async () => {
        const client = await connect(t, gateway);
        client.send(POST() + chunk('hello'));
        assert.equal((await client.answerHead()).status, 200);
        await client.expect(chunk('hello'));
        client.send(chunk('more'));
        await client.expect(chunk('more'));
        client.send('0\r\n\r\n');
        await client.expect('0\r\n\r\n');
    });

    await t.test('of a thousand words waits once at most', async () => {
        const client = await connect(t, gateway);
        client.send(POST());
        await client.answerHead();
        const began = Date.now();
        for (let i = 0; i < 1000; i++) {
            client.send(chunk(`word ${i}`));
            await client.expect(chunk(`word ${i}`));
        }
        // 50 ms for each would be 50 s.
        assert.ok(Date.now() - began < 20_000, `${Date.now() - began} ms`);
        client.send('0\r\n\r\n');
    });
});

test('an answer may be whole while its request goes on', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead();
        wire.ok('early');
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(POST() + chunk('some'));
    assert.equal((await client.answer()).text, 'early');
});

test('a body that is there within timeouts.request_buffer is whole before an origin is asked', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: patient, match: {path: /patient}, service: app, timeouts: {request_buffer: 1h}}
  - {name: never, match: {path: /never}, service: app, timeouts: {request_buffer: none}}
  - {name: all, service: app}
`);
    for (const path of ['/patient', '/never']) {
        const client = await connect(t, gateway);
        const before = origin.heads.length;
        client.send(POST(path) + chunk('a'));
        await pause(300); // several times the default
        assert.equal(origin.heads.length, before, 'a route may wait for longer');
        client.send(`${chunk('b')}0\r\n\r\n`);
        assert.equal((await client.answer()).status, 200);
        assert.equal(origin.requests.at(-1).text, 'ab');
        assert.equal(origin.requests.at(-1).get('content-length'), '2');
    }
});

test('request_buffer: 0B waits for nothing', async (t) => {
    const origin = await echo(t);
    const gateway = await startGateway(t, through(origin, { more: 'limits: {request_buffer: 0B}\ntimeouts: {request_buffer: 1h}' }));
    for (const first of ['', chunk('a')]) {
        const client = await connect(t, gateway);
        client.send(POST() + first);
        assert.equal((await client.answerHead()).status, 200);
        client.send(chunk('b'));
        await client.expect(first + chunk('b'));
    }
});

// Only a body whose end is not known may be half of a conversation.
test('a body of known length is gathered for as long as it takes', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(`${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 2')}a`);
    await pause(300);
    assert.equal(origin.heads.length, 0);
    client.send('b');
    assert.equal((await client.answer()).status, 200);
});

test('a route that answers by itself does not wait for the end of a stream', async (t) => {
    const gateway = await startGateway(t, 'routes: [{name: here, respond: {body: hello}}]\n');
    const client = await connect(t, gateway);
    client.send(POST() + chunk('a'));
    assert.equal((await client.answer()).text, 'hello');
    await until('its end', () => client.ended);
});

// As git's server does: its head comes first, its work begins when the pack is there.
test('an answer that began before its request was whole has its time from then on', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        const request = await wire.requestHead();
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n');
        await wire.requestBody(request, 3_600_000);
        await pause(700);
        wire.send('done');
    });
    const gateway = await startGateway(t, through(origin, { more: 'timeouts: {response_idle: 1s}' }));
    const client = await connect(t, gateway);
    client.send(POST());
    await client.answerHead();
    for (let i = 0; i < 8; i++) {
        client.send(chunk(`piece ${i}`));
        await pause(100);
    }
    client.send('0\r\n\r\n');
    await client.expect('done');
});
