// SPDX-License-Identifier: BSD-2-Clause
// How the origins of one service share its requests.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request, tally } from './lib/client.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { until } from './lib/wait.mjs';

async function service(t, balance, origins) {
    const list = origins.map((origin) => `{address: "${origin.address}", weight: ${origin.weight ?? 1}}`).join(', ');
    return startGateway(t, `
services: {app: {balance: ${balance}, origins: [${list}]}}
routes: [{name: all, service: app}]
`);
}

async function named(t, ...names) {
    return Promise.all(names.map((name) => httpOrigin(t, { name })));
}

test('round_robin takes turns', async (t) => {
    const gateway = await service(t, 'round_robin', await named(t, 'a', 'b', 'c'));
    const order = [];
    for (let i = 0; i < 9; i++) {
        order.push((await request(gateway)).body);
    }
    assert.equal(new Set(order.slice(0, 3)).size, 3);
    assert.deepEqual(order.slice(3, 6), order.slice(0, 3));
    assert.deepEqual(order.slice(6), order.slice(0, 3));
});

test('round_robin is smooth with weights 5, 1, 1', async (t) => {
    const origins = await named(t, 'a', 'b', 'c');
    origins[0].weight = 5;
    const gateway = await service(t, 'round_robin', origins);
    const order = [];
    for (let i = 0; i < 14; i++) {
        order.push((await request(gateway)).body);
    }
    for (const seven of [order.slice(0, 7), order.slice(7)]) {
        assert.equal(seven.filter((each) => each === 'a').length, 5);
        assert.equal(seven.filter((each) => each === 'b').length, 1);
    }
    assert.doesNotMatch(order.join(''), /aaaaa/, 'never all five in a row');
});

for (const balance of ['least_requests', 'two_choices']) {
    test(`${balance} keeps away from a busy origin`, async (t) => {
        let go = false;
        const stuck = await httpOrigin(t, {
            name: 'stuck',
            handler: (asked, answer) => until('its turn', () => go).then(() => answer.end('stuck')),
        });
        const free = await httpOrigin(t, { name: 'free' });
        const gateway = await service(t, balance, [stuck, free]);
        const held = [];
        await until('a request at the stuck one', async () => {
            const asked = request(gateway); // one at a time: the free one has none when this is over
            held.push(asked);
            await Promise.race([asked, until('it', () => stuck.requests.length > 0).catch(() => {})]);
            return stuck.requests.length > 0;
        });
        for (let i = 0; i < 20; i++) {
            const answer = await request(gateway);
            assert.equal(answer.body, 'free');
        }
        go = true;
        await Promise.all(held);
    });

    test(`${balance} uses all origins when all are free`, async (t) => {
        const gateway = await service(t, balance, await named(t, 'a', 'b', 'c'));
        const seen = await tally(gateway, 300, { connections: 6 });
        for (const name of ['a', 'b', 'c']) {
            assert.ok(seen[name] > 30, JSON.stringify(seen));
        }
    });
}

test('least_requests follows weights under load', async (t) => {
    const origins = await Promise.all(['a', 'b'].map((name) => httpOrigin(t, {
        name,
        handler: (asked, answer) => setTimeout(() => answer.end(name), 5),
    })));
    origins[0].weight = 3;
    const gateway = await service(t, 'least_requests', origins);
    const seen = await tally(gateway, 400, { connections: 16 });
    const ratio = seen.a / seen.b;
    assert.ok(ratio > 2 && ratio < 4.5, JSON.stringify(seen));
});
