// SPDX-License-Identifier: BSD-2-Clause
// Large bodies pass both ways in bounded memory, and a slow receiver holds its sender back.
// TURNPIKE_BODY_MB sets their size (256; 2048 for the figure in the README).
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { isInstrumented, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { PatternCheck, writePattern } from './lib/pattern.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { patient, pause, until, within } from './lib/wait.mjs';

const MIB = 1024 * 1024;
const SIZE = Number(process.env.TURNPIKE_BODY_MB ?? (isInstrumented ? 32 : 256)) * MIB;
const MEMORY = 20 * MIB;
const LONG = patient(60_000);

function assertMemory(gateway) {
    if (!isInstrumented) {
        const { most } = gateway.memory();
        assert.ok(most < MEMORY, `the gateway used ${(most / MIB).toFixed(1)} MiB`);
    }
}

// Uploads SIZE bytes, and gives the answer.
function upload(gateway, headers) {
    const done = new Promise((resolve, reject) => {
        const sent = http.request({ ...gateway.connectOptions, method: 'PUT', path: '/up', agent: false, headers });
        sent.on('error', reject);
        sent.on('response', (answer) => {
            answer.resume();
            answer.on('end', () => resolve(answer));
        });
        writePattern(sent, SIZE).then(() => sent.end(), reject);
    });
    return within('the upload', done, LONG);
}

function download(gateway, path, check) {
    const done = new Promise((resolve, reject) => {
        http.get({ ...gateway.connectOptions, path, agent: false }, (answer) => {
            answer.on('data', (bytes) => check.add(bytes));
            answer.on('error', reject);
            answer.on('end', () => resolve(answer));
        }).on('error', reject);
    });
    return within('the download', done, LONG);
}

// The figure `ask` gives, once it has stopped growing for a while.
async function settled(ask) {
    let last = -1;
    let since = Date.now();
    for (;;) {
        const now = ask();
        if (now !== last) {
            last = now;
            since = Date.now();
        } else if (Date.now() - since > patient(250)) {
            return now;
        }
        await pause(20);
    }
}

test(`uploads of ${SIZE / MIB} MiB`, async (t) => {
    const checks = [];
    const origin = await httpOrigin(t, {
        handler: async (asked, answer) => {
            const check = new PatternCheck();
            checks.push(check);
            for await (const bytes of asked) {
                check.add(bytes);
            }
            answer.end();
        },
    });
    const gateway = await startGateway(t, through(origin));
    for (const [name, headers] of [['with a length', { 'Content-Length': SIZE }], ['chunked', { 'Transfer-Encoding': 'chunked' }]]) {
        await t.test(`${name}, every byte in its place, memory bounded`, async () => {
            const answer = await upload(gateway, headers);
            assert.equal(answer.statusCode, 200);
            const check = checks.at(-1);
            assert.equal(check.count, SIZE);
            assert.equal(check.wrongAt, -1);
            assertMemory(gateway);
        });
    }
});

test(`downloads of ${SIZE / MIB} MiB`, async (t) => {
    const origin = await httpOrigin(t, {
        handler: async (asked, answer) => {
            if (asked.url === '/length') {
                answer.setHeader('Content-Length', SIZE);
            }
            await writePattern(answer, SIZE);
            answer.end();
        },
    });
    const gateway = await startGateway(t, through(origin));
    for (const path of ['/length', '/chunked']) {
        await t.test(`${path}: every byte in its place, memory bounded`, async () => {
            const check = new PatternCheck();
            const answer = await download(gateway, path, check);
            assert.equal(answer.statusCode, 200);
            assert.equal(check.count, SIZE);
            assert.equal(check.wrongAt, -1);
            assertMemory(gateway);
        });
    }
});

const BODY_IDLE = 1000;

test('an origin that does not read stops the client from sending', async (t) => {
    const size = 128 * MIB;
    const check = new PatternCheck();
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead();
        wire.socket.removeAllListeners('data');
        check.add(wire.held);
        wire.socket.pause();
        wire.socket.on('data', (bytes) => {
            check.add(bytes);
            if (check.count === size) {
                wire.ok();
            }
        });
        wire.socket.pause();
    });
    const gateway = await startGateway(t, through(origin, { more: `timeouts: {body_idle: ${BODY_IDLE}ms}` }));
    const client = await connect(t, gateway);
    client.send(head('PUT / HTTP/1.1', 'Host: a', `Content-Length: ${size}`));
    const progress = {};
    writePattern(client.socket, size, progress);
    const stuckAt = await settled(() => progress.sent);
    await pause(BODY_IDLE + 500); // it is the origin that keeps the client waiting
    assert.ok(stuckAt < size / 2, `the client could send ${stuckAt} bytes that were not read`);
    assertMemory(gateway);
    origin.wires[0].socket.resume();
    assert.equal((await client.answer({ deadline: LONG })).status, 200);
    assert.equal(check.wrongAt, -1);
    assertMemory(gateway);
});

test('a client that does not read stops the origin from sending', async (t) => {
    const size = 128 * MIB;
    const progress = {};
    const origin = await httpOrigin(t, {
        handler: async (asked, answer) => {
            answer.setHeader('Content-Length', size);
            await writePattern(answer, size, progress);
            answer.end();
        },
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(head('GET / HTTP/1.1', 'Host: a'));
    await client.answerHead();
    client.socket.removeAllListeners('data');
    client.socket.pause();
    const check = new PatternCheck();
    check.add(client.held);
    const stuckAt = await settled(() => progress.sent);
    assert.ok(stuckAt < size / 2, `the origin could send ${stuckAt} bytes that were not read`);
    assertMemory(gateway);
    client.socket.on('data', (bytes) => check.add(bytes));
    client.socket.resume();
    await until('the rest', () => check.count === size, LONG);
    assert.equal(check.wrongAt, -1);
    assertMemory(gateway);
});

test('64 clients that do not read cost bounded memory together', async (t) => {
    const origin = await httpOrigin(t, {
        handler: async (asked, answer) => {
            answer.setHeader('Content-Length', 16 * MIB);
            await writePattern(answer, 16 * MIB);
            answer.end();
        },
    });
    const gateway = await startGateway(t, through(origin));
    const clients = [];
    for (let i = 0; i < 64; i++) {
        const client = await connect(t, gateway);
        client.socket.removeAllListeners('data');
        client.socket.pause();
        client.send(head('GET / HTTP/1.1', 'Host: a'));
        clients.push(client);
    }
    await until('all of them at the origin', () => origin.requests.length === 64);
    await settled(() => gateway.memory().now);
    assertMemory(gateway);
});

test('what the origin sends at once reaches the client at once', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        for (;;) {
            const said = await until('the next piece', () => origin.next.shift(), LONG);
            wire.send(said === 'end' ? '0\r\n\r\n' : `${said.length.toString(16)}\r\n${said}\r\n`);
            if (said === 'end') {
                return;
            }
        }
    });
    origin.next = [];
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(head('GET /events HTTP/1.1', 'Host: a'));
    await client.answerHead();
    for (const said of ['data: one\n\n', 'data: two\n\n', 'x']) {
        origin.next.push(said);
        await client.expect(`${said.length.toString(16)}\r\n${said}\r\n`);
    }
    origin.next.push('end');
    await client.expect('0\r\n\r\n');
});
