// SPDX-License-Identifier: BSD-2-Clause
// Requests of all kinds, mixed, through a gateway that runs under valgrind; started by
// contrib/leak-check.sh. KINDS says what there is and how much of it. The gateway is stopped
// with a request, an upload and a WebSocket still under way; its exit status is valgrind's word.
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { keepAliveAgent, request } from '../tests/scenario/lib/client.mjs';
import { temporaryFolder } from '../tests/scenario/lib/folder.mjs';
import { startGateway } from '../tests/scenario/lib/gateway.mjs';
import { httpOrigin } from '../tests/scenario/lib/origin.mjs';
import { patternAt } from '../tests/scenario/lib/pattern.mjs';
import { Random } from '../tests/scenario/lib/random.mjs';
import { connect, connectLoose, head } from '../tests/scenario/lib/raw-client.mjs';
import { rawOrigin } from '../tests/scenario/lib/raw-origin.mjs';
import { pause, until } from '../tests/scenario/lib/wait.mjs';
import { echoWebSockets, openWebSocket } from '../tests/scenario/lib/websocket.mjs';

const REQUESTS = Number(process.env.REQUESTS ?? 10_000);
const LANES = 16;
const MIB = 1024 * 1024;
const CHUNKED = { 'Transfer-Encoding': 'chunked' };

// --- origins -----------------------------------------------------------------------------

async function serve(asked, answer, record) {
    const url = new URL(asked.url, 'http://a');
    if (url.pathname === '/hang') {
        return; // until the connection ends
    }
    if (url.pathname === '/big') {
        answer.writeHead(200, { 'Content-Length': MIB });
        for (let at = 0; at < MIB; at += 65_536) {
            answer.write(patternAt(at, 65_536));
        }
        answer.end();
        return;
    }
    const body = await record.body();
    if (url.pathname === '/chunked') {
        answer.writeHead(200, { Trailer: 'X-After' });
        answer.write(body.subarray(0, body.length / 2));
        answer.write(body.subarray(body.length / 2));
        answer.addTrailers({ 'X-After': 'yes' });
        answer.end();
        return;
    }
    answer.writeHead(url.pathname === '/nothing' ? 204 : 200, { 'X-Rewritten': url.pathname });
    answer.end(url.pathname === '/nothing' ? undefined : body);
}

// Answers that are no HTTP, break off, or have two lengths, in turn.
async function lie(wire, number) {
    await wire.request(3_600_000);
    const lies = [
        'HELLO\r\n\r\n',
        'HTTP/1.1 200 OK\r\nContent-Le',
        'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
    ];
    wire.send(lies[number % lies.length]).end();
}

async function deadAddress() {
    const server = net.createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    return `127.0.0.1:${port}`;
}

const configuration = (folder, { one, two, liar, dead }) => `
workers: 2
listeners:
  - {address: "127.0.0.1:0"}
  - {address: "127.0.0.2:0", proxy_protocol: {from: [127.0.0.0/8]}}
access_log: ${folder}/access.log
limits: {body_bytes: 1MiB, target_bytes: 1KiB, head_bytes: 8KiB}
timeouts: {drain: 3s}
services:
  one: {origins: ["${one.address}"]}
  both: {origins: ["${one.address}", {address: "${two.address}", weight: 2}], balance: two_choices}
  narrow: {origins: ["localhost:${one.port}"], pool: {max_connections: 2, requests_per_connection: 50}}
  dead: {origins: ["${dead}"]}
  liar: {origins: ["${liar.address}"]}
routes:
  - {name: own, match: {path: /own}, respond: {body: pong, headers: {X-Own: "yes"}}}
  - {name: elsewhere, match: {path_prefix: /old/}, redirect: {to: "https://{host}/new?{query}"}}
  - {name: dead, match: {path: /dead}, service: dead}
  - {name: liar, match: {path: /liar}, service: liar}
  - {name: slow, match: {path_prefix: /slow}, rewrite: {path_prefix: /hang}, service: one, timeouts: {first_byte: 50ms}}
  - {name: narrow, match: {path_prefix: /narrow}, rewrite: {path_prefix: /plain}, service: narrow}
  - name: edited
    match: {path_prefix: /app/, headers: {X-Edit: true}}
    split: {one: 70%, both: 30%}
    rewrite: {path_prefix: /}
    request_headers: {remove: [X-Edit], add: [{X-New: a}, {X-New: b}]}
    response_headers: {set: {X-Set: "yes"}, remove: [X-Rewritten]}
  - {name: app, match: {path_prefix: /app/}, rewrite: {path_prefix: /}, service: both}
`;

// --- what is asked -------------------------------------------------------------------------

async function asks(lane, status, options) {
    const answer = await request(lane.gateway, { agent: lane.agent, ...options });
    assert.equal(answer.status, status, `${options.path}: ${answer.body}`);
    return answer;
}

async function sendsBody(lane, size, options) {
    const body = patternAt(lane.random.below(1000), size);
    const answer = await asks(lane, 200, { method: 'POST', body, ...options });
    assert.ok(answer.bytes.equals(body), 'another body came back');
    return answer;
}

