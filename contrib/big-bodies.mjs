// SPDX-License-Identifier: BSD-2-Clause
// Large bodies both ways while a WebSocket echoes; started by contrib/big-bodies.sh, which says
// what it checks. Prints a line for each body, and what the gateway used in all.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { through } from '../tests/scenario/lib/configs.mjs';
import { temporaryFolder } from '../tests/scenario/lib/folder.mjs';
import { isInstrumented, startGateway } from '../tests/scenario/lib/gateway.mjs';
import { nginxOrigin } from '../tests/scenario/lib/nginx-origin.mjs';
import { httpOrigin } from '../tests/scenario/lib/origin.mjs';
import { PatternCheck, writePattern } from '../tests/scenario/lib/pattern.mjs';
import { pause, within } from '../tests/scenario/lib/wait.mjs';
import { echoWebSockets, openWebSocket } from '../tests/scenario/lib/websocket.mjs';

const MIB = 1024 * 1024;
const SIZE = Number(process.env.MEGABYTES) * MIB;
const HOLD_MS = Number(process.env.MINUTES) * 60_000;
const MEMORY = 20_000_000;
const BODY_MS = 900_000; // far more than any machine takes
const BETWEEN_MESSAGES_MS = 50;

async function bodiesOrigin(t) {
    const checks = [];
    const origin = await httpOrigin(t, {
        handler: async (asked, answer) => {
            if (asked.method === 'PUT') {
                const check = new PatternCheck();
                checks.push(check);
                for await (const bytes of asked) {
                    check.add(bytes);
                }
                answer.end(String(check.count));
                return;
            }
            answer.writeHead(200, asked.url === '/length' ? { 'Content-Length': SIZE } : {});
            await writePattern(answer, SIZE);
            answer.end();
        },
    });
    echoWebSockets(origin.server);
    return { origin, checks };
}

function assertWhole(check) {
    assert.equal(check.wrongAt, -1, `wrong from byte ${check.wrongAt}`);
    assert.equal(check.count, SIZE);
}

async function upload(gateway, checks, headers) {
    await within('the upload', new Promise((resolve, reject) => {
        const sent = http.request({ ...gateway.connectOptions, method: 'PUT', path: '/up', agent: false, headers });
        sent.on('error', reject);
        sent.on('response', (answer) => {
            answer.resume();
            answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`))));
        });
        writePattern(sent, SIZE).then(() => sent.end(), reject);
    }), BODY_MS);
    assertWhole(checks.at(-1));
}

async function download(gateway, target) {
    const check = new PatternCheck();
    const headers = await within('the download', new Promise((resolve, reject) => {
        http.get({ ...gateway.connectOptions, path: target, agent: false }, (answer) => {
            answer.on('data', (bytes) => check.add(bytes));
            answer.on('error', reject);
            answer.on('end', () => resolve(answer.headers));
        }).on('error', reject);
    }), BODY_MS);
    assertWhole(check);
    return headers;
}

// Echoes until `isOver`, and gives how many messages came back and the longest wait for one.
async function keepEchoing(socket, isOver) {
    const result = { messages: 0, slowest: 0 };
    while (!isOver()) {
        const text = `message ${result.messages} ${'x'.repeat(result.messages % 300)}`;
        const began = Date.now();
        assert.equal(await socket.echo(text), text);
        result.slowest = Math.max(result.slowest, Date.now() - began);
        result.messages++;
        await pause(BETWEEN_MESSAGES_MS);
    }
    return result;
}

// A body that passes, and a line with its rate and the most memory the gateway had so far.
async function measured(name, gateway, pass) {
    const began = Date.now();
    const result = await pass();
    const seconds = (Date.now() - began) / 1000;
    const { most } = gateway.memory();
    console.log(`${name}: ${SIZE / MIB} MiB in ${seconds.toFixed(1)} s, at most ${(most / 1e6).toFixed(1)} MB resident`);
    assert.ok(most < MEMORY, `the gateway used ${(most / 1e6).toFixed(1)} MB`);
    return result;
}

test('large bodies in little memory, while a WebSocket echoes', async (t) => {
    assert.ok(!isInstrumented, 'memory of a binary with sanitizers says nothing');
    const { origin, checks } = await bodiesOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const began = Date.now();
    let bodiesAreOver = false;
    const socket = await openWebSocket(t, gateway, '/echo');
    const echoing = keepEchoing(socket, () => bodiesAreOver && Date.now() - began >= HOLD_MS);
    echoing.catch(() => {}); // it is awaited below

    try {
        await measured('upload with a length', gateway, () => upload(gateway, checks, { 'Content-Length': SIZE }));
        await measured('upload chunked', gateway, () => upload(gateway, checks, { 'Transfer-Encoding': 'chunked' }));
        const known = await measured('download with a length', gateway, () => download(gateway, '/length'));
        assert.equal(known['content-length'], String(SIZE));
        const unknown = await measured('download chunked', gateway, () => download(gateway, '/chunked'));
        assert.equal(unknown['transfer-encoding'], 'chunked');
    } finally {
        bodiesAreOver = true;
    }
    const { messages, slowest } = await echoing;
    await socket.close();
    const { most } = gateway.memory();
    console.log(`WebSocket: ${messages} messages in ${((Date.now() - began) / 1000).toFixed(0)} s, the slowest took ${slowest} ms`);
    console.log(`the gateway used at most ${(most / 1e6).toFixed(1)} MB`);
    assert.ok(most < MEMORY);
});

// Runs curl for as long as it takes; gives what it says about the transfer.
async function curlToNowhere(url) {
    const { stdout } = await promisify(execFile)('curl', ['--disable', '--silent', '--show-error', '--fail',
        '--noproxy', '*', '--max-time', String(BODY_MS / 1000), '--output', '/dev/null',
        '--write-out', '%{http_code} %{size_download}', url]);
    return stdout;
}

test('a large file from nginx to curl', async (t) => {
    const folder = temporaryFolder(t);
    const file = path.join(folder, 'big');
    fs.writeFileSync(file, '');
    fs.truncateSync(file, SIZE); // one hole: takes no room on the disk
    const nginx = await nginxOrigin(t, { locations: `location /big { root ${folder}; }` });
    const gateway = await startGateway(t, through(nginx));
    const said = await measured('download from nginx', gateway, () => curlToNowhere(gateway.url('/big')));
    assert.equal(said, `200 ${SIZE}`);
});
