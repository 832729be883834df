// SPDX-License-Identifier: BSD-2-Clause
// What the gateway knows of gRPC: its own errors as statuses, deadlines, routes by service and
// method, statuses in the log, in metrics and in ejections. The calls come from Node's own HTTP/2;
// 97-grpc-interop plays them with a real gRPC library.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { adminIn, metricsOf, valueOf } from './lib/control.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { ask, connectHttp2, open } from './lib/http2.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { rawHttp2Origin } from './lib/raw-http2-origin.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { authority } from './lib/tls.mjs';
import { pause, until, within } from './lib/wait.mjs';
import { Http2Peer, POST, data, headers } from '../peers/http2_peer.mjs';

const PLAIN = 'listeners: [{address: "127.0.0.1:0", h2c: true}]';
const TRUSTING = 'trusted_proxies: [127.0.0.1]';
const GRPC = { ':method': 'POST', ':path': '/shop.v1.Orders/Place', 'content-type': 'application/grpc', te: 'trailers' };

// One message: not compressed, its length, its bytes.
function message(text) {
    const bytes = Buffer.alloc(5 + text.length);
    bytes.writeUInt32BE(text.length, 1);
    bytes.write(text, 5);
    return bytes;
}

function call(session, headers = {}, options = {}) {
    return ask(session, { ...GRPC, ...headers }, { body: message('order'), ...options });
}

// A head alone, with the status in it: no body, no length, no trailers behind it.
function assertTrailersOnly(answer, status, wanted = /./) {
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/grpc');
    assert.equal(Number(answer.headers['grpc-status']), status, answer.headers['grpc-message']);
    assert.match(answer.headers['grpc-message'], wanted);
    assert.equal(answer.headers['content-length'], undefined);
    assert.equal(answer.body, '');
    assert.deepEqual(answer.trailers, {});
}

// Answers with a message and a status, as `mood` says: { status, only }; or not at all: { hangs }.
async function grpcOrigin(t, mood = {}) {
    return httpOrigin(t, {
        name: mood.name,
        handler: async (request, response, record) => {
            if (mood.hangs) {
                return;
            }
            record.text = await record.body();
            response.setHeader('Content-Type', 'application/grpc');
            if (mood.only) {
                response.setHeader('grpc-status', String(mood.status));
                response.setHeader('Content-Length', '0');
                response.end();
                return;
            }
            response.setHeader('Trailer', 'grpc-status');
            response.write(message('placed'));
            response.addTrailers({ 'grpc-status': String(mood.status ?? 0), 'x-note': 'kept' });
            response.end();
        },
    });
}

test('errors of the gateway\'s own are statuses where the request is gRPC, and problems elsewhere', async (t) => {
    const gone = await httpOrigin(t);
    await gone.close();
    const gateway = await startGateway(t, `${PLAIN}
services: {gone: {origins: ["${gone.address}"]}}
routes:
  - {name: gone, match: {path_prefix: /shop.v1.Orders/}, service: gone}
  - {name: small, match: {path_prefix: /small/}, service: gone, body_bytes: 1KiB}
  - {name: seldom, match: {path_prefix: /seldom/}, respond: {}, client_limits: {request_rate: 1, request_burst: 1}}`);
    const session = await connectHttp2(t, gateway);

    const refused = await call(session);
    assertTrailersOnly(refused, 14, /refused the connection/);
    assert.match(refused.headers['proxy-status'], /error=connection_refused/);
    assertTrailersOnly(await call(session, { ':path': '/else.Where/Do' }), 12, /no route/);
    const large = { body: Buffer.alloc(5000) };
    assertTrailersOnly(await call(session, { ':path': '/small/x', 'content-length': '5000' }, large), 8, /too large/);
    await call(session, { ':path': '/seldom/x' });
    const limited = await call(session, { ':path': '/seldom/x' });
    assertTrailersOnly(limited, 14, /more requests than it may/);
    assert.ok(Number(limited.headers['grpc-retry-pushback-ms']) > 0);

    for (const type of ['application/json', 'application/grpc-web']) {
        const plain = await call(session, { ':path': '/else.Where/Do', 'content-type': type });
        assert.equal(plain.status, 404);
        assert.equal(plain.headers['content-type'], 'application/problem+json');
    }
    const entries = await gateway.logged(7);
    assert.deepEqual(entries.map((entry) => entry['rpc.grpc.status_code']), [14, 12, 8, undefined, 14, undefined, undefined]);
    assert.equal(entries[0]['http.response.status_code'], 200);
    assert.equal(entries[0]['error.type'], 'connection_refused');
});

