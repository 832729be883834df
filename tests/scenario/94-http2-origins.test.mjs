// SPDX-License-Identifier: BSD-2-Clause
// HTTP/2 with origins that are as they should be: Node and nginx, with clients of either version.
import assert from 'node:assert/strict';
import test from 'node:test';
import { keepAliveAgent, request } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { adminIn } from './lib/control.mjs';
import { http2Origin } from './lib/http2-origin.mjs';
import { ask, connectHttp2, open } from './lib/http2.mjs';
import { nginxOrigin } from './lib/nginx-origin.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawHttp2Origin } from './lib/raw-http2-origin.mjs';
import { answerAll, rawOrigin } from './lib/raw-origin.mjs';
import { authority } from './lib/tls.mjs';
import { until } from './lib/wait.mjs';
import { RST_STREAM, data, headers } from '../peers/http2_peer.mjs';

const PLAIN = 'listeners: [{address: "127.0.0.1:0", h2c: true}]\nworkers: 1';
const H2 = { service: 'protocol: http2' };

test('a request goes over HTTP/2 by prior knowledge, and the next over the same connection', async (t) => {
    const origin = await http2Origin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);

    for (let i = 0; i < 3; i++) {
        const answer = await request(gateway, { path: `/some?x=${i}`, headers: { 'X-Some': 'Value', Connection: 'keep-alive, X-Hop', 'X-Hop': '1' } });
        assert.equal(answer.status, 200, answer.body);
        assert.equal(answer.body, 'h2');
    }
    assert.equal(origin.sessions.length, 1);
    const { headers } = origin.requests[1];
    assert.equal(headers[':path'], '/some?x=1');
    assert.equal(headers[':scheme'], 'http');
    assert.equal(headers[':authority'], `127.0.0.1:${gateway.port}`);
    assert.equal(headers['x-some'], 'Value');
    assert.equal(headers['x-hop'], undefined);
    assert.equal(headers.host, undefined);
});

test('bodies go both ways, of any length', async (t) => {
    const origin = await http2Origin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);

    for (const length of [1, 5000, 70_000, 3_000_000]) {
        const body = Buffer.alloc(length, 'abcdefg');
        const answer = await request(gateway, { method: 'POST', body });
        assert.equal(answer.status, 200, answer.body.slice(0, 300));
        assert.ok(answer.bytes.equals(body), `${answer.bytes.length} of ${length} bytes`);
        const chunked = await request(gateway, { method: 'PUT', body, headers: { 'Transfer-Encoding': 'chunked' } });
        assert.ok(chunked.bytes.equals(body));
    }
    assert.equal(origin.sessions.length, 1);
});

test('2 to 2: a hundred streams at once share a connection', async (t) => {
    const origin = await http2Origin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    const client = await connectHttp2(t, gateway);

    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(client, { ':path': `/${i}` }, { body: `body ${i}` })));
    answers.forEach((answer, i) => assert.equal(answer.body, `body ${i}`));
    assert.equal(origin.sessions.length, 1);
});

