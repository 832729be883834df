// SPDX-License-Identifier: BSD-2-Clause
// HTTP/2 with clients that are as they should be: curl, nghttp, h2load and Node.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import test from 'node:test';
import { promisify } from 'node:util';
import { request } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { adminIn, askJson, metricsOf, valueOf } from './lib/control.mjs';
import { curl } from './lib/curl.mjs';
import { startGateway } from './lib/gateway.mjs';
import { ask, connectHttp2, open } from './lib/http2.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { authority, certificateList } from './lib/tls.mjs';
import { patient, until, within } from './lib/wait.mjs';
import { DATA, GET, HEADERS, Http2Peer, PRIORITY, PRIORITY_UPDATE, frame, headers, number32, settings, windowUpdate } from '../peers/http2_peer.mjs';

const run = promisify(execFile);
const PLAIN = 'listeners: [{address: "127.0.0.1:0", h2c: true}]';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

async function secured(t, http2 = true) {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['a.example', 'IP:127.0.0.1'] });
    return { ca, yaml: `listeners: [{address: "127.0.0.1:0", http2: ${http2}, tls: {certificates: ${certificateList(own)}}}]` };
}

test('curl speaks HTTP/2 by ALPN, with bodies both ways', async (t) => {
    const { ca, yaml } = await secured(t);
    const origin = await httpOrigin(t, {
        handler: async (request, response, record) => response.end(await record.body()),
    });
    const gateway = await startGateway(t, `${yaml}\n${through(origin)}`);
    const url = `https://127.0.0.1:${gateway.port}/some?x=y`;
    const file = `${gateway.folder}/body`;

    fs.writeFileSync(file, Buffer.alloc(3_000_000, 'abc'));
    for (const body of [[], ['--data-binary', 'small'], ['--data-binary', `@${file}`], ['--upload-file', file]]) {
        const answer = await curl('--http2', '--cacert', ca.cert, ...body, url);
        assert.equal(answer.status, 200, answer.stderr);
        assert.equal(answer.version, '2');
        const sent = body.at(-1) === undefined ? '' : body.at(-1) === 'small' ? 'small' : fs.readFileSync(file);
        assert.ok(answer.body.equals(Buffer.from(sent)), `${answer.body.length} bytes`);
    }
    assert.equal((await curl('--http2', '--head', '--cacert', ca.cert, url)).status, 200);
    assert.deepEqual(origin.requests.map(({ method }) => method), ['GET', 'POST', 'POST', 'PUT', 'HEAD']);
    assert.equal(origin.requests[0].url, '/some?x=y');
    assert.match(origin.requests[0].headers.via, /^2\.0 /);
    for (const entry of await gateway.logged(5)) {
        assert.equal(entry['network.protocol.version'], '2');
        assert.equal(entry['turnpike.outcome'], 'answered');
    }
});

test('without http2 and h2c only HTTP/1.1 is spoken', async (t) => {
    const { ca, yaml } = await secured(t, false);
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, `${yaml}\n${through(origin)}`);
    const answer = await curl('--http2', '--cacert', ca.cert, `https://127.0.0.1:${gateway.port}/`);
    assert.equal(answer.version, '1.1');

    const plain = await startGateway(t, through(origin));
    const client = await connect(t, plain);
    client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    assert.match((await client.takeToEnd()).toString('latin1'), /HTTP\/1\.1 only/);
});

test('by prior knowledge without TLS; an Upgrade is never followed', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);

    assert.equal((await curl('--http2-prior-knowledge', gateway.url())).version, '2');
    assert.equal((await curl('--http2', gateway.url())).version, '1.1');
    assert.equal((await request(gateway)).status, 200);
    const late = await connect(t, gateway);
    assert.equal((await late.ask(head('GET / HTTP/1.1', 'Host: a'))).status, 200);
    late.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    assert.match((await late.takeToEnd()).toString('latin1'), /HTTP\/1\.1 only/);
});

