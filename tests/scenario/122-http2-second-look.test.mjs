// SPDX-License-Identifier: BSD-2-Clause
// HTTP/2 clients that leave, drip, or stay while the configuration changes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { ask, connectHttp2 } from './lib/http2.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { authority, certificateList } from './lib/tls.mjs';
import { until } from './lib/wait.mjs';
import { Http2Peer, GET, POST, data, frame, headers, hpackInteger, literal, settings, windowUpdate, reset, ping, ACK, CONTINUATION, DATA, GOAWAY, HEADERS, PING, END_STREAM, END_HEADERS, block } from '../peers/http2_peer.mjs';

const PLAIN = 'listeners: [{address: "127.0.0.1:0", h2c: true}]';
const END = { end: true };
const STREAM_HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n';

const ended = (wire) => until('the origin connection to end', () => wire.ended);

// Each way a client may go with a FIN, and what is to become of its request.
test('an event stream ends at the origin when its client closes', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead();
        wire.send(STREAM_HEAD);
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    peer.send(headers(1, GET, END));
    await peer.until(({ type }) => type === DATA);
    peer.wire.end();
    await ended(await origin.wire(0));
    const [entry] = await gateway.logged(1);
    assert.equal(entry['turnpike.outcome'], 'client-gone');
});

test('an upload that cannot come to its end is given up at the origin', async (t) => {
    const origin = await rawOrigin(t, (wire) => wire.requestHead());
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    peer.send(headers(1, [...POST, ['content-length', '200000']]), ...Array.from({ length: 4 }, () => data(1, Buffer.alloc(15000))));
    const wire = await origin.wire(0);
    await until('the head at the origin', () => origin.heads.length === 1);
    peer.wire.end();
    await ended(wire);
});

test('a client that asked for a change and ends its side is answered', async (t) => {
    let go;
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        await new Promise((resolve) => (go = resolve));
        wire.ok('done');
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    peer.send(headers(1, POST), data(1, 'x', END));
    await until('the request', () => go);
    peer.acks = false; // what it says no more
    peer.wire.end();
    setTimeout(go, 200); // longer than what is safe is kept
    assert.equal((await peer.answered(1)).body.toString(), 'done');
});

// No WINDOW_UPDATE can come behind a FIN.
test('an answer that does not fit into the window of a client that has closed is given up', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead();
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
        wire.send(Buffer.alloc(200_000));
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);
    let left = 65_535;

    peer.send(headers(1, POST), data(1, 'an order', END));
    await peer.until(({ type, payload }) => type === DATA && (left -= payload.length) === 0);
    peer.wire.end();
    const [entry] = await gateway.logged(1);
    assert.equal(entry['turnpike.outcome'], 'client-gone');
    await ended(await origin.wire(0));
    await until('the connection to end', () => peer.wire.ended);
});

test('a listener with half_close answers what is safe, too', async (t) => {
    let go;
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        await new Promise((resolve) => (go = resolve));
        wire.ok('done');
    });
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true, half_close: true}]\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    peer.send(headers(1, GET, END));
    await until('the request', () => go);
    peer.acks = false; // what it says no more
    peer.wire.end();
    setTimeout(go, 200);
    assert.equal((await peer.answered(1)).body.toString(), 'done');
});

test('half a head has the time of heads, not of idle connections', async (t) => {
    const gateway = await startGateway(t, `${PLAIN}\ntimeouts: {head: 1s, keepalive_idle: 1h}\nroutes: [{name: all, respond: {body: hello}}]`);
    const peer = await Http2Peer.connect(t, gateway);

    peer.acks = false; // nothing may stand between the pieces of a head
    peer.send(headers(1, GET, { end: true, endHeaders: false }));
    assert.equal(await peer.closed(), 'ENHANCE_YOUR_CALM');
});

test('a large head is read the same in pieces of every size', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const more = Array.from({ length: 25 }, (_, i) => [`x-${i}`, String.fromCharCode(97 + i).repeat(i === 3 ? 9000 : 800 + i)]);
    const large = block([...GET, ...more]);
    const parts = [frame(HEADERS, END_STREAM, 1, large.subarray(0, 15000)), frame(CONTINUATION, END_HEADERS, 1, large.subarray(15000))];
    const bytes = Buffer.concat(parts);

    for (const most of [7, 100, 1000, 8000]) {
        const peer = await Http2Peer.connect(t, gateway);
        peer.acks = false;
        for (let at = 0; at < bytes.length; at += most) {
            peer.send(bytes.subarray(at, at + most));
            if (at % (20 * most) === 0) {
                await new Promise((resolve) => setImmediate(resolve));
            }
        }
        assert.equal((await peer.answered(1)).status, 200);
        const { fields } = origin.requests.at(-1);
        for (const [name, value] of more) {
            assert.deepEqual(fields.filter(([at]) => at === name), [[name, value]]);
        }
    }
});

