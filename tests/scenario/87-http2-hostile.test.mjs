// SPDX-License-Identifier: BSD-2-Clause
// HTTP/2 clients that mean harm: floods, bombs, windows that never open, streams that are left. Each
// ends its own connection, counted by cause, and another client beside it is served all the while.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { adminIn, ask } from './lib/control.mjs';
import { isInstrumented, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { until } from './lib/wait.mjs';
import * as h2 from '../peers/http2_peer.mjs';

const { Http2Peer, GET, POST, frame, headers, data, settings, reset, windowUpdate, ping, literal, block, number32, hpackInteger } = h2;
const END = { end: true };

async function served(t, { more = '', limits = '', handler } = {}) {
    const origin = await httpOrigin(t, { handler });
    const gateway = await startGateway(t, (folder) => `
listeners: [{address: "127.0.0.1:0", h2c: true${limits && `, limits: {${limits}}`}}]
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: hello, match: {path: /}, respond: {body: hello}}, {name: all, service: app}]
${adminIn(folder)}
${more}
`);
    return { origin, gateway };
}

async function metric(gateway, name) {
    const page = (await ask(gateway, '/metrics')).body;
    const line = page.split('\n').find((row) => row.startsWith(`${name} `));
    return line ? Number(line.slice(name.length + 1)) : 0;
}

const cuts = (gateway, cause) => metric(gateway, `turnpike_client_forced_closes_total{cause="${cause}"}`);

// Sends until the connection ends, in pieces, and says with which code.
async function floodedWith(t, gateway, first, piece, most = 20000) {
    const peer = await Http2Peer.connect(t, gateway);
    let sent = 0;
    peer.acks = false; // from its word on a client that opens more than it may breaks the protocol
    peer.send(...first);
    const code = peer.closed();
    while (!peer.ended && peer.goaway === undefined && sent < most) {
        peer.send(...Array.from({ length: 50 }, () => piece(sent++)));
        await new Promise((resolve) => setImmediate(resolve));
    }
    return code;
}

const odd = (i) => 2 * i + 1;
const FLOODS = {
    'SETTINGS': ['settings-flood', [], () => settings([[4, 65535]])],
    'PING': ['ping-flood', [], () => ping()],
    'frames of an unknown type': ['ping-flood', [], () => frame(0x42, 0, 0, Buffer.from('x'))],
    'PRIORITY': ['priority-flood', [], (i) => frame(h2.PRIORITY, 0, odd(i % 1000), Buffer.from([0, 0, 0, 0, 1]))],
    'PRIORITY_UPDATE': ['priority-flood', [], (i) => frame(h2.PRIORITY_UPDATE, 0, 0, Buffer.concat([number32(odd(i % 100)), Buffer.from('u=1')]))],
    'WINDOW_UPDATE': ['window-flood', [], () => windowUpdate(0, 1)],
    'empty DATA': ['empty-data-flood', [headers(1, POST)], () => data(1)],
    'rapid resets': ['reset-flood', [], (i) => Buffer.concat([headers(odd(i), [...GET.slice(0, 3), [':path', '/wait']], END), reset(odd(i))])],
    'resets provoked by windows that overflow': ['reset-flood', [], (i) => Buffer.concat([headers(odd(i), [...GET.slice(0, 3), [':path', '/wait']], END), windowUpdate(odd(i), 2 ** 31 - 1), windowUpdate(odd(i), 2 ** 31 - 1)])],
    'resets provoked by bodies that are too long': ['reset-flood', [], (i) => Buffer.concat([headers(odd(i), [...POST.slice(0, 3), [':path', '/wait'], ['content-length', '1']]), data(odd(i), 'xx')])],
    'resets provoked by malformed requests': ['reset-flood', [], (i) => headers(odd(i), [...GET, ['connection', 'close']], END)],
    'heads that are too large': ['head-flood', [], (i) => headers(odd(i), [...GET, ...Array.from({ length: 3 }, () => ['x', 'y'.repeat(5000)])], END)],
};

const BREACHES = {
    'protocol-error': data(5, 'x'),
    'flow-control-error': windowUpdate(0, 2 ** 31 - 1),
    'stream-closed': data(1, 'x'),
    'frame-size-error': frame(h2.DATA, 0, 1, Buffer.alloc(20_000)),
    'compression-error': frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 3, Buffer.alloc(5, 0xff)),
};

