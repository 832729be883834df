// SPDX-License-Identifier: BSD-2-Clause
// A request that must not be done twice stays with the arm that saw its key first.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { adminIn, ctlLines, metricsOf, valueOf } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { linuxOnly } from './lib/linux-only.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { until } from './lib/wait.mjs';

async function arms(t) {
    return Promise.all(['old', 'new'].map((name) => httpOrigin(t, { name })));
}

function splitting(origins, weights, more = '') {
    return `
workers: 2
services: {old: {origins: ["${origins[0].address}"]}, new: {origins: ["${origins[1].address}"]}}
routes:
  - {name: pay, split: {old: ${weights[0]}%, new: ${weights[1]}%}${more}}
`;
}

async function pay(gateway, key, { name = 'Idempotency-Key', method = 'POST', headers = {} } = {}) {
    const answer = await request(gateway, { method, headers: { [name]: key, ...headers }, body: 'amount=1' });
    return answer.body;
}

test('after a change of weights, and after the way back', async (t) => {
    const origins = await arms(t);
    const gateway = await startGateway(t, splitting(origins, [100, 0]));
    for (let i = 0; i < 20; i++) {
        assert.equal(await pay(gateway, `first-${i}`), 'old');
    }
    await gateway.reload(splitting(origins, [0, 100]));
    for (let i = 0; i < 20; i++) {
        assert.equal(await pay(gateway, `first-${i}`), 'old');
        assert.equal(await pay(gateway, `second-${i}`), 'new');
    }
    await gateway.reload(splitting(origins, [100, 0]));
    for (let i = 0; i < 20; i++) {
        assert.equal(await pay(gateway, `second-${i}`), 'new');
    }
    const by = (await gateway.logged(80)).map((entry) => entry['turnpike.arm_by']);
    assert.equal(by.filter((reason) => reason === 'pin').length, 40);
});

test('after a change of the salt, which deals all users anew', async (t) => {
    const origins = await arms(t);
    const gateway = await startGateway(t, splitting(origins, [100, 0], ', salt: spring, sticky: {cookie: uid}'));
    for (let i = 0; i < 20; i++) {
        assert.equal(await pay(gateway, `k-${i}`, { headers: { Cookie: `uid=${i}` } }), 'old');
    }
    for (const more of [', salt: autumn, sticky: {cookie: uid}', '']) {
        await gateway.reload(splitting(origins, [0, 100], more));
        for (let i = 0; i < 20; i++) {
            assert.equal(await pay(gateway, `k-${i}`, { headers: { Cookie: `uid=${i}` } }), 'old');
        }
    }
});

test('after weights were set at run time; /metrics counts', async (t) => {
    const origins = await arms(t);
    const gateway = await startGateway(t, (folder) => `${adminIn(folder)}\n${splitting(origins, [100, 0])}`);
    assert.equal(await pay(gateway, 'k'), 'old');
    await ctlLines(gateway, 'weight', 'pay', 'new=100');
    assert.equal(await pay(gateway, 'k'), 'old');
    assert.equal(await pay(gateway, 'l'), 'new');
    await ctlLines(gateway, 'weight', 'pay', 'new=0');
    assert.equal(await pay(gateway, 'l'), 'new');
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_pins_created_total'), 2);
    assert.equal(valueOf(metrics, 'turnpike_pins_hit_total'), 2);
    assert.equal(valueOf(metrics, 'turnpike_pins_diverted_total'), 2);
    assert.equal(valueOf(metrics, 'turnpike_pins_evicted_total'), 0);
    assert.equal(valueOf(metrics, 'turnpike_split_weight_ratio', { route: 'pay', service: 'old' }), 1);
});

test('also where user and tester would go elsewhere by now', async (t) => {
    const origins = await arms(t);
    const gateway = await startGateway(t, splitting(origins, [100, 0], ', sticky: {cookie: uid}, override: {header: X-Arm}'));
    assert.equal(await pay(gateway, 'k', { headers: { Cookie: 'uid=1' } }), 'old');
    assert.equal(await pay(gateway, 'k', { headers: { Cookie: 'uid=2', 'X-Arm': 'new' } }), 'old');
    assert.equal(await pay(gateway, 'l', { headers: { 'X-Arm': 'new' } }), 'new');
    assert.equal(await pay(gateway, 'l'), 'new');
});

test('quotes are not part of a key, and other headers may carry it', async (t) => {
    const origins = await arms(t);
    const more = ', pin: {headers: [Idempotency-Key, PayPal-Request-Id]}';
    const gateway = await startGateway(t, splitting(origins, [100, 0], more));
    assert.equal(await pay(gateway, '"quoted"'), 'old');
    assert.equal(await pay(gateway, 'order-1', { name: 'PayPal-Request-Id' }), 'old');
    await gateway.reload(splitting(origins, [0, 100], more));
    assert.equal(await pay(gateway, 'quoted'), 'old');
    assert.equal(await pay(gateway, 'order-1', { name: 'PayPal-Request-Id' }), 'old');
    assert.equal(await pay(gateway, 'order-2', { name: 'PayPal-Request-Id' }), 'new');
});

test('for every method, but not where the route says so', async (t) => {
    const origins = await arms(t);
    const gateway = await startGateway(t, splitting(origins, [100, 0]));
    assert.equal(await pay(gateway, 'k', { method: 'GET' }), 'old');
    await gateway.reload(splitting(origins, [0, 100]));
    assert.equal(await pay(gateway, 'k'), 'old');
    assert.equal(await pay(gateway, 'k', { method: 'GET' }), 'old');
    await gateway.reload(splitting(origins, [0, 100], ', pin: {lifetime: none}'));
    assert.equal(await pay(gateway, 'k'), 'new');
});