test('a hundred streams at once, each with its body both ways', async (t) => {
    const { ca, yaml } = await secured(t);
    const origin = await httpOrigin(t, {
        handler: async (request, response, record) => {
            response.setHeader('X-Number', request.headers['x-number']);
            response.end(await record.body());
        },
    });
    const gateway = await startGateway(t, `${yaml}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway, { ca: ca.pem });
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => {
        const body = Buffer.alloc(i * 1000, String.fromCharCode(97 + (i % 26)));
        return ask(session, { 'x-number': String(i) }, { body }).then((answer) => ({ answer, body, i }));
    }));

    for (const { answer, body, i } of answers) {
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['x-number'], String(i));
        assert.ok(Buffer.from(answer.body, 'latin1').equals(body), `stream ${i}: ${answer.body.length} bytes`);
    }
});

test('what the origin sees', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);

    await ask(session, { ':path': '/a?b', ':authority': 'shop.example', cookie: 'a=b; c=d', te: 'trailers', 'x-own': '1', priority: 'u=1, i' });
    const seen = origin.requests.at(-1);
    assert.equal(seen.startLine, 'GET /a?b HTTP/1.1');
    assert.deepEqual(seen.all('host'), ['shop.example']);
    assert.deepEqual(seen.all('cookie'), ['a=b; c=d']);
    assert.deepEqual(seen.all('te'), ['trailers']);
    assert.deepEqual(seen.all('connection'), ['TE']);
    assert.deepEqual(seen.all('x-own'), ['1']);
    assert.equal(seen.get('transfer-encoding'), undefined);
    assert.ok(!seen.fields.some(([name]) => name.startsWith(':')));

    await ask(session, { te: undefined }, { body: 'hello' });
    assert.equal(origin.requests.at(-1).get('te'), undefined);
    assert.equal(origin.requests.at(-1).get('content-length'), '5');
    const older = await connect(t, gateway);
    await older.ask(head('GET / HTTP/1.1', 'Host: a', 'TE: gzip, trailers', 'Connection: TE'));
    assert.deepEqual(origin.requests.at(-1).all('te'), ['trailers']);
});

test('the crumbs of a cookie are one field (RFC 9113 section 8.2.3)', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { more: 'limits: {headers: 20, head_bytes: 8KiB}' })}`);
    const peer = await Http2Peer.connect(t, gateway);
    let id = -1;
    const status = async (...fields) => {
        id += 2;
        peer.send(headers(id, [...GET, ...fields], { end: true }));
        return (await peer.answered(id)).status;
    };
    const crumbs = (count, value = 'v') => Array.from({ length: count }, (_, i) => ['cookie', `c${i}=${value}`]);
    const line = (count) => crumbs(count).map(([, crumb]) => crumb).join('; ');

    assert.equal(await status(['x-a', 'a'], ...crumbs(500), ['x-b', 'b']), 200);
    assert.deepEqual(origin.requests.at(-1).all('cookie'), [line(500)]);
    assert.equal(origin.requests.at(-1).get('x-b'), 'b');
    assert.equal(await status(...crumbs(2), ['x-a', 'a'], ...crumbs(2)), 200);
    assert.deepEqual(origin.requests.at(-1).all('cookie'), [`${line(2)}; ${line(2)}`]);
    assert.equal(await status(['cookie', ''], ['cookie', ''], ['cookie', 'a=b']), 200);
    assert.deepEqual(origin.requests.at(-1).all('cookie'), ['; ; a=b']);

    const refused = async (...fields) => {
        id += 2;
        peer.send(headers(id, [...GET, ...fields], { end: true }));
        return peer.error(id);
    };
    assert.equal(await refused(['cookie', 'a=b '], ...crumbs(2)), 'stream PROTOCOL_ERROR');
    assert.equal(await refused(...crumbs(2), ['cookie', ' a=b']), 'stream PROTOCOL_ERROR');

    const seen = origin.requests.length;
    await status(...crumbs(2), ...Array.from({ length: 20 }, (_, i) => [`x-${i}`, '1']));
    await status(...crumbs(100, 'v'.repeat(100)));
    assert.equal(origin.requests.length, seen);
    assert.deepEqual((await gateway.logged(5)).slice(-2).map((entry) => entry['http.response.status_code']), [431, 431]);
});

