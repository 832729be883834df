// SPDX-License-Identifier: BSD-2-Clause
// What a fault was is told in the log and in Proxy-Status, and faults of old origins are taken where
// their service is lenient, without a byte of one answer getting into the next.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import test from 'node:test';
import tls from 'node:tls';
import { through } from './lib/configs.mjs';
import { adminIn, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';

const GET = head('GET / HTTP/1.1', 'Host: a');
const BARE = 'HTTP/1.1 200 OK\nContent-Length: 2\nX-A: 1\n\nok';

const says = (t, bytes) => rawOrigin(t, async (wire) => {
    for (;;) {
        await wire.request();
        wire.send(bytes);
    }
});

async function asked(t, bytes, service = '') {
    const origin = await says(t, bytes);
    const gateway = await startGateway(t, `
services: {app: {origins: ["${origin.address}"]${service}}}
routes: [{name: all, service: app}]
`);
    const client = await connect(t, gateway);
    const answer = await client.ask(GET);
    const [entry] = await gateway.logged(1);
    return { origin, gateway, client, answer, entry };
}

for (const [name, bytes, fault] of [
    ['bare LF', BARE, 'a line ends in LF without CR'],
    ['status 999', 'HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n', 'a status code outside 100 to 599'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx', 'Content-Length occurs more than once'],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding in an HTTP/1.0 message'],
    ['a bad chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'a chunk without a size'],
]) {
    test(`an origin's answer that is not well-formed is told by its fault: ${name}`, async (t) => {
        const { answer, entry } = await asked(t, bytes);
        const told = `the origin's answer is not well-formed HTTP: ${fault}`;
        assert.equal(answer.status, 502);
        assert.ok(answer.get('proxy-status').includes(`details="${told}"`), answer.get('proxy-status'));
        assert.equal(JSON.parse(answer.text).detail, told);
        assert.equal(entry['turnpike.detail'], told);
        assert.equal(entry['error.type'], 'http_protocol_error');
    });
}

test('a reset is told as a reset, a close as a close', async (t) => {
    for (const [bytes, reset, told] of [
        ['', true, 'the origin reset the connection before it answered'],
        ['', false, 'the origin closed the connection before it answered'],
        ['HTTP/1.1 200 OK\r\nContent-Le', true, 'the origin reset the connection in the middle of its answer'],
        ['HTTP/1.1 200 OK\r\nContent-Le', false, 'the origin closed the connection in the middle of its answer'],
    ]) {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
            if (bytes !== '') {
                await new Promise((resolve) => wire.socket.write(bytes, resolve));
            }
            if (reset) {
                wire.socket.resetAndDestroy();
            } else {
                wire.end();
            }
        });
        const gateway = await startGateway(t, through(origin, { route: 'retry: {idempotent: false}' }));
        const client = await connect(t, gateway);
        assert.equal((await client.ask(GET)).status, 502);
        assert.equal((await gateway.logged(1))[0]['turnpike.detail'], told);
    }
});

test('lenient: bare LF ends lines of a head; its connection is not used again', async (t) => {
    const { answer, client, origin } = await asked(t, BARE, ', lenient: {bare_lf: true}');
    assert.equal(answer.status, 200);
    assert.equal(answer.text, 'ok');
    assert.equal(answer.get('x-a'), '1');
    assert.ok(!answer.raw.replaceAll('\r\n', '').includes('\n'), 'the client gets CRLF');
    assert.equal((await client.ask(GET)).text, 'ok');
    assert.deepEqual(origin.requests.map((each) => each.connection), [0, 1]);
});

test('lenient: what follows such an answer is no answer', async (t) => {
    const { client, answer } = await asked(t, `${BARE}HTTP/1.1 200 OK\nContent-Length: 4\n\nevil`, ', lenient: {bare_lf: true}');
    assert.equal(answer.text, 'ok');
    assert.equal((await client.ask(GET)).text, 'ok');
});

test('lenient: statuses from 600 to 999 are passed on as they are', async (t) => {
    const origin = await says(t, 'HTTP/1.1 999 Request Denied\r\nContent-Length: 2\r\n\r\nno');
    const gateway = await startGateway(t, `
services: {app: {origins: ["${origin.address}"], lenient: {unusual_status: true}}}
routes: [{name: all, service: app}]
`);
    const client = await connect(t, gateway);
    client.send(head('GET / HTTP/1.1', 'Host: a', 'Connection: close'));
    await client.closed();
    assert.match(client.everything, /^HTTP\/1\.1 999 Request Denied\r\n[^]*\r\n\r\nno$/);
    const [entry] = await gateway.logged(1);
    assert.equal(entry['http.response.status_code'], 999);
});

