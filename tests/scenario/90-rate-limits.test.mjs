// SPDX-License-Identifier: BSD-2-Clause
// rate_limits of a route: requests counted by a key that they carry, over all workers.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { adminIn, ctl } from './lib/control.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { until } from './lib/wait.mjs';

const route = (limits, more = '') => `
routes:
  - name: api
    respond: {status: 200, body: pong}
    rate_limits: ${limits}
${more}`;

async function statuses(gateway, count, options = {}) {
    const seen = [];
    for (let i = 0; i < count; i++) {
        seen.push((await request(gateway, options)).status);
    }
    return seen;
}

const named = (answer, field) => answer.headers[field];

test('rate limits by key', async (t) => {
    await t.test('each key has its own count; a request without one is not counted', async (t) => {
        const gateway = await startGateway(t, route('[{name: customer, key: {header: X-Api-Key}, requests: 3, window: 1h}]', 'workers: 2'));
        const of = (key) => ({ headers: key ? { 'X-Api-Key': key } : {} });
        assert.deepEqual(await statuses(gateway, 5, of('a')), [200, 200, 200, 429, 429]);
        assert.deepEqual(await statuses(gateway, 4, of('b')), [200, 200, 200, 429]);
        assert.deepEqual(await statuses(gateway, 5, of('')), [200, 200, 200, 200, 200]);
    });

    await t.test('429 says which limit, how many, and when again', async (t) => {
        const gateway = await startGateway(t, route('[{name: customer, key: client_address, requests: 2, window: 1m}]'));
        assert.deepEqual(await statuses(gateway, 2), [200, 200]);
        const answer = await request(gateway);
        assert.equal(answer.status, 429);
        assert.equal(named(answer, 'ratelimit-policy'), '"customer";q=2;w=60');
        const [, wait] = /^"customer";r=0;t=([0-9]+)$/.exec(named(answer, 'ratelimit'));
        assert.ok(wait >= 1 && wait <= 30, wait);
        assert.ok(Number(named(answer, 'retry-after')) >= Number(wait));
        const problem = JSON.parse(answer.body);
        assert.deepEqual(problem['violated-policies'], ['customer']);
        const entry = await until('the line of the log', () => gateway.entries().find((each) => each['http.response.status_code'] === 429));
        assert.equal(entry['turnpike.rate_limit'], 'customer');
        assert.equal(entry['turnpike.detail'], 'more requests than rate limit customer allows');
    });

    await t.test('several parts make one key, and a path segment has one count for all its spellings', async (t) => {
        const gateway = await startGateway(t, route('[{key: [{cookie: user}, {path_segment: 2}], requests: 2, window: 1h}]'));
        const ask = async (path, user) => (await request(gateway, { path, headers: { Cookie: `a=b; user=${user}` } })).status;
        assert.equal(await ask('/shop/red/1', 'ann'), 200);
        assert.equal(await ask('/shop/./r%65d', 'ann'), 200);
        assert.equal(await ask('/shop//red?x', 'ann'), 429);
        assert.equal(await ask('/shop/blue', 'ann'), 200);
        assert.equal(await ask('/shop/red', 'bob'), 200);
        for (let i = 0; i < 4; i++) {
            assert.equal(await ask('/shop', 'ann'), 200); // has no such segment
        }
    });

    await t.test('nor has a query parameter', async (t) => {
        const gateway = await startGateway(t, route('[{key: {query: k}, requests: 2, window: 1h}]'));
        const ask = async (query) => (await request(gateway, { path: `/?${query}` })).status;
        for (const [query, wanted] of [['k=1', 200], ['k=%31', 200], ['%6b=1', 429], ['a=2&%6B=%31', 429], ['k=%2531', 200], ['k=+', 200], ['k=%20', 200], ['k=+', 200], ['k=+', 429]]) {
            assert.equal(await ask(query), wanted, query);
        }
    });

    await t.test('each of several limits holds, and what one refuses another has not counted', async (t) => {
        const gateway = await startGateway(t, route(`
      - {name: all, key: {path_segment: 1}, requests: 4, window: 1h}
      - {name: each, key: {header: X-User}, requests: 2, window: 1h}`));
        const ask = (user) => request(gateway, { path: '/x', headers: { 'X-User': user } });
        const seen = [];
        for (const user of ['a', 'a', 'a', 'a', 'b', 'b', 'c']) {
            const answer = await ask(user);
            seen.push(answer.status === 200 ? 200 : JSON.parse(answer.body)['violated-policies'][0]);
        }
        assert.deepEqual(seen, [200, 200, 'each', 'each', 200, 200, 'all']);
    });

    await t.test('of several that are exceeded the first in the list is named, and explain tells the policies', async (t) => {
        const gateway = await startGateway(t, (folder) => route(`
      - {name: hourly, key: client_address, requests: 2, window: 1h}
      - {name: daily, key: client_address, requests: 2, window: 1d, burst: 2}
      - {name: trial, key: client_address, requests: 1, window: 1d, mode: report}`, adminIn(folder)));
        assert.deepEqual(await statuses(gateway, 2), [200, 200]);
        const answer = await request(gateway);
        assert.equal(answer.status, 429);
        assert.equal(named(answer, 'ratelimit-policy'), '"hourly";q=2;w=3600');
        assert.match(named(answer, 'ratelimit'), /^"hourly";r=0;t=[0-9]+$/);
        assert.deepEqual(JSON.parse(answer.body)['violated-policies'], ['hourly']);
        const { stdout } = await ctl(gateway, '--json', 'explain', 'GET http://a/');
        const told = JSON.parse(stdout);
        assert.equal(told.rate_limit_fields, 'draft-ietf-httpapi-ratelimit-headers-11');
        assert.deepEqual(told.rate_limits.map((limit) => limit.ratelimit_policy), ['"hourly";q=2;w=3600', '"daily";q=2;w=86400', '"trial";q=1;w=86400']);
    });

    await t.test('nor has one that only reports', async (t) => {
        const gateway = await startGateway(t, route(`
      - {name: trial, key: {path_segment: 1}, requests: 4, window: 1h, mode: report}
      - {name: each, key: {header: X-User}, requests: 2, window: 1h}`));
        const users = ['a', 'a', 'a', 'a', 'a', 'b', 'b', 'c'];
        for (const user of users) {
            await request(gateway, { path: '/x', headers: { 'X-User': user } });
        }
        const lines = () => gateway.entries().filter((entry) => entry['url.path'] === '/x');
        await until('all lines', () => lines().length === users.length);
        assert.deepEqual(lines().map((entry) => entry['turnpike.rate_limit'] ?? '-'), ['-', '-', 'each', 'each', 'each', '-', '-', 'trial']);
    });

    await t.test('a burst comes after a pause, and then one at a time', async (t) => {
        const gateway = await startGateway(t, route('[{key: client_address, requests: 1, window: 1h, burst: 5}]'));
        assert.deepEqual(await statuses(gateway, 7), [200, 200, 200, 200, 200, 429, 429]);
    });

    await t.test('mode: report serves, counts and tells', async (t) => {
        const gateway = await startGateway(t, route('[{name: trial, key: client_address, requests: 2, window: 1h, mode: report}]'));
        assert.deepEqual(await statuses(gateway, 5), [200, 200, 200, 200, 200]);
        await until('five lines', () => gateway.entries().length === 5);
        assert.deepEqual(gateway.entries().map((entry) => entry['turnpike.rate_limit'] ?? '-'), ['-', '-', 'trial', 'trial', 'trial']);
    });

    await t.test('a reload keeps the count of a limit that keeps its name', async (t) => {
        const gateway = await startGateway(t, route('[{name: a, key: client_address, requests: 3, window: 1h}]'));
        assert.deepEqual(await statuses(gateway, 2), [200, 200]);
        assert.match(await gateway.reload(route('[{name: a, key: client_address, requests: 3, window: 1h}]', 'via: other')), /reload/);
        assert.deepEqual(await statuses(gateway, 2), [200, 429]);
        await gateway.reload(route('[{name: b, key: client_address, requests: 1, window: 1h}]'));
        assert.deepEqual(await statuses(gateway, 2), [200, 429]);
    });

    await t.test('the window lets requests pass again', async (t) => {
        const gateway = await startGateway(t, route('[{key: client_address, requests: 1, window: 200ms}]'));
        assert.equal((await request(gateway)).status, 200);
        await until('another to pass', async () => (await request(gateway)).status === 200);
    });
});

test('mistakes in rate_limits', async (t) => {
    const told = async (limits, pattern) => {
        const run = await runGateway(t, `listeners: [{address: "127.0.0.1:0"}]${route(limits)}`, { args: (file) => ['-t', '-c', file] });
        assert.equal(run.code, 1, run.stderr);
        assert.match(run.stderr, pattern);
    };
    await told('[{requests: 1}]', /key/);
    await told('[{key: client_address}]', /requests/);
    await told('[{key: {header: "a b"}, requests: 1}]', /is no name of a header/);
    await told('[{key: {path_segment: 0}, requests: 1}]', /path_segment expects a number from 1/);
    await told(`[${Array.from({ length: 33 }, (_, i) => `{name: a${i}, key: client_address, requests: 1}`)}]`, /32 are the most/);
    await told('[{key: {cookie: a}, requests: 1}, {name: limit-1, key: {cookie: b}, requests: 1}]', /two rate limits named 'limit-1'/);
    await told('[{key: user, requests: 1}]', /certificate_subject, not 'user'/);
    await told('[{key: client_address, requests: 1, window: 31d, burst: 1000}]', /more than a year/);
});
