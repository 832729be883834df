// SPDX-License-Identifier: BSD-2-Clause
// WebSockets to origins that speak HTTP/2 (RFC 8441): Node's own http2 server takes extended CONNECT. The
// client asks by Upgrade (1 to 2), or by an extended CONNECT of its own (2 to 2); and 2 to 1 beside them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { adminIn, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { head } from './lib/http-message.mjs';
import { ask, connectHttp2 } from './lib/http2.mjs';
import { http2Origin } from './lib/http2-origin.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { rawHttp2Origin } from './lib/raw-http2-origin.mjs';
import { connect } from './lib/raw-client.mjs';
import { authority, certificateList } from './lib/tls.mjs';
import { patient, until, within } from './lib/wait.mjs';
import { DATA, END_STREAM, HEADERS, RST_STREAM, data, headers, settings, windowUpdate } from '../peers/http2_peer.mjs';
import { echoStream, echoWebSockets, openWebSocket, openWebSocketHttp2 } from './lib/websocket.mjs';

const PLAIN = 'listeners: [{address: "127.0.0.1:0", h2c: true}]\nworkers: 1';
const HTTP2 = 'protocol: http2';
const CONNECTS = { enableConnectProtocol: true };

// Echoes frames on each WebSocket; /no is refused, and what is none has the answer "h2".
async function echoing(t, { status = 200, more = {}, ...options } = {}) {
    const origin = await http2Origin(t, {
        settings: CONNECTS,
        handler: (stream, headers) => {
            origin.streams.push(stream);
            if (headers[':path'] === '/no') {
                stream.respond({ ':status': 403 });
                stream.end('not here');
            } else if (headers[':protocol'] === 'websocket') {
                stream.respond({ ':status': status, 'sec-websocket-protocol': 'echo', ...more });
                echoStream(stream);
            } else {
                stream.respond({ ':status': 200 });
                stream.end('h2');
            }
        },
        ...options,
    });
    origin.streams = [];
    return origin;
}

// How many of its streams have ended, however they did.
function ended(origin) {
    return origin.streams.filter((stream) => stream.closed).length;
}

async function opened(t, gateway, kind, path) {
    return kind === 1 ? openWebSocket(t, gateway, path) : openWebSocketHttp2(await connectHttp2(t, gateway), path);
}

// RFC 9113 section 8.1.1: DATA behind a length of 0 is malformed.
test('1 to 2: a Content-Length of 0 is not passed on', async (t) => {
    const origin = await echoing(t);
    const gateway = await startGateway(t, through(origin, { service: HTTP2, more: PLAIN }));
    const socket = await openWebSocket(t, gateway, '/', 'Content-Length: 0');

    assert.equal(await socket.echo('hello'), 'hello');
    assert.equal(origin.requests[0].headers['content-length'], undefined);
    await socket.close();
});

