// SPDX-License-Identifier: BSD-2-Clause
// A split that moves by itself, and back when the new arm does worse.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { request, tally } from './lib/client.mjs';
import { adminIn, askJson, ctlLines, ctlRefused, metricsOf, valueOf } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { ownBinary, served, startsLater } from './lib/upgrade.mjs';
import { patient, until } from './lib/wait.mjs';

// The new arm answers with the status that `manner` holds at the moment.
async function arms(t, manner = { status: 200 }) {
    const old = await httpOrigin(t, { name: 'old' });
    const young = await httpOrigin(t, {
        name: 'new',
        handler: async (asked, response, record) => {
            await record.body();
            response.writeHead(manner.status);
            response.end('new');
        },
    });
    return { old, young };
}

function ramping(state, origins, ramp, split = 'old: 100%, new: 0%') {
    return `
workers: 2
${state ? `state_directory: ${state}` : ''}
services: {old: {origins: ["${origins.old.address}"]}, new: {origins: ["${origins.young.address}"]}}
routes:
  - {name: pay, split: {${split}}${ramp ? `, ramp: {${ramp}}` : ''}}
`;
}

const RAMP = 'steps: [20%, 50%, 100%], hold: 1s, window: 1s, min_samples: 10';

// Requests without pause until stderr says it.
async function busyUntil(gateway, pattern) {
    let over = false;
    const lanes = Array.from({ length: 4 }, async () => {
        while (!over) {
            await request(gateway);
        }
    });
    try {
        return await gateway.said(pattern, patient(30000));
    } finally {
        over = true;
        await Promise.all(lanes);
    }
}

function audit(state) {
    const lines = fs.readFileSync(path.join(state, 'audit.log'), 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line)).filter((entry) => entry.action === 'ramp');
}

test('step by step to the end', async (t) => {
    const state = temporaryFolder(t);
    const gateway = await startGateway(t, ramping(state, await arms(t), RAMP));
    await busyUntil(gateway, /route pay: ramp, done 3 of 3 \(old: 0\.00%, new: 100\.00%\)/);
    assert.deepEqual(await tally(gateway, 20), { new: 20 });
    assert.deepEqual(audit(state).map((entry) => entry.change), ['step 1 of 3', 'step 2 of 3', 'done 3 of 3']);
});

test('an arm that fails loses its traffic, over reloads and a restart', async (t) => {
    const state = temporaryFolder(t);
    const manner = { status: 200 };
    const origins = await arms(t, manner);
    const gateway = await startGateway(t, ramping(state, origins, RAMP));
    await busyUntil(gateway, /route pay: ramp, step 2 of 3/);
    manner.status = 500;
    await busyUntil(gateway, /route pay: the ramp went back: .* requests failed, in the control group 0\.00%/);
    assert.deepEqual(await tally(gateway, 20), { old: 20 });
    const last = audit(state).pop();
    assert.match(last.change, /^breach/);
    assert.match(last.why, /requests failed/);

    manner.status = 200;
    assert.match(await gateway.reload(ramping(state, origins, RAMP, 'old: 50%, new: 50%')), /generation 2/);
    assert.deepEqual(await tally(gateway, 20), { old: 20 });
    assert.match(await gateway.reload(ramping(state, origins, 'steps: [1%, 100%]')), /generation 3/);
    assert.deepEqual(await tally(gateway, 20), { old: 20 });
    await until('the breach to be kept', () => /^pay\tbreached\t/m.test(fs.readFileSync(path.join(state, 'ramps'), 'utf8')));
    await gateway.stop();

    const next = await startGateway(t, ramping(state, origins, RAMP));
    assert.deepEqual(await tally(next, 20), { old: 20 });
});

test('what a ramp does while a new process starts holds there', async (t) => {
    const state = temporaryFolder(t);
    const manner = { status: 200 };
    const origins = await arms(t, manner);
    const gateway = await startGateway(t, (folder) => `${adminIn(folder)}\n${ramping(state, origins, RAMP)}`, { binary: ownBinary });
    const go = startsLater(t, gateway, (real) => `exec '${real}' "$@"`);
    await busyUntil(gateway, /route pay: ramp, step 2 of 3/);
    gateway.signal('SIGUSR2');
    await gateway.said(/upgrade: started/);
    manner.status = 500;
    await busyUntil(gateway, /route pay: the ramp went back/);
    go();
    gateway.pid = Number((await gateway.said(served))[1]);
    await gateway.said(/route pay: its ramp is at step 2 of 3 \(breached\), as the process before left it/);
    assert.equal((await askJson(gateway, '/v1/ramps')).ramps[0].state, 'breached');
    assert.deepEqual(await tally(gateway, 20), { old: 20 });
    await until('the breach to be kept', () => /^pay\tbreached\t/m.test(fs.readFileSync(path.join(state, 'ramps'), 'utf8')));
});

