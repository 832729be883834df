// SPDX-License-Identifier: BSD-2-Clause
// Routes that answer by themselves: respond and redirect, without any origin.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';

const ROUTES = `
routes:
  - {name: health, match: {path: /ping}, respond: {status: 200, body: "pong"}}
  - {name: empty, match: {path: /empty}, respond: {status: 204}}
  - {name: json, match: {path: /json}, respond: {status: 418, body: '{"a":1}', content_type: application/json, headers: {Cache-Control: no-store}}}
  - {name: moved, match: {path_prefix: /old/}, redirect: {status: 308, to: "https://{host}/new{path}?{query}"}}
  - {name: and, match: {path: /and}, redirect: {to: "/x?a=2&{query}&b=1"}}
  - {name: first, match: {path: /first}, redirect: {to: "/x?{query}&b=1"}}
  - {name: fixed, match: {path: /fixed}, redirect: {status: 302, to: /elsewhere}}
`;

test('respond', async (t) => {
    const gateway = await startGateway(t, ROUTES);

    await t.test('gives status and body with a length', async () => {
        const answer = await request(gateway, { path: '/ping' });
        assert.equal(answer.status, 200);
        assert.equal(answer.body, 'pong');
        assert.equal(answer.headers['content-length'], '4');
        assert.match(answer.headers['content-type'], /^text\/plain/);
        assert.ok(answer.headers.date, 'an answer made here has a Date (RFC 9110 section 6.6.1)');
    });

    await t.test('keeps the connection', async () => {
        const client = await connect(t, gateway);
        for (let i = 0; i < 3; i++) {
            const answer = await client.ask(head('GET /ping HTTP/1.1', 'Host: a'));
            assert.equal(answer.text, 'pong');
        }
    });

    await t.test('to HEAD gives the length and no body', async () => {
        const client = await connect(t, gateway);
        const answer = await client.ask(head('HEAD /ping HTTP/1.1', 'Host: a'), { method: 'HEAD' });
        assert.equal(answer.get('content-length'), '4');
        const next = await client.ask(head('GET /ping HTTP/1.1', 'Host: a'));
        assert.equal(next.text, 'pong');
    });

    await t.test('with 204 has neither body nor length', async () => {
        const client = await connect(t, gateway);
        const answer = await client.ask(head('GET /empty HTTP/1.1', 'Host: a'));
        assert.equal(answer.status, 204);
        assert.equal(answer.get('content-length'), undefined);
        assert.equal(answer.get('transfer-encoding'), undefined);
        assert.equal((await client.ask(head('GET /ping HTTP/1.1', 'Host: a'))).text, 'pong');
    });

    await t.test('has the content type it is given', async () => {
        const answer = await request(gateway, { path: '/json' });
        assert.equal(answer.status, 418);
        assert.equal(answer.headers['content-type'], 'application/json');
        assert.equal(answer.body, '{"a":1}');
        assert.equal(answer.headers['cache-control'], 'no-store');
    });

    await t.test('reads and drops a request body', async () => {
        const client = await connect(t, gateway);
        client.send(head('POST /ping HTTP/1.1', 'Host: a', 'Content-Length: 5') + 'hello');
        assert.equal((await client.answer()).text, 'pong');
        assert.equal((await client.ask(head('GET /ping HTTP/1.1', 'Host: a'))).text, 'pong');
    });

    await t.test('redirects, with the parts of the request put in', async () => {
        const answer = await request(gateway, { path: '/old/a%20b?x=1', headers: { host: 'shop.example' } });
        assert.equal(answer.status, 308);
        assert.equal(answer.headers.location, 'https://shop.example/new/old/a%20b?x=1');
    });

    await t.test('redirects without a query leave no stray mark', async () => {
        for (const [path, wanted] of [['/old/x', 'https://shop.example/new/old/x'], ['/old/x?', 'https://shop.example/new/old/x?']]) {
            assert.equal((await request(gateway, { path, headers: { host: 'shop.example' } })).headers.location, wanted);
        }
        for (const [path, wanted] of [['/and', '/x?a=2&b=1'], ['/and?c', '/x?a=2&c&b=1'], ['/first', '/x?b=1'], ['/first?c', '/x?c&b=1']]) {
            assert.equal((await request(gateway, { path })).headers.location, wanted);
        }
    });

    await t.test('redirects that need a host are refused without one', async () => {
        const client = await connect(t, gateway);
        assertOwnError(await client.ask(head('GET /old/x HTTP/1.0')), 400);
    });

    await t.test('redirects to a path', async () => {
        const answer = await request(gateway, { path: '/fixed' });
        assert.equal(answer.status, 302);
        assert.equal(answer.headers.location, '/elsewhere');
    });

    await t.test('what no route matches is 404', async () => {
        const client = await connect(t, gateway);
        assertOwnError(await client.ask(head('GET /nothing HTTP/1.1', 'Host: a')), 404);
        assert.equal((await client.ask(head('GET /ping HTTP/1.1', 'Host: a'))).text, 'pong');
    });
});