for (const kind of [1, 2]) {
    test(`${kind} to 2: frames pass both ways, and the end`, async (t) => {
        const origin = await echoing(t);
        const gateway = await startGateway(t, (folder) => `${PLAIN}\n${through(origin, { service: HTTP2, more: adminIn(folder) })}`);
        const socket = await opened(t, gateway, kind, '/chat?room=1');

        for (const text of ['hello', 'x'.repeat(60_000), '', 'again']) {
            assert.equal(await socket.echo(text), text);
        }
        const [{ headers }] = origin.requests;
        assert.equal(headers[':method'], 'CONNECT');
        assert.equal(headers[':protocol'], 'websocket');
        assert.equal(headers[':scheme'], 'http');
        assert.equal(headers[':path'], '/chat?room=1');
        assert.equal(headers['sec-websocket-version'], '13');
        assert.equal(headers['sec-websocket-key'], undefined);
        assert.equal(headers.upgrade, undefined);
        assert.equal(headers['content-length'], undefined);
        await socket.close();
        const entry = await within('it to be logged', gateway.logged(1));
        assert.equal(entry[0]['turnpike.outcome'], 'tunnel-closed');
        await until('the tunnel to be closed', async () => valueOf(await metricsOf(gateway), 'turnpike_tunnels_open') === 0);
        assert.equal(valueOf(await metricsOf(gateway), 'turnpike_origin_http2_streams', { origin: origin.address }), 0);
        assert.equal(origin.sessions[0].isOver, undefined);
    });

    test(`${kind} to 2: many at once on one connection, beside requests`, async (t) => {
        const origin = await echoing(t);
        const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { service: HTTP2 })}`);
        const sockets = await Promise.all(Array.from({ length: 30 }, (_, i) => opened(t, gateway, kind, `/${i}`)));
        const session = await connectHttp2(t, gateway);

        for (let round = 0; round < 3; round++) {
            const said = await Promise.all(sockets.map((socket, i) => socket.echo(`${i} in round ${round}`)));
            assert.deepEqual(said, sockets.map((_, i) => `${i} in round ${round}`));
            assert.equal((await ask(session)).body, 'h2');
        }
        assert.equal(origin.sessions.length, 1);
        await Promise.all(sockets.map((socket) => socket.close()));
    });

    test(`${kind} to 2: with TLS on both sides`, async (t) => {
        const ca = await authority(t);
        const own = await ca.issue({ names: ['a.example', 'IP:127.0.0.1'] });
        const origin = await echoing(t, { certificate: own });
        const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}, {address: "127.0.0.1:0"}]
${through(origin, { service: `protocol: auto, tls: {ca: ${ca.cert}}` })}`);
        const socket = kind === 1
            ? await openWebSocket(t, gateway.listeners[1])
            : await openWebSocketHttp2(await connectHttp2(t, gateway, { ca: ca.pem }));

        assert.equal(await socket.echo('hello'), 'hello');
        assert.equal(origin.requests[0].headers[':scheme'], 'https');
        await socket.close();
    });

    test(`${kind} to 2: what a client sends right before it leaves arrives, and the stream ends`, async (t) => {
        const got = [];
        const origin = await echoing(t, {
            handler: (stream) => {
                stream.respond({ ':status': 200 });
                stream.on('data', (data) => got.push(data));
                stream.on('end', () => got.push('end'));
            },
        });
        const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { service: HTTP2 })}`);
        const socket = await opened(t, gateway, kind, '/');

        socket.wire.send(Buffer.alloc(20_000, 'a'));
        socket.wire.end();
        await until('the end', () => got.at(-1) === 'end');
        assert.equal(Buffer.concat(got.slice(0, -1)).length, 20_000);
    });

    test(`${kind} to 2: an origin that refuses is heard, and one that never says so is not asked`, async (t) => {
        const origin = await echoing(t);
        const other = await http2Origin(t);
        const gateway = await startGateway(t, `${PLAIN}
services: {app: {origins: ["${origin.address}"], ${HTTP2}}, other: {origins: ["${other.address}"], ${HTTP2}}}
routes: [{match: {path_prefix: /other}, service: other}, {name: all, service: app}]`);
        const asked = async (path) => {
            if (kind === 2) {
                return (await openWebSocketHttp2(await connectHttp2(t, gateway), path)).headers[':status'];
            }
            const wire = await connect(t, gateway);
            const answer = await wire.ask(head(`GET ${path} HTTP/1.1`, 'Host: a', 'Connection: Upgrade', 'Upgrade: websocket',
                'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'));
            return answer.status;
        };

        assert.equal(await asked('/no'), 403);
        assert.equal(await asked('/other'), 502);
        assert.equal(other.requests.length, 0);
        const entries = await gateway.logged(2);
        assert.match(JSON.stringify(entries[1]), /takes no WebSockets over it/);
        await until('the stream to be closed', () => ended(origin) === 1);
        assert.equal(origin.sessions[0].isOver, undefined);
    });
}

test('2 to 1, beside: the origin gets Upgrade as ever', async (t) => {
    const origin = await httpOrigin(t);
    echoWebSockets(origin.server);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const socket = await opened(t, gateway, 2, '/');
    assert.equal(await socket.echo('hello'), 'hello');
    await socket.close();
});

test('any success is the switch, its length and its own Sec-WebSocket-Accept are not passed on', async (t) => {
    for (const status of [200, 206, 299]) {
        const origin = await echoing(t, { status, more: { 'sec-websocket-accept': 'wrong', 'content-length': '5' } });
        const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { service: HTTP2 })}`);
        const socket = await openWebSocket(t, gateway, '/'); // looks at the accept
        assert.equal(await socket.echo('hello'), 'hello');
        await socket.close();
    }
});