// One client finds a cookie that leads to the new arm, and asks there for what fails.
test('one client does not end a ramp', async (t) => {
    const state = temporaryFolder(t);
    const old = await httpOrigin(t, { name: 'old' });
    let all = 0;
    const young = await httpOrigin(t, {
        name: 'new',
        handler: async (asked, response) => {
            response.writeHead(all || Number(asked.headers['x-wish'] ?? 200));
            response.end('new');
        },
    });
    const ramp = 'steps: [50%], hold: 1h, window: 1s, min_samples: 20';
    const gateway = await startGateway(t, (folder) => `${adminIn(folder)}
${ramping(state, { old, young }, ramp)}    sticky: {cookie: uid}
trusted_proxies: [127.0.0.0/8]
`.replace(/ {2}- \{name: pay, (.*)\}\n {4}sticky/, '  - {name: pay, $1, sticky: {cookie: uid}}\n#'));
    await gateway.said(/route pay: ramp, step 1 of 1/);
    const as = (client, uid, more = {}) => request(gateway, { headers: { 'X-Forwarded-For': client, Cookie: `uid=${uid}`, ...more } });
    let uid = 0;
    while ((await as('192.0.2.1', uid)).body !== 'new') {
        uid++;
    }
    const phase = async () => (await askJson(gateway, '/v1/ramps')).ramps[0].state;
    // Others keep to more than `samples` in every window, however slow this machine is: by turns.
    const round = async (wish, number) => {
        await Promise.all(Array.from({ length: 40 }, (_, i) => as(`198.51.100.${i}`, `user-${number % 3}-${i}`)));
        await Promise.all(Array.from({ length: 40 }, () => as('192.0.2.1', uid, { 'X-Wish': wish })));
    };
    for (const wish of ['501', '505', '500']) {
        for (let i = 0; i < 8; i++) {
            await round(wish, i);
        }
        assert.equal(await phase(), 'moves', wish);
    }
    all = 500;
    await until('the breach', async () => {
        await round('200', 0);
        return await phase() === 'breached';
    }, patient(20000));
});

test('an operator pauses, resumes and aborts', async (t) => {
    const state = temporaryFolder(t);
    const origins = await arms(t);
    const gateway = await startGateway(t, (folder) => `${adminIn(folder)}\n${ramping(state, origins, 'steps: [20%, 50%], hold: 1h')}`);
    const ramp = async () => (await askJson(gateway, '/v1/ramps')).ramps[0];
    await gateway.said(/route pay: ramp, step 1 of 2/);
    assert.equal((await ramp()).state, 'moves');
    assert.deepEqual(await tally(gateway, 20), { old: 16, new: 4 });
    await ctlRefused(gateway, /the ramp of route 'pay' moves its weights\n.*ramp pause/, 'weight', 'pay', 'new=50');
    await ctlLines(gateway, 'ramp', 'pause', 'pay');
    assert.equal((await ramp()).state, 'paused');
    await ctlLines(gateway, 'weight', 'pay', 'new=50');
    assert.deepEqual(await tally(gateway, 20), { old: 10, new: 10 });
    assert.deepEqual([(await ramp()).weight, (await ramp()).weight_by], ['50%', 'operator']);
    assert.deepEqual((await askJson(gateway, '/v1/status')).stopped_ramps, ['route pay: paused at step 1 of 2']);
    await ctlLines(gateway, 'ramp', 'resume', 'pay');
    await until('the step to hold again', async () => (await ramp()).weight === '20%');
    assert.equal((await askJson(gateway, '/v1/status')).stopped_ramps, undefined);
    await ctlLines(gateway, 'ramp', 'abort', 'pay');
    assert.deepEqual(await tally(gateway, 20), { old: 20 });
    await ctlRefused(gateway, /the ramp of route 'pay' is in the state 'aborted'/, 'ramp', 'abort', 'pay');
    assert.equal(valueOf(await metricsOf(gateway), 'turnpike_ramp_phase', { route: 'pay', phase: 'aborted' }), 1);
    await gateway.stop();
    const next = await startGateway(t, ramping(state, origins, 'steps: [20%, 50%], hold: 1h'));
    assert.deepEqual(await tally(next, 20), { old: 20 });
});

test('without a state directory it does not begin', async (t) => {
    const folder = temporaryFolder(t);
    const gateway = await startGateway(t, ramping('', await arms(t), RAMP), { env: { STATE_DIRECTORY: path.join(folder, 'absent') } });
    await gateway.said(/error route pay: its ramp does not move without a state_directory/);
    assert.deepEqual(await tally(gateway, 20), { old: 20 });
});