for (const [cause, bytes] of Object.entries(BREACHES)) {
    test(`a connection that ends with ${cause} is counted, and its requests say so`, async (t) => {
        const { origin, gateway } = await served(t, { handler: () => {} });
        const peer = await Http2Peer.connect(t, gateway);
        peer.send(headers(1, [...GET.slice(0, 3), [':path', '/wait']], END));
        await until('the request to be at its origin', () => origin.requests.length === 1);
        peer.send(bytes);
        const code = await peer.closed();
        assert.equal(code, cause.toUpperCase().replaceAll('-', '_'));
        const [entry] = await gateway.logged(1);
        assert.equal(entry['turnpike.outcome'], 'request-broke');
        assert.equal(entry['error.type'], 'http_protocol_error');
        assert.equal(entry['turnpike.closed_by'], cause);
        assert.ok(entry['turnpike.detail'].includes(code), entry['turnpike.detail']);
        assert.equal(await cuts(gateway, cause), 1);
    });
}

for (const [name, [cause, first, piece]] of Object.entries(FLOODS)) {
    test(`a flood of ${name} ends its connection`, async (t) => {
        const { gateway } = await served(t, { more: 'limits: {head_bytes: 8KiB}', handler: () => {} });
        const other = await Http2Peer.connect(t, gateway);
        other.send(headers(1, GET, END));
        await other.answered(1);

        const code = await floodedWith(t, gateway, first, piece);
        assert.ok(['ENHANCE_YOUR_CALM', 'no GOAWAY'].includes(code), code);
        assert.equal(await cuts(gateway, cause), 1);
        other.send(headers(3, GET, END));
        assert.equal((await other.answered(3)).status, 200);
        assert.equal((await request(gateway)).status, 200);
    });
}

for (const [what, piece, code] of [
    ['a window that grows by nothing', windowUpdate(1, 0), 'PROTOCOL_ERROR'],
    ['DATA behind the end of a request', data(1, 'x'), 'STREAM_CLOSED'],
]) {
    test(`${what} provokes no reset: it ends the connection at once`, async (t) => {
        const { gateway } = await served(t, { handler: () => {} });
        const peer = await Http2Peer.connect(t, gateway);

        peer.send(headers(1, [...GET.slice(0, 3), [':path', '/wait']], END), piece);
        assert.equal(await peer.closed(), code);
        assert.equal((await request(gateway)).status, 200);
    });
}

test('a browser that leaves a page cancels 128 streams at once, again and again', async (t) => {
    const { gateway } = await served(t, { handler: () => {} });
    const peer = await Http2Peer.connect(t, gateway);
    let next = 0;

    for (let page = 0; page < 7; page++) {
        const ids = Array.from({ length: 128 }, () => odd(next++));
        peer.send(...ids.map((id) => headers(id, [...GET.slice(0, 3), [':path', '/wait']], END)));
        assert.ok(await peer.lives());
        peer.send(...ids.map((id) => reset(id)));
        assert.ok(await peer.lives());
    }
    peer.send(headers(odd(next), GET, END));
    assert.equal((await peer.answered(odd(next))).status, 200);
    assert.equal(await cuts(gateway, 'reset-flood'), 0);
});

test('many CONTINUATION frames end the connection', async (t) => {
    const { gateway } = await served(t);
    const peer = await Http2Peer.connect(t, gateway);

    peer.send(headers(1, GET, { end: true, endHeaders: false }), ...Array.from({ length: 2000 }, () => frame(h2.CONTINUATION, 0, 1, block([['x', 'y']]))));
    assert.ok(['ENHANCE_YOUR_CALM', 'INTERNAL_ERROR', 'PROTOCOL_ERROR', 'no GOAWAY'].includes(await peer.closed()));
    assert.equal((await request(gateway)).status, 200);
});

test('a bomb of HPACK is not unpacked to its end', async (t) => {
    const { gateway } = await served(t);
    const peer = await Http2Peer.connect(t, gateway);
    const before = gateway.memory().now;

    // 4,000 bytes go into the table, then 16,000 references of a byte each: 64 MB.
    peer.send(headers(1, [...GET, literal(['x', 'y'.repeat(4000)], 0x40)], END));
    peer.send(headers(3, [...GET, ...Array.from({ length: 15000 }, () => hpackInteger(62, 7, 0x80))], END));
    assert.equal(await peer.closed(), 'ENHANCE_YOUR_CALM');
    assert.equal(await cuts(gateway, 'head-flood'), 1);
    if (!isInstrumented) {
        assert.ok(gateway.memory().most - before < 16 * 1024 * 1024);
    }
});