test('a tunnel that is idle ends by tunnel_idle, and the origin hears of clients that vanish', async (t) => {
    const origin = await echoing(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { service: HTTP2, more: 'timeouts: {response_idle: 100ms, first_byte: 100ms, send_idle: 100ms, tunnel_idle: 2s}' })}`);
    const idle = await openWebSocket(t, gateway, '/');
    const session = await connectHttp2(t, gateway);
    const gone = await openWebSocketHttp2(session, '/');

    assert.equal(await idle.echo('hello'), 'hello');
    assert.equal(await gone.echo('hello'), 'hello');
    gone.stream.close(8);
    await until('the origin to hear of it', () => ended(origin) === 1);
    await idle.wire.waitFor('tunnel_idle', () => idle.wire.ended, 60_000);
    await until('the origin to hear of it', () => ended(origin) === 2);
});

test('other protocols are asked for without their upgrade', async (t) => {
    const origin = await echoing(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { service: HTTP2 })}`);
    const wire = await connect(t, gateway);
    const answer = await wire.ask(head('GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: other'));
    assert.equal(answer.status, 200);
    assert.equal(origin.requests[0].headers[':method'], 'GET');
});

// An open tunnel, whose origin sends what the test says.
async function tunnelByHand(t, first) {
    const origin = await rawHttp2Origin(t, () => {}, { first });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { service: HTTP2 })}`);
    const opening = openWebSocket(t, gateway);
    const peer = await until('a connection', () => origin.peers[0]);
    const { stream } = await peer.until(({ type }) => type === HEADERS);

    peer.send(headers(stream, [[':status', '200']]));
    return { gateway, peer, stream, socket: await opening };
}

// An upload has taken the whole window of the origin's connection. Then the client of a WebSocket beside
// it sends 20,000 bytes, and leaves.
async function leftBesideAnUpload(t) {
    const { gateway, peer, stream, socket } = await tunnelByHand(t, settings([[8, 1], [4, 1 << 24]]));
    const upload = await connect(t, gateway);
    let left = 65_535;

    upload.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 100000'));
    upload.send(Buffer.alloc(100_000));
    await peer.until(({ type, payload }) => type === DATA && (left -= payload.length) === 0);
    socket.wire.send(Buffer.alloc(20_000));
    socket.wire.end();
    await within('the tunnel to be closed', gateway.logged(1));
    return { peer, stream, upload };
}

test('what a client sent before it left waits for the window of the connection, and no reset follows the end', async (t) => {
    const { peer, stream, upload } = await leftBesideAnUpload(t);
    let came = 0;

    peer.send(windowUpdate(0, 1 << 24));
    await peer.until(({ type, flags, stream: of, payload }) => {
        assert.notEqual(type, RST_STREAM);
        came += type === DATA && of === stream ? payload.length : 0;
        return of === stream && (flags & END_STREAM) !== 0;
    });
    assert.equal(came, 20_000);
    peer.send(data(stream, 'too late'), data(stream, '', { end: true }));
    assert.ok(await peer.lives());
    assert.ok(peer.frames.every(({ type }) => type !== RST_STREAM));
    peer.send(headers(stream + 2, [[':status', '204']], { end: true }));
    assert.equal((await upload.answer()).status, 204);
});

test('an origin that neither takes it nor ends its side gets a reset in the end', async (t) => {
    const { peer, stream, upload } = await leftBesideAnUpload(t);

    await until('a reset', async () => {
        assert.ok(await peer.lives());
        return peer.frames.some(({ type, stream: of, payload }) => type === RST_STREAM && of === stream && payload.readUInt32BE(0) === 8);
    }, patient(60_000));
    upload.destroy();
});

test('a key that is too long is told to the client', async (t) => {
    const origin = await echoing(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { service: HTTP2 })}`);
    const wire = await connect(t, gateway);
    const answer = await wire.ask(head('GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: websocket',
        `Sec-WebSocket-Key: ${'k'.repeat(65)}`, 'Sec-WebSocket-Version: 13'));

    assert.equal(answer.status, 400);
    assert.match(answer.body.toString(), /Sec-WebSocket-Key/);
    assert.equal(origin.requests.length, 0);
});

test('a field section of the origin in a tunnel is an error of its stream (RFC 9113 section 8.5)', async (t) => {
    const { peer, stream, socket } = await tunnelByHand(t, settings([[8, 1]]));

    peer.send(headers(stream, [['x', 'y']], { end: true }));
    assert.equal(await peer.error(stream), 'stream PROTOCOL_ERROR');
    await until('the end of the tunnel', () => socket.wire.ended);
});
