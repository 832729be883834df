// SPDX-License-Identifier: BSD-2-Clause
// Users who stay with their arm, wherever and whenever they ask; overrides.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { request, tally } from './lib/client.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';

async function arms(t, names = ['old', 'new']) {
    return Promise.all(names.map((name) => httpOrigin(t, { name })));
}

function splitting(origins, weights, more) {
    const services = origins.map((origin) => `  ${origin.name}: {origins: ["${origin.address}"]}`).join('\n');
    const split = origins.map((origin, i) => `${origin.name}: ${weights[i]}%`).join(', ');
    return `
workers: 2
services:
${services}
routes:
  - {name: all, split: {${split}}, ${more}}
`;
}

const STICKY = 'salt: spring, sticky: [cookie: uid, header: X-User, query: user, client_address]';

// Worked out by another program, with this salt and these services.
const BUCKETS = { 7: 4169, alice: 2804, 'user-42': 4804, 'a-much-longer-name-of-a-user@example.com': 1666 };

async function armOf(gateway, options) {
    return (await request(gateway, options)).body;
}

test('a user gets the arm that the arithmetic says, by cookie, header or query alike', async (t) => {
    const gateway = await startGateway(t, splitting(await arms(t), [70, 30], STICKY));
    for (const [user, bucket] of Object.entries(BUCKETS)) {
        const expected = bucket < 3000 ? 'new' : 'old';
        for (let i = 0; i < 3; i++) { // connections of their own: of either worker
            assert.equal(await armOf(gateway, { headers: { Cookie: `a=b; uid=${user}; c=d` } }), expected);
            assert.equal(await armOf(gateway, { headers: { 'X-User': user } }), expected);
            assert.equal(await armOf(gateway, { path: `/?x=1&user=${user}` }), expected);
        }
    }
    const entries = await gateway.logged(Object.keys(BUCKETS).length * 9);
    assert.ok(entries.every((entry) => entry['turnpike.arm_by'] === 'user'));
    assert.deepEqual(new Set(entries.map((entry) => entry['turnpike.bucket'])), new Set(Object.values(BUCKETS)));
});

test('the first source that is there counts', async (t) => {
    const gateway = await startGateway(t, splitting(await arms(t), [70, 30], STICKY));
    const ask = (headers, path = '/') => armOf(gateway, { headers, path });
    assert.equal(await ask({ Cookie: 'uid=alice', 'X-User': '7' }, '/?user=7'), 'new');
    assert.equal(await ask({ Cookie: 'uid=', 'X-User': 'alice' }, '/?user=7'), 'new');
    assert.equal(await ask({ Cookie: 'xuid=7', 'X-User': '7' }, '/?user=alice'), 'old');
    assert.equal(await ask({}, '/?user=alice'), 'new');
    assert.equal(await ask({}, '/?user=7'), 'old');
});

test('without any of them the address of the client decides', async (t) => {
    const gateway = await startGateway(t, `trusted_proxies: [127.0.0.0/8]\n${splitting(await arms(t), [70, 30], STICKY)}`);
    const from = (address) => armOf(gateway, { headers: { 'X-Forwarded-For': address } });
    assert.equal(await from('192.0.2.1'), 'new'); // 1344
    const seen = new Set();
    for (let i = 0; i < 30; i++) {
        seen.add(await from(`2001:db8:1:2::${i}`)); // one network of one customer
    }
    assert.equal(seen.size, 1);
});

test('a route without such sources takes turns', async (t) => {
    const gateway = await startGateway(t, splitting(await arms(t), [70, 30], 'salt: x'));
    assert.deepEqual(await tally(gateway, 20), { old: 14, new: 6 });
    assert.equal((await gateway.logged(20))[0]['turnpike.arm_by'], 'turn');
});

test('over reloads a growing arm only gains users, and loses the last ones first', async (t) => {
    const origins = await arms(t, ['old', 'new', 'third']);
    const config = (weights) => splitting(origins, weights, 'sticky: {header: X-User}');
    const gateway = await startGateway(t, config([80, 0, 20]));
    const where = async () => {
        const users = [];
        for (let i = 0; i < 60; i++) {
            users.push(await armOf(gateway, { headers: { 'X-User': `user-${i}` } }));
        }
        return users;
    };
    let before = await where();
    assert.ok(!before.includes('new'));
    const grown = [before];
    for (const weights of [[60, 25, 15], [40, 50, 10], [0, 100, 0]]) {
        await gateway.reload(config(weights));
        const now = await where();
        now.forEach((arm, i) => assert.ok(arm === before[i] || arm === 'new', `user ${i}: ${before[i]} -> ${arm}`));
        assert.ok(now.filter((arm) => arm === 'new').length > before.filter((arm) => arm === 'new').length);
        grown.push(now);
        before = now;
    }
    assert.deepEqual(new Set(before), new Set(['new']));
    await gateway.reload(config([60, 25, 15]));
    assert.deepEqual(await where(), grown[1]);
});