// Which of streams 1 and 3 gets most of what the client allows once both have answers that wait.
async function preferred(t, gateway, ...before) {
    const peer = await Http2Peer.connect(t, gateway, { first: settings([[4, 1 << 20], [9, 1]]) });
    peer.send(...before, headers(1, [...GET, ['priority', 'u=2']], { end: true }), headers(3, [...GET, ['priority', 'u=5']], { end: true }));
    const heads = new Set();
    await peer.until(({ type, stream }) => type === HEADERS && heads.add(stream).size === 2);
    const bytes = { 1: 0, 3: 0 };
    for (let left = 200_000; left > 0; left -= 10_000) {
        peer.send(windowUpdate(0, 10_000));
        await peer.until(({ type, stream, payload }) => type === DATA && (bytes[stream] += payload.length) > 0);
    }
    return bytes[1] > bytes[3] ? 1 : 3;
}

test('PRIORITY_UPDATE overrides Priority also where it comes first (RFC 9218 section 7)', async (t) => {
    const origin = await httpOrigin(t, { handler: (request, response) => response.end(Buffer.alloc(400_000)) });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const update = (stream, value) => frame(PRIORITY_UPDATE, 0, 0, Buffer.concat([number32(stream), Buffer.from(value)]));

    assert.equal(await preferred(t, gateway), 1);
    assert.equal(await preferred(t, gateway, update(3, 'u=0')), 3);
    assert.equal(await preferred(t, gateway, update(1, 'u=7')), 3);
    const former = frame(PRIORITY, 0, 1, Buffer.from([0, 0, 0, 0, 15])); // of RFC 7540: without effect
    assert.equal(await preferred(t, gateway, former), 1);
});

