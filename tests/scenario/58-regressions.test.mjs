// SPDX-License-Identifier: BSD-2-Clause
// Faults that once were there, each as the shortest dialogue that showed it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { through } from './lib/configs.mjs';
import { adminIn, ask } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { isInstrumented, startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head, RawClient } from './lib/raw-client.mjs';
import { answerAll, rawOrigin } from './lib/raw-origin.mjs';
import { pause, until, within } from './lib/wait.mjs';

const NO_DEADLINE = 3_600_000;
const UPGRADES = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n';

// A head of exactly `size` bytes.
function headOfSize(size, ...lines) {
    let left = size - head(...lines).length;
    const fillers = [];
    while (left > 0) {
        const length = left > 8000 ? 7000 : left;
        fillers.push(`${`X-Fill-${fillers.length}: `.padEnd(length - 2, 'f')}`);
        left -= length;
    }
    return head(...lines, ...fillers);
}

async function processorTimeDuring(gateway, milliseconds) {
    const before = gateway.processorTime();
    await pause(milliseconds);
    return gateway.processorTime() - before;
}

test('a body that came while its connection was being opened, behind Expect, reaches the origin', async (t) => {
    const origin = await rawOrigin(t, answerAll);
    const gateway = await startGateway(t, through(origin, { more: 'timeouts: {first_byte: 1s}' }));
    const client = await connect(t, gateway);
    const answer = await client.ask(`${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5', 'Expect: 100-continue')}hello`);
    assert.equal(answer.status, 200);
    assert.equal(origin.requests[0].text, 'hello');
});

test('a head that ends a few bytes before the end of the largest buffer is read to its end', async (t) => {
    const origin = await rawOrigin(t, answerAll);
    const gateway = await startGateway(t, `
routes:
  - {name: here, respond: {body: ok}}
timeouts: {head: 3s}
`);
    const client = await connect(t, gateway);
    const bytes = headOfSize(32_760, 'GET / HTTP/1.1', 'Host: a');
    client.send(bytes.slice(0, 32_650));
    await pause(200);
    client.send(bytes.slice(32_650, 32_700));
    assert.ok((await processorTimeDuring(gateway, 500)) < 200, 'the loop turns without reading');
    client.send(bytes.slice(32_700));
    assert.equal((await client.answer()).status, 200);
});

test('interim answers do not pile up for a client that does not read', { skip: isInstrumented }, async (t) => {
    let sent = 0;
    let given = false;
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        const many = Buffer.from(`HTTP/1.1 103 Early Hints\r\nLink: <${'l'.repeat(900)}>\r\n\r\n`.repeat(60));
        while (!wire.ended && sent < 96 * 1024 * 1024) {
            sent += many.length;
            await new Promise((resolve) => wire.socket.write(many, resolve));
        }
        given = true;
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.keepsLog = false;
    client.socket.pause();
    client.send(head('GET / HTTP/1.1', 'Host: a'));
    await until('the origin to give up, or all of them to be sent', () => given, 30_000);
    assert.ok(gateway.memory().most < 40 * 1024 * 1024, `${gateway.memory().most} bytes`);
});

test('a client that reads late and then sends no more of its body gets its 408', async (t) => {
    let flooded = false;
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead();
        // As many as an origin may send: more than a Unix socket holds.
        const one = Buffer.from(`HTTP/1.1 103 Early Hints\r\nLink: <${'l'.repeat(15_000)}>\r\n\r\n`);
        for (let i = 0; i < 30; i++) {
            await new Promise((resolve) => wire.socket.write(one, resolve));
        }
        flooded = true;
    });
    const folder = temporaryFolder(t);
    const gateway = await startGateway(t, through(origin, { more: `
listeners: [{address: "unix:${path.join(folder, 'front')}"}]
timeouts: {body_idle: 1s, response_idle: 20s}` }));
    const client = await connectUnread(t, gateway);
    client.keepsLog = false;
    client.send(`${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 100000')}${'some'.repeat(5000)}`);
    await until('the origin to have said it all', () => flooded);
    client.socket.resume();
    let answer;
    do {
        answer = await client.answer({ deadline: 6000 });
    } while (answer.status === 103);
    assertOwnError(answer, 408);
});