test('a call that may have run is not said to be unavailable', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.end();
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    const answer = await call(session);
    assertTrailersOnly(answer, 13, /closed the connection/);
    assert.match(answer.headers['proxy-status'], /delivery=maybe/);
});

test('an answer that breaks off ends with a status in its trailers', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        const request = await wire.request();
        wire.send('HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\0\0\0\0\0\r\n');
        if (request.target.endsWith('/Break')) {
            wire.end();
        }
    });
    const gateway = await startGateway(t, `${PLAIN}\n${TRUSTING}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);

    const broken = await call(session, { ':path': '/shop.v1.Orders/Break' });
    assert.equal(broken.status, 200);
    assert.equal(broken.headers['grpc-status'], undefined);
    assert.equal(broken.body.length, 5);
    assert.equal(broken.trailers['grpc-status'], '14', 'its client has a head, and does not repeat the call by itself');
    assert.match(broken.trailers['grpc-message'], /in the middle of its answer/);

    const late = await call(session, { 'grpc-timeout': '300m' });
    assert.equal(late.body.length, 5);
    assert.equal(late.trailers['grpc-status'], '4');
    const entries = await gateway.logged(2);
    assert.deepEqual(entries.map((entry) => entry['turnpike.outcome']), ['origin-broke', 'closed-by-timeout']);
    assert.deepEqual(entries.map((entry) => entry['rpc.grpc.status_code']), [14, 4]);
});

test('grpc-timeout of a trusted client is a deadline, and goes on shortened', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request(3_600_000);
    });
    const gateway = await startGateway(t, `${PLAIN}\n${TRUSTING}\n${through(origin, { route: 'timeouts: {total: 700ms}' })}`);
    const session = await connectHttp2(t, gateway);
    const told = async (sent, most) => {
        const answer = await call(session, sent === undefined ? {} : { 'grpc-timeout': sent });
        assertTrailersOnly(answer, 4, /ran out/);
        const fields = origin.requests.at(-1).all('grpc-timeout');
        assert.equal(fields.length, 1);
        assert.match(fields[0], /^[0-9]{1,8}m$/);
        assert.ok(parseInt(fields[0], 10) <= most && parseInt(fields[0], 10) > 0, `${fields[0]} of ${sent}`);
    };
    await told('200m', 200);
    await told('250000u', 250);
    await told('1H', 700);
    await told(undefined, 700);
    for (const malformed of ['soon', '1', '123456789S', '5s', '-1S', '1.5S']) {
        assertTrailersOnly(await call(session, { 'grpc-timeout': malformed }), 13, /grpc-timeout/);
    }
    assert.equal(origin.requests.length, 4);
});

test('grpc-timeout of any other client ends nothing here, and goes on', async (t) => {
    const origin = await grpcOrigin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    const answer = await call(session, { 'grpc-timeout': '1n' });
    assert.equal(answer.trailers['grpc-status'], '0');
    assert.equal(origin.requests[0].headers['grpc-timeout'], '1m');
    assert.equal(origin.requests[0].headers['x-request-timeout-ms'], undefined);
});

test('routes by service and method, and what explain says of them', async (t) => {
    const rules = `
services: {gone: {origins: ["127.0.0.1:9"]}}
routes:
  - {name: place, match: {grpc: {service: shop.v1.Orders, method: Place}}, respond: {body: place}}
  - {name: orders, match: {grpc: {service: shop.v1.Orders}}, respond: {body: orders}}
  - {name: grpc, match: {grpc: {}}, respond: {body: grpc}}
  - {name: web, respond: {body: web}}`;
    const gateway = await startGateway(t, `${PLAIN}\n${rules}`);
    const session = await connectHttp2(t, gateway);
    const of = async (headers) => (await call(session, headers)).body;
    assert.equal(await of({}), 'place');
    assert.equal(await of({ ':path': '/shop.v1.Orders/Cancel' }), 'orders');
    assert.equal(await of({ ':path': '/shop.v1.OrdersOfOthers/Place' }), 'grpc');
    assert.equal(await of({ ':path': '/shop.v1.Orders' }), 'grpc');
    assert.equal(await of({ 'content-type': 'application/json' }), 'web');

    const result = await runGateway(t, `listeners: [{address: "127.0.0.1:0"}]\n${rules}`, {
        args: (file) => ['-c', file, '--explain', 'POST http://a/shop.v1.Orders/Place', '-H', 'Content-Type: application/json'],
    });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /place +loses +it is no gRPC call/);
});

test('what of match.grpc cannot be meant is refused', async (t) => {
    const refused = async (match) => {
        const result = await runGateway(t, `listeners: [{address: "127.0.0.1:0"}]\nroutes: [{match: ${match}, respond: {}}]`, {
            args: (file) => ['-t', '-c', file],
        });
        assert.equal(result.code, 1);
        return result.stderr;
    };
    assert.match(await refused('{grpc: {method: Place}}'), /'match.grpc.method' needs 'match.grpc.service'/);
    assert.match(await refused('{grpc: {}, path: /x}'), /'grpc' or a path, not both/);
    assert.match(await refused('{grpc: {service: shop/Orders}}'), /expects a name such as/);
});

test('a status that came with the trailers stands in the log and in the metrics', async (t) => {
    const mood = {};
    const origin = await grpcOrigin(t, mood);
    const gateway = await startGateway(t, (folder) => `${PLAIN}\n${adminIn(folder)}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    for (const [status, only] of [[0, false], [5, false], [7, true], [99, true]]) {
        Object.assign(mood, { status, only });
        const answer = await call(session);
        assert.equal((only ? answer.headers : answer.trailers)['grpc-status'], String(status));
        assert.equal(answer.trailers['x-note'], only ? undefined : 'kept');
    }
    mood.hangs = true;
    const left = open(session, GRPC, { endStream: false });
    left.write(message('o'));
    await until('the call to be there', () => origin.requests.length === 5);
    left.close(8);
    const entries = await gateway.logged(5);
    assert.deepEqual(entries.map((entry) => entry['rpc.grpc.status_code']), [0, 5, 7, 2, undefined]);
    const metrics = await metricsOf(gateway);
    for (const name of ['OK', 'NOT_FOUND', 'PERMISSION_DENIED', 'UNKNOWN', 'none']) {
        assert.equal(valueOf(metrics, 'turnpike_route_grpc_calls_total', { route: 'all', grpc_status: name }), 1, name);
    }
});

