// SPDX-License-Identifier: BSD-2-Clause
// Targets in the forms that are not a path: CONNECT's authority, OPTIONS *, absolute-form.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';

test('target forms', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin));

    await t.test('CONNECT is refused and not forwarded', async () => {
        const client = await connect(t, gateway);
        client.send(`${head('CONNECT 127.0.0.1:22 HTTP/1.1', 'Host: 127.0.0.1:22')}${head('GET /tunnelled HTTP/1.1', 'Host: a')}`);
        const answer = await client.answer();
        assert.ok([400, 403, 405, 501].includes(answer.status), `${answer.status}`);
        await client.expectClose();
        assert.equal(origin.heads.length, 0);
        assert.equal(origin.wires.length, 0);
    });

    await t.test('CONNECT with a path is refused', async () => {
        const client = await connect(t, gateway);
        const answer = await client.ask(head('CONNECT / HTTP/1.1', 'Host: a'));
        assert.ok([400, 403, 405, 501].includes(answer.status), `${answer.status}`);
        assert.equal(origin.heads.length, 0);
    });

    await t.test('OPTIONS * is forwarded as it is', async () => {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(head('OPTIONS * HTTP/1.1', 'Host: a'))).status, 200);
        assert.equal(origin.requests.at(-1).startLine, 'OPTIONS * HTTP/1.1');
    });

    await t.test('OPTIONS of an absolute URI without a path becomes * (RFC 9112 section 3.2.4)', async () => {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(head('OPTIONS http://b.example HTTP/1.1', 'Host: b.example'))).status, 200);
        assert.equal(origin.requests.at(-1).startLine, 'OPTIONS * HTTP/1.1');
        assert.equal(origin.requests.at(-1).get('host'), 'b.example');
    });

    await t.test('GET of an absolute URI without a path becomes /', async () => {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(head('GET http://b.example HTTP/1.1', 'Host: b.example'))).status, 200);
        assert.equal(origin.requests.at(-1).startLine, 'GET / HTTP/1.1');
    });

    await t.test('GET of an absolute URI with a query only', async () => {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(head('GET http://b.example?x=1 HTTP/1.1', 'Host: b.example'))).status, 200);
        assert.equal(origin.requests.at(-1).startLine, 'GET /?x=1 HTTP/1.1');
    });

    await t.test('GET * is refused', async () => {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(head('GET * HTTP/1.1', 'Host: a'))).status, 400);
        await client.expectClose();
    });

    await t.test('Max-Forwards: 0 of OPTIONS ends here (RFC 9110 section 7.6.2)', async () => {
        const before = origin.requests.length;
        const client = await connect(t, gateway);
        const answer = await client.ask(head('OPTIONS / HTTP/1.1', 'Host: a', 'Max-Forwards: 0'));
        assert.ok(answer.status < 300, `${answer.status}`);
        assert.equal(origin.requests.length, before);
    });

    await t.test('Max-Forwards of OPTIONS counts down', async () => {
        const client = await connect(t, gateway);
        await client.ask(head('OPTIONS / HTTP/1.1', 'Host: a', 'Max-Forwards: 5'));
        assert.equal(origin.requests.at(-1).get('max-forwards'), '4');
    });

    await t.test('Max-Forwards of GET is left alone', async () => {
        const client = await connect(t, gateway);
        await client.ask(head('GET / HTTP/1.1', 'Host: a', 'Max-Forwards: 0'));
        assert.equal(origin.requests.at(-1).get('max-forwards'), '0');
    });
});

test('OPTIONS of a path without a route is 404, as it is for every method', async (t) => {
    const gateway = await startGateway(t, 'routes: [{name: one, match: {path: /one}, respond: {body: one}}]');
    for (const [target, status] of [['/two', 404], ['/%74wo', 404], ['*', 204]]) {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(head(`OPTIONS ${target} HTTP/1.1`, 'Host: a'))).status, status, target);
    }
});