test('a key that comes twice at once comes to one arm', async (t) => {
    const origins = await arms(t);
    const gateway = await startGateway(t, splitting(origins, [50, 50]));
    const seen = new Set();
    for (let i = 0; i < 20; i++) {
        const both = await Promise.all([pay(gateway, `twin-${i}`), pay(gateway, `twin-${i}`)]);
        assert.equal(both[0], both[1]);
        seen.add(both[0]);
    }
    assert.deepEqual([...seen].sort(), ['new', 'old']);
});

test('over a restart, with a state directory', async (t) => {
    const origins = await arms(t);
    const state = temporaryFolder(t);
    const config = (weights) => `state_directory: ${state}\n${splitting(origins, weights)}`;
    const first = await startGateway(t, config([100, 0]));
    assert.equal(await pay(first, 'k'), 'old');
    await first.stop();
    const second = await startGateway(t, config([0, 100]));
    assert.equal(await pay(second, 'k'), 'old');
    assert.equal(await pay(second, 'l'), 'new');
});

// How many stand in the file: words that are not zero. Most pages are empty.
const EMPTY = Buffer.alloc(4096);
function pinsIn(file) {
    const table = fs.existsSync(file) ? fs.readFileSync(file) : EMPTY;
    let count = 0;
    for (let page = 0; page + 4096 <= table.length; page += 4096) {
        if (!table.subarray(page, page + 4096).equals(EMPTY)) {
            for (let at = page; at < page + 4096; at += 8) {
                count += table.readBigUInt64LE(at) !== 0n;
            }
        }
    }
    return count;
}

test('over a crash, but for the last second', async (t) => {
    const origins = await arms(t);
    const state = temporaryFolder(t);
    const pins = path.join(state, 'pins');
    const config = (weights) => `state_directory: ${state}\n${splitting(origins, weights)}`;
    const first = await startGateway(t, config([100, 0]));
    assert.equal(await pay(first, 'k'), 'old');
    await until('the pin to be kept', () => pinsIn(pins) === 1);
    assert.equal(await pay(first, 'm'), 'old');
    await until('the other one to be kept', () => pinsIn(pins) === 2);
    const secret = path.join(state, 'pin-secret');
    const text = fs.readFileSync(secret, 'utf8');
    assert.match(text, /^turnpike-pins-1 [0-9a-f]{32}\n$/);
    assert.equal(fs.statSync(secret).mode & 0o777, 0o600);
    await first.crash();
    const second = await startGateway(t, config([0, 100]));
    assert.equal(await pay(second, 'k'), 'old');
    assert.equal(await pay(second, 'm'), 'old');
    assert.equal(await pay(second, 'l'), 'new');
    assert.equal(fs.readFileSync(secret, 'utf8'), text);
    await second.stop();

    fs.rmSync(secret); // without it the table means nothing, and is not taken for another
    const third = await startGateway(t, config([0, 100]));
    await third.said(/arms of idempotency keys are of another version/);
    assert.equal(await pay(third, 'k'), 'new');
    await until('a new secret', () => fs.existsSync(secret));
    assert.notEqual(fs.readFileSync(secret, 'utf8'), text);
});

test('a file that is gone or of another size is made anew', async (t) => {
    const origins = await arms(t);
    const state = temporaryFolder(t);
    const pins = path.join(state, 'pins');
    fs.writeFileSync(pins, 'another');
    const config = (weights) => `state_directory: ${state}\n${splitting(origins, weights)}`;
    const first = await startGateway(t, config([100, 0]));
    await first.said(/arms of idempotency keys are of another version/);
    assert.equal(await pay(first, 'k'), 'old');
    await until('the pin to be kept', () => pinsIn(pins) === 1);
    fs.rmSync(pins);
    let more = 0;
    await until('all pins to be kept again', async () => {
        assert.equal(await pay(first, `more-${more++}`), 'old');
        return pinsIn(pins) > 1;
    });
    await first.crash();
    const second = await startGateway(t, config([0, 100]));
    assert.equal(await pay(second, 'k'), 'old');
});

// The old process still serves whom it has: what either of them sees first, the other keeps to.
test(...linuxOnly('both processes of an upgrade have the same keys'), async (t) => {
    const origins = await arms(t);
    const gateway = await startGateway(t, splitting(origins, [100, 0]));
    const client = await connect(t, gateway);
    client.send(`${head('POST / HTTP/1.1', 'Host: a', 'Idempotency-Key: late', 'Content-Length: 2')}x`);
    gateway.rewrite(splitting(origins, [0, 100]));
    await gateway.upgrade();
    client.send('x'); // only now its arm is chosen, by the process that leaves
    assert.equal((await client.answer()).body.toString(), 'old');
    assert.equal(await pay(gateway, 'late'), 'old');
    assert.equal(await pay(gateway, 'other'), 'new');
});

test('with a new binary', async (t) => {
    const origins = await arms(t);
    const state = temporaryFolder(t);
    const config = (weights) => `state_directory: ${state}\n${splitting(origins, weights)}`;
    const gateway = await startGateway(t, config([100, 0]));
    assert.equal(await pay(gateway, 'k'), 'old');
    gateway.rewrite(config([0, 100]));
    await gateway.upgrade();
    assert.equal(await pay(gateway, 'k'), 'old');
    assert.equal(await pay(gateway, 'l'), 'new');
});