test('lenient: chunks in HTTP/1.0, one answer a connection', async (t) => {
    const { answer, client, origin } = await asked(t, 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
        ', lenient: {chunked_in_http_1_0: true}');
    assert.equal(answer.status, 200);
    assert.equal(answer.text, 'ok');
    assert.equal((await client.ask(GET)).text, 'ok');
    assert.deepEqual(origin.requests.map((each) => each.connection), [0, 1]);
});

test('lenient: never towards clients, nor beyond what is said', async (t) => {
    const { gateway } = await asked(t, BARE, ', lenient: {bare_lf: true, unusual_status: true, chunked_in_http_1_0: true}');
    for (const bytes of ['GET / HTTP/1.1\nHost: a\n\n', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n']) {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(bytes)).status, 400);
    }
    const both = 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    assert.equal((await asked(t, both, ', lenient: {chunked_in_http_1_0: true}')).answer.status, 502);
});

test('a request body that we cut behind a begun answer has an error.type', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead();
        wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n');
    });
    const gateway = await startGateway(t, through(origin, { more: 'timeouts: {body_idle: 200ms}\nlimits: {request_buffer: 0B}' }));
    const slow = await connect(t, gateway);
    slow.send(`${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 20000')}${'x'.repeat(9000)}`);
    await slow.closed();
    const [entry] = await gateway.logged(1);
    assert.equal(entry['turnpike.outcome'], 'closed-by-timeout');
    assert.equal(entry['error.type'], 'http_request_error');
    assert.equal(entry['turnpike.detail'], 'the request body did not come in time');
    const broken = await connect(t, gateway);
    broken.send(`${head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}2\r\nab\r\n`);
    await broken.waitFor('the answer to begin', () => broken.everything.includes('ok'));
    broken.send('zz\r\n');
    await broken.closed();
    const second = (await gateway.logged(2))[1];
    assert.equal(second['error.type'], 'http_request_error');
    assert.equal(second['turnpike.detail'], 'a chunk without a size');
});

for (const h2c of [false, true]) {
    test(`TLS on a plain port is told as such${h2c ? ', with h2c too' : ''}`, async (t) => {
        const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: ${h2c}}]\nroutes: [{name: all, respond: {body: ok}}]`);
        const socket = tls.connect({ ...gateway.connectOptions, rejectUnauthorized: false });
        await new Promise((resolve) => socket.once('error', resolve));
        const [entry] = await gateway.logged(1);
        assert.equal(entry['turnpike.detail'], 'the client begins a TLS handshake where plain HTTP is spoken');
        assert.equal(entry['error.type'], 'http_request_error');
    });
}

test('a line without a version is refused in the words of HTTP/1.1, with h2c too', async (t) => {
    const gateway = await startGateway(t, 'listeners: [{address: "127.0.0.1:0", h2c: true}]\nroutes: [{name: all, respond: {body: ok}}]');
    for (const line of ['GET /\r\n\r\n', 'GET / http/1.1\r\n\r\n']) {
        const raw = await connect(t, gateway);
        assert.equal((await raw.ask(line)).status, 400, line);
    }
});

test('HTTP/2 on a port without it is told in its own words', async (t) => {
    const gateway = await startGateway(t, (folder) => `routes: [{name: all, respond: {body: ok}}]\n${adminIn(folder)}`);
    const session = http2.connect(gateway.url('/'));
    session.on('error', () => {});
    const code = await new Promise((resolve) => session.once('goaway', resolve));
    assert.equal(code, http2.constants.NGHTTP2_HTTP_1_1_REQUIRED);
    session.destroy();
    const raw = await connect(t, gateway);
    raw.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
    await raw.closed();
    assert.ok(raw.everything.startsWith('\0\0\0\x04\0\0\0\0\0\0\0\x15\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0d'), 'SETTINGS, then GOAWAY');
    for (const entry of await gateway.logged(2)) {
        assert.equal(entry['network.protocol.version'], '2');
        assert.equal(entry['turnpike.detail'], 'the client speaks HTTP/2 where HTTP/1.1 is expected');
        assert.equal(entry['http.response.status_code'], undefined, 'no answer with a status was sent');
    }
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_http2_connections_refused_total'), 2);
    assert.deepEqual(metrics.get('turnpike_route_error_responses_total').samples, []);
});
