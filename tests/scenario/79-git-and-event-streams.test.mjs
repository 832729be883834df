// SPDX-License-Identifier: BSD-2-Clause
// Real git through the gateway with default settings: push of a large pack which pauses while it is
// made, clone, fetch, shallow clone; and many event streams. contrib/real-clients.sh has more.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { through } from './lib/configs.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { isInstrumented, startGateway } from './lib/gateway.mjs';
import { gitBackend } from './lib/git-backend.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { patient, pause, until } from './lib/wait.mjs';

const run = promisify(execFile);
const MB = 1_000_000;
const SIZE = (isInstrumented ? 20 : 100) * MB;
const PACKING_S = 12; // a large repository takes so long to pack
const STREAMS = 200;

// Programs of git as it calls them, of which one takes its time.
function slowPacker(folder, programs) {
    fs.mkdirSync(folder);
    for (const name of fs.readdirSync(programs)) {
        fs.symlinkSync(path.join(programs, name), path.join(folder, name));
    }
    fs.rmSync(path.join(folder, 'git'));
    fs.writeFileSync(path.join(folder, 'git'),
        `#!/bin/sh\n[ "$1" != pack-objects ] || sleep ${PACKING_S}\nexec ${path.join(programs, 'git')} "$@"\n`, { mode: 0o755 });
    return folder;
}

test('git', async (t) => {
    const folder = temporaryFolder(t);
    const served = path.join(folder, 'served');
    const work = path.join(folder, 'work');
    const settings = ['core.compression=0', 'user.name=A', 'user.email=a@example', 'gc.auto=0', 'init.defaultBranch=main'];
    const env = { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' };
    const git = async (where, words, more = {}) => {
        const options = { cwd: where, env: { ...env, ...more }, timeout: patient(120_000) };
        return (await run('git', [...settings.flatMap((each) => ['-c', each]), ...words], options)).stdout.trim();
    };
    fs.mkdirSync(served);
    await git(served, ['init', '--bare', 'big.git']);
    await git(folder, ['init', 'work']);
    fs.writeFileSync(path.join(work, 'noise'), crypto.randomBytes(SIZE));
    await git(work, ['add', '.']);
    await git(work, ['commit', '-m', 'first']);
    const origin = await httpOrigin(t, { handler: gitBackend(served) });
    const gateway = await startGateway(t, through(origin));
    const url = gateway.url('/big.git');

    await t.test(`push of ${SIZE / MB} MB that is packed for ${PACKING_S} s first`, async () => {
        const programs = slowPacker(path.join(folder, 'programs'), await git(folder, ['--exec-path']));
        await git(work, ['push', url, 'main'], { GIT_EXEC_PATH: programs });
        assert.equal(await git(path.join(served, 'big.git'), ['rev-parse', 'main']), await git(work, ['rev-parse', 'main']));
    });

    await t.test('clone', async () => {
        await git(folder, ['clone', url, 'clone']);
        assert.equal(fs.statSync(path.join(folder, 'clone', 'noise')).size, SIZE);
    });

    await t.test('fetch', async () => {
        for (const name of ['second', 'third']) {
            fs.writeFileSync(path.join(work, name), name);
            await git(work, ['add', '.']);
            await git(work, ['commit', '-m', name]);
        }
        await git(work, ['rm', '-q', 'noise']);
        await git(work, ['commit', '-m', 'last']);
        await git(work, ['push', url, 'main']);
        await git(path.join(folder, 'clone'), ['fetch', 'origin']);
        assert.equal(await git(path.join(folder, 'clone'), ['rev-list', '--count', 'origin/main']), '4');
    });

    await t.test('shallow clone', async () => {
        await git(folder, ['clone', '--depth', '1', url, 'shallow']);
        assert.equal(await git(path.join(folder, 'shallow'), ['rev-list', '--count', 'HEAD']), '1');
    });
});

test(`${STREAMS} event streams`, async (t) => {
    const open = new Set();
    const origin = await httpOrigin(t, {
        handler: (asked, answer) => {
            answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
            answer.write(':hello\n\n');
            open.add(answer);
            answer.on('close', () => open.delete(answer));
        },
    });
    const gateway = await startGateway(t, through(origin));
    const clients = [];
    for (let i = 0; i < STREAMS; i++) {
        const client = await connect(t, gateway);
        client.send(head('GET /events HTTP/1.1', 'Host: a'));
        clients.push(client);
    }
    await until('all streams to be open', () => open.size === STREAMS);
    for (let i = 0; i < 5; i++) {
        open.forEach((answer) => answer.write(`data: ${i}\n\n`));
        await pause(50);
    }
    const count = (client) => client.everything.split('data: ').length - 1;
    await until('every event to be there', () => clients.every((client) => count(client) === 5));
    clients.forEach((client) => client.end());
    await until('the origin to be left by all', () => open.size === 0);
});

// Each client waits in vain, and the origin has done nothing wrong: an event stream says when it began.
test('event streams that are silent for too long do not speak against their origin', async (t) => {
    const silent = (name) => httpOrigin(t, {
        name,
        handler: (asked, answer) => {
            answer.writeHead(200, { 'Content-Type': 'Text/Event-Stream; charset=utf-8' });
            answer.write(':hello\n\n');
        },
    });
    const gateway = await startGateway(t, `
timeouts: {response_idle: 200ms}
services: {app: {origins: ["${(await silent('a')).address}", "${(await silent('b')).address}"]}}
routes: [{name: all, service: app}]
`);
    for (let round = 0; round < 3; round++) {
        const clients = await Promise.all([1, 2, 3, 4].map(() => connect(t, gateway)));
        for (const client of clients) {
            client.send(head('GET /events HTTP/1.1', 'Host: a'));
        }
        await gateway.logged(4 * (round + 1));
    }
    const [entry] = await gateway.logged(12);
    assert.equal(entry['turnpike.outcome'], 'closed-by-timeout');
    assert.match(entry['turnpike.detail'], /event stream was silent for too long/);
    assert.doesNotMatch(gateway.stderr, /ejected/);
});