test('trailers go both ways, and interim answers come through', async (t) => {
    const origin = await httpOrigin(t, {
        handler: async (request, response, record) => {
            response.writeEarlyHints({ link: '</style.css>; rel=preload' });
            await record.body();
            record.trailers = request.trailers;
            response.writeHead(200, { Trailer: 'X-Sum' });
            response.write('body');
            response.addTrailers({ 'X-Sum': 'abc' });
            response.end();
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    const answer = await ask(session, {}, { body: 'x'.repeat(100_000), trailers: { 'x-check': 'def' } });

    assert.equal(answer.body, 'body');
    assert.equal(answer.trailers['x-sum'], 'abc');
    assert.equal(origin.requests[0].trailers['x-check'], 'def');
    assert.equal(answer.interim[0][':status'], 103);
    assert.equal(answer.interim[0].link, '</style.css>; rel=preload');
});

test('answers without a body end with their head', async (t) => {
    const origin = await httpOrigin(t, {
        handler: async (request, response) => {
            response.writeHead(request.url === '/204' ? 204 : request.url === '/304' ? 304 : 200, { 'X-Own': '1' });
            response.end(request.method === 'HEAD' || request.url !== '/empty' ? undefined : '');
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);

    for (const [method, path, status] of [['HEAD', '/', 200], ['GET', '/204', 204], ['GET', '/304', 304], ['GET', '/empty', 200]]) {
        const answer = await ask(session, { ':method': method, ':path': path });
        assert.equal(answer.status, status);
        assert.equal(answer.body, '');
        assert.equal(answer.headers['x-own'], '1');
    }
});

test('a stream that its client cancels ends at the origin, and no other one does', async (t) => {
    let cancelled = 0;
    const origin = await httpOrigin(t, {
        handler: async (request, response) => {
            if (request.url === '/cancel') {
                response.on('close', () => (cancelled += response.writableFinished ? 0 : 1));
                response.write('begun');
            } else {
                response.end('whole');
            }
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    const stream = open(session, { ':path': '/cancel' });

    await within('the answer to begin', stream.begun);
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await until('the origin to hear of it', () => cancelled === 1);
    assert.equal((await ask(session, {})).body, 'whole');
    const [entry] = await gateway.logged(2);
    assert.equal(entry['turnpike.outcome'], 'client-gone');
});

test('an origin that breaks off resets one stream', async (t) => {
    const origin = await httpOrigin(t, {
        handler: async (request, response) => {
            if (request.url === '/break') {
                response.writeHead(200, { 'Content-Length': '1000' });
                response.write('part');
                setTimeout(() => request.socket.destroy(), 20);
            } else {
                response.end('whole');
            }
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    const broken = open(session, { ':path': '/break' });

    await assert.rejects(within('a reset', broken.answer));
    assert.equal(broken.rstCode, http2.constants.NGHTTP2_INTERNAL_ERROR);
    assert.equal((await ask(session, {})).body, 'whole');
});

test('an upload may be answered before its end', async (t) => {
    const gateway = await startGateway(t, `${PLAIN}\nroutes: [{name: no, respond: {status: 403, body: no}}]\nlimits: {request_buffer: 0B}`);
    const session = await connectHttp2(t, gateway);
    const stream = open(session, { ':method': 'POST' }, { endStream: false });

    stream.write('a beginning');
    const answer = await within('the answer', stream.answer);
    assert.equal(answer.status, 403);
    assert.equal(answer.body, 'no');
    assert.equal((await ask(session, {})).status, 403);
});

test('who reads one answer slowly gets the others, and holds no more than its window', async (t) => {
    const size = 3_000_000;
    const origin = await httpOrigin(t, { handler: async (request, response) => response.end(Buffer.alloc(request.url === '/large' ? size : 10_000, 'x')) });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway, { settings: { initialWindowSize: 65535 } });
    const slow = Array.from({ length: 4 }, () => open(session, { ':path': '/large' }, { paused: true }));

    session.setLocalWindowSize(4_000_000);
    await within('the answers to begin', Promise.all(slow.map((stream) => stream.begun)));
    for (let i = 0; i < 20; i++) {
        assert.equal((await ask(session, {})).body.length, 10_000);
    }
    for (const stream of slow) {
        let length = 0;
        stream.on('data', (part) => (length += part.length));
        await within('a slow answer', stream.answer);
        assert.equal(length, size);
    }
});

test('a slow origin holds up its own upload only', async (t) => {
    const waiting = [];
    const origin = await httpOrigin(t, {
        handler: async (request, response, record) => {
            if (request.url === '/slow') {
                await new Promise((resolve) => waiting.push(resolve));
            }
            const body = await record.body();
            response.end(`${body.length} ${sha256(body)}`);
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway, { maxSessionMemory: 100 });
    const large = randomBytes(8_000_000);
    const small = randomBytes(300_000);
    const slow = Array.from({ length: 3 }, () => open(session, { ':path': '/slow' }, { body: large }));

    await until('the origin to be asked', () => waiting.length === 3);
    for (let i = 0; i < 10; i++) {
        assert.equal((await ask(session, {}, { body: small })).body, `300000 ${sha256(small)}`);
    }
    waiting.forEach((resolve) => resolve());
    for (const stream of slow) {
        assert.equal((await within('a slow upload', stream.answer, patient(30000))).body, `8000000 ${sha256(large)}`);
    }
});

test('each side of a conversation is passed on at once', async (t) => {
    const origin = await httpOrigin(t, {
        handler: async (request, response) => {
            response.writeHead(200);
            response.flushHeaders();
            for await (const part of request) {
                response.write(`<${part}>`);
            }
            response.end();
        },
    });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    const stream = open(session, { ':method': 'POST' }, { endStream: false });
    const text = () => Buffer.concat(stream.seen.parts).toString();

    for (const word of ['one', 'two', 'three']) {
        stream.write(word);
        await until(`an answer to ${word}`, () => text().endsWith(`<${word}>`));
    }
    stream.end();
    assert.equal((await within('the end', stream.answer)).body, '<one><two><three>');
});

test('a listener keeps its limit of streams; what is beyond is refused unprocessed', async (t) => {
    const waiting = [];
    const origin = await httpOrigin(t, { handler: (request, response) => waiting.push(response) });
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true, limits: {http2_streams: 5}}]\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);

    await until('our settings', () => session.remoteSettings.maxConcurrentStreams === 5);
    const streams = Array.from({ length: 5 }, () => open(session));
    await until('all to be asked', () => waiting.length === 5);
    waiting.forEach((response) => response.end('ok'));
    for (const stream of streams) {
        assert.equal((await within('an answer', stream.answer)).status, 200);
    }
});

test('streams beyond the memory of their connection are refused unprocessed and counted', async (t) => {
    const waiting = [];
    const origin = await httpOrigin(t, { handler: (request, response) => waiting.push(response) });
    const gateway = await startGateway(t, (folder) => `listeners: [{address: "127.0.0.1:0", h2c: true, limits: {connection_buffer: 128KiB}}]\n${through(origin)}\n${adminIn(folder)}`);
    const session = await connectHttp2(t, gateway);
    const [refused, answered] = [[], []];
    const large = () => ({ 'x-large': randomBytes(6000).toString('base64') });
    const streams = Array.from({ length: 40 }, () => {
        const stream = open(session, large());
        stream.answer.then((answer) => answered.push(answer.status), () => refused.push(stream.rstCode));
        return stream;
    });

    await until('each to be asked or refused', () => waiting.length + refused.length === streams.length);
    assert.ok(waiting.length >= 8 && waiting.length <= 15, `${waiting.length} were taken`);
    assert.deepEqual(new Set(refused), new Set([http2.constants.NGHTTP2_REFUSED_STREAM]));
    const { connections } = await askJson(gateway, '/v1/connections?top=10');
    const held = connections.find((row) => row.streams === waiting.length).memory_bytes;
    const atOrigin = 512 * waiting.length;
    assert.ok(held > 100 * 1024 && held <= 128 * 1024 + atOrigin, `${held} bytes are held`);
    assert.equal(valueOf(await metricsOf(gateway), 'turnpike_http2_streams_over_buffer_total'), refused.length);
    waiting.forEach((response) => response.end('ok'));
    await until('the answers', () => answered.length === waiting.length);
    const later = open(session, large());
    await until('the place of those that are answered', () => waiting.length > answered.length);
    waiting.at(-1).end('ok');
    assert.equal((await within('an answer', later.answer)).status, 200);
});

test('a stop lets streams finish, and tells the client twice', async (t) => {
    const waiting = [];
    const origin = await httpOrigin(t, { handler: (request, response) => waiting.push(response) });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    const early = open(session);

    await until('the origin to be asked', () => waiting.length === 1);
    gateway.expectsExit = false;
    gateway.signal('SIGTERM');
    await until('a first GOAWAY', () => session.goaways.length > 0);
    assert.deepEqual(session.goaways[0], { code: 0, last: 2 ** 31 - 1 });
    waiting.forEach((response) => response.end('finished'));
    assert.equal((await within('the answer', early.answer)).body, 'finished');
    await within('the end of the connection', session.ended);
    assert.equal(session.goaways.at(-1).code, 0);
    await gateway.stop();
});

test('a reload closes nothing', async (t) => {
    const waiting = [];
    const origin = await httpOrigin(t, { handler: (request, response) => (request.url === '/wait' ? waiting.push(response) : response.end('ok')) });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    const session = await connectHttp2(t, gateway);
    const under = open(session, { ':path': '/wait' });

    await until('the origin to be asked', () => waiting.length === 1);
    for (let i = 0; i < 5; i++) {
        await gateway.reload();
        assert.equal((await ask(session, {})).status, 200);
    }
    waiting[0].end('still there');
    assert.equal((await within('the answer', under.answer)).body, 'still there');
    assert.deepEqual(session.goaways, []);
});

test('nghttp and h2load are served', async (t) => {
    const { ca, yaml } = await secured(t);
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, `${yaml}\n${through(origin)}`);
    const url = `https://127.0.0.1:${gateway.port}/`;
    const { stdout } = await run('nghttp', ['-nv', '--no-verify-peer', url], { env: { ...process.env, SSL_CERT_FILE: ca.cert } });
    const load = await run('h2load', ['-n', '400', '-c', '4', '-m', '10', url]);

    assert.match(stdout, /:status: 200/);
    assert.match(load.stdout, /400 succeeded, 0 failed, 0 errored/);
});

// An application that sets a cookie for each of its parts. Node's client of HTTP/2 takes 128 lines.
test('an answer of 200 header lines passes, over both versions', async (t) => {
    const cookies = Array.from({ length: 195 }, (_, i) => `part${i}=${i}`);
    const origin = await httpOrigin(t, { handler: (_, answer) => {
        answer.setHeader('Set-Cookie', cookies);
        answer.end('ok');
    } });
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin)}`);
    assert.deepEqual((await request(gateway)).headers['set-cookie'], cookies);
    const answer = await curl('--http2-prior-knowledge', `http://127.0.0.1:${gateway.port}/`);
    assert.deepEqual([answer.status, answer.headers['set-cookie']], [200, cookies.at(-1)]); // the last of a name
});
