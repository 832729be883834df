// SPDX-License-Identifier: BSD-2-Clause
// A thousand clients ask for one URL at once, each on a connection of its own, and what is fetched for
// them fails in one way or another: never more than two of them are at the origin at a time.
import assert from 'node:assert/strict';
import test from 'node:test';
import { cacheOrigin } from './lib/cache-origin.mjs';
import { keepAliveAgent, request } from './lib/client.mjs';
import { adminIn, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { until } from './lib/wait.mjs';

const CLIENTS = 1000;

// All of them wait before the first try goes on; what becomes of a try says `outcome`, by its number.
async function askAtOnce(t, options, outcome) {
    let now = 0;
    const tries = { count: 0, most: 0 };
    const origin = await cacheOrigin(t, async (asked, _, gate) => {
        tries.most = Math.max(tries.most, ++now);
        const number = ++tries.count;
        if (number === 1) {
            await gate;
        }
        const made = await outcome(number);
        now--;
        return made;
    });
    const gateway = await startGateway(t, (folder) => `${adminIn(folder)}
workers: 2
services: {shop: {origins: ["${origin.address}"]}}
routes:
  - {name: shop, service: shop, retry: {idempotent: false}, coalesce: true, ${options}}
`);
    const agent = keepAliveAgent(CLIENTS);
    const all = Array.from({ length: CLIENTS }, () => request(gateway, { path: '/hot', agent }));
    await until('all of them wait', async () =>
        valueOf(await metricsOf(gateway), 'turnpike_exchanges_started_total') >= CLIENTS, 60_000);
    origin.open();
    const answers = await Promise.all(all);
    agent.destroy();
    const counts = {};
    for (const { status } of answers) {
        counts[status] = (counts[status] ?? 0) + 1;
    }
    return { tries, counts };
}

test('a thousand at once, and the first fails', async (t) => {
    await t.test('with 500: one follows, and its answer is for all others', async (t) => {
        const { tries, counts } = await askAtOnce(t, 'coalesce_timeout: 60s, cache: {ttl: 1h}', (number) =>
            number === 1 ? { status: '500 Oh no' } : { body: 'yes' });
        assert.deepEqual(counts, { 200: CLIENTS - 1, 500: 1 });
        assert.deepEqual(tries, { count: 2, most: 1 });
    });

    await t.test('with 403: one follows, and its answer is for all others', async (t) => {
        const { tries, counts } = await askAtOnce(t, 'coalesce_timeout: 60s, cache: {ttl: 1h}', (number) =>
            number === 1 ? { status: '403 Not you' } : { body: 'yes' });
        assert.deepEqual(counts, { 200: CLIENTS - 1, 403: 1 });
        assert.deepEqual(tries, { count: 2, most: 1 });
    });

    await t.test('with 403 as all others: more and more of them are tried at once, and each gets its own', async (t) => {
        const { tries, counts } = await askAtOnce(t, 'coalesce_timeout: 60s, cache: {ttl: 1h}', async () => ({ status: '403 Not you' }));
        assert.deepEqual(counts, { 403: CLIENTS });
        assert.equal(tries.count, CLIENTS);
    });

    await t.test('with a connection that breaks: the same, nothing stored', async (t) => {
        const { tries, counts } = await askAtOnce(t, 'coalesce_timeout: 60s', (number) =>
            number === 1 ? null : { body: 'yes', fields: ['Cache-Control: max-age=60'] });
        assert.deepEqual(counts, { 200: CLIENTS - 1, 502: 1 });
        assert.deepEqual(tries, { count: 2, most: 1 });
    });

    await t.test('ten times in a row: one after another', async (t) => {
        const { tries, counts } = await askAtOnce(t, 'coalesce_timeout: 60s, cache: {ttl: 1h}', (number) =>
            number <= 10 ? { status: '503 Not now' } : { body: 'yes' });
        assert.deepEqual(counts, { 200: CLIENTS - 10, 503: 10 });
        assert.deepEqual(tries, { count: 11, most: 1 });
    });

    await t.test('by taking long: one more beside it, and no third', async (t) => {
        let stall;
        const stalled = new Promise((resolve) => (stall = resolve));
        const { tries, counts } = await askAtOnce(t, 'coalesce_timeout: 300ms, cache: {ttl: 1h}', async (number) => {
            if (number === 1) {
                await stalled;
                return { status: '500 Oh no' };
            }
            stall();
            return { body: 'yes' };
        });
        assert.equal(counts[200] + (counts[500] ?? 0), CLIENTS);
        assert.ok((counts[500] ?? 0) <= 1);
        assert.deepEqual(tries, { count: 2, most: 2 });
    });
});