test('DATA in pieces of a byte is not a packet each at the origin', async (t) => {
    const COUNT = 4000;
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.ok();
    });
    const gateway = await startGateway(t, `${PLAIN}\nlimits: {request_buffer: 0B}\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    peer.send(headers(1, POST));
    const wire = await origin.wire(0);
    await until('the head at the origin', () => origin.heads.length === 1);
    peer.send(...Array.from({ length: COUNT }, () => data(1, 'x')), data(1, '', END));
    assert.equal((await peer.answered(1)).status, 200);
    assert.equal(origin.requests[0].body.length, COUNT);
    const bytes = Buffer.byteLength(wire.everything, 'latin1');
    assert.ok(bytes < 2 * COUNT, `${bytes} bytes for ${COUNT}`); // a chunk each: six times as many
});

test('a connection that stays goes by the rules of its listener as they are now', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['a.example', 'IP:127.0.0.1'] });
    const yaml = (hsts) => `
listeners: [{address: "127.0.0.1:0", http2: true${hsts}, tls: {certificates: ${certificateList(own)}}}]
routes: [{name: all, respond: {body: hello}}]
`;
    const gateway = await startGateway(t, yaml(''));
    const session = await connectHttp2(t, gateway, { ca: ca.pem });

    assert.equal((await ask(session)).headers['strict-transport-security'], undefined);
    await gateway.reload(yaml(', hsts: max-age=60'));
    assert.equal((await ask(session)).headers['strict-transport-security'], 'max-age=60');
    await gateway.reload(yaml(''));
    assert.equal((await ask(session)).headers['strict-transport-security'], undefined);
});

// RFC 9113 sections 4.3, 5.1 and 10.5.1.
for (const [what, bad, limits] of [
    ['malformed', ['connection', 'close'], ''],
    ['too large', ['x-large', 'y'.repeat(5000)], 'limits: {head_bytes: 4KiB}\n'],
]) {
    test(`a head that is ${what} updates the table of the compression`, async (t) => {
        const origin = await rawOrigin(t);
        const gateway = await startGateway(t, `${PLAIN}\n${limits}${through(origin)}`);
        const peer = await Http2Peer.connect(t, gateway);

        peer.send(headers(1, [...GET, literal(['x-a', 'b'], 0x40), bad], END), headers(3, [...GET, hpackInteger(62, 7, 0x80)], END));
        assert.equal((await peer.answered(3)).status, 200);
        assert.equal(origin.requests.at(-1).get('x-a'), 'b');
    });
}

test('the head of a stream that is refused updates the table of the compression', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true, limits: {http2_streams: 1}}]\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    peer.acks = false; // so that one more is refused, and no error of the connection
    peer.send(headers(1, POST), headers(3, [...GET, literal(['x-a', 'b'], 0x40)], END));
    assert.equal(await peer.error(3), 'stream REFUSED_STREAM');
    peer.send(data(1, 'x', END));
    assert.equal((await peer.answered(1)).status, 200);
    peer.send(headers(5, [...GET, hpackInteger(62, 7, 0x80)], END));
    assert.equal((await peer.answered(5)).status, 200);
    assert.equal(origin.requests.at(-1).get('x-a'), 'b');
});

test('DATA of streams that failed takes of the window, and gives it back (section 6.9)', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    for (let stream = 1; stream < 41; stream += 2) { // 320 kB of a window of 256 KiB
        peer.send(headers(stream, [...POST, ['content-length', '1']]), data(stream, Buffer.alloc(16000)));
        assert.equal(await peer.error(stream), 'stream PROTOCOL_ERROR');
    }
    peer.send(headers(41, [...POST, ['content-length', '16000']]), data(41, Buffer.alloc(16000), END));
    assert.equal((await peer.answered(41)).status, 200);
});

test('what a client sends before it has heard of a smaller window is taken (section 6.9.3)', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true, limits: {http2_stream_window: 16KiB}}]\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    peer.acks = false;
    peer.send(headers(1, POST), ...Array.from({ length: 4 }, (_, i) => data(1, Buffer.alloc(16000), { end: i === 3 })));
    assert.equal((await peer.answered(1)).status, 200);
});

test('a smaller table must be begun with once it is acknowledged (section 4.3.1)', async (t) => {
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true, limits: {http2_header_table: 0B}}]\nroutes: [{name: all, respond: {body: hello}}]`);

    for (const [fields, wanted] of [[GET, 'COMPRESSION_ERROR'], [[hpackInteger(0, 5, 0x20), ...GET], 200]]) {
        const peer = await Http2Peer.connect(t, gateway);
        assert.ok(await peer.lives());
        peer.send(headers(1, fields, END));
        assert.equal(wanted === 200 ? (await peer.answered(1)).status : await peer.error(), wanted);
    }
});

