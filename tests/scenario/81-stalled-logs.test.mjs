// SPDX-License-Identifier: BSD-2-Clause
// A reader of stderr that stalls (a journal, a container's log collector) must not hold up a
// worker, a reload or the stop: lines that stderr does not take are dropped and counted.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { BINARY } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { patient, until, within } from './lib/wait.mjs';

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function ask(socketPath, target) {
    return new Promise((resolve, reject) => {
        http.get({ socketPath, path: target, agent }, (answer) => {
            let body = '';
            answer.on('data', (bytes) => (body += bytes));
            answer.once('end', () => resolve({ status: answer.statusCode, body }));
        }).once('error', reject);
    });
}

// A pipe without a reader, filled to its last byte before the gateway starts when `full`.
function stalledPipe(t, folder) {
    const name = path.join(folder, 'stalled');
    execFileSync('mkfifo', [name]);
    const fd = fs.openSync(name, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    defer(t, () => fs.closeSync(fd));
    return { name, fd };
}

// Fills what the pipe still takes, byte by byte at the end, so that no line fits any more.
function fill(fd) {
    const piece = Buffer.alloc(4096, 'x');
    for (let size = piece.length; size > 0; size = Math.floor(size / 2)) {
        try {
            for (;;) {
                fs.writeSync(fd, piece, 0, size);
            }
        } catch (error) {
            assert.equal(error.code, 'EAGAIN');
        }
    }
}

function isFull(fd) {
    try {
        fs.writeSync(fd, 'x');
        return false;
    } catch (error) {
        return error.code === 'EAGAIN';
    }
}

function drain(fd) {
    const piece = Buffer.alloc(65536);
    let text = '';
    try {
        for (;;) {
            text += piece.toString('utf8', 0, fs.readSync(fd, piece));
        }
    } catch (error) {
        assert.equal(error.code, 'EAGAIN');
    }
    return text;
}

async function startStalled(t, yaml) {
    const folder = temporaryFolder(t);
    const pipe = stalledPipe(t, folder);
    const socket = path.join(folder, 'front');
    const file = path.join(folder, 'turnpike.yaml');
    // The child must not find the pipe non-blocking: a description of its own is not.
    const childEnd = fs.openSync(pipe.name, fs.constants.O_RDWR);
    fs.writeFileSync(file, `workers: 1
listeners: [{address: "unix:${socket}"}]
admin: {socket: "${folder}/admin"}
${yaml(folder)}`);
    const child = spawn(BINARY, ['-c', file], { stdio: ['ignore', 'ignore', childEnd] });
    fs.closeSync(childEnd);
    const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    defer(t, async () => {
        child.kill('SIGKILL');
        await exited;
    });
    let said = '';
    await until('the gateway to be ready', () => /info ready/.test((said += drain(pipe.fd))), patient(10000));
    return { child, exited, socket, admin: path.join(folder, 'admin'), file, folder, pipe };
}

test('a reader of stderr that stalls holds up no request, no reload and no stop', async (t) => {
    const origin = await httpOrigin(t, {
        handler: (asked, answer) => (asked.url === '/bad' ? asked.socket.destroy() : answer.end('fine')),
    });
    const gateway = await startStalled(t, () => `
access_log: stderr
services:
  app: {origins: ["${origin.address}"]}
  dead: {origins: ["127.0.0.1:1", "127.0.0.2:1"], health: {consecutive_failures: 1, ejection_time: 1s}}
routes:
  - {name: dead, match: {path: /dead}, service: dead}
  - {name: main, match: {path_prefix: /}, service: app}
`);
    fill(gateway.pipe.fd);
    // The worker itself logs that origins are ejected; the main thread logs the reload.
    for (let i = 0; i < 20; i++) {
        assert.equal((await within('an answer for /dead', ask(gateway.socket, '/dead'))).status, 502);
    }
    gateway.child.kill('SIGHUP');
    for (let i = 0; i < 300; i++) {
        assert.equal((await within(`answer ${i}`, ask(gateway.socket, '/ok'))).body, 'fine');
    }
    await until('the reload to be through', async () =>
        /turnpike_config_generation 2/.test((await ask(gateway.admin, '/metrics')).body), patient(10000));
    for (let i = 0; i < 600; i++) {
        gateway.child.kill('SIGHUP');
        await ask(gateway.socket, '/ok');
    }
    await until('dropped lines to be counted', async () =>
        /turnpike_process_log_dropped_total [1-9]/.test((await ask(gateway.admin, '/metrics')).body), patient(20000));

    await t.test('the log goes on once stderr is read again, and says what was lost', async () => {
        let said = '';
        await until('the line', () => /process log: [0-9]+ lines were dropped/.test((said += drain(gateway.pipe.fd))), patient(10000));
    });

    await t.test('SIGTERM ends the process although stderr is full again', async () => {
        fill(gateway.pipe.fd);
        gateway.child.kill('SIGTERM');
        assert.deepEqual(await within('the process to end', gateway.exited, patient(20000)), { code: 0, signal: null });
    });
});

test('SIGUSR1 frees a writer of the access log that is stuck in a pipe', async (t) => {
    const origin = await httpOrigin(t, { name: 'app' });
    let end;
    const gateway = await startStalled(t, (folder) => {
        execFileSync('mkfifo', [path.join(folder, 'access.log')]);
        end = fs.openSync(path.join(folder, 'access.log'), fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
        defer(t, () => fs.closeSync(end));
        fill(end);
        fs.readSync(end, Buffer.alloc(8192));
        return `
access_log: ${folder}/access.log
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: main, match: {path_prefix: /}, service: app}]
`;
    });
    const log = path.join(gateway.folder, 'access.log');
    for (let i = 0; i < 40; i++) {
        await ask(gateway.socket, '/first');
    }
    await until('the pipe to be full', () => isFull(end));
    fs.renameSync(log, `${log}.1`);
    await ask(gateway.socket, '/second');
    gateway.child.kill('SIGUSR1');
    await until('the new file to have the lines', () =>
        fs.existsSync(log) && /"\/second"/.test(fs.readFileSync(log, 'utf8')), patient(10000));
});
