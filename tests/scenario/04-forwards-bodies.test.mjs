// SPDX-License-Identifier: BSD-2-Clause
// Bodies in both framings and all sizes around the gateway's own bounds, both ways, unchanged.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const KIB = 1024;
// Around request_buffer (16 KiB) and likely buffer sizes.
const SIZES = [0, 1, 2, 4 * KIB, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 64 * KIB, 100_003, 1024 * KIB + 7];

function digest(bytes) {
    return crypto.createHash('sha256').update(bytes).digest('hex');
}

test('echo of bodies of many sizes', async (t) => {
    const origin = await httpOrigin(t, {
        handler: async (asked, answer, record) => {
            const bytes = await record.body();
            record.chunked = asked.headers['transfer-encoding'] === 'chunked';
            answer.setHeader('X-Digest', digest(bytes));
            if (asked.headers['x-answer'] === 'chunked') {
                for (let at = 0; at < bytes.length; at += 10_000) {
                    answer.write(bytes.subarray(at, at + 10_000));
                }
                answer.end();
            } else {
                answer.setHeader('Content-Length', bytes.length);
                answer.end(bytes);
            }
        },
    });
    const gateway = await startGateway(t, through(origin));
    for (const size of SIZES) {
        const body = crypto.randomBytes(size);
        for (const framing of ['length', 'chunked']) {
            for (const back of ['length', 'chunked']) {
                await t.test(`${size} bytes, ${framing} to the origin, ${back} to the client`, async () => {
                    const headers = { 'X-Answer': back };
                    headers[framing === 'length' ? 'Content-Length' : 'Transfer-Encoding'] = framing === 'length' ? size : 'chunked';
                    const answer = await request(gateway, { method: 'POST', headers, body });
                    assert.equal(answer.status, 200);
                    assert.equal(answer.headers['x-digest'], digest(body), 'what the origin got');
                    assert.equal(digest(answer.bytes), digest(body), 'what the client got');
                });
            }
        }
    }
});

test('framing towards the origin', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);

    await t.test('a body with a length keeps it', async () => {
        await client.ask(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5') + 'hello');
        const seen = origin.requests.at(-1);
        assert.equal(seen.framing, 'length');
        assert.equal(seen.text, 'hello');
    });

    await t.test('a chunked body arrives whole in either framing, chunk extensions gone', async () => {
        await client.ask(head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked') + '5;x=y\r\nhello\r\n6\r\n world\r\n0\r\n\r\n');
        const seen = origin.requests.at(-1);
        assert.equal(seen.text, 'hello world');
        assert.equal(seen.all('content-length').length + seen.all('transfer-encoding').length, 1);
    });

    await t.test('a chunked body cut into single bytes', async () => {
        client.send(head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'));
        await client.sendInPieces('a\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n');
        await client.answer();
        assert.equal(origin.requests.at(-1).text, '0123456789x');
    });

    await t.test('POST without a body has Content-Length: 0', async () => {
        await client.ask(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 0'));
        const seen = origin.requests.at(-1);
        assert.equal(seen.get('content-length'), '0');
        assert.equal(seen.text, '');
    });

    await t.test('GET with a body passes it on', async () => {
        await client.ask(head('GET / HTTP/1.1', 'Host: a', 'Content-Length: 3') + 'abc');
        assert.equal(origin.requests.at(-1).text, 'abc');
    });

    await t.test('a GET without a body has no framing at all', async () => {
        await client.ask(head('GET / HTTP/1.1', 'Host: a'));
        const seen = origin.requests.at(-1);
        assert.equal(seen.framing, 'none');
    });

    await t.test('a body up to request_buffer is whole before the origin is chosen', async () => {
        const before = origin.heads.length;
        const bystander = await connect(t, gateway);
        client.send(head('POST /gathered HTTP/1.1', 'Host: a', 'Content-Length: 10') + '01234');
        await bystander.ask(head('GET /meanwhile HTTP/1.1', 'Host: a'));
        assert.deepEqual(origin.heads.slice(before).map((each) => each.target), ['/meanwhile']);
        client.send('56789');
        await client.answer();
        assert.equal(origin.requests.at(-1).text, '0123456789');
    });

    await t.test('a larger body streams: the origin reads before the client is done', async () => {
        const before = origin.heads.length;
        client.send(head('POST /streamed HTTP/1.1', 'Host: a', 'Content-Length: 100000'));
        client.send(Buffer.alloc(50_000, 'x'));
        await until('the origin to see the head', () => origin.heads.length > before);
        assert.equal(origin.heads.at(-1).target, '/streamed');
        client.send(Buffer.alloc(50_000, 'x'));
        await client.answer();
        assert.equal(origin.requests.at(-1).body.length, 100_000);
    });
});

test('trailers', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.request();
            wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n');
        }
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);

    await t.test('of an answer are passed on', async () => {
        const answer = await client.ask(head('GET / HTTP/1.1', 'Host: a', 'TE: trailers', 'Connection: TE'));
        assert.equal(answer.text, 'abc');
        assert.deepEqual(answer.trailers, [['X-Sum', '42']]);
    });

    await t.test('of a request are passed on, or dropped whole, and leave the connection in step', async () => {
        client.send(head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', 'Trailer: X-Check') + '3\r\nabc\r\n0\r\nX-Check: 1\r\n\r\n');
        await client.answer();
        const seen = origin.requests.at(-1);
        assert.equal(seen.text, 'abc');
        assert.ok(seen.trailers.length === 0 || seen.get('x-check') === undefined);
        assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a'))).status, 200);
    });

    await t.test('that must not be trailers never reach the other side', async () => {
        client.send(head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked') + '3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n');
        const answer = await client.answer();
        assert.equal(answer.status, 400);
        await client.expectClose();
    });
});

test('a client that leaves in the middle of its body', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1000000'));
    client.send(Buffer.alloc(100_000, 'x'));
    const wire = await origin.wire(0);
    await until('the origin to see the head', () => origin.heads.length === 1);
    client.reset();
    await wire.closed();
    assert.equal(origin.requests.length, 0, 'the origin must never see a whole request');
    const other = await connect(t, gateway);
    assert.equal((await other.ask(head('GET / HTTP/1.1', 'Host: a'))).status, 200);
});