test('trailing metadata passes, and what may not stand in trailers is left out', async (t) => {
    const origin = await rawHttp2Origin(t, async (peer) => {
        const id = await peer.request();
        peer.send(headers(id, [[':status', '200'], ['content-type', 'application/grpc']]), data(id, message('placed')),
            headers(id, [['content-type', 'application/grpc'], ['grpc-status', '0'], ['set-cookie', 'a=b'], ['retry-after', '3'], ['x-request-id', 'theirs'], ['vary', 'z']], { end: true }));
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { service: 'protocol: http2' })}`);
    const answer = await call(await connectHttp2(t, gateway));
    assert.equal(answer.body.length, message('placed').length);
    assert.deepEqual(Object.fromEntries(Object.entries(answer.trailers)), { 'grpc-status': '0', 'retry-after': '3', 'x-request-id': 'theirs', vary: 'z' });
});

test('a status behind an empty body that has a length is passed on', async (t) => {
    const origin = await rawHttp2Origin(t, async (peer) => {
        for (let id = await peer.request(); id !== undefined; id = await peer.request()) {
            peer.send(headers(id, [[':status', '200'], ['content-type', 'application/grpc'], ['content-length', '0']]),
                peer.plain ? data(id, '', { end: true }) : headers(id, [['grpc-status', '7']], { end: true }));
            peer.plain = true;
        }
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { service: 'protocol: http2' })}`);
    const session = await connectHttp2(t, gateway);
    const answer = await call(session);
    assert.equal(answer.headers['content-length'], '0');
    assert.equal(answer.trailers['grpc-status'], '7');
    const plain = await call(session, { 'content-type': 'text/plain' });
    assert.equal(plain.body, '');
    assert.deepEqual(Object.keys(plain.trailers), []);
    assert.deepEqual((await gateway.logged(2)).map((entry) => entry['rpc.grpc.status_code']), [7, undefined]);
});

