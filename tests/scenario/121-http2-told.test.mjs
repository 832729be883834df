// SPDX-License-Identifier: BSD-2-Clause
// What is told of HTTP/2 connections and their streams: to operators, in the access log, to clients.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import tls from 'node:tls';
import { through } from './lib/configs.mjs';
import { adminIn, askJson, ctl, metricsOf, valueOf } from './lib/control.mjs';
import { curl } from './lib/curl.mjs';
import { startGateway } from './lib/gateway.mjs';
import { ask, connectHttp2, open } from './lib/http2.mjs';
import { http2Origin } from './lib/http2-origin.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect } from './lib/raw-client.mjs';
import { authority, certificateList } from './lib/tls.mjs';
import { until, within } from './lib/wait.mjs';
import * as h2 from '../peers/http2_peer.mjs';

const PLAIN = 'listeners: [{address: "127.0.0.1:0", h2c: true}]';

test('HTTP/2 is offered on each listener with TLS that does not say otherwise', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['a.example', 'IP:127.0.0.1'] });
    const secured = `tls: {certificates: ${certificateList(own)}}`;
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, `
listeners:
  - {address: "127.0.0.1:0", ${secured}}
  - {address: "127.0.0.1:0", http2: false, ${secured}}
${through(origin)}`);
    const versions = [];

    for (const { port } of gateway.listeners) {
        versions.push((await curl('--cacert', ca.cert, `https://127.0.0.1:${port}/`)).version);
        versions.push((await curl('--http1.1', '--cacert', ca.cert, `https://127.0.0.1:${port}/`)).version);
    }
    assert.deepEqual(versions, ['2', '1.1', '1.1', '1.1']);
    const socket = tls.connect({ host: '127.0.0.1', port: gateway.listeners[0].port, ca: fs.readFileSync(ca.cert) });
    await within('a client without ALPN', new Promise((resolve) => socket.once('secureConnect', resolve)));
    assert.equal(socket.alpnProtocol, false);
    socket.destroy();
});

test('turnpikectl connections tells the protocol and the streams under way', async (t) => {
    const waiting = [];
    const origin = await httpOrigin(t, { handler: (request, response) => waiting.push(response) });
    const gateway = await startGateway(t, (folder) => `${PLAIN}\n${through(origin, { more: adminIn(folder) })}`);
    const session = await connectHttp2(t, gateway);
    const streams = Array.from({ length: 7 }, () => open(session));

    await until('all to be asked', () => waiting.length === 7);
    const { connections } = await askJson(gateway, '/v1/connections?top=10');
    const [row] = connections;
    assert.equal(connections.length, 1);
    assert.equal(row.http, '2');
    assert.equal(row.streams, 7);
    assert.equal(row.requests, 7);
    assert.equal(row.state, 'awaits-origin');
    const { stdout } = await ctl(gateway, 'connections');
    assert.match(stdout, /HTTP +REQU.* +STRE/);
    waiting.forEach((response) => response.end('ok'));
    await within('all answers', Promise.all(streams.map((stream) => stream.answer)));
    await until('none to be under way', async () => (await askJson(gateway, '/v1/connections?top=10')).connections[0].streams === 0);
});

test('the log says which budget closed a stream, and of which connection', async (t) => {
    const origin = await httpOrigin(t, { handler: (request, response) => request.url === '/large' && response.end(Buffer.alloc(1_000_000)) });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { more: 'timeouts: {body_idle: 500ms, response_idle: 500ms}' })}`);
    const logged = async (path) => (await gateway.entries()).find((entry) => entry['url.path'] === path);
    const peer = await h2.Http2Peer.connect(t, gateway);
    const slow = await h2.Http2Peer.connect(t, gateway, { first: h2.settings([[4, 0]]) });
    const at = (fields, path) => [...fields.slice(0, 3), [':path', path]];

    peer.send(h2.headers(1, at(h2.POST, '/body')));
    slow.send(h2.headers(1, at(h2.GET, '/large'), { end: true }));
    await until('both to be cut', async () => await logged('/body') && await logged('/large'));
    assert.equal((await logged('/body'))['turnpike.closed_by'], 'body-idle');
    assert.equal((await logged('/large'))['turnpike.closed_by'], 'answer-idle');
    peer.send(h2.headers(3, at(h2.GET, '/flooded'), { end: true }));
    await peer.lives();
    peer.send(...Array.from({ length: 400 }, () => h2.ping()));
    await peer.closed();
    await until('it to be logged', async () => (await logged('/flooded'))?.['turnpike.closed_by'] === 'ping-flood');
});

test('a request that comes back again and again is 508', async (t) => {
    const gateway = await startGateway(t, (folder) => `
