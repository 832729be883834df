// SPDX-License-Identifier: BSD-2-Clause
// The gateway's own error answers: each status where its RFC means it, problem+json (RFC 9457)
// and Proxy-Status (RFC 9209), and whether the connection goes on.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';

// An address without a listener.
async function deadAddress() {
    const server = net.createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    return `127.0.0.1:${port}`;
}

test('error answers', async (t) => {
    const origin = await rawOrigin(t);
    const silent = await rawOrigin(t, async (wire) => {
        await wire.request();
        if (wire.origin.ends) {
            wire.end();
        }
    });
    const gateway = await startGateway(t, `
timeouts: {head: 200ms, first_byte: 100ms}
limits: {body_bytes: 100kB, target_bytes: 1KiB, head_bytes: 8KiB, headers: 50}
services:
  app: {origins: ["${origin.address}"]}
  dead: {origins: ["${await deadAddress()}"]}
  silent: {origins: ["${silent.address}"]}
routes:
  - {name: dead, match: {path: /dead}, service: dead}
  - {name: silent, match: {path: /silent}, service: silent}
  - {name: small, match: {path: /small}, service: app, body_bytes: 10B}
  - {name: app, match: {path_prefix: /app}, service: app}
`);
    const ask = async (bytes, options) => {
        const client = await connect(t, gateway);
        const answer = await client.ask(bytes, options);
        return { client, answer };
    };
    const goesOn = async (client) => {
        assert.equal((await client.ask(head('GET /app HTTP/1.1', 'Host: a'))).status, 200);
    };
    const refused = (name, bytes, status) =>
        t.test(`${status}: ${name}, and the connection closes`, async () => {
            const before = origin.heads.length;
            const { client, answer } = await ask(bytes);
            assertOwnError(answer, status, status === 408 ? undefined : 'http_request_error');
            assert.equal(answer.get('connection')?.toLowerCase(), 'close');
            await client.expectClose();
            assert.equal(origin.heads.length, before);
        });

    await refused('no request at all', 'hello\r\n\r\n', 400);
    await refused('no Host', head('GET /app HTTP/1.1'), 400);
    await refused('a head that does not end', 'GET /app HTTP/1.1\r\nHost: a\r\n', 408);
    await refused('a target that is too long', head(`GET /app?${'x'.repeat(2000)} HTTP/1.1`, 'Host: a'), 414);
    await refused('an unknown expectation', head('GET /app HTTP/1.1', 'Host: a', 'Expect: tea'), 417);
    await refused('a head that is too large', head('GET /app HTTP/1.1', 'Host: a', `X: ${'x'.repeat(9000)}`), 431);
    await refused('too many fields', head('GET /app HTTP/1.1', 'Host: a', ...Array(60).fill('X: y')), 431);
    await refused('an unknown transfer coding', head('POST /app HTTP/1.1', 'Host: a', 'Transfer-Encoding: gzip, chunked'), 501);
    await refused('a version that is not spoken', head('GET /app HTTP/3.0', 'Host: a'), 505);

    await t.test('413: a length over the limit, before any body is read', async () => {
        const before = origin.heads.length;
        const { client, answer } = await ask(head('POST /app HTTP/1.1', 'Host: a', 'Content-Length: 100001'));
        assertOwnError(answer, 413);
        await client.expectClose();
        assert.equal(origin.heads.length, before);
    });

    await t.test('413: a chunked body that grows over the limit', async () => {
        const client = await connect(t, gateway);
        client.send(head('POST /app HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'));
        client.send(`1d4c0\r\n${'x'.repeat(120_000)}\r\n0\r\n\r\n`);
        assertOwnError(await client.answer(), 413);
        await client.closed();
        assert.ok(!origin.requests.some((each) => each.body.length > 100_000));
    });

    await t.test('413: body_bytes of a route', async () => {
        const { client, answer } = await ask(`${head('POST /small HTTP/1.1', 'Host: a', 'Content-Length: 11')}01234567890`);
        assertOwnError(answer, 413);
        await client.closed();
        const fits = await ask(`${head('POST /small HTTP/1.1', 'Host: a', 'Content-Length: 10')}0123456789`);
        assert.equal(fits.answer.status, 200);
    });

    await t.test('413 reaches a client that is still sending', async () => {
        const client = await connect(t, gateway);
        client.send(head('POST /app HTTP/1.1', 'Host: a', 'Content-Length: 50000000'));
        client.send(Buffer.alloc(5_000_000));
        assertOwnError(await client.answer(), 413);
    });

    await t.test('404: no route, and the connection goes on', async () => {
        const { client, answer } = await ask(head('GET /none HTTP/1.1', 'Host: a'));
        assertOwnError(answer, 404);
        await goesOn(client);
    });

    await t.test('404 with a small body, and the connection goes on', async () => {
        const { client, answer } = await ask(`${head('POST /none HTTP/1.1', 'Host: a', 'Content-Length: 5')}hello`);
        assertOwnError(answer, 404);
        await goesOn(client);
    });

    await t.test('404 to HEAD has no body', async () => {
        const { client, answer } = await ask(head('HEAD /none HTTP/1.1', 'Host: a'), { method: 'HEAD' });
        assert.equal(answer.status, 404);
        await goesOn(client);
    });

    await t.test('502: an origin that refuses connections, and the connection goes on', async () => {
        const { client, answer } = await ask(head('GET /dead HTTP/1.1', 'Host: a'));
        assertOwnError(answer, 502, 'connection_refused');
        await goesOn(client);
    });

    await t.test('504: an origin that does not answer, and the connection goes on', async () => {
        const { client, answer } = await ask(head('GET /silent HTTP/1.1', 'Host: a'));
        assertOwnError(answer, 504, 'http_response_timeout');
        await goesOn(client);
    });

    await t.test('502: an origin that closes without an answer', async () => {
        silent.ends = true;
        const { client, answer } = await ask(head('GET /silent HTTP/1.1', 'Host: a'));
        assertOwnError(answer, 502, ['connection_terminated', 'http_response_incomplete']);
        await goesOn(client);
    });

    await t.test('error answers carry the request id, and say nothing of origins', async () => {
        const { answer } = await ask(head('GET /dead HTTP/1.1', 'Host: a', 'X-Request-Id: my-id'));
        assert.match(answer.get('x-request-id'), /^[0-9a-f-]{36}$/);
        assert.doesNotMatch(answer.raw + answer.text, /127\.0\.0\.1/);
    });

    await t.test('a target never comes back in an error answer', async () => {
        const { answer } = await ask(head('GET /none<script>alert(1)</script> HTTP/1.1', 'Host: a'));
        assert.ok(answer.status === 404 || answer.status === 400);
        assert.doesNotMatch(answer.raw + answer.text, /script/);
    });

    await t.test('each is in the access log with its error type', async () => {
        const entries = await gateway.logged((all) => all.some((each) => each['http.response.status_code'] === 404));
        const status = (code) => entries.filter((each) => each['http.response.status_code'] === code);
        assert.ok(status(502).every((each) => each['error.type']), JSON.stringify(status(502)));
        assert.ok(status(504).every((each) => each['error.type'] === 'http_response_timeout'));
        assert.ok(status(400).length >= 1 && status(431).length >= 2 && status(413).length >= 3);
    });

    await t.test('503 where an origin is at its limit and the line is full', async () => {
        const busy = await rawOrigin(t, async (wire) => {
            await wire.request();
        });
        const narrow = await startGateway(t, through(busy, { service: 'pool: {max_connections: 1, max_pending: 0}' }));
        const first = await connect(t, narrow);
        first.send(head('GET / HTTP/1.1', 'Host: a'));
        await busy.wire(0);
        const second = await connect(t, narrow);
        const answer = await second.ask(head('GET / HTTP/1.1', 'Host: a'));
        assertOwnError(answer, 503, 'connection_limit_reached');
    });
});