// A connection of which nothing is read before resume(), not even what Node reads ahead.
async function connectUnread(t, gateway) {
    const socket = net.connect({ allowHalfOpen: true, ...gateway.connectOptions }).pause();
    const client = new RawClient(socket);
    defer(t, () => client.destroy());
    await within('a connection', once(socket, 'connect'));
    return client;
}

// A client that reads nothing, behind just so many pages that nothing more can be written to it.
// How many a Unix socket holds is tried out on another one.
async function behindFullSocket(t, gateway) {
    const measure = await connectUnread(t, gateway);
    measure.send(head('GET /page HTTP/1.1', 'Host: a').repeat(30));
    await pause(300);
    const pages = gateway.entries().length;
    const client = await connectUnread(t, gateway);

    client.send(head('GET /page HTTP/1.1', 'Host: a').repeat(pages));
    await gateway.logged(2 * pages);
    return { client, pages };
}

const PAGE = 'p'.repeat(60_000);

test('a broken chunk behind an answer that is whole already does not keep the loop busy', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead(NO_DEADLINE);
        wire.ok('a'.repeat(24_000));
    });
    const folder = temporaryFolder(t);
    const gateway = await startGateway(t, `
listeners: [{address: "unix:${path.join(folder, 'front')}"}]
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: page, match: {path: /page}, respond: {body: ${'p'.repeat(24_000)}}}
  - {name: all, service: app}
timeouts: {response_idle: 20s}
`);
    const { client } = await behindFullSocket(t, gateway);
    client.send(`${head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}8000\r\n${'b'.repeat(0x8000)}\r\n`);
    await pause(200);
    client.send(`nonsense${'n'.repeat(100_000)}`);
    await pause(100);
    assert.ok((await processorTimeDuring(gateway, 300)) < 150, 'the loop turns without reading');
});

test('an answer of the gateway itself that is slowly read is not begun twice', async (t) => {
    const folder = temporaryFolder(t);
    const gateway = await startGateway(t, `
listeners: [{address: "unix:${path.join(folder, 'front')}"}]
routes: [{name: page, respond: {body: ${PAGE}}}]
`);
    const { client, pages } = await behindFullSocket(t, gateway);
    client.send(`${head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}5000\r\n${'b'.repeat(0x5000)}\r\n`);
    await pause(200);
    client.send('1\r\nb\r\n0\r\n\r\n');
    await pause(200);
    client.socket.resume();
    for (let i = 0; i <= pages; i++) {
        assert.equal((await client.answer()).text, PAGE);
    }
    await client.expectClose();
});

for (const [what, rest] of [['half a head', 'GET /next HTTP/1.1\r\nHo'],
    ['half a body', `${head('POST /next HTTP/1.1', 'Host: a', 'Content-Length: 20')}half`],
    ['half a large body', `${head('POST /next HTTP/1.1', 'Host: a', 'Content-Length: 90000')}${'b'.repeat(30000)}`]]) {
    test(`a client that leaves with ${what} behind a request that is answered is gone at once`, async (t) => {
        let answer;
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
            await new Promise((resolve) => (answer = resolve));
            wire.ok('late');
        });
        const gateway = await startGateway(t, (folder) => `${adminIn(folder)}
${through(origin)}`);
        const client = await connect(t, gateway);
        client.send(`${head('POST /first HTTP/1.1', 'Host: a', 'Content-Length: 3')}abc${rest}`);
        await until('the origin to have the first', () => answer);
        client.socket.end();
        // The gateway has read the end by the time that it counts nothing more to read.
        await pause(100);
        answer();
        await until('its connection to be closed', async () =>
            /^turnpike_client_connections 0$/m.test((await ask(gateway, '/metrics')).body), 10_000);
    });
}

test('half a head behind a whole request gets its 408', async (t) => {
    const gateway = await startGateway(t, `
routes: [{name: here, respond: {body: ok}}]
timeouts: {head: 300ms}
`);
    const client = await connect(t, gateway);
    client.send(`${head('GET / HTTP/1.1', 'Host: a')}GET / HT`);
    assert.equal((await client.answer()).text, 'ok');
    assertOwnError(await client.answer(), 408);
});

