// SPDX-License-Identifier: BSD-2-Clause
// HTTP/1.0 on either side, and answers that end when the origin closes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { answerAll, rawOrigin } from './lib/raw-origin.mjs';

test('an HTTP/1.0 client', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            const asked = await wire.request();
            if (asked.target === '/chunked') {
                wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n');
            } else {
                wire.ok('ok');
            }
        }
    });
    const gateway = await startGateway(t, through(origin));

    await t.test('gets its answer and the connection is closed', async () => {
        const client = await connect(t, gateway);
        const answer = await client.ask(head('GET / HTTP/1.0', 'Host: a'));
        assert.equal(answer.text, 'ok');
        await client.expectClose();
    });

    await t.test('needs no Host', async () => {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(head('GET / HTTP/1.0'))).text, 'ok');
        assert.equal(origin.requests.at(-1).all('host').length, 1, 'the origin gets HTTP/1.1, which needs one');
    });

    await t.test('keeps its connection when it asks to', async () => {
        const client = await connect(t, gateway);
        for (let i = 0; i < 3; i++) {
            const answer = await client.ask(head('GET / HTTP/1.0', 'Host: a', 'Connection: keep-alive'));
            assert.equal(answer.text, 'ok');
            assert.equal(answer.get('connection')?.toLowerCase(), 'keep-alive');
        }
        client.expectSilence();
    });

    await t.test('never gets chunks', async () => {
        const client = await connect(t, gateway);
        const answer = await client.ask(head('GET /chunked HTTP/1.0', 'Host: a', 'Connection: keep-alive'));
        assert.equal(answer.get('transfer-encoding'), undefined);
        assert.equal(answer.text, 'abcdef');
    });

    await t.test('may send a body with a length', async () => {
        const client = await connect(t, gateway);
        client.send(`${head('POST / HTTP/1.0', 'Content-Length: 5')}hello`);
        assert.equal((await client.answer()).text, 'ok');
        assert.equal(origin.requests.at(-1).text, 'hello');
    });
});

test('an HTTP/1.0 origin', async (t) => {
    const origin = await rawOrigin(t, async (wire, number) => {
        await wire.request();
        if (number === 0) {
            wire.send('HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold');
            return;
        }
        wire.send('HTTP/1.0 200 OK\r\n\r\nuntil close').end();
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);

    await t.test('is answered for in HTTP/1.1, and its connection not used again', async () => {
        const answer = await client.ask(head('GET / HTTP/1.1', 'Host: a'));
        assert.equal(answer.version, '1.1');
        assert.equal(answer.text, 'old');
        await origin.wires[0].closed();
    });

    await t.test('that closes at the end of its answer keeps the client connection', async () => {
        const answer = await client.ask(head('GET / HTTP/1.1', 'Host: a'));
        assert.equal(answer.text, 'until close');
        assert.ok(answer.framing === 'chunked' || answer.framing === 'length');
        const again = await client.ask(head('GET / HTTP/1.1', 'Host: a'));
        assert.equal(again.text, 'until close');
    });

    await t.test('that closes at the end of its answer, to an HTTP/1.0 client', async () => {
        const older = await connect(t, gateway);
        const answer = await older.ask(head('GET / HTTP/1.0', 'Host: a'));
        assert.equal(answer.text, 'until close');
        await older.expectClose();
    });
});

test('an answer that lasts until close', async (t) => {
    const size = 300_000;
    const origin = await rawOrigin(t, async (wire) => {
        const asked = await wire.request();
        wire.send('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n');
        wire.send(Buffer.alloc(size, 'y'));
        if (asked.target === '/reset') {
            wire.send('');
            await wire.origin.cut;
            wire.reset();
        } else {
            wire.end();
        }
    });
    const gateway = await startGateway(t, through(origin));

    await t.test('comes whole, in chunks', async () => {
        const client = await connect(t, gateway);
        const answer = await client.ask(head('GET / HTTP/1.1', 'Host: a'));
        assert.equal(answer.framing, 'chunked');
        assert.equal(answer.body.length, size);
        client.expectSilence();
    });

    await t.test('that breaks off never looks whole', async () => {
        let cut;
        origin.cut = new Promise((resolve) => (cut = resolve));
        const client = await connect(t, gateway);
        client.send(head('GET /reset HTTP/1.1', 'Host: a'));
        const answer = await client.answerHead();
        assert.equal(answer.status, 200);
        cut();
        await client.closed();
        assert.ok(!client.everything.endsWith('0\r\n\r\n'), 'the last chunk must not be sent');
    });

    await t.test('that breaks off does not look whole to HTTP/1.0 either', async () => {
        let cut;
        origin.cut = new Promise((resolve) => (cut = resolve));
        const client = await connect(t, gateway);
        client.send(head('GET /reset HTTP/1.0', 'Host: a'));
        await client.answerHead();
        // libuv takes a reset that comes together with bytes for an ordinary end.
        await client.waitFor('the whole body', () => client.everReceived > size);
        cut();
        assert.equal(await client.closed(), 'reset', 'RST is the only sign HTTP/1.0 leaves');
    });
});

test('a length that the origin does not keep never looks whole', async (t) => {
    const origin = await rawOrigin(t, async (wire, number) => {
        if (number > 0) {
            await answerAll(wire);
            return;
        }
        await wire.request();
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
        wire.send(Buffer.alloc(50_000, 'z')).end();
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(head('GET / HTTP/1.1', 'Host: a'));
    assert.equal((await client.answerHead()).get('content-length'), '100000');
    await client.closed();
    assert.ok(client.held.length < 100_000);
});
