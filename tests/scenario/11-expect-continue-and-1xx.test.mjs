// SPDX-License-Identifier: BSD-2-Clause
// Interim answers: 100 Continue when the client waits for it, 103 passed on, none to HTTP/1.0.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';

const EXPECT = 'Expect: 100-continue';

test('where the origin does not know of 100-continue, the gateway says it, and only once', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        const asked = await wire.requestHead();
        assert.ok(asked.get('expect'), 'the origin is asked first');
        await wire.requestBody(asked);
        wire.send('HTTP/1.1 100 Continue\r\n\r\n'); // too late to be of use
        wire.ok('done');
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5', EXPECT));
    assert.equal((await client.answer()).status, 100);
    client.send('hello');
    const answer = await client.answer();
    assert.equal(answer.status, 200);
    assert.equal(answer.text, 'done');
});

test('100-continue', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            const asked = await wire.requestHead();
            if (asked.get('expect')) {
                wire.send('HTTP/1.1 100 Continue\r\n\r\n');
            }
            await wire.requestBody(asked);
            wire.ok('done');
        }
    });
    const gateway = await startGateway(t, through(origin, { more: 'limits: {body_bytes: 1MiB}' }));

    for (const [name, size] of [['small', 5], ['large', 200_000]]) {
        await t.test(`a ${name} body with a length is asked for, once`, async () => {
            const client = await connect(t, gateway);
            client.send(head('POST / HTTP/1.1', 'Host: a', `Content-Length: ${size}`, EXPECT));
            assert.equal((await client.answer()).status, 100);
            client.send(Buffer.alloc(size, 'x'));
            const answer = await client.answer();
            assert.equal(answer.status, 200);
            assert.equal(answer.text, 'done');
            assert.equal(origin.requests.at(-1).body.length, size);
        });
    }

    await t.test('a chunked body is asked for', async () => {
        const client = await connect(t, gateway);
        client.send(head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', EXPECT));
        assert.equal((await client.answer()).status, 100);
        client.send('3\r\nabc\r\n0\r\n\r\n');
        assert.equal((await client.answer()).text, 'done');
        assert.equal(origin.requests.at(-1).text, 'abc');
    });

    await t.test('a client that does not wait gets its answer', async () => {
        const client = await connect(t, gateway);
        client.send(`${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5', EXPECT)}hello`);
        let answer = await client.answer();
        if (answer.status === 100) {
            answer = await client.answer();
        }
        assert.equal(answer.text, 'done');
    });

    await t.test('100-Continue in any case', async () => {
        const client = await connect(t, gateway);
        client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5', 'Expect: 100-CONTINUE'));
        assert.equal((await client.answer()).status, 100);
        client.send('hello');
        assert.equal((await client.answer()).text, 'done');
    });

    await t.test('HTTP/1.0 gets no 100', async () => {
        const client = await connect(t, gateway);
        client.send(`${head('POST / HTTP/1.0', 'Host: a', 'Content-Length: 5', EXPECT)}hello`);
        assert.equal((await client.answer()).status, 200);
    });

    await t.test('another expectation is 417', async () => {
        const client = await connect(t, gateway);
        client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5', 'Expect: tea'));
        assertOwnError(await client.answer(), 417);
        await client.expectClose();
    });

    await t.test('a body over the limit is 413 and never asked for', async () => {
        const before = origin.heads.length;
        const client = await connect(t, gateway);
        client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 2000000', EXPECT));
        assertOwnError(await client.answer(), 413);
        await client.expectClose();
        assert.equal(origin.heads.length, before);
    });

    await t.test('no route is 404 and the body is not asked for', async () => {
        const lonely = await startGateway(t, 'routes: [{name: ping, match: {path: /ping}, respond: {status: 200, body: pong}}]');
        const client = await connect(t, lonely);
        client.send(head('POST /other HTTP/1.1', 'Host: a', 'Content-Length: 100', EXPECT));
        assertOwnError(await client.answer(), 404);
    });
});

test('an origin that refuses before it has the body', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead();
        wire.send('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno').end();
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1000000', EXPECT));
    let answer = await client.answer();
    if (answer.status === 100) {
        client.send(Buffer.alloc(100_000, 'x'));
        answer = await client.answer();
    }
    assert.equal(answer.status, 401);
    assert.equal(answer.text, 'no');
});

test('interim answers of the origin', async (t) => {
    let reply;
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.request();
            wire.send(`${reply}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`);
        }
    });
    const gateway = await startGateway(t, through(origin));
    const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n';

    await t.test('103 is passed on with its fields', async () => {
        reply = HINTS;
        const client = await connect(t, gateway);
        client.send(head('GET / HTTP/1.1', 'Host: a'));
        const hints = await client.answer();
        assert.equal(hints.status, 103);
        assert.equal(hints.get('link'), '</a.css>; rel=preload');
        assert.equal((await client.answer()).text, 'ok');
    });

    await t.test('103 reaches the client before the answer is there', async () => {
        const slow = await rawOrigin(t, async (wire) => {
            await wire.request();
            wire.send(HINTS);
        });
        const early = await startGateway(t, through(slow));
        const client = await connect(t, early);
        client.send(head('GET / HTTP/1.1', 'Host: a'));
        assert.equal((await client.answer()).status, 103);
        slow.wires[0].ok('late');
        assert.equal((await client.answer()).text, 'late');
    });

    await t.test('several are passed on in order', async () => {
        reply = `HTTP/1.1 102 Processing\r\n\r\n${HINTS}`;
        const client = await connect(t, gateway);
        client.send(head('GET / HTTP/1.1', 'Host: a'));
        assert.equal((await client.answer()).status, 102);
        assert.equal((await client.answer()).status, 103);
        assert.equal((await client.answer()).text, 'ok');
    });

    await t.test('HTTP/1.0 gets the last one only', async () => {
        reply = HINTS;
        const client = await connect(t, gateway);
        client.send(head('GET / HTTP/1.0', 'Host: a'));
        assert.equal((await client.answer()).status, 200);
    });

    await t.test('a 100 that is not waited for is passed on too (RFC 9110 section 15.2)', async () => {
        reply = 'HTTP/1.1 100 Continue\r\n\r\n';
        const client = await connect(t, gateway);
        client.send(head('GET / HTTP/1.1', 'Host: a'));
        assert.equal((await client.answer()).status, 100);
        assert.equal((await client.answer()).text, 'ok');
    });

    await t.test('the connection stays in step', async () => {
        reply = HINTS;
        const client = await connect(t, gateway);
        for (let i = 0; i < 5; i++) {
            client.send(head('GET / HTTP/1.1', 'Host: a'));
            assert.equal((await client.answer()).status, 103);
            assert.equal((await client.answer()).status, 200);
        }
        assert.equal(origin.wires.length, 1);
    });
});