listeners: [{address: "127.0.0.1:0", h2c: true}, {address: "unix:${folder}/self.sock"}]
services: {self: {origins: ["unix:${folder}/self.sock"]}}
routes: [{name: all, service: self}]
`);
    const session = await connectHttp2(t, gateway);
    const answer = await ask(session, { ':path': '/round' });

    assert.equal(answer.status, 508);
    assert.match(answer.headers['proxy-status'], /error=proxy_loop_detected/);
});

test('services and metrics tell how origins are connected', async (t) => {
    const held = [];
    const origin = await http2Origin(t, { handler: (stream) => void held.push(stream) });
    const other = await httpOrigin(t);
    const gateway = await startGateway(t, (folder) => `${PLAIN}
workers: 1
${adminIn(folder)}
services:
  new: {protocol: http2, origins: ["${origin.address}"]}
  old: {origins: ["${other.address}"]}
routes:
  - {name: new, match: {path_prefix: /new/}, service: new}
  - {name: old, service: old}
`);
    const client = await connectHttp2(t, gateway);
    const streams = [1, 2, 3].map((i) => open(client, { ':path': `/new/${i}` }));
    await ask(client, { ':path': '/' });
    await until('three streams', () => held.length === 3);

    const rows = JSON.stringify(await askJson(gateway, '/v1/services'));
    assert.match(rows, /"protocol":"http2","connections":1,"http2_connections":1,"http2_streams":3/);
    assert.equal(rows.match(/http2_connections/g).length, 1);
    const said = await ctl(gateway, '--json', 'explain', 'GET http://a/new/');
    assert.match(said.stdout, /"protocol": ?"http2"/, said.stdout);
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_origin_http2_streams', { origin: origin.address }), 3);
    assert.equal(valueOf(metrics, 'turnpike_origin_http2_streams', { origin: other.address }), 0);
    assert.equal(valueOf(metrics, 'turnpike_origin_http2_connections', { origin: origin.address }), 1);
    held.forEach((stream) => stream.respond({ ':status': 204 }, { endStream: true }));
    await Promise.all(streams.map(({ answer }) => answer));
    await until('no stream to be left', async () =>
        valueOf(await metricsOf(gateway), 'turnpike_origin_http2_streams', { origin: origin.address }) === 0);
    origin.sessions.forEach((session) => session.destroy());
    await until('no connection to be left', async () =>
        valueOf(await metricsOf(gateway), 'turnpike_origin_http2_connections', { origin: origin.address }) === 0);
});

// RFC 9113 sections 3.2 to 3.4.
test('over TLS the protocol is the one that ALPN agreed on', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['a.example', 'IP:127.0.0.1'] });
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}]\n${through(origin)}`);
    const agreed = (ALPNProtocols) => new Promise((resolve) => {
        const socket = tls.connect({ host: '127.0.0.1', port: gateway.port, ca: fs.readFileSync(ca.cert), ALPNProtocols });
        socket.once('error', (error) => resolve(error.code));
        socket.once('secureConnect', () => { resolve(socket.alpnProtocol); socket.destroy(); });
    });

    assert.equal(await agreed(['h2c', 'http/1.1']), 'http/1.1');
    assert.notEqual(await agreed(['h2c']), 'h2c');
    const confused = await h2.Http2Peer.connect(t, gateway, { ca: ca.pem, preface: 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n', first: Buffer.alloc(0) });
    assert.equal(await confused.error(), 'PROTOCOL_ERROR');
    const wire = await connect(t, gateway.listeners[0].connectOptions, { secure: { ca: ca.pem, servername: 'a.example', ALPNProtocols: ['http/1.1'] } });
    wire.send(Buffer.concat([Buffer.from(h2.PREFACE), h2.settings(), h2.headers(1, h2.GET, { end: true })]));
    await wire.closed();
    assert.equal(origin.requests.length, 0);
});