test('a head that is too large is answered 431, and the connection goes on', async (t) => {
    const { gateway } = await served(t, { more: 'limits: {head_bytes: 4KiB}' });
    const peer = await Http2Peer.connect(t, gateway);

    peer.send(headers(1, [...GET, ['x', 'y'.repeat(5000)]], END));
    await peer.answered(1);
    peer.send(headers(3, GET, END));
    assert.equal((await peer.answered(3)).status, 200);
    assert.equal((await gateway.logged(2))[0]['http.response.status_code'], 431);
});

test('zero windows with many large answers hold little, and are cut', async (t) => {
    const size = 1_000_000;
    const { gateway } = await served(t, {
        more: 'timeouts: {response_idle: 1s}',
        handler: (req, response) => response.end(Buffer.alloc(size)),
    });
    const peer = await Http2Peer.connect(t, gateway, { first: settings([[4, 0]]) });
    const before = gateway.memory().now;

    peer.send(...Array.from({ length: 100 }, (_, i) => headers(odd(i), [...GET.slice(0, 3), [':path', '/large']], END)));
    await until('all to be cut', async () => (await cuts(gateway, 'answer-idle')) === 100, 60000);
    if (!isInstrumented) {
        assert.ok(gateway.memory().most - before < 40 * 1024 * 1024, `${gateway.memory().most - before} bytes more`);
    }
    assert.ok(await peer.lives());
    peer.send(windowUpdate(0, 1000), settings([[4, 65535]]), headers(odd(100), GET, END));
    assert.equal((await peer.answered(odd(100))).status, 200);
});

test('streams that are opened and left are answered 408', async (t) => {
    const { gateway } = await served(t, { more: 'timeouts: {body_idle: 1s}', handler: () => {} });
    const peer = await Http2Peer.connect(t, gateway);
    const ids = Array.from({ length: 128 }, (_, i) => odd(i));

    peer.send(...ids.map((id) => headers(id, [...POST.slice(0, 3), [':path', '/left']])));
    await until('all to be cut', async () => (await cuts(gateway, 'body-idle')) === 128, 60000);
    assert.ok(await peer.lives());
    peer.send(headers(odd(200), GET, END));
    assert.equal((await peer.answered(odd(200))).status, 200);
});

test('a head that does not come to its end is not waited for', async (t) => {
    const { gateway } = await served(t, { more: 'timeouts: {head: 1s, keepalive_idle: 2s}' });
    const peer = await Http2Peer.connect(t, gateway);

    peer.acks = false; // nothing may stand between the pieces of a head
    peer.send(headers(1, GET, { end: true, endHeaders: false }));
    const code = await peer.closed();
    assert.ok(['ENHANCE_YOUR_CALM', 'NO_ERROR'].includes(code), code);
});

test('malformed requests are counted by cause', async (t) => {
    const { gateway } = await served(t);
    const peer = await Http2Peer.connect(t, gateway);

    for (const [i, extra] of [['X-Upper', '1'], ['te', 'gzip'], ['upgrade', 'h2c'], ['a', 'b\r\nc']].entries()) {
        peer.send(headers(odd(i), [...GET, extra], END));
        assert.equal(await peer.error(odd(i)), 'stream PROTOCOL_ERROR');
    }
    for (const cause of ['name_case', 'te', 'connection_field', 'value_character']) {
        assert.equal(await metric(gateway, `turnpike_http2_requests_malformed_total{cause="${cause}"}`), 1, cause);
    }
    assert.equal((await gateway.entries()).length, 0);
});

test('a client that sends and does not read is not buffered for ever', async (t) => {
    const { gateway } = await served(t);
    const peer = await Http2Peer.connect(t, gateway, { first: settings([[4, 2 ** 31 - 1]]) });
    const before = gateway.memory().now;

    peer.wire.socket.pause();
    for (let i = 0; i < 1500; i++) {
        peer.send(headers(odd(i), GET, END));
    }
    assert.equal((await request(gateway)).status, 200);
    if (!isInstrumented) {
        assert.ok(gateway.memory().most - before < 16 * 1024 * 1024);
    }
});