test('a tester chooses the arm, where the route allows it', async (t) => {
    const origins = await arms(t);
    const gateway = await startGateway(t, splitting(origins, [100, 0], 'sticky: {header: X-User}, override: [header: X-Arm, cookie: arm]'));
    const ask = (headers) => armOf(gateway, { headers });
    assert.equal(await ask({ 'X-User': 'alice' }), 'old');
    assert.equal(await ask({ 'X-User': 'alice', 'X-Arm': 'new' }), 'new');
    assert.equal(await ask({ 'X-User': 'alice', Cookie: 'arm=new' }), 'new');
    assert.equal(await ask({ 'X-User': 'alice', 'X-Arm': 'old', Cookie: 'arm=new' }), 'old');
    assert.equal(await ask({ 'X-User': 'alice', 'X-Arm': 'unheard', Cookie: 'arm=new' }), 'new');
    assert.equal(await ask({ 'X-User': 'alice', 'X-Arm': 'unheard' }), 'old');
    const by = (await gateway.logged(6)).map((entry) => entry['turnpike.arm_by']);
    assert.equal(by.filter((reason) => reason === 'override').length, 4);
    assert.equal(by.filter((reason) => reason === 'user').length, 2);
    await gateway.reload(splitting(origins, [100, 0], 'sticky: {header: X-User}'));
    assert.equal(await ask({ 'X-User': 'alice', 'X-Arm': 'new' }), 'old');
});

const FILE = (route) => `listeners: [{address: "127.0.0.1:0"}]
services: {a: {origins: ["127.0.0.1:1"]}, b: {origins: ["127.0.0.1:2"]}, c: {origins: ["127.0.0.1:3"]}}
routes:
  - {name: all, ${route}}
`;

for (const [route, complaint] of [
    ['service: a, sticky: {cookie: uid}', /4:29: 'sticky' has no effect on a route without a split/],
    ['split: {a: 50%, b: 50%}, sticky: uid', /'sticky' expects \{cookie: NAME\}, \{header: NAME\}, \{query: NAME\} or client_address, not 'uid'/],
    ['split: {a: 50%, b: 50%}, sticky: [{cookie: "u d"}]', /'u d' is no name of a cookie/],
    ['split: {a: 50%, b: 50%}, override: client_address', /'override' expects \{header: NAME\} or \{cookie: NAME\}/],
    ['split: {a: 50%, b: 50%}, pin: {lifetime: 5}', /'pin.lifetime' needs a unit/],
    ['split: {a: 50%, b: 50%}, ramp: {hold: 1m}', /'steps' is missing here/],
    ['split: {a: 50%, b: 50%}, ramp: {steps: [5%, 5%]}', /the steps of a ramp grow; this one does not/],
    ['split: {a: 50%, b: 50%}, ramp: {steps: [0%, 5%]}', /a step of a ramp is more than 0%/],
    ['split: {a: 50%, b: 50%}, ramp: {steps: [{hold: 1m}]}', /'weight' is missing here/],
    ['split: {a: 50%, b: 50%}, ramp: {to: c, steps: [5%]}', /'ramp.to' expects a service of this route's split, not 'c'/],
    ['split: {a: 50%, b: 25%, c: 25%}, ramp: {steps: [5%]}', /a ramp moves a split of two services, not of 3/],
]) {
    test(`refused: ${route}`, async (t) => {
        const { code, stderr } = await runGateway(t, FILE(route), { args: (file) => ['-t', '-c', file] });
        assert.equal(code, 1);
        assert.match(stderr, complaint);
    });
}

// Nothing but the definition is common to both.
const python = spawnSync('python3', ['--version']).status === 0;
test('a second implementation sends users the same way', { skip: !python && 'no python3' }, async (t) => {
    const arms = { old: 70, blue: 19.99, green: 10, v4: 0, v5: 0.01 };
    const origins = await Promise.all(Object.keys(arms).map((name) => httpOrigin(t, { name })));
    const users = Array.from({ length: 60 }, (_, i) => 'u'.repeat(i % 20 + 1) + i * i);
    for (const [count, salt] of [[2, ''], [3, 'spring'], [5, '']]) {
        const names = Object.keys(arms).slice(0, count);
        const weights = names.map((name) => arms[name]);
        weights[0] = Math.round((100 - weights.slice(1).reduce((sum, weight) => sum + weight, 0)) * 100) / 100;
        const gateway = await startGateway(t, `
services: {${names.map((name, i) => `${name}: {origins: ["${origins[i].address}"]}`).join(', ')}}
routes: [{name: all, split: {${names.map((name, i) => `${name}: ${weights[i]}%`).join(', ')}}, sticky: {header: X-User}, salt: "${salt || 'x'}"}]`);
        const script = fileURLToPath(new URL('../../contrib/arm_of_user.py', import.meta.url));
        const words = ['--salt', salt || 'x', ...names.map((name, i) => `${name}=${weights[i]}`)];
        const { stdout } = spawnSync(script, words, { input: users.join('\n'), encoding: 'utf8' });
        const lines = stdout.trim().split('\n').map((line) => line.split(' '));
        assert.equal(lines.length, users.length);
        for (const [user, arm] of lines) {
            assert.equal((await request(gateway, { headers: { 'X-User': user } })).body, arm, user);
        }
        const buckets = (await gateway.logged(users.length)).map((entry) => (entry['turnpike.bucket'] / 100).toFixed(2) + '%');
        assert.deepEqual(buckets, lines.map(([, , bucket]) => bucket));
        await gateway.stop();
    }
});