test('trailers go both ways, and te: trailers', async (t) => {
    const origin = await http2Origin(t, {
        handler: async (stream, headers, record) => {
            await record.body();
            stream.respond({ ':status': 200, trailer: 'x-after' }, { waitForTrailers: true });
            stream.on('wantTrailers', () => stream.sendTrailers({ 'x-after': record.trailers?.['x-sent'] ?? 'none' }));
            stream.end('with trailers');
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    const client = await connectHttp2(t, gateway);
    const answer = await ask(client, { te: 'trailers' }, { body: 'x', trailers: { 'x-sent': 'up' } });

    assert.equal(answer.body, 'with trailers');
    assert.equal(answer.trailers['x-after'], 'up');
    assert.equal(origin.requests[0].headers.te, 'trailers');
});

test('HEAD, 204, 304 and an empty answer have no body', async (t) => {
    const origin = await http2Origin(t, {
        handler: (stream, headers) => {
            const status = Number(headers[':path'].slice(1));
            const length = headers[':method'] === 'HEAD' ? { 'content-length': '1234' } : {};
            stream.respond({ ':status': status, ...length }, { endStream: true });
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    const head = await request(gateway, { method: 'HEAD', path: '/200' });

    assert.equal(head.status, 200);
    assert.equal(head.headers['content-length'], '1234');
    for (const status of [200, 204, 304]) {
        const answer = await request(gateway, { path: `/${status}` });
        assert.equal(answer.status, status);
        assert.equal(answer.body, '');
    }
});

test('an answer without a body is whole before its stream has ended', async (t) => {
    const ends = [];
    const origin = await rawHttp2Origin(t, async (peer) => {
        for (let id = await peer.request(); id !== undefined; id = await peer.request()) {
            const late = id;
            peer.send(headers(late, [[':status', '204']]));
            ends.push(() => peer.send(data(late, '', { end: true })));
        }
    });
    const gateway = await startGateway(t, through(origin, { service: 'protocol: http2' }));
    const client = await connect(t, gateway);
    for (let i = 0; i < 3; i++) {
        assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a'))).status, 204);
    }
    ends.forEach((end) => end());
    assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a'))).status, 204);
    assert.equal(origin.wires.length, 1);
    assert.deepEqual(origin.peers[0].frames.filter(({ type }) => type === RST_STREAM), []);
    const entries = await gateway.logged(4);
    assert.deepEqual([...new Set(entries.map((entry) => entry['turnpike.outcome']))], ['answered']);
});

test('interim answers pass', async (t) => {
    const origin = await http2Origin(t, {
        handler: (stream) => {
            stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' });
            stream.respond({ ':status': 200 });
            stream.end('late');
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    const client = await connectHttp2(t, gateway);
    const answer = await ask(client);

    assert.equal(answer.interim[0][':status'], 103);
    assert.equal(answer.interim[0].link, '</a.css>; rel=preload');
    assert.equal(answer.body, 'late');
});

test('a client that leaves cancels its stream, and only that', async (t) => {
    const held = [];
    const origin = await http2Origin(t, {
        handler: (stream, headers) => {
            if (headers[':path'] === '/stays') {
                held.push(stream);
                return;
            }
            stream.respond({ ':status': 200 });
            stream.write('begun');
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    const client = await connectHttp2(t, gateway);
    const stays = open(client, { ':path': '/stays' });
    const leaves = open(client, { ':path': '/leaves' });

    await leaves.begun;
    leaves.close(8);
    await until('the stream to be cancelled', () => origin.resets.some(({ path, code }) => path === '/leaves' && code === 8));
    await until('the other to come', () => held.length === 1);
    held[0].respond({ ':status': 200 });
    held[0].end('still here');
    assert.equal((await stays.answer).body, 'still here');
    assert.equal(origin.sessions.length, 1);
});

test('a slow client of one stream holds up no other of its origin connection', async (t) => {
    const origin = await http2Origin(t, {
        options: { maxSessionMemory: 500 },
        handler: (stream, headers) => {
            stream.respond({ ':status': 200 });
            stream.end(headers[':path'] === '/large' ? Buffer.alloc(20_000_000, 'l') : 'small');
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    const client = await connectHttp2(t, gateway);
    const slow = [1, 2, 3].map(() => open(client, { ':path': '/large' }, { paused: true }));

    await Promise.all(slow.map((stream) => stream.begun));
    for (let i = 0; i < 50; i++) {
        assert.equal((await request(gateway)).body, 'small');
    }
    assert.equal(origin.sessions.length, 1);
    let length = 0;
    slow[0].on('data', (part) => (length += part.length));
    slow[0].resume();
    await until('all of it', () => length === 20_000_000, 60_000);
});

test('no more streams than the origin allows; a second connection takes the rest', async (t) => {
    const held = [];
    const origin = await http2Origin(t, { settings: { maxConcurrentStreams: 3 }, handler: (stream) => void held.push(stream) });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    const client = await connectHttp2(t, gateway);
    const asked = Array.from({ length: 8 }, () => open(client));

    await until('all to arrive', () => held.length === 8);
    assert.equal(origin.sessions.length, 3);
    for (const stream of held) {
        stream.respond({ ':status': 200 });
        stream.end('done');
    }
    for (const stream of asked) {
        assert.equal((await stream.answer).body, 'done');
    }
});

test('an upload that is answered early ends well', async (t) => {
    const origin = await http2Origin(t, {
        handler: (stream) => {
            stream.respond({ ':status': 413 });
            stream.end('too much');
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    const client = await connectHttp2(t, gateway);
    const stream = open(client, { ':method': 'POST' }, { endStream: false });

    stream.write(Buffer.alloc(100_000));
    await stream.begun;
    assert.equal(stream.seen.status, 413);
    await until('the body', () => Buffer.concat(stream.seen.parts).toString() === 'too much');
    assert.equal((await ask(client)).status, 413);
    assert.equal(origin.sessions.length, 1);
});

test('many clients of HTTP/1 share one connection to the origin', async (t) => {
    const origin = await http2Origin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    const agent = keepAliveAgent(20);

    t.after(() => agent.destroy());
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => request(gateway, { method: 'POST', body: `${i}`, agent })));
    answers.forEach((answer, i) => assert.equal(answer.body, `${i}`));
    assert.equal(origin.sessions.length, 1);
    for (const entry of await gateway.logged(200)) {
        assert.equal(entry['turnpike.outcome'], 'answered');
    }
});

async function secured(t) {
    const ca = await authority(t);
    return { ca: ca.cert, certificate: await ca.issue({ names: ['IP:127.0.0.1'] }) };
}

test('auto takes HTTP/2 over TLS where the origin offers it, and HTTP/1.1 where not', async (t) => {
    const { ca, certificate } = await secured(t);
    const modern = await http2Origin(t, { certificate });
    const old = await rawOrigin(t, answerAll, { certificate });
    const gateway = await startGateway(t, `${PLAIN}
services:
  modern: {origins: ["${modern.address}"], tls: {ca: ${ca}}, protocol: auto}
  old: {origins: ["${old.address}"], tls: {ca: ${ca}}, protocol: auto}
routes:
  - {name: old, match: {path: /old}, service: old}
  - {name: modern, service: modern}
`);

    for (let i = 0; i < 3; i++) {
        assert.equal((await request(gateway, { method: 'POST', body: 'x'.repeat(50_000) })).body.length, 50_000);
        assert.equal((await request(gateway, { path: '/old' })).body, 'ok');
    }
    assert.equal(modern.sessions.length, 1);
    assert.equal(modern.requests[0].headers[':scheme'], 'https');
    assert.equal(old.requests.length, 3);
});

test('http2 is asked of an origin that does not speak it, and nothing is sent to it', async (t) => {
    const { ca, certificate } = await secured(t);
    const tls = await rawOrigin(t, answerAll, { certificate });
    const plain = await httpOrigin(t);
    const gateway = await startGateway(t, `${PLAIN}
services:
  tls: {origins: ["${tls.address}"], tls: {ca: ${ca}}, protocol: http2}
  plain: {origins: ["${plain.address}"], protocol: http2}
routes:
  - {name: tls, match: {path: /tls}, service: tls}
  - {name: plain, service: plain}
`);

    for (const path of ['/tls', '/plain']) {
        const answer = await request(gateway, { path, method: 'POST', body: 'x' });
        assert.equal(answer.status, 502, answer.body);
        assert.match(answer.body, /the origin does not speak HTTP\/2|TLS/);
        assert.equal(JSON.parse(answer.body).delivery, 'not-sent');
    }
    assert.equal(plain.requests.length, 0);
});

for (const secure of [false, true]) {
    test(`nginx as an origin over HTTP/2, ${secure ? 'with TLS' : 'by prior knowledge'}`, async (t) => {
        const { ca, certificate } = await secured(t);
        const large = Buffer.alloc(2_000_000, 'nginx');
        const origin = await nginxOrigin(t, {
            files: { 'small.txt': 'small', 'large.bin': large }, http2: true, tls: secure ? certificate : undefined,
            locations: 'location /put { return 405; }',
        });
        const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { service: `protocol: http2${secure ? `, tls: {ca: ${ca}}` : ''}` })}`);
        const client = await connectHttp2(t, gateway);

        assert.equal((await request(gateway, { path: '/small.txt' })).body, 'small');
        assert.ok((await request(gateway, { path: '/large.bin' })).bytes.equals(large));
        assert.equal((await request(gateway, { path: '/missing' })).status, 404);
        assert.equal((await request(gateway, { path: '/small.txt', method: 'HEAD' })).headers['content-length'], '5');
        assert.equal((await request(gateway, { path: '/put', method: 'POST', body: Buffer.alloc(300_000) })).status, 405);
        const answers = await Promise.all(Array.from({ length: 60 }, () => ask(client, { ':path': '/large.bin' })));
        for (const answer of answers) {
            assert.equal(answer.body.length, large.length);
        }
    });
}

test('a reload leaves no request behind, and closes what nothing names any more', async (t) => {
    const held = [];
    const origin = await http2Origin(t, { handler: (stream) => void held.push(stream) });
    const other = await http2Origin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    const client = await connectHttp2(t, gateway);
    const waits = open(client);

    await until('it to arrive', () => held.length === 1);
    await gateway.reload(`${PLAIN}\n${through(other, H2)}`);
    assert.equal((await request(gateway)).body, 'h2');
    held[0].respond({ ':status': 200 });
    held[0].end('kept');
    assert.equal((await waits.answer).body, 'kept');
    await until('its connection to close', () => origin.sessions.every((session) => session.isOver));
});

test('probes ask over HTTP/1.1 where HTTP/2 is offered for requests', async (t) => {
    const { ca, certificate } = await secured(t);
    const origin = await http2Origin(t, { certificate, options: { allowHTTP1: true } });
    let probes = 0;
    origin.server.on('request', (asked, answer) => {
        if (asked.httpVersion === '1.1') {
            probes++;
            answer.end('fine');
        }
    });
    const gateway = await startGateway(t, (folder) => `${PLAIN}\n${adminIn(folder)}\n${through(origin, {
        service: `protocol: auto, tls: {ca: ${ca}}, health: {probe: {path: /health, interval: 100ms}}`,
    })}`);

    await until('some probes', () => probes > 2);
    assert.equal((await request(gateway)).body, 'h2');
    assert.equal(origin.requests.at(-1).headers[':scheme'], 'https');
});

test('a probe that no origin of HTTP/2 without TLS would understand is refused', async (t) => {
    const run = await runGateway(t, `${PLAIN}\n${through('127.0.0.1:1', { service: 'protocol: http2, health: {probe: {path: /health}}' })}`, { args: (file) => ['-t', '-c', file] });
    assert.match(run.stderr, /asks over HTTP\/1\.1/);
});

test('OPTIONS of * goes to an origin as :path (RFC 9113 section 8.3.1)', async (t) => {
    const origin = await http2Origin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    const client = await connect(t, gateway);

    client.send('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await client.answer()).status, 200);
    assert.equal(origin.requests[0].headers[':path'], '*');
});