// Exact bytes on a connection of their own; then the answers with these status codes, the end.
async function says(to, bytes, ...statuses) {
    const client = await connectLoose(to);
    try {
        client.send(bytes);
        for (const status of statuses) {
            const answer = await client.answer();
            assert.equal(answer.status, status, JSON.stringify(bytes.slice(0, 200)));
        }
        await client.closed();
    } finally {
        client.destroy();
    }
}

const MALFORMED = [
    [400, 'GET /app/ HTTP/1.1\r\n\r\n'],
    [400, 'GET /app/ HTTP/1.1\nHost: a\n\n'],
    [400, head('GET /app/ HTTP/1.1', 'Host: a', 'Host: b')],
    [400, head('POST /app/ HTTP/1.1', 'Host: a', 'Content-Length: 3', 'Transfer-Encoding: chunked') + '0\r\n\r\n'],
    [400, head('GET /app/ HTTP/1.1', 'Host: a', 'X : y')],
    [400, 'hello\r\n\r\n'],
    [400, head('POST /app/ HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked') + 'zz\r\n'],
    [413, head('POST /app/ HTTP/1.1', 'Host: a', 'Content-Length: 2000000')],
    [414, head(`GET /${'x'.repeat(2000)} HTTP/1.1`, 'Host: a')],
    [431, head('GET /app/ HTTP/1.1', 'Host: a', `X: ${'x'.repeat(9000)}`)],
];

const GET_LAST = head('GET /app/plain HTTP/1.1', 'Host: a', 'Connection: close');

// --- kinds of requests ---------------------------------------------------------------------

async function edited(lane) {
    const answer = await asks(lane, 200, { path: '/app/plain', headers: { 'X-Edit': 'yes' } });
    assert.equal(answer.headers['x-set'], 'yes');
    assert.equal(answer.headers['x-rewritten'], undefined);
}

function sendsWithLength(lane) {
    return sendsBody(lane, 1 + lane.random.below(60_000), { path: '/app/plain' });
}

function sendsChunked(lane) {
    return sendsBody(lane, lane.random.below(60_000), { path: '/app/plain', headers: CHUNKED });
}

function sendsTrailers(lane) {
    const first = head('POST /app/plain HTTP/1.1', 'Host: a', 'Connection: close', 'Transfer-Encoding: chunked', 'Trailer: X-After');
    return says(lane.gateway, `${first}5\r\nhello\r\n0\r\nX-After: yes\r\n\r\n`, 200);
}

async function getsChunked(lane) {
    const answer = await sendsBody(lane, 1000 + lane.random.below(40_000), { path: '/app/chunked' });
    assert.equal(answer.headers['transfer-encoding'], 'chunked');
}

async function getsMebibyte(lane) {
    const answer = await asks(lane, 200, { path: '/app/big' });
    assert.equal(answer.bytes.length, MIB);
}

function pipelines(lane) {
    const first = head('GET /app/plain HTTP/1.1', 'Host: a') + head('GET /own HTTP/1.1', 'Host: a');
    return says(lane.gateway, first + GET_LAST, 200, 200, 200);
}

async function waitsForContinue(lane) {
    const client = await connectLoose(lane.gateway);
    try {
        client.send(head('POST /app/plain HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Content-Length: 3'));
        assert.equal((await client.answer()).status, 100);
        client.send('abc');
        assert.equal((await client.answer()).text, 'abc');
    } finally {
        client.destroy();
    }
}

const PROXY_V1 = 'PROXY TCP4 203.0.113.7 127.0.0.1 1234 80\r\n';
const PROXY_V2 = '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x7f\0\0\x01\x04\xd2\0\x50';

function comesThroughProxy(lane) {
    return says(lane.gateway.listeners[1].connectOptions, lane.random.pick([PROXY_V1, PROXY_V2]) + GET_LAST, 200);
}

function isMalformed(lane) {
    const [status, bytes] = lane.random.pick(MALFORMED);
    return says(lane.gateway, bytes, status);
}

async function echoes(lane) {
    const text = 'x'.repeat(lane.random.below(3000));
    const socket = await openWebSocket(lane.t, lane.gateway, '/app/echo');
    assert.equal(await socket.echo(text), text);
    await (lane.random.chance(50) ? socket.close() : socket.wire.destroy());
}

// A client that goes away at some point, while it asks or while it is answered.
async function breaksOff(lane) {
    const asked = lane.random.pick([
        head('GET /app/big HTTP/1.1', 'Host: a'),
        head('POST /app/plain HTTP/1.1', 'Host: a', 'Content-Length: 90000') + 'x'.repeat(80_000),
        head('GET /hang HTTP/1.1', 'Host: a'),
    ]);
    const client = await connectLoose(lane.gateway);
    client.send(asked.slice(0, lane.random.below(2 * asked.length)));
    await pause(lane.random.below(30));
    client.reset();
}

