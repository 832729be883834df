// SPDX-License-Identifier: BSD-2-Clause
// An unprivileged user after binding, and no core dumps unless asked.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { isInstrumented, runGateway, startGateway } from './lib/gateway.mjs';

const PONG = 'routes: [{name: all, respond: {status: 200, body: pong}}]';
const isRoot = process.getuid() === 0;

function limitOf(gateway, name) {
    const line = fs.readFileSync(`/proc/${gateway.pid}/limits`, 'utf8').split('\n').find((each) => each.startsWith(name));
    return line.slice(name.length).trim().split(/ +/);
}

test('user: becomes that user, with its groups only', { skip: isRoot ? false : 'needs root' }, async (t) => {
    const gateway = await startGateway(t, `user: nobody\naccess_log: off\n${PONG}`);
    assert.equal((await request(gateway)).body, 'pong');
    const status = fs.readFileSync(`/proc/${gateway.pid}/status`, 'utf8');
    const ids = /^Uid:\s+(.*)$/m.exec(status)[1].split('\t').map(Number);
    assert.ok(ids.every((each) => each !== 0), `${ids}`);
    const groups = [.../^Gid:\s+(.*)$/m.exec(status)[1].split('\t'), .../^Groups:[ \t]*(.*)$/m.exec(status)[1].trim().split(/\s+/)];
    assert.ok(groups.every((each) => each !== '0'), `${groups}`);
    assert.match(status, /^CapEff:\s+0+$/m);
    for (const thread of fs.readdirSync(`/proc/${gateway.pid}/task`)) {
        assert.doesNotMatch(fs.readFileSync(`/proc/${gateway.pid}/task/${thread}/status`, 'utf8'), /^Uid:\s+0/m);
    }
});

test('core dumps are off unless asked for', { skip: isInstrumented && 'under a sanitizer' }, async (t) => {
    const gateway = await startGateway(t, PONG);
    assert.equal(limitOf(gateway, 'Max core file size')[0], '0');
});

// A folder that `nobody` may write to, with a last good file of theirs, and a bad file of root's.
function withLastGood(t, lastGood) {
    const folder = temporaryFolder(t);
    const state = path.join(folder, 'state');
    const kept = path.join(state, 'last-good.yaml');
    fs.chmodSync(folder, 0o711);
    fs.mkdirSync(state, { mode: 0o700 });
    fs.writeFileSync(kept, lastGood(folder), { mode: 0o600 });
    return { folder, state, kept, args: (file) => ['-c', file, '--last-good', '--state-directory', state] };
}

function giveAway(...files) {
    const nobody = 65534;
    files.forEach((file) => fs.chownSync(file, nobody, nobody));
}

const ANY = 'workers: 1\nlisteners: [{address: "127.0.0.1:0"}]\naccess_log: off\n';
const BAD = 'routes: [{respod: {}}]\n';

test('--last-good as root: with a file of another user it is that user', { skip: isRoot ? false : 'needs root' }, async (t) => {
    const { folder, state, kept, args } = withLastGood(t, () => `${ANY}${PONG}`);
    giveAway(state, kept);
    const file = path.join(folder, 'bad.yaml');
    fs.writeFileSync(file, BAD);
    const gateway = await startGateway(t, BAD, { asWritten: true, args: args(file) });
    assert.equal((await request(gateway)).body, 'pong');
    assert.match(gateway.stderr, /last-good\.yaml belongs to user 65534 and not to root/);
    const status = fs.readFileSync(`/proc/${gateway.pid}/status`, 'utf8');
    assert.match(status, /^Uid:\s+65534\s+65534\s+65534\s+65534$/m);
    assert.match(status, /^CapPrm:\s+0+$/m);
});

for (const [what, given] of [['file', ({ kept }) => [kept]], ['folder', ({ state }) => [state]]]) {
    test(`--last-good as root: a ${what} of another user opens nothing as root`, { skip: isRoot ? false : 'needs root' }, async (t) => {
        const parts = withLastGood(t, (folder) => `${ANY}user: root\nadmin: {socket: "${folder}/admin.sock"}\npid_file: ${folder}/pid\n${PONG}`);
        fs.chmodSync(parts.state, 0o755);
        giveAway(...given(parts));
        const result = await runGateway(t, BAD, { args: parts.args });
        assert.equal(result.code, 1, result.stderr);
        assert.ok(!fs.existsSync(path.join(parts.folder, 'admin.sock')));
        assert.ok(!fs.existsSync(path.join(parts.folder, 'pid')));
    });
}

test('--last-good as root: a file that others may write is not taken', { skip: isRoot ? false : 'needs root' }, async (t) => {
    const parts = withLastGood(t, () => `${ANY}${PONG}`);
    fs.chmodSync(parts.kept, 0o666);
    const result = await runGateway(t, BAD, { args: parts.args });
    assert.equal(result.code, 1, result.stderr);
    assert.match(result.stderr, /others than its owner may write it/);
});
