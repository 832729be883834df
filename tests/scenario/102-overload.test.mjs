// SPDX-License-Identifier: BSD-2-Clause
// More requests than an origin can take: lines by service and class, priorities, concurrency: auto.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { heldOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const get = (target, ...fields) => head(`GET ${target} HTTP/1.1`, 'Host: a', ...fields);

async function start(t, text) {
    return startGateway(t, `workers: 1\n${text}`);
}

// Sends one request, and returns once it is on its way through the gateway.
async function ask(t, gateway, target, ...fields) {
    const client = await connect(t, gateway);
    client.send(get(target, ...fields));
    await connect(t, gateway).then((each) => each.ask(get('/%00'))); // a turn of the loop has passed
    return client;
}

test('lines', async (t) => {
    await t.test('a service that waits for its own limit holds up no other service of the address', async (t) => {
        const origin = await heldOrigin(t);
        const gateway = await start(t, `
services:
  telemetry: {origins: ["${origin.address}"], limits: {max_concurrent_requests: 1}, pool: {pending_timeout: 60s}}
  payments: {origins: ["${origin.address}"], limits: {max_concurrent_requests: 10}, pool: {pending_timeout: 60s}}
routes:
  - {name: pay, match: {path_prefix: /pay/}, service: payments}
  - {name: all, service: telemetry}
`);
        await ask(t, gateway, '/1');
        await until('the first at the origin', () => origin.requests.length === 1);
        await ask(t, gateway, '/2');
        const payment = await ask(t, gateway, '/pay/');
        await until('the payment at the origin', () => origin.requests.length === 2);
        assert.equal(origin.requests[1].target, '/pay/');
        await origin.answer();
        await origin.answer();
        assert.equal((await payment.answer()).text, '/pay/');
        await until('the one that waited', () => origin.requests.length === 3);
        assert.equal(origin.requests[2].target, '/2');
    });
});

test('a request with a place of its own', async (t) => {
    await t.test('is served where none may wait', async (t) => {
        const origin = await heldOrigin(t);
        const gateway = await start(t, classes(origin, 'concurrency: 1, pool: {max_pending: 0}'));
        const client = await ask(t, gateway, '/only');
        await until('it at the origin', () => origin.requests.length === 1);
        await origin.answer();
        assert.equal((await client.answer()).text, '/only');
    });

    await t.test('is served beside requests of the address that no limit counts', async (t) => {
        const origin = await heldOrigin(t);
        const gateway = await start(t, `
services:
  free: {origins: ["${origin.address}"]}
  bound: {origins: ["${origin.address}"], concurrency: 1}
routes:
  - {name: free, match: {path_prefix: /free}, service: free}
  - {name: bound, service: bound}
`);
        await ask(t, gateway, '/free/1');
        await ask(t, gateway, '/free/2');
        await until('both at the origin', () => origin.requests.length === 2);
        await ask(t, gateway, '/bound');
        await until('it beside them', () => origin.requests.length === 3);
    });
});

const classes = (origin, service) => `
services: {app: {origins: ["${origin.address}"], ${service}}}
routes:
  - {name: pay, match: {path_prefix: /critical}, priority: critical, service: app}
  - {name: stats, match: {path_prefix: /bulk}, priority: bulk, service: app}
  - {name: all, service: app}
`;

test('priority', async (t) => {
    await t.test('what waits is served by class, and within one in order', async (t) => {
        const origin = await heldOrigin(t);
        const gateway = await start(t, classes(origin, 'concurrency: 1, pool: {pending_timeout: 60s}'));
        await ask(t, gateway, '/first');
        await until('the first at the origin', () => origin.requests.length === 1);
        for (const target of ['/bulk/1', '/normal/1', '/critical/1', '/bulk/2', '/critical/2', '/normal/2']) {
            await ask(t, gateway, target);
        }
        for (let count = 2; count <= 7; count++) {
            await origin.answer();
            await until('the next', () => origin.requests.length === count);
        }
        assert.deepEqual(
            origin.requests.map((each) => each.target),
            ['/first', '/critical/1', '/critical/2', '/normal/1', '/normal/2', '/bulk/1', '/bulk/2'],
        );
    });

    for (const trusted of [true, false]) {
        await t.test(`priority_header of ${trusted ? 'a trusted client counts' : 'any other client does not'}`, async (t) => {
            const origin = await heldOrigin(t);
            const gateway = await start(t, `priority_header: X-Priority
${trusted ? 'trusted_proxies: [127.0.0.0/8]' : ''}${classes(origin, 'concurrency: 1, pool: {pending_timeout: 60s}')}`);
            await ask(t, gateway, '/first');
            await until('the first at the origin', () => origin.requests.length === 1);
            await ask(t, gateway, '/normal');
            await ask(t, gateway, '/told', 'X-Priority: critical');
            await origin.answer();
            await until('the next', () => origin.requests.length === 2);
            assert.equal(origin.requests[1].target, trusted ? '/told' : '/normal');
        });
    }
});

test('concurrency: auto', async (t) => {
    await t.test('what is above the limit and would wait for long gets 503; the connection stays', async (t) => {
        const origin = await heldOrigin(t);
        const gateway = await start(t, classes(origin, 'concurrency: auto'));
        const clients = [];
        for (let i = 0; i < 16; i++) {
            clients.push(await ask(t, gateway, `/${i}`));
        }
        await until('the limit at the origin', () => origin.requests.length === 16);
        const client = await connect(t, gateway);
        const refused = await client.ask(get('/more'));
        assertOwnError(refused, 503, 'connection_limit_reached');
        assert.match(refused.get('retry-after'), /^[12]$/);
        assert.equal(origin.requests.length, 16);
        await origin.answer();
        await Promise.race(clients.map((each) => each.answer()));
        client.send(get('/again'));
        await until('it to be served', () => origin.requests.length === 17);
        assert.equal(origin.requests[16].target, '/again');
    });
});