test('nothing follows a RST_STREAM, nor answers it (sections 5.4.2 and 6.4)', async (t) => {
    const gateway = await startGateway(t, `${PLAIN}\nroutes: [{name: all, respond: {body: hello}}]`);
    const peer = await Http2Peer.connect(t, gateway, { first: settings([[4, 0]]) });

    peer.send(headers(1, GET, END));
    await peer.until(({ type }) => type === HEADERS);
    const before = peer.frames.length;
    peer.send(reset(1), windowUpdate(0, 1000), settings([[4, 65535]]));
    assert.ok(await peer.lives());
    assert.deepEqual(peer.frames.slice(before).filter(({ stream }) => stream === 1), []);
});

test('a body of a wrong length is not passed on as whole (section 8.1.1)', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `${PLAIN}\nlimits: {request_buffer: 0B}\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    for (const [stream, body] of [[1, 'abc'], [3, 'abcdef']]) {
        peer.send(headers(stream, [...POST, ['content-length', '5']]), data(stream, body, END));
        assert.equal(await peer.error(stream), 'stream PROTOCOL_ERROR');
    }
    assert.ok(await peer.lives());
    assert.equal(origin.requests.length, 0);
});

test('Host gives way to :authority (section 8.3.1)', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    peer.send(headers(1, [...GET, ['host', 'a.test']], END));
    assert.equal((await peer.answered(1)).status, 200);
    assert.deepEqual(origin.requests.at(-1).fields.filter(([name]) => name.toLowerCase() === 'host').map(([, value]) => value), ['a.test']);
});

// Sections 4.3 and 6.10; the peer checks what comes between.
test('a large head of an answer goes in frames that are allowed', async (t) => {
    const large = Array.from({ length: 25 }, (_, i) => `X-${i}: ${'y'.repeat(1000)}\r\n`).join('');
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${large}\r\nok`);
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    peer.send(headers(1, GET, END));
    assert.equal((await peer.answered(1)).body.toString(), 'ok');
    assert.ok(peer.frames.some(({ type }) => type === CONTINUATION));
});

test('fields of an origin\'s connection do not reach a client (section 8.2.2)', async (t) => {
    const hop = 'Connection: Upgrade, Keep-Alive, X-Hop\r\nUpgrade: h2c\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nX-Hop: 1\r\n';
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send(`HTTP/1.1 103 Early Hints\r\n${hop}Link: </a>\r\n\r\nHTTP/1.1 200 OK\r\n${hop}Content-Length: 2\r\n\r\nok`);
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const answer = await ask(await connectHttp2(t, gateway));

    assert.equal(answer.body, 'ok');
    for (const name of ['connection', 'upgrade', 'keep-alive', 'proxy-connection', 'x-hop']) {
        assert.equal(answer.headers[name], undefined, name);
    }
});

// RFC 9113 section 6.8; the peer checks that the last stream never rises.
test('streams above the last of a GOAWAY still update the table of the compression', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);

    peer.send(headers(1, POST));
    assert.ok(await peer.lives());
    gateway.signal('SIGTERM');
    const asks = await peer.until(({ type, flags }) => type === PING && flags === 0);
    peer.send(ping(asks.payload, ACK));
    const { payload } = await peer.until(({ type, payload: last }) => type === GOAWAY && last.readUInt32BE(0) < 2 ** 31 - 1);
    assert.equal(payload.readUInt32BE(0), 1);
    peer.send(headers(3, [...POST, literal(['x-a', 'b'], 0x40)]), data(3, 'x'), data(3, 'x', END));
    peer.send(data(1, 'x'), headers(1, [hpackInteger(62, 7, 0x80)], END));
    assert.equal((await peer.answered(1)).status, 200);
    assert.deepEqual(peer.frames.filter(({ type, stream }) => stream === 3 && type === HEADERS), []);
});