test('Upgrade passes on where Connection names another field too', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead();
        wire.send(UPGRADES.replace('Connection: Upgrade', 'Connection: Upgrade, X-Hop\r\nX-Hop: 2'));
        wire.send((await wire.take(4)).toString('latin1'));
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(head('GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade, X-Hop', 'X-Hop: 1', 'Upgrade: bytes'));
    const answer = await client.answerHead();
    assert.equal(answer.status, 101);
    assert.equal(answer.get('upgrade'), 'bytes');
    assert.equal(answer.get('x-hop'), undefined);
    assert.equal(origin.heads[0].get('upgrade'), 'bytes');
    assert.equal(origin.heads[0].get('connection'), 'Upgrade');
    assert.equal(origin.heads[0].get('x-hop'), undefined);
    client.send('echo');
    await client.expect('echo');
});

// With what the route adds, a head near its limit is more than the largest buffer takes.
const ADDED = `{add: {X-Much: "${'m'.repeat(26_000)}"}}`;
const adding = (origin, field, service) => `
services: {app: {origins: ["${origin.address}"]${service ? `, ${service}` : ''}}}
routes: [{name: large, match: {headers: {x-large: "yes"}}, service: app, ${field}: ${ADDED}}, {name: all, service: app}]
`;

test('an answer head that no longer fits with what is added becomes 502, not silence', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send(headOfSize(32_740, 'HTTP/1.1 200 OK', 'Content-Length: 2') + 'ok');
    });
    const gateway = await startGateway(t, adding(origin, 'response_headers'));
    const client = await connect(t, gateway);
    assertOwnError(await client.ask(head('GET / HTTP/1.1', 'Host: a', 'X-Large: yes')), 502);
    // The connection stays good.
    assertOwnError(await client.ask(head('GET / HTTP/1.1', 'Host: a', 'X-Large: yes')), 502);
});

test('bytes behind an answer that filled the buffer to its end are never the next answer', async (t) => {
    for (let size = 4096; size <= 4160; size += 8) {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request(NO_DEADLINE);
            const first = `HTTP/1.1 200 OK\r\nContent-Length: ${size - 41}\r\n\r\n`.padEnd(size, 'g');
            wire.send(`${first}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`);
            await wire.request(NO_DEADLINE);
            wire.ok('second');
        });
        const gateway = await startGateway(t, through(origin, { service: 'pool: {max_connections: 1}' }));
        const client = await connect(t, gateway);
        client.send(head('GET /1 HTTP/1.1', 'Host: a') + head('GET /2 HTTP/1.1', 'Host: a'));
        assert.equal((await client.answer()).body.length, size - 41);
        assert.notEqual((await client.answer()).text, 'forged', `after ${size} bytes`);
    }
});

test('a request head that no longer fits with what is added costs no origin connection', async (t) => {
    const origin = await rawOrigin(t, answerAll);
    const gateway = await startGateway(t, adding(origin, 'request_headers'));
    const client = await connect(t, gateway);
    assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a'))).status, 200);
    const other = await connect(t, gateway);
    assertOwnError(await other.ask(headOfSize(32_700, 'GET / HTTP/1.1', 'Host: a', 'X-Large: yes')), 431);
    assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a'))).status, 200);
    assert.equal(origin.wires.length, 1);
});

test('a line of requests whose heads do not fit is answered without growing the stack', async (t) => {
    let release;
    const released = new Promise((resolve) => (release = resolve));
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        await released;
        wire.ok('first');
        await answerAll(wire);
    });
    const gateway = await startGateway(t, adding(origin, 'request_headers', 'pool: {max_connections: 1}'));
    const first = await connect(t, gateway);
    first.send(head('GET / HTTP/1.1', 'Host: a'));
    await until('the origin to be busy', () => origin.heads.length === 1);
    const large = headOfSize(32_700, 'GET / HTTP/1.1', 'Host: a', 'X-Large: yes');
    const others = await Promise.all(Array.from({ length: 400 }, () => connect(t, gateway)));
    others.forEach((client) => client.send(large));
    const last = await connect(t, gateway);
    last.send(head('GET / HTTP/1.1', 'Host: a'));
    await pause(isInstrumented ? 1000 : 300);
    release();
    assert.equal((await first.answer()).text, 'first');
    for (const client of others) {
        assertOwnError(await client.answer(), 431);
    }
    assert.equal((await last.answer()).text, 'ok');
    assert.equal(origin.wires.length, 1);
});
