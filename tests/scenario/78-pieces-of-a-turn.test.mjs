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
    return valueOf(await metricsOf(gateway), 'turnpike_client_cuts_total', { cause });
}

test('a client that renews its key without end is cut, and holds up nobody', async (t) => {
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
