// SPDX-License-Identifier: BSD-2-Clause
// WebSockets as streams of HTTP/2 connections (RFC 8441), to origins that speak HTTP/1.1.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { ask, connectHttp2, open } from './lib/http2.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { authority, certificateList } from './lib/tls.mjs';
import { until, within } from './lib/wait.mjs';
import { echoWebSockets, openWebSocketHttp2 } from './lib/websocket.mjs';
import { Http2Peer, HEADERS, headers } from '../peers/http2_peer.mjs';

const PLAIN = 'listeners: [{address: "127.0.0.1:0", h2c: true}]';

async function echoing(t) {
    const origin = await httpOrigin(t, {
        handler: async (request, response, record) => {
            await record.body();
            response.end('no tunnel');
        },
    });
    origin.upgrades = [];
    origin.server.prependListener('upgrade', (request) => origin.upgrades.push(request));
    echoWebSockets(origin.server);
    return origin;
}

test('a WebSocket is a stream among others, with TLS', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['a.example', 'IP:127.0.0.1'] });
    const origin = await echoing(t);
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}]\n${through(origin)}`);
    const session = await connectHttp2(t, gateway, { ca: ca.pem });
    const socket = await openWebSocketHttp2(session, '/chat?room=1', { 'x-own': 'yes', 'sec-websocket-protocol': 'echo' });

    assert.equal(socket.headers[':status'], 200);
    assert.equal(socket.headers.upgrade, undefined);
    assert.equal(socket.headers['sec-websocket-accept'], undefined);
    assert.equal(await socket.echo('hello'), 'hello');
    assert.equal(await socket.echo('x'.repeat(40_000)), 'x'.repeat(40_000));
    assert.equal((await ask(session)).status, 200);
    assert.equal(await socket.echo('again'), 'again');
    const [asked] = origin.upgrades;
    assert.equal(asked.method, 'GET');
    assert.equal(asked.url, '/chat?room=1');
    assert.equal(asked.headers['x-own'], 'yes');
    assert.equal(asked.headers['sec-websocket-version'], '13');
    assert.equal(Buffer.from(asked.headers['sec-websocket-key'], 'base64').length, 16);
    await socket.close();
    await until('it to be logged', async () => (await gateway.entries()).some((entry) => entry['url.path'] === '/chat' && entry['network.protocol.version'] === '2'));
});

test('many at once, each with a key of its own', async (t) => {
    const origin = await echoing(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    const sockets = await Promise.all(Array.from({ length: 50 }, (_, i) => openWebSocketHttp2(session, `/${i}`)));

    for (let round = 0; round < 3; round++) {
        const said = await Promise.all(sockets.map((socket, i) => socket.echo(`${i} in round ${round}`)));
        assert.deepEqual(said, sockets.map((_, i) => `${i} in round ${round}`));
    }
    assert.equal(new Set(origin.upgrades.map((request) => request.headers['sec-websocket-key'])).size, 50);
    await Promise.all(sockets.map((socket) => socket.close()));
    assert.equal((await ask(session)).status, 200);
});

test('an origin that does not switch is no tunnel', async (t) => {
    const origin = await httpOrigin(t, {
        handler: (request, response) => {
            response.writeHead(request.url === '/no' ? 403 : 200);
            response.end('no tunnel');
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);

    assert.equal((await openWebSocketHttp2(session, '/no')).headers[':status'], 403);
    assert.equal((await openWebSocketHttp2(session, '/yes')).headers[':status'], 502);
    assert.equal((await ask(session)).status, 200);
});

test('a tunnel that its client resets ends at the origin, and one that is idle by tunnel_idle', async (t) => {
    const origin = await echoing(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { more: 'timeouts: {body_idle: 300ms, response_idle: 300ms, tunnel_idle: 3s}' })}`);
    const session = await connectHttp2(t, gateway);
    const one = await openWebSocketHttp2(session, '/one');
    const other = await openWebSocketHttp2(session, '/other');

    assert.equal(await one.echo('hello'), 'hello');
    const ended = new Promise((resolve) => origin.upgrades[0].socket.once('close', resolve));
    one.stream.close(8);
    await within('the origin to hear of it', ended);
    // Longer than the idle times of requests.
    const plain = open(session, { ':method': 'POST' }, { endStream: false });
    assert.equal((await within('a plain stream to be cut', plain.answer)).status, 408);
    assert.equal(await other.echo('still'), 'still');
    await other.wire.waitFor('tunnel_idle', () => other.wire.ended, 60_000);
});

test('other protocols are 501, and malformed ones a stream error', async (t) => {
    const origin = await echoing(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    const peer = await Http2Peer.connect(t, gateway);
    const extended = (protocol) => [[':method', 'CONNECT'], [':scheme', 'http'], [':path', '/'], [':authority', 'a'], [':protocol', protocol]];

    assert.equal((await openWebSocketHttp2(session, '/', { ':protocol': 'connect-udp' })).headers[':status'], 501);
    peer.send(headers(1, extended('websocket'), { end: true }));
    assert.equal(await peer.error(1), 'stream PROTOCOL_ERROR');
    peer.send(headers(3, [[':method', 'GET'], ...extended('websocket').slice(1)]));
    assert.equal(await peer.error(3), 'stream PROTOCOL_ERROR');
    assert.equal(origin.upgrades.length, 0);
});

test('a field section in a tunnel is an error of its stream (RFC 9113 section 8.5)', async (t) => {
    const origin = await echoing(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway);
    const connects = [[':method', 'CONNECT'], [':scheme', 'http'], [':path', '/'], [':authority', 'a'], [':protocol', 'websocket'], ['sec-websocket-version', '13']];

    peer.send(headers(1, connects));
    await peer.until(({ type, stream }) => type === HEADERS && stream === 1);
    peer.send(headers(1, [['x', 'y']], { end: true }));
    assert.equal(await peer.error(1), 'stream PROTOCOL_ERROR');
    assert.ok(await peer.lives());
});
