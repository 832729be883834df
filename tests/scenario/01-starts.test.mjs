// SPDX-License-Identifier: BSD-2-Clause
// The binary is there, starts, says where it listens, and stops.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { BINARY, runGateway, startGateway } from './lib/gateway.mjs';
import { connect } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';

const PONG = 'routes: [{name: health, match: {path: /ping}, respond: {status: 200, body: pong}}]';

test('the binary exists', () => {
    fs.accessSync(BINARY, fs.constants.X_OK);
});

test('-t checks a file and exits with 0', async (t) => {
    const result = await runGateway(t, `listeners: [{address: "127.0.0.1:0"}]\n${PONG}\n`, {
        args: (file) => ['-t', '-c', file],
    });
    assert.equal(result.code, 0, result.stderr);
});

test('starts, listens, accepts, and stops on SIGTERM with 0', async (t) => {
    const gateway = await startGateway(t, PONG);
    assert.ok(gateway.port > 0);
    await connect(t, gateway);
    await gateway.stop();
    assert.deepEqual(gateway.exit, { code: 0, signal: null });
});

test('stops on SIGINT with 0', async (t) => {
    const gateway = await startGateway(t, PONG);
    gateway.signal('SIGINT');
    await gateway.exited;
    assert.deepEqual(gateway.exit, { code: 0, signal: null }, gateway.stderr);
});

test('starts as many workers as it is told', async (t) => {
    const gateway = await startGateway(t, `workers: 3\n${PONG}`);
    assert.equal(gateway.workers, 3);
});

test('listens on several addresses, in the order of the file', async (t) => {
    const gateway = await startGateway(t, `
listeners:
  - address: 127.0.0.1:0
  - address: 127.0.0.2:0
${PONG}`);
    assert.deepEqual(gateway.listeners.map((each) => each.configured), ['127.0.0.1:0', '127.0.0.2:0']);
    assert.match(gateway.listeners[0].actual, /^127\.0\.0\.1:/);
    assert.match(gateway.listeners[1].actual, /^127\.0\.0\.2:/);
});

test('an address in use is an error that names it, and exit code 1', async (t) => {
    const holder = await rawOrigin(t);
    const result = await runGateway(t, `access_log: off\nlisteners: [{address: "${holder.address}"}]\n${PONG}\n`);
    assert.equal(result.code, 1, result.stderr);
    assert.match(result.stderr, new RegExp(holder.address.replaceAll('.', '\\.')));
});
