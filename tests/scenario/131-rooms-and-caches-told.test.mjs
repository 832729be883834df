// SPDX-License-Identifier: BSD-2-Clause
// What operators are told of waiting rooms and caches: by /metrics, /v1/routes, the live page and explain.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { adminIn, askJson, ctl, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';

const inAnHour = new Date(Date.now() + 3600000).toISOString().replace(/\.[0-9]+/, '');
const config = (folder) => `
state_directory: ${folder}
${adminIn(folder)}
trusted_proxies: [127.0.0.0/8]
routes:
  - {name: sale, match: {path: /sale}, waiting_room: {active: 9, session: 1h}, respond: {body: in}}
  - {name: soon, match: {path: /soon}, waiting_room: {active: 9, opens_at: "${inAnHour}"}, respond: {body: in}}
  - {name: free, respond: {body: in}}
`;

test('waiting rooms are told of', async (t) => {
    const gateway = await startGateway(t, config);
    const ask = (path, from) => request(gateway, { path, headers: { 'X-Forwarded-For': from } });
    // One address may hold eight places without a ticket; the ninth is another's.
    for (let i = 0; i < 9; i++) {
        assert.equal((await ask('/sale', '192.0.2.1')).status, i < 8 ? 200 : 503);
    }
    assert.equal((await ask('/sale', '192.0.2.2')).status, 200);
    assert.equal((await ask('/sale', '192.0.2.3')).status, 503);
    assert.equal((await ask('/soon', '192.0.2.1')).status, 503);

    await t.test('in metrics', async () => {
        const metrics = await metricsOf(gateway);
        const told = (name, labels) => valueOf(metrics, `turnpike_waiting_room_${name}`, labels);
        assert.equal(told('active_users', { route: 'sale' }), 9);
        assert.equal(told('waiting_users', { route: 'sale' }), 1);
        assert.equal(told('admitted_total', { route: 'sale' }), 9);
        assert.equal(told('turned_away_total', { route: 'sale', cause: 'no_ticket' }), 1);
        assert.equal(told('turned_away_total', { route: 'sale', cause: 'full' }), 1);
        assert.equal(told('turned_away_total', { route: 'sale', cause: 'not_open' }), 0);
        assert.equal(told('turned_away_total', { route: 'soon', cause: 'not_open' }), 1);
        assert.equal(told('waiting_users', { route: 'soon' }), 1);
    });

    await t.test('with their routes, also to the live page', async () => {
        const expected = { places: 9, active: 9, waiting: 1, admitted: 9, turned_away: 2 };
        const { routes } = await askJson(gateway, '/v1/routes');
        assert.deepEqual(routes[0].waiting_room, expected);
        assert.equal(routes[2].waiting_room, undefined);
        const live = await askJson(gateway, '/v1/live');
        assert.deepEqual(live.routes.rows[0].waiting_room, expected);
        assert.match((await ctl(gateway, 'routes')).stdout, /places=9 +active=9 +waiting=1/);
    });

    await t.test('by explain', async () => {
        const { stdout } = await ctl(gateway, 'explain', 'GET http://a/sale');
        assert.match(stdout, /waiting room +places=9 +session_ms=3600000 +cookie=turnpike-ticket-sale +active=9 +waiting=1/);
    });
});

test('those who are turned away together are asked to come again at different times', async (t) => {
    const gateway = await startGateway(t, config);
    const told = new Set();
    for (let i = 0; i < 40; i++) {
        const answer = await request(gateway, { path: '/soon', headers: { Accept: 'application/json', 'X-Forwarded-For': `192.0.2.${i}` } });
        assert.equal(answer.headers['retry-after'], String(JSON.parse(answer.body).ask_again_seconds));
        told.add(Number(answer.headers['retry-after']));
    }
    assert.ok(told.size >= 3, [...told].join(' '));
    assert.ok(Math.min(...told) >= 20 && Math.max(...told) <= 30, [...told].join(' '));
});

test('what a cache holds is told with its route, also to the live page', async (t) => {
    const origin = await httpOrigin(t, { handler: (incoming, answer) => answer.end('a'.repeat(1000)) });
    const gateway = await startGateway(t, (folder) => `
${adminIn(folder)}
services:
  shop: {origins: ["${origin.address}"]}
routes:
  - {name: shop, match: {path_prefix: /shop}, service: shop, cache: {ttl: 1h, max_bytes: 1MiB}}
  - {name: rest, service: shop}
`);
    for (const path of ['/shop/1', '/shop/2', '/shop/1', '/rest']) {
        assert.equal((await request(gateway, { path })).status, 200);
    }
    for (const routes of [(await askJson(gateway, '/v1/routes')).routes, (await askJson(gateway, '/v1/live')).routes.rows]) {
        const { answers, bytes, max_bytes: most, hits, misses } = routes[0].cache;
        assert.deepEqual([answers, most, hits, misses], [2, 1 << 20, 1, 2]);
        assert.ok(bytes > 2000 && bytes < 20000, String(bytes));
        assert.equal(routes[1].cache, undefined);
    }
    assert.match((await ctl(gateway, 'routes')).stdout, /hits=1 +misses=2/);
    const metrics = await metricsOf(gateway);
    const did = (what) => valueOf(metrics, 'turnpike_route_cache_requests_total', { route: 'shop', cache: what });
    assert.deepEqual([did('hit'), did('miss'), did('bypass')], [1, 2, 0]);
});
