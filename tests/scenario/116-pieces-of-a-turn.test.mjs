// SPDX-License-Identifier: BSD-2-Clause
// One connection has a piece of a worker's turn and no more (doc/LIMITS-OF-A-TURN.md), whatever its
// other side sends; and what brings nothing is cut. The other sides misbehave by hand: no real
// program does.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { adminIn, askJson, metricsOf, valueOf } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { authority, certificateList, secureRequest } from './lib/tls.mjs';
import { within } from './lib/wait.mjs';

const SOURCE = path.join(import.meta.dirname, '../peers/tls_flood.c');

function floodProgram(t) {
    const program = path.join(temporaryFolder(t, 'turnpike-peer-'), 'tls_flood');
    execFileSync('cc', ['-O2', '-o', program, SOURCE, '-lssl', '-lcrypto']);
    return program;
}

// Runs it; lines: what it says.
function run(t, program, ...words) {
    const child = spawn(program, words.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    defer(t, () => child.kill('SIGKILL'));
    return { child, line: async () => (await within('a line of the peer', lines.next())).value };
}

async function cutsOf(gateway, cause) {
    return valueOf(await metricsOf(gateway), 'turnpike_client_forced_closes_total', { cause });
}

test('a client that renews its key without end is cut, and delays no other', async (t) => {
    const program = floodProgram(t);
    const ca = await authority(t);
    const own = await ca.issue();
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, (folder) => `
workers: 1
listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}]
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: all, service: app}]
${adminIn(folder)}
`);
    const sent = await run(t, program, 'client', gateway.port, 'keys', 300_000).line();
    assert.ok(Number(sent) < 300_000, `the connection was cut, after ${sent}`);
    assert.equal((await secureRequest(gateway, { ca: ca.cert })).status, 200);
    assert.equal(await cutsOf(gateway, 'empty-records'), 1);
    assert.equal((await askJson(gateway, '/v1/tls')).failures.alert_flood, 1);
});

test('a body in records of one byte arrives', async (t) => {
    const program = floodProgram(t);
    const ca = await authority(t);
    const own = await ca.issue();
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, (folder) => `
listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}]
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: all, service: app}]
${adminIn(folder)}
`);
    assert.equal(await run(t, program, 'client', gateway.port, 'bytes', 20_000).line(), '20000');
    assert.equal(origin.requests.at(-1).text.length, 20_000);
    assert.equal(await cutsOf(gateway, 'empty-records'), 0);
});

for (const kind of ['tickets', 'keys']) {
    test(`an origin that sends ${kind} without end is given up`, async (t) => {
        const program = floodProgram(t);
        const ca = await authority(t);
        const own = await ca.issue({ names: ['IP:127.0.0.1'] });
        const origin = run(t, program, 'server', own.cert, own.key, kind, 100_000);
        const gateway = await startGateway(t, `
workers: 1
services: {app: {origins: ["127.0.0.1:${await origin.line()}"], tls: {ca: ${ca.cert}}}}
routes: [{name: all, service: app}]
`);
        const client = await connect(t, gateway);
        assertOwnError(await client.ask(head('GET / HTTP/1.1', 'Host: a')), 502, 'tls_protocol_error');
        const sent = await origin.line();
        assert.ok(Number(sent) < 100_000, `the connection was closed, after ${sent}`);
        gateway.signal('SIGTERM');
        await gateway.exited;
    });
}

// Handed on one by one, each would cost a system call and a packet.
test('chunks of a byte are handed on together, both ways', async (t) => {
    const COUNT = 5000;
    const chunks = `${'1\r\nx\r\n'.repeat(COUNT)}0\r\n\r\n`;
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead();
        await wire.waitFor('the end of the request', () => wire.everything.endsWith('0\r\n\r\n'));
        wire.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
    });
    const gateway = await startGateway(t, `
limits: {request_buffer: 0B}
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: all, service: app}]
`);
    const client = await connect(t, gateway);
    const answer = await client.ask(head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked') + chunks);
    assert.equal(answer.body.toString(), 'x'.repeat(COUNT));
    for (const [who, wire] of [['the origin', origin.wires[0]], ['the client', client]]) {
        const bytes = wire.everything.length;
        assert.ok(bytes < 1.5 * COUNT, `${who} got ${bytes} bytes for ${COUNT} of data`);
    }
});

test('many pipelined requests are answered, each once and in order', async (t) => {
    const gateway = await startGateway(t, `
routes:
  - {name: one, match: {path: /one}, respond: {body: "one"}}
  - {name: other, respond: {body: "other"}}
`);
    const client = await connect(t, gateway);
    const both = head('GET /one HTTP/1.1', 'Host: a') + head('GET / HTTP/1.1', 'Host: a');
    client.send(both.repeat(2000));
    for (let i = 0; i < 2000; i++) {
        assert.equal((await client.answer()).body.toString(), 'one');
        assert.equal((await client.answer()).body.toString(), 'other');
    }
});

test('an origin that goes on with interim answers is given up, one that says a few is not', async (t) => {
    const early = 'HTTP/1.1 103 Early Hints\r\n\r\n';
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            const { target } = await wire.request(3_600_000);
            wire.send(early.repeat(target === '/flood' ? 2000 : 20));
            wire.ok('at last');
        }
    });
    const gateway = await startGateway(t, `
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: all, service: app}]
`);
    const few = await connect(t, gateway);
    few.send(head('GET / HTTP/1.1', 'Host: a'));
    await few.waitFor('the answer', () => few.everything.includes('at last'));
    assert.equal(few.everything.split('103 Early').length - 1, 20);
    const flood = await connect(t, gateway);
    flood.send(head('GET /flood HTTP/1.1', 'Host: a'));
    await flood.waitFor('an answer', () => flood.everything.includes('HTTP/1.1 502'));
    assert.match(flood.everything, /http_protocol_error/);
    assert.ok(flood.everything.split('103 Early').length < 100);
});
