// SPDX-License-Identifier: BSD-2-Clause
// Answers that have no body whatever their fields say (RFC 9110 section 6.4.1).
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';

test('answers without a body', async (t) => {
    let reply;
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.request();
            wire.send(reply);
        }
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    const ask = async (method, text) => {
        reply = text;
        return client.ask(head(`${method} / HTTP/1.1`, 'Host: a'), { method });
    };
    const inStep = async () => {
        const answer = await ask('GET', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nstep');
        assert.equal(answer.text, 'step');
        assert.equal(origin.wires.length, 1, 'the origin connection is kept');
    };

    await t.test('HEAD keeps Content-Length and has no body', async () => {
        const answer = await ask('HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nX-A: 1\r\n\r\n');
        assert.equal(answer.get('content-length'), '12345');
        assert.equal(answer.get('x-a'), '1');
        assert.equal(origin.requests.at(-1).method, 'HEAD');
        await inStep();
    });

    await t.test('HEAD with chunked has no body', async () => {
        const answer = await ask('HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        assert.equal(answer.status, 200);
        await inStep();
    });

    await t.test('HEAD without any framing', async () => {
        const answer = await ask('HEAD', 'HTTP/1.1 200 OK\r\n\r\n');
        assert.equal(answer.status, 200);
        await inStep();
    });

    await t.test('204', async () => {
        const answer = await ask('DELETE', 'HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n');
        assert.equal(answer.status, 204);
        assert.equal(answer.get('content-length'), undefined);
        assert.equal(answer.get('transfer-encoding'), undefined);
        await inStep();
    });

    await t.test('204 with Content-Length: 0 loses it (RFC 9110 section 8.6)', async () => {
        const answer = await ask('DELETE', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n');
        assert.equal(answer.status, 204);
        assert.equal(answer.get('content-length'), undefined);
        await inStep();
    });

    await t.test('304 keeps what it says about the body it does not have', async () => {
        const answer = await ask('GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\nETag: "x"\r\n\r\n');
        assert.equal(answer.status, 304);
        assert.equal(answer.get('etag'), '"x"');
        await inStep();
    });

    await t.test('205 has a body of no bytes', async () => {
        const answer = await ask('PUT', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n');
        assert.equal(answer.status, 205);
        await inStep();
    });
});

test('a body where none may be is never taken for the next answer', async (t) => {
    for (const [name, method, reply] of [
        ['HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
        ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'],
        ['304', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'],
    ]) {
        await t.test(name, async () => {
            const origin = await rawOrigin(t, async (wire, number) => {
                await wire.request();
                if (number === 0) {
                    wire.send(reply);
                } else {
                    wire.ok('good');
                }
            });
            const gateway = await startGateway(t, through(origin));
            const client = await connect(t, gateway);
            const first = await client.ask(head(`${method} / HTTP/1.1`, 'Host: a'), { method });
            assert.ok([200, 204, 304].includes(first.status));
            await origin.wires[0].closed();
            const next = await client.ask(head('GET / HTTP/1.1', 'Host: a'));
            assert.equal(next.text, 'good');
        });
    }
});