test('the first message of a stream goes on before there is another', async (t) => {
    const origin = await httpOrigin(t, {
        handler: async (request, response) => {
            response.setHeader('Content-Type', 'application/grpc');
            for await (const part of request) {
                response.write(part);
            }
            response.end();
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { route: 'timeouts: {request_buffer: none}' })}`);
    const session = await connectHttp2(t, gateway);
    const stream = open(session, GRPC, { endStream: false });
    for (const text of ['one', 'two']) {
        stream.write(message(text));
        await until(`${text} to come back`, () => Buffer.concat(stream.seen.parts).includes(text));
    }
    stream.end();
    assert.equal((await within('the end', stream.answer)).status, 200);
});

test('the origin hears that a call was cancelled', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request(3_600_000);
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    const stream = open(session, GRPC, { body: message('order') });
    const wire = await origin.wire(0);
    await until('the call to be there', () => origin.requests.length === 1);
    stream.close(8);
    await within('the origin to hear of it', wire.closed());
});

// What the peer sends is a whole call to an origin that never answers it.
async function callThatHangs(t, { listener = 'h2c: true', ca, type = 'application/grpc' } = {}) {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request(3_600_000);
    });
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", ${listener}}]\n${through(origin)}`);
    const peer = await Http2Peer.connect(t, gateway, { ca });
    peer.send(headers(1, [...POST, ['content-type', type], ['te', 'trailers']]), data(1, message('order'), { end: true }));
    await until('the call to be there', () => origin.requests.length === 1);
    return { origin, gateway, peer };
}

for (const secure of [false, true]) {
    test(`the origin hears that a client left${secure ? ' a connection of TLS' : ''} in order`, async (t) => {
        const ca = secure ? await authority(t) : undefined;
        const pair = secure ? await ca.issue() : undefined;
        const { origin, gateway, peer } = await callThatHangs(t, secure ? { listener: `tls: {certificates: [{cert: ${pair.cert}, key: ${pair.key}}]}`, ca: ca.pem } : {});
        const wire = await origin.wire(0);
        peer.wire.end();
        await within('the origin to hear of it', wire.closed());
        const [entry] = await gateway.logged(1);
        assert.equal(entry['turnpike.outcome'], 'client-gone');
    });
}

for (const [what, options] of [['another POST', { type: 'text/plain' }], ['a call on a listener with half_close', { listener: 'h2c: true, half_close: true' }]]) {
    test(`${what} is answered although its client has ended its side`, async (t) => {
        const { origin, peer } = await callThatHangs(t, options);
        const wire = await origin.wire(0);
        peer.acks = false; // it can send no more
        peer.wire.end();
        await pause(200); // longer than a safe request would be left alone
        wire.ok('ok');
        assert.equal((await peer.answered(1)).body.toString(), 'ok');
    });
}

test('an origin whose calls are UNAVAILABLE is ejected; other statuses are its clients\' affair', async (t) => {
    for (const [status, only, health, ejected] of [
        [14, false, '', true], [14, true, '', true], [13, false, '', false],
        [13, false, 'failed_grpc_status: [INTERNAL, UNKNOWN]', true], [14, false, 'failed_grpc_status: none', false],
    ]) {
        const well = await grpcOrigin(t, { name: 'well' });
        const ill = await grpcOrigin(t, { name: 'ill', status, only });
        const gateway = await startGateway(t, `${PLAIN}\n${through([well, ill], {
            service: `health: {ejection_time: 1h, max_ejection_time: 1h, consecutive_failures: 3, failed_share: off${health && `, ${health}`}}`,
        })}`);
        const session = await connectHttp2(t, gateway);
        for (let i = 0; i < 20; i++) {
            await call(session);
        }
        assert.equal(ill.requests.length, ejected ? 3 : 10, `${status} ${health}`);
        if (ejected) {
            await gateway.said(new RegExp(`3 attempts in a row failed, the last since it answered grpc-status ${status}`));
        }
    }
});
