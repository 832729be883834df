// SPDX-License-Identifier: BSD-2-Clause
// Each hostile answer of an origin becomes 502 with Proxy-Status, nothing of it reaches the
// client, and that origin connection is never used again.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { answerAll, rawOrigin } from './lib/raw-origin.mjs';

const MALFORMED = 'http_protocol_error';
const CODING = [MALFORMED, 'http_response_transfer_coding'];
const TOO_LARGE = ['http_response_header_section_size', 'http_response_header_size', MALFORMED];
const BROKEN = ['connection_terminated', 'http_response_incomplete', MALFORMED];
const SPLIT = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!';

// [name, bytes, error types that name it]
const ANSWERS = [
    ['nothing, then close', '', BROKEN],
    ['half a status line, then close', 'HTTP/1.1 20', BROKEN],
    ['half a head, then close', 'HTTP/1.1 200 OK\r\nContent-Le', BROKEN],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', MALFORMED],
    ['HTTP/0.9', '<html>hello</html>\r\n\r\n', MALFORMED],
    ['HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['a lower-case http', 'http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['two spaces before the status', 'HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['a status of two digits', 'HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['a status of four digits', 'HTTP/1.1 2000 High\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['status 600', 'HTTP/1.1 600 Beyond\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['status 099', 'HTTP/1.1 099 Below\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['a status with a sign', 'HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['a space before the status line', ' HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['bare LF ends lines', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', MALFORMED],
    ['bare LF within the head', 'HTTP/1.1 200 OK\r\nX-A: 1\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['bare CR in a value', 'HTTP/1.1 200 OK\r\nX-A: 1\rX-B: 2\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['bare CR in the reason', 'HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['NUL in a value', 'HTTP/1.1 200 OK\r\nX-A: 1\0\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['NUL in the reason', 'HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['obs-fold', 'HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n', MALFORMED],
    ['no colon', 'HTTP/1.1 200 OK\r\nContent-Length 0\r\n\r\n', MALFORMED],
    ['an empty field name', 'HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['a field name with a space', 'HTTP/1.1 200 OK\r\nX A: x\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['a space in front of the first field', 'HTTP/1.1 200 OK\r\n X-A: 1\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['Content-Length and Transfer-Encoding', `HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SPLIT}`, MALFORMED],
    ['two different lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!', MALFORMED],
    ['two different lengths in one field', 'HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!', MALFORMED],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n', MALFORMED],
    ['a length with a sign', 'HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello', MALFORMED],
    ['a hexadecimal length', 'HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello', MALFORMED],
    ['an empty length', 'HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n', MALFORMED],
    ['a length beyond 64 bits', 'HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n', MALFORMED],
    ['a length with a space in it', 'HTTP/1.1 200 OK\r\nContent-Length: 1 0\r\n\r\n0123456789', MALFORMED],
    ['an unknown transfer coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx', CODING],
    ['chunked and then another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n', CODING],
    ['chunked twice', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n', CODING],
    ['chunked in two fields', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', CODING],
    ['chunked with a vertical tab', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n', CODING],
    ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', CODING],
    ['a head that is too large', `HTTP/1.1 200 OK\r\nX-A: ${'x'.repeat(200_000)}\r\nContent-Length: 0\r\n\r\n`, TOO_LARGE],
    ['too many fields', `HTTP/1.1 200 OK\r\n${'X-A: 1\r\n'.repeat(5000)}Content-Length: 0\r\n\r\n`, TOO_LARGE],
    ['a head that never ends', `HTTP/1.1 200 OK\r\n${'X-A: 1\r\n'.repeat(20_000)}`, TOO_LARGE],
    ['a bad interim answer', 'HTTP/1.1 103 Early\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', MALFORMED],
    ['an interim answer with a length', 'HTTP/1.1 103 Early\r\nContent-Length: 5\r\n\r\nhello', [...BROKEN]],
    ['interim answers without end', `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(5000)}`, [...BROKEN, ...TOO_LARGE]],
];

// Wrong only after the head: in answers that small the gateway has not begun to answer, so it
// may still say 502; if it has begun, the answer must visibly break off.
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const BODIES = [
    ['a chunk size that is no number', `${CHUNKED}xyz\r\nabc\r\n0\r\n\r\n`],
    ['an empty chunk size', `${CHUNKED}\r\nabc\r\n0\r\n\r\n`],
    ['a negative chunk size', `${CHUNKED}-3\r\nabc\r\n0\r\n\r\n`],
    ['a chunk size with 0x', `${CHUNKED}0x3\r\nabc\r\n0\r\n\r\n`],
    ['a chunk size beyond 64 bits', `${CHUNKED}10000000000000003\r\nabc\r\n0\r\n\r\n`],
    ['a chunk longer than its size', `${CHUNKED}3\r\nabcd\r\n0\r\n\r\n`],
    ['a chunk ended by bare LF', `${CHUNKED}3\r\nabc\n0\r\n\r\n`],
    ['a chunk size ended by bare LF', `${CHUNKED}3\nabc\r\n0\r\n\r\n`],
    ['a chunk size with a space before it', `${CHUNKED} 3\r\nabc\r\n0\r\n\r\n`],
    ['chunk extensions without end', `${CHUNKED}3;${'x'.repeat(200_000)}\r\nabc\r\n0\r\n\r\n`],
    ['NUL in a chunk extension', `${CHUNKED}3;a=\0\r\nabc\r\n0\r\n\r\n`],
    ['a trailer with a bare LF', `${CHUNKED}3\r\nabc\r\n0\r\nX: 1\n\r\n`],
    ['trailers without end', `${CHUNKED}3\r\nabc\r\n0\r\n${'X: 1\r\n'.repeat(50_000)}\r\n`],
    ['close within a chunk', `${CHUNKED}5\r\nab`],
    ['close after a chunk', `${CHUNKED}2\r\nab\r\n`],
    ['close before the last empty line', `${CHUNKED}2\r\nab\r\n0\r\n`],
    ['close within a length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'],
];

test('malformed heads', async (t) => {
    let reply;
    const origin = await rawOrigin(t, async (wire) => {
        while ((await wire.request()).target !== '/hostile') {
            wire.ok('good');
        }
        wire.send(reply).end();
    });
    const gateway = await startGateway(t, through(origin, { service: 'pool: {max_idle: 1}' }));
    for (const [name, bytes, errors] of ANSWERS) {
        await t.test(`${name} is 502`, async () => {
            reply = bytes;
            const client = await connect(t, gateway);
            client.send(head('GET /hostile HTTP/1.1', 'Host: a'));
            let answer = await client.answer();
            while (answer.status < 200) {
                answer = await client.answer(); // interim answers before the wrong one
            }
            assertOwnError(answer, 502, errors);
            const hostile = origin.requests.at(-1).connection;
            await origin.wires[hostile].closed();
            const next = await client.ask(head('GET /good HTTP/1.1', 'Host: a'));
            assert.equal(next.text, 'good');
            assert.notEqual(origin.requests.at(-1).connection, hostile, 'the connection was used again');
            assert.ok(!client.everything.includes('evil'));
        });
    }
});

test('malformed bodies', async (t) => {
    let reply;
    const origin = await rawOrigin(t, async (wire) => {
        while ((await wire.request()).target !== '/hostile') {
            wire.ok('good');
        }
        wire.send(reply).end();
    });
    const gateway = await startGateway(t, through(origin));
    for (const [name, bytes] of BODIES) {
        await t.test(`${name} is 502, or breaks off`, async () => {
            reply = bytes;
            const client = await connect(t, gateway);
            client.send(head('GET /hostile HTTP/1.1', 'Host: a'));
            const answer = await client.answerHead();
            if (answer.status === 502) {
                assert.match(answer.get('proxy-status'), /error=/);
            } else {
                await client.closed();
                const told = client.everything;
                assert.ok(!told.endsWith('0\r\n\r\n'), `looks whole: ${JSON.stringify(told)}`);
                if (answer.get('content-length')) {
                    assert.ok(client.held.length < Number(answer.get('content-length')));
                }
            }
            const hostile = origin.requests.at(-1).connection;
            await origin.wires[hostile].closed();
            const other = await connect(t, gateway);
            assert.equal((await other.ask(head('GET /good HTTP/1.1', 'Host: a'))).text, 'good');
            assert.notEqual(origin.requests.at(-1).connection, hostile);
        });
    }
});

test('an answer before the request is whole ends that connection', async (t) => {
    const origin = await rawOrigin(t, async (wire, number) => {
        if (number > 0) {
            await answerAll(wire);
            return;
        }
        await wire.requestHead();
        wire.ok('early');
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 100000'));
    client.send(Buffer.alloc(50_000, 'x'));
    const answer = await client.answer();
    assert.equal(answer.text, 'early');
    const other = await connect(t, gateway);
    assert.equal((await other.ask(head('GET / HTTP/1.1', 'Host: a'))).text, 'ok');
    assert.equal(origin.requests.at(-1).connection, 1);
});
