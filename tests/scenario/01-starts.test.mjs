// SPDX-License-Identifier: BSD-2-Clause
// The binary is there, starts, says where it listens, and stops.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from './lib/folder.mjs';
import { BINARY, runGateway, startGateway } from './lib/gateway.mjs';
import { linuxOnly } from './lib/linux-only.mjs';
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

// The kernel would give each of the two a part of the connections (SO_REUSEPORT).
test(...linuxOnly('a second process on the same port does not start, unless both say that they share it'), async (t) => {
    const first = await startGateway(t, PONG);
    const same = (more) => `access_log: off\nworkers: 1\nlisteners: [{address: "127.0.0.1:${first.port}"}]\n${more}${PONG}\n`;
    const refused = await runGateway(t, same(''));
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${first.port}: Address already in use \\(another process listens there`));
    assert.match(refused.stderr, /reuse_port: shared/);
    const wide = await runGateway(t, same('').replace('127.0.0.1:', '0.0.0.0:'));
    assert.equal(wide.code, 1, wide.stderr);
    const second = await startGateway(t, same('reuse_port: shared\n'), { asWritten: true });
    assert.equal(second.port, first.port);
});

test('a second process on the port of the metrics does not start', async (t) => {
    const first = await startGateway(t, `admin: {socket: off, metrics: "127.0.0.1:0"}\n${PONG}`);
    const [, port] = /metrics at 127\.0\.0\.1:([0-9]+)/.exec(first.stderr);
    const second = await runGateway(t, `access_log: off\nlisteners: [{address: "127.0.0.1:0"}]\nadmin: {socket: off, metrics: "127.0.0.1:${port}"}\n${PONG}\n`);
    assert.equal(second.code, 1, second.stderr);
    assert.match(second.stderr, /admin\.metrics\): Address already in use/);
});

test(...linuxOnly('one process may listen on all addresses of a port and on one of them, also by a reload'), async (t) => {
    const holder = await startGateway(t, PONG);
    const { port } = holder;
    await holder.stop();
    const listeners = (...hosts) => `listeners: [${hosts.map((host) => `{address: "${host}:${port}"}`).join(', ')}]\n${PONG}`;
    const gateway = await startGateway(t, listeners('0.0.0.0', '127.0.0.1'));
    assert.equal(gateway.listeners.length, 2);
    assert.match(await gateway.reload(listeners('0.0.0.0')), /info reload/);
    assert.match(await gateway.reload(listeners('0.0.0.0', '127.0.0.2')), /info reload/);
    assert.match(await gateway.reload(listeners('127.0.0.1')), /info reload/);
});

test('a reload that adds the port of another process fails', async (t) => {
    const first = await startGateway(t, PONG);
    const second = await startGateway(t, PONG);
    const failed = await second.reload(`listeners: [{address: "127.0.0.1:${first.port}"}]\n${PONG}`);
    assert.match(failed, /failed/);
    await second.said(/Address already in use \(another process listens there/);
});

// The user has no other process than this one: it may have a second thread, and no third.
test('without threads to be had it says that, and ends', { skip: process.getuid() !== 0 && 'needs root' }, async (t) => {
    const folder = temporaryFolder(t);
    const [file, binary] = ['turnpike.yaml', 'turnpike'].map((name) => path.join(folder, name));
    fs.chmodSync(folder, 0o755);
    fs.writeFileSync(file, `workers: 1\nlisteners: [{address: "127.0.0.1:0"}]\naccess_log: stderr\nadmin: {socket: off}\n${PONG}\n`);
    fs.copyFileSync(BINARY, binary);
    const wrap = ['setpriv', '--reuid', '54321', '--clear-groups', 'prlimit', '--nproc=2:2'];
    const result = await runGateway(t, '', { wrap, binary, args: () => ['-c', file] });
    assert.equal(result.code, 1, result.stderr);
    assert.match(result.stderr, /cannot start the thread of .*limit of threads is reached/);
    assert.doesNotMatch(result.stderr, /cannot open the access log/);
});
