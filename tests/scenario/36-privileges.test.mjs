// SPDX-License-Identifier: BSD-2-Clause
// An unprivileged user after binding, and no core dumps unless asked.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { isInstrumented, startGateway } from './lib/gateway.mjs';

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