// How many of 10,000 requests, and what one does; it fails unless the answer is the right one.
const KINDS = [
    ['GET, kept connection', 3100, (lane) => asks(lane, 200, { path: '/app/plain?a=b' })],
    ['GET, new connection', 1000, (lane) => asks(lane, 200, { path: '/app/plain', agent: false })],
    ['HEAD', 200, (lane) => asks(lane, 200, { path: '/app/plain', method: 'HEAD' })],
    ['204', 200, (lane) => asks(lane, 204, { path: '/app/nothing' })],
    ['answered by the route', 300, (lane) => asks(lane, 200, { path: '/own' })],
    ['redirected', 200, (lane) => asks(lane, 308, { path: '/old/x?y' })],
    ['headers edited, split', 500, edited],
    ['origin by name, waiting in line', 500, (lane) => asks(lane, 200, { path: '/narrow' })],
    ['POST with a length', 900, sendsWithLength],
    ['POST chunked', 600, sendsChunked],
    ['POST chunked, with trailers', 100, sendsTrailers],
    ['answer chunked, with trailers', 700, getsChunked],
    ['answer of 1 MiB', 150, getsMebibyte],
    ['HTTP/1.0', 200, (lane) => says(lane.gateway, 'GET /app/plain HTTP/1.0\r\n\r\n', 200)],
    ['pipelined, three at once', 50, pipelines],
    ['100-continue', 100, waitsForContinue],
    ['PROXY protocol 1 and 2', 200, comesThroughProxy],
    ['404', 300, (lane) => asks(lane, 404, { path: '/nowhere' })],
    ['malformed or too large, 4xx', 300, isMalformed],
    ['origin refuses connections, 502', 150, (lane) => asks(lane, 502, { path: '/dead' })],
    ['origin answers nonsense, 502', 150, (lane) => asks(lane, 502, { path: '/liar' })],
    ['origin hangs, 504', 50, (lane) => asks(lane, 504, { path: '/slow' })],
    ['client breaks off', 50, breaksOff],
    ['WebSocket', 50, echoes],
];

// --- the run -------------------------------------------------------------------------------

// Every request there is, in an order that is the same at each run.
function mixed(random) {
    const all = KINDS.flatMap((kind) => Array(Math.ceil(((kind[1] * REQUESTS) / 10_000))).fill(kind));
    for (let i = all.length - 1; i > 0; i--) {
        const other = random.below(i + 1);
        [all[i], all[other]] = [all[other], all[i]];
    }
    return all;
}

async function runLane(t, gateway, number, work) {
    const lane = { t, gateway, random: new Random(number), agent: keepAliveAgent(1) };
    try {
        for (let kind = work.pop(); kind; kind = work.pop()) {
            await kind[2](lane).catch((error) => {
                throw new Error(`${kind[0]}: ${error.message}`, { cause: error });
            });
        }
    } finally {
        lane.agent.destroy();
    }
}

// What is under way when the gateway has to go: the stop must give back all of it.
async function leaveUnderWay(t, gateway) {
    const socket = await openWebSocket(t, gateway, '/app/echo');
    assert.equal(await socket.echo('held'), 'held');
    const hanging = await connect(t, gateway);
    hanging.send(head('GET /app/hang HTTP/1.1', 'Host: a'));
    const uploading = await connect(t, gateway);
    uploading.send(head('POST /app/plain HTTP/1.1', 'Host: a', 'Content-Length: 1000000') + 'x'.repeat(100_000));
    const asking = await connect(t, gateway);
    asking.send('GET /app/pla');
    const idle = await connect(t, gateway);
    assert.equal((await idle.ask(head('GET /own HTTP/1.1', 'Host: a'))).status, 200);
}

test('requests of all kinds leave nothing behind', async (t) => {
    const one = await httpOrigin(t, { handler: serve });
    const two = await httpOrigin(t, { handler: serve, path: path.join(temporaryFolder(t), 'two.sock') });
    const liar = await rawOrigin(t, lie);
    const dead = await deadAddress();
    echoWebSockets(one.server);
    echoWebSockets(two.server);
    const gateway = await startGateway(t, (folder) => configuration(folder, { one, two, liar, dead }));
    const descriptors = gateway.descriptors();

    const began = Date.now();
    const work = mixed(new Random(1));
    const asked = work.length;
    await Promise.all(Array.from({ length: LANES }, (_, number) => runLane(t, gateway, number, work)));
    console.log(`${asked} requests of ${KINDS.length} kinds in ${((Date.now() - began) / 1000).toFixed(0)} s`);
    const logged = await gateway.logged(asked * 0.95); // a head that never came has no line
    console.log(`${logged.length} lines in the access log`);

    for (const origin of [one, two]) {
        origin.open.forEach((socket) => socket.destroy());
    }
    await until('every connection to be closed', () => gateway.descriptors() <= descriptors);

    await leaveUnderWay(t, gateway);
    gateway.signal('SIGUSR1');
    await gateway.stop();
    console.log('stopped with a WebSocket, a request, an upload and half a head under way');
    assert.equal(gateway.stderr.match(/^==\d+==/m), null, gateway.stderr);
});
