// SPDX-License-Identifier: BSD-2-Clause
// `coalesce` and `cache` of a route: one fetch for many, and answers from memory by RFC 9111.
import assert from 'node:assert/strict';
import test from 'node:test';
import { cacheOrigin } from './lib/cache-origin.mjs';
import { keepAliveAgent, request } from './lib/client.mjs';
import { ctl, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { ask as askHttp2, connectHttp2 } from './lib/http2.mjs';
import { Random } from './lib/random.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const LONG_MS = 3_600_000;

const config = (origin, route, more = '') => `
services: {shop: {origins: ["${origin.address}"]}}
routes:
  - name: shop
    service: shop
    ${route}
${more}`;

const get = (gateway, path = '/', headers = {}, more = {}) => request(gateway, { path, headers, ...more });

test('one fetch for many', async (t) => {
    await t.test('500 at once over two workers are one request to the origin', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number, gate) => {
            if (asked.target === '/hot') {
                await gate;
            }
            return { body: `answer ${number}` };
        });
        const gateway = await startGateway(t, config(origin, 'coalesce: true\n    coalesce_timeout: 60s\n    cache: {ttl: 1h}', 'workers: 2'));
        const agents = keepAliveAgent(500);
        const all = Array.from({ length: 500 }, () => get(gateway, '/hot', {}, { agent: agents }));
        await until('the leader at the origin', () => origin.requests.length > 0);
        await get(gateway, '/other');
        origin.open(); // those that come later find it stored
        const answers = await Promise.all(all);
        agents.destroy();
        assert.deepEqual(new Set(answers.map((each) => each.body)), new Set(['answer 1']));
        assert.equal(origin.requests.filter((each) => each.target === '/hot').length, 1);
        assert.ok(answers.some((each) => each.headers['cache-status'] === 'turnpike; fwd=uri-miss; collapsed'));
    });

    await t.test('where the first fails one follows, never all', async (t) => {
        let now = 0;
        let most = 0;
        let failed = 0;
        const origin = await cacheOrigin(t, async (asked, number, gate) => {
            if (asked.target !== '/hot') {
                return {};
            }
            most = Math.max(most, ++now);
            await gate;
            now--;
            number = ++failed;
            return number <= 3 ? { status: '500 Oh no', body: 'no' } : { body: 'yes' };
        });
        const gateway = await startGateway(t, config(origin, 'coalesce: true\n    coalesce_timeout: 60s\n    cache: {ttl: 1h}', 'workers: 2'));
        const agents = keepAliveAgent(100);
        const all = Array.from({ length: 100 }, () => get(gateway, '/hot', {}, { agent: agents }));
        await until('the leader at the origin', () => origin.requests.length > 0);
        await get(gateway, '/other');
        origin.open();
        const answers = await Promise.all(all);
        agents.destroy();
        assert.equal(answers.filter((each) => each.status === 500).length, 3);
        assert.equal(answers.filter((each) => each.body === 'yes').length, 97);
        assert.equal(origin.requests.filter((each) => each.target === '/hot').length, 4);
        assert.equal(most, 1);
    });

    await t.test('the first one\'s client leaves: another one leads', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number, gate) => {
            if (number === 1) {
                await gate;
            }
            return { body: `answer ${number}` };
        });
        const gateway = await startGateway(t, config(origin, 'coalesce: true'));
        const leader = keepAliveAgent();
        const first = get(gateway, '/hot', {}, { agent: leader }).catch((error) => error);
        await until('the leader at the origin', () => origin.requests.length === 1);
        const others = Array.from({ length: 5 }, () => get(gateway, '/hot'));
        await get(gateway, '/other');
        leader.destroy();
        await first;
        for (const answer of await Promise.all(others)) {
            assert.match(answer.body, /^answer/);
        }
        origin.open();
        assert.equal(origin.requests.filter((each) => each.target === '/hot').length, 2);
    });

    await t.test('an answer for one client only is shared with none', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number, gate) => {
            if (asked.target === '/mine') {
                await gate;
            }
            return { body: `for ${number}`, fields: ['Set-Cookie: id=1'] };
        });
        const gateway = await startGateway(t, config(origin, 'coalesce: true'));
        const all = Array.from({ length: 20 }, () => get(gateway, '/mine'));
        await until('the leader at the origin', () => origin.requests.length > 0);
        await get(gateway, '/other');
        origin.open();
        const bodies = (await Promise.all(all)).map((each) => each.body);
        assert.equal(new Set(bodies).size, 20);
    });

    await t.test('those who wait get what their own fields choose (Vary)', async (t) => {
        for (const cache of ['', '\n    cache: {ttl: 1h}']) {
            const origin = await cacheOrigin(t, async (asked, number, gate) => {
                if (asked.target === '/hot') {
                    await gate;
                }
                return { body: `${asked.get('Accept-Language')}`, fields: ['Vary: Accept-Language'] };
            });
            const gateway = await startGateway(t, config(origin, `coalesce: true${cache}`, 'workers: 2'));
            const languages = ['de', 'fr', 'it', 'de', 'fr', 'it', 'de', 'fr', 'it'];
            const all = languages.map((language) => get(gateway, '/hot', { 'Accept-Language': language }));
            await until('the leader at the origin', () => origin.requests.length > 0);
            await get(gateway, '/other');
            origin.open();
            assert.deepEqual((await Promise.all(all)).map((each) => each.body), languages);
        }
    });

    await t.test('a slow one gets another one beside it, and not all', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number, gate) => {
            if (number === 1) {
                await gate;
            }
            return { body: `answer ${number}` };
        });
        const gateway = await startGateway(t, config(origin, 'coalesce: true\n    coalesce_timeout: 500ms\n    cache: {ttl: 1h}', 'workers: 2'));
        const leader = get(gateway, '/hot');
        await until('the leader at the origin', () => origin.requests.length === 1);
        const others = await Promise.all(Array.from({ length: 30 }, () => get(gateway, '/hot')));
        assert.ok(others.every((each) => /^answer [2-4]$/.test(each.body)));
        assert.ok(origin.requests.length <= 4, `${origin.requests.length}`);
        origin.open();
        assert.equal((await leader).body, 'answer 1');
    });

    await t.test('those who waited for long for what fails are not tried one after another', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number, gate) => {
            if (asked.target === '/hot') {
                await gate;
            }
            return { status: '500 Oh no' };
        });
        const gateway = await startGateway(t, config(origin, 'coalesce: true\n    coalesce_timeout: 100ms'));
        const agents = keepAliveAgent(200);
        const all = Array.from({ length: 200 }, () => get(gateway, '/hot', {}, { agent: agents }));
        const hot = () => origin.requests.filter((each) => each.target === '/hot').length;
        await until('the leader at the origin', () => hot() > 0);
        await get(gateway, '/other');
        const sent = hot();
        await until('two more, which is longer than all others need to lose patience', () => hot() >= sent + 2);
        origin.open();
        const answers = await Promise.all(all);
        agents.destroy();
        assert.equal(answers.filter((each) => each.status === 500).length, hot());
        assert.equal(answers.filter((each) => each.status === 503).length, 200 - hot());
        assert.ok(hot() < 200);
    });

    await t.test('one that waits over a reload changes nothing for those after it', async (t) => {
        const origins = [];
        for (const name of ['old', 'new']) {
            origins.push(await cacheOrigin(t, async (asked, number, gate) => {
                if (asked.target === '/hot' && number === 1) {
                    await gate;
                }
                return { body: name };
            }));
        }
        const [old, other] = origins;
        other.open();
        const yaml = (origin, ttl) => config(origin, `coalesce: true\n    coalesce_timeout: 60s\n    cache: {ttl: ${ttl}}`);
        const gateway = await startGateway(t, yaml(old, '1h'));
        const leader = keepAliveAgent();
        const first = get(gateway, '/hot', {}, { agent: leader }).catch((error) => error);
        await until('the leader at the origin', () => old.requests.length === 1);
        const second = get(gateway, '/hot');
        await get(gateway, '/before');
        gateway.rewrite(yaml(other, '2h'));
        await gateway.reload();
        assert.equal((await get(gateway, '/after')).body, 'new');
        leader.destroy();
        await first;
        await second;
        assert.equal((await get(gateway, '/hot')).body, 'new');
        old.open();
    });

    await t.test('a storm of reloads is one request at a time, and each gets what was checked after it came', async (t) => {
        let at = 0;
        let most = 0;
        let go;
        let gate = Promise.resolve();
        const origin = await cacheOrigin(t, async (asked, number) => {
            most = Math.max(most, ++at);
            await gate;
            at--;
            return { body: `answer ${number}`, fields: ['ETag: "same"'] };
        });
        const gateway = await startGateway(t, config(origin, 'coalesce: true\n    coalesce_timeout: 60s\n    cache: {ttl: 1h}', 'workers: 2'));
        let sent = 0;
        for (const headers of [{ 'Cache-Control': 'max-age=0' }, { 'Cache-Control': 'no-cache' }, { Pragma: 'no-cache' }, { 'Cache-Control': 'min-fresh=9999' }]) {
            const path = `/${++sent}`;
            const started = origin.requests.length;
            assert.match((await get(gateway, path)).headers['cache-status'], /stored/);
            gate = new Promise((resolve) => (go = resolve));
            const agent = keepAliveAgent(100);
            const all = Array.from({ length: 100 }, () => get(gateway, path, headers, { agent }));
            await until('one of them at the origin', () => origin.requests.length === started + 2);
            assert.match((await get(gateway, path)).headers['cache-status'], /hit/);
            go();
            gate = Promise.resolve();
            const bodies = (await Promise.all(all)).map((each) => each.body);
            agent.destroy();
            assert.ok(origin.requests.length < started + 20, `${origin.requests.length - started}`);
            assert.ok(!bodies.includes(`answer ${started + 1}`));
        }
        assert.equal(most, 1);
    });

    await t.test('a reload does not wait for an answer whose head was there before it', async (t) => {
        const wires = [];
        const origin = await rawOrigin(t, async (wire) => {
            for (;;) {
                await wire.request(LONG_MS);
                wires.push(wire);
                wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Number: ${wires.length}\r\n\r\n${wires.length > 1 ? 'good' : 'ba'}`);
            }
        });
        const gateway = await startGateway(t, config(origin, 'coalesce: true\n    coalesce_timeout: 60s\n    cache: {ttl: 1h}'));
        const first = get(gateway);
        await until('the head of the first one', () => wires.length === 1);
        const second = await until('one that is new', async () => {
            const answer = await get(gateway, '/', { 'Cache-Control': 'no-cache' });
            return answer.headers['x-number'] === '2' && answer;
        });
        assert.equal(second.body, 'good');
        wires[0].send('ad');
        assert.equal((await first).body, 'baad');
    });

    await t.test('streams of HTTP/2 wait and are served in the same way, at any length', async (t) => {
        const body = 'x'.repeat(300_000);
        const origin = await cacheOrigin(t, async (asked, number, gate) => {
            await gate;
            return { body };
        });
        const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true}]\n${config(origin, 'coalesce: true\n    coalesce_timeout: 60s\n    cache: {ttl: 1h}')}`);
        const session = await connectHttp2(t, gateway);
        const streams = Array.from({ length: 40 }, () => askHttp2(session, { ':path': '/hot' }));
        await until('the leader at the origin', () => origin.requests.length > 0);
        const plain = get(gateway, '/hot');
        origin.open();
        for (const answer of [...await Promise.all(streams), await plain, await get(gateway, '/hot'), await askHttp2(session, { ':path': '/hot' })]) {
            assert.equal(answer.status, 200);
            assert.equal(String(answer.body).length, body.length);
        }
        assert.equal(origin.requests.length, 1);
    });

    await t.test('with credentials each goes by itself', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => ({ body: `for ${number}` }));
        const gateway = await startGateway(t, config(origin, 'coalesce: true\n    cache: {ttl: 1h}'));
        for (const headers of [{ Cookie: 'a=b' }, { Authorization: 'Basic YTpi' }]) {
            const one = await get(gateway, '/', headers);
            const two = await get(gateway, '/', headers);
            assert.notEqual(one.body, two.body);
            assert.equal(one.headers['cache-status'], 'turnpike; fwd=bypass');
        }
    });
});

test('answers from memory', async (t) => {
    await t.test('what tells clients apart is a part of the key: only those with the same value share', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number, gate) => {
            if (asked.target === '/hot') {
                await gate;
            }
            return { body: `for ${asked.get('X-Api-Key')} ${asked.get('X-User')} ${asked.get('X-Group')}` };
        });
        const gateway = await startGateway(t, config(origin, `coalesce: true
    coalesce_timeout: 60s
    rate_limits: [{key: [header: X-User], requests: 1000}]
    fair_by: [header: X-Group]
    cache: {ttl: 1h}`));
        const clients = [{}, { 'X-Api-Key': 'a' }, { 'X-Api-Key': 'b' }, { 'X-User': 'a' }, { 'X-Group': 'a' }, { 'X-User': 'a', 'X-Group': 'a' }];
        const own = (headers) => `for ${headers['X-Api-Key']} ${headers['X-User']} ${headers['X-Group']}`;
        const all = [...clients, ...clients].map((headers) => get(gateway, '/hot', headers));
        await until('each at the origin once', () => origin.requests.length === clients.length);
        await get(gateway, '/other');
        origin.open();
        assert.deepEqual((await Promise.all(all)).map((each) => each.body), [...clients, ...clients].map(own));
        for (const headers of clients) {
            const answer = await get(gateway, '/hot', headers);
            assert.equal(answer.body, own(headers));
            assert.match(answer.headers['cache-status'], /hit/);
            assert.match((await get(gateway, '/hot', headers, { method: 'HEAD' })).headers['cache-status'], /hit/);
        }
        assert.equal(origin.requests.length, clients.length + 1);
        await get(gateway, '/hot', { 'X-Api-Key': 'a' }, { method: 'POST', body: '' });
        for (const headers of clients) {
            assert.match((await get(gateway, '/hot', headers)).headers['cache-status'], /stored/);
        }
    });

    await t.test('scheme and host that a trusted client tells in Forwarded are a part of the key', async (t) => {
        const origin = await cacheOrigin(t, async (asked) => ({ body: asked.get('Forwarded') }));
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 1h}', 'trusted_proxies: [127.0.0.0/8]'));
        const stored = async (forwarded) => /hit/.test((await get(gateway, '/', { Forwarded: forwarded })).headers['cache-status']);
        for (const forwarded of ['for=192.0.2.1;proto=http', 'for=192.0.2.1;proto=https', 'proto=https;host=a', 'proto=https;host="a:1"', 'proto=https, proto=https', 'host="a']) {
            assert.equal(await stored(forwarded), false, forwarded);
            assert.equal(await stored(forwarded), true, forwarded);
        }
        assert.equal(await stored('for="[2001:db8::1]:5";Proto=HTTPS'), true);
    });

    await t.test('a field that Connection names chooses no variant: the origin does not see it', async (t) => {
        const origin = await cacheOrigin(t, async (asked) => ({ body: `for ${asked.get('X-Tenant')}`, fields: ['Vary: X-Tenant'] }));
        const gateway = await startGateway(t, config(origin, 'coalesce: true\n    cache: {ttl: 1h}'));
        for (const connection of ['close, X-Tenant', 'x-tenant', 'keep-alive, ,X-TENANT']) {
            const odd = await get(gateway, '/', { 'X-Tenant': 'a', Connection: connection });
            assert.equal(odd.body, 'for undefined');
            assert.equal(odd.headers['cache-status'], 'turnpike; fwd=bypass');
        }
        assert.equal((await get(gateway, '/', { 'X-Tenant': 'a' })).body, 'for a');
        assert.match((await get(gateway, '/', { 'X-Tenant': 'a', Connection: 'close' })).headers['cache-status'], /hit/);
    });

    await t.test('a hit has Age and Cache-Status, and no origin', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => ({ body: `answer ${number}`, fields: ['Content-Type: text/plain', 'X-Own: 1'] }));
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 1h}'));
        const first = await get(gateway, '/a?b');
        assert.equal(first.headers['cache-status'], 'turnpike; fwd=uri-miss; stored');
        const second = await get(gateway, '/a?b');
        assert.equal(second.body, 'answer 1');
        assert.match(second.headers['cache-status'], /^turnpike; hit; ttl=3[0-9]+$/);
        assert.match(second.headers.age, /^[0-9]+$/);
        assert.equal(second.headers['x-own'], '1');
        assert.equal((await get(gateway, '/a?c')).body, 'answer 2');
        const head = await get(gateway, '/a?b', {}, { method: 'HEAD' });
        assert.equal(head.headers['content-length'], '8');
        assert.match(head.headers['cache-status'], /hit/);
        assert.equal(origin.requests.length, 2);
        const entry = await until('the line of the log', () => gateway.entries().find((each) => each['turnpike.cache'] === 'hit'));
        assert.equal(entry['turnpike.attempts'], undefined);
    });

    await t.test('HEAD goes to the origin by itself, and GET keeps its body', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => ({ body: `answer ${number}` }));
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 1h}'));
        await get(gateway);
        let sent = 1;
        for (const wish of ['no-cache', 'max-age=0', 'min-fresh=99999999']) {
            const head = await get(gateway, '/', { 'Cache-Control': wish }, { method: 'HEAD' });
            assert.equal(head.headers['content-length'], '8', wish);
            assert.equal(origin.requests.length, ++sent, wish);
            assert.equal((await get(gateway)).body, 'answer 1', wish);
        }
    });

    await t.test('what one client wants and the origin refuses leaves what others get', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => (asked.get('Accept') === 'none/none'
            ? { status: '406 Not Acceptable' } : { body: `answer ${number}` }));
        const gateway = await startGateway(t, config(origin, 'coalesce: true\n    cache: {ttl: 1h}'));
        await get(gateway);
        for (const wish of ['min-fresh=99999999', 'no-cache']) {
            assert.equal((await get(gateway, '/', { Accept: 'none/none', 'Cache-Control': wish })).status, 406);
            assert.equal((await get(gateway)).body, 'answer 1');
        }
    });

    await t.test('what must not be stored is not', async (t) => {
        const kinds = {
            'no-store': 'Cache-Control: no-store',
            private: 'Cache-Control: private, max-age=60',
            'no-cache': 'Cache-Control: no-cache, max-age=60',
            stale: 'Cache-Control: max-age=0',
            cookie: 'Set-Cookie: a=b',
            vary: 'Vary: *',
            expired: 'Expires: 0',
            old: 'Cache-Control: max-age=5\r\nAge: 9',
            broken: 'Cache-Control: max-age=60, foo="bar, no-store',
        };
        const origin = await cacheOrigin(t, async (asked, number) => ({ body: String(number), fields: [kinds[asked.target.slice(1)]] }));
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 1h}'));
        for (const kind of Object.keys(kinds)) {
            const one = await get(gateway, `/${kind}`);
            assert.equal(one.headers['cache-status'], 'turnpike; fwd=uri-miss', kind);
            assert.notEqual((await get(gateway, `/${kind}`)).body, one.body, kind);
        }
    });

    await t.test('Vary: each choice has its own', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => ({
            body: `${number}`, fields: ['Vary: Accept-Language', 'Cache-Control: max-age=60'],
        }));
        const gateway = await startGateway(t, config(origin, 'cache: {}'));
        const of = async (language) => (await get(gateway, '/', language ? { 'Accept-Language': language } : {})).body;
        assert.deepEqual([await of('de'), await of('fr'), await of(''), await of('de'), await of('fr'), await of('')], ['1', '2', '3', '1', '2', '3']);
    });

    await t.test('a stale answer is checked by its validator', async (t) => {
        const origin = await cacheOrigin(t, async (asked) => (asked.get('If-None-Match') === '"v1"'
            ? { status: '304 Not Modified', fields: ['ETag: "v1"', 'Cache-Control: max-age=60', 'X-Fresh: 1'] }
            : { body: 'whole', fields: ['ETag: "v1"', 'Cache-Control: max-age=60'] }));
        const gateway = await startGateway(t, config(origin, 'cache: {}'));
        await get(gateway);
        const checked = await get(gateway, '/', { 'Cache-Control': 'no-cache' });
        assert.equal(checked.status, 200);
        assert.equal(checked.body, 'whole');
        assert.equal(checked.headers['x-fresh'], '1');
        assert.equal(checked.headers['cache-status'], 'turnpike; fwd=request; fwd-status=304');
        const hit = await get(gateway, '/', { 'If-None-Match': 'W/"v1"' });
        assert.equal(hit.status, 304);
        assert.equal(origin.requests.length, 2);
    });

    await t.test('a 304 without Date is as old as its arrival', async (t) => {
        const fields = ['ETag: "v1"', 'Cache-Control: max-age=60'];
        const origin = await cacheOrigin(t, async (asked) => (asked.get('If-None-Match') === '"v1"'
            ? { status: '304 Not Modified', fields }
            : { body: 'whole', fields: [...fields, 'Date: Sun, 06 Nov 1994 08:49:37 GMT'] }));
        const gateway = await startGateway(t, config(origin, 'cache: {}'));
        await get(gateway);
        assert.match((await get(gateway)).headers['cache-status'], /fwd-status=304/);
        assert.match((await get(gateway)).headers['cache-status'], /; hit/);
        assert.equal(origin.requests.length, 2);
    });

    await t.test('a 304 that varies by other fields is for its client only', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => {
            const fields = ['ETag: "v1"', 'Cache-Control: max-age=60', ...(number > 1 ? ['Vary: Accept-Language'] : [])];
            return asked.get('If-None-Match') === '"v1"' ? { status: '304 Not Modified', fields } : { body: `answer ${number}`, fields };
        });
        const gateway = await startGateway(t, config(origin, 'cache: {}'));
        await get(gateway);
        assert.equal((await get(gateway, '/', { 'Cache-Control': 'no-cache' })).body, 'answer 1');
        assert.equal((await get(gateway, '/', { 'Accept-Language': 'fr' })).body, 'answer 3');
        assert.equal((await get(gateway, '/', { 'Accept-Language': 'de' })).body, 'answer 4');
        assert.equal((await get(gateway, '/', { 'Accept-Language': 'fr' })).body, 'answer 3');
    });

    // RFC 9111 section 4.3.4.
    await t.test('a 304 with another strong ETag updates nothing', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => (number === 2
            ? { status: '304 Not Modified', fields: ['ETag: "v2"', 'Cache-Control: max-age=60'] }
            : { body: `answer ${number}`, fields: ['ETag: "v1"', 'Cache-Control: max-age=60'] }));
        const gateway = await startGateway(t, config(origin, 'cache: {}'));
        await get(gateway);
        const checked = await get(gateway, '/', { 'Cache-Control': 'no-cache' });
        assert.deepEqual([checked.body, checked.headers.etag], ['answer 1', '"v1"']);
        assert.equal((await get(gateway)).body, 'answer 3');
    });

    // Browsers send the ticket with all requests for the host.
    await t.test('a ticket of a waiting room is no cookie of the origin', async (t) => {
        const origin = await cacheOrigin(t, async () => ({ body: 'for all' }));
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 1h}\n    waiting_room: {active: 9, cookie: place}'));
        const first = await get(gateway);
        const ticket = first.headers['set-cookie'][0].split(';')[0];
        assert.match((await get(gateway, '/', { Cookie: ticket })).headers['cache-status'], /; hit/);
        assert.match((await get(gateway, '/', { Cookie: `${ticket}; turnpike-ticket-other=x` })).headers['cache-status'], /; hit/);
        assert.match((await get(gateway, '/', { Cookie: `${ticket}; session=1` })).headers['cache-status'], /fwd=bypass/);
    });

    await t.test('Range from the whole', async (t) => {
        const origin = await cacheOrigin(t, async () => ({ body: '0123456789', fields: ['ETag: "v1"', 'Cache-Control: max-age=60'] }));
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 1h}'));
        await get(gateway);
        const part = await get(gateway, '/', { Range: 'bytes=2-4' });
        assert.deepEqual([part.status, part.body, part.headers['content-range']], [206, '234', 'bytes 2-4/10']);
        assert.equal((await get(gateway, '/', { Range: 'bytes=-3' })).body, '789');
        assert.equal((await get(gateway, '/', { Range: 'bytes=8-' })).body, '89');
        const none = await get(gateway, '/', { Range: 'bytes=10-' });
        assert.deepEqual([none.status, none.headers['content-range']], [416, 'bytes */10']);
        assert.deepEqual([none.headers.etag, none.headers['cache-control'], none.headers.age], [undefined, undefined, undefined]);
        assert.equal((await get(gateway, '/', { Range: 'bytes=1-2', 'If-Range': '"v2"' })).status, 200);
        assert.equal(origin.requests.length, 1);
    });

    // RFC 9110 sections 13.1.5 and 8.8.2.2.
    await t.test('If-Range with a date holds where the date is a second or more before the answer', async (t) => {
        const changed = 'Tue, 24 Nov 2026 10:00:00 GMT';
        const came = { '/same': changed, '/later': 'Tue, 24 Nov 2026 10:00:01 GMT' };
        const origin = await cacheOrigin(t, async (asked) => ({
            body: '0123456789', fields: [`Last-Modified: ${changed}`, `Date: ${came[asked.target] ?? new Date().toUTCString()}`, 'Cache-Control: max-age=864000000'],
        }));
        const gateway = await startGateway(t, config(origin, 'cache: {}'));
        const statuses = {};
        for (const path of Object.keys(came)) {
            await get(gateway, path);
            statuses[path] = (await get(gateway, path, { Range: 'bytes=2-4', 'If-Range': changed })).status;
        }
        assert.deepEqual(statuses, { '/same': 200, '/later': 206 });
        assert.equal(origin.requests.length, 2);
    });

    // RFC 9110 section 6.6.1.
    await t.test('Expires without Date counts from the arrival', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => ({
            body: `${number}`, fields: [`Expires: ${new Date(Date.now() + 3_600_000).toUTCString()}`],
        }));
        const gateway = await startGateway(t, config(origin, 'cache: {}'));
        await get(gateway);
        assert.match((await get(gateway)).headers['cache-status'], /; hit; ttl=3[56]\d\d$/);
    });

    await t.test('only-if-cached never goes to the origin, also where the cache is not asked', async (t) => {
        const origin = await cacheOrigin(t, async () => ({ body: 'new' }));
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 1h}'));
        for (const more of [{}, { Cookie: 'a=b' }, { Authorization: 'Basic eDp5' }]) {
            assert.equal((await get(gateway, '/', { 'Cache-Control': 'only-if-cached', ...more })).status, 504, JSON.stringify(more));
        }
        assert.equal((await get(gateway, '/', { 'Cache-Control': 'only-if-cached, no-store' })).status, 504);
        assert.equal(origin.requests.length, 0);
    });

    await t.test('the order and the case of names in Vary make no other choice', async (t) => {
        const fields = ['Vary: Accept-Language, Accept', 'Vary: accept, accept-language, Accept'];
        const origin = await cacheOrigin(t, async (asked, number) => ({
            body: `${number}`, fields: [fields[(number - 1) % 2], 'Cache-Control: max-age=60'],
        }));
        const gateway = await startGateway(t, config(origin, 'cache: {}'));
        const of = async (language) => (await get(gateway, '/', { 'Accept-Language': language })).body;
        assert.deepEqual([await of('de'), await of('fr'), await of('de'), await of('fr')], ['1', '2', '1', '2']);
    });

    await t.test('what is too large for the cache is not said to be stored', async (t) => {
        const origin = await cacheOrigin(t, async () => ({ body: 'x'.repeat(2 << 20) }));
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 1h, max_bytes: 1MiB, max_answer: 4MiB}'));
        assert.equal((await get(gateway)).headers['cache-status'], 'turnpike; fwd=uri-miss');
    });

    await t.test('an unsafe method throws out what is stored of its URI', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => ({ body: `${number}` }));
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 1h}'));
        assert.equal((await get(gateway, '/a')).body, '1');
        assert.equal((await get(gateway, '/b')).body, '2');
        await request(gateway, { path: '/a', method: 'POST', body: 'x' });
        assert.equal((await get(gateway, '/a')).body, '4');
        assert.equal((await get(gateway, '/b')).body, '2');
    });

    await t.test('stale_while_revalidate: what there is at once, and one fetch for no client', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number, gate) => {
            if (number > 1) {
                await gate;
            }
            return { body: `${number}`, fields: ['X-Own: 1'] };
        });
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 10ms, stale_while_revalidate: 1h}'));
        assert.equal((await get(gateway)).body, '1');
        await until('a fetch for no client', async () => {
            assert.equal((await get(gateway)).body, '1'); // though the origin does not answer
            return origin.requests.length === 2;
        });
        assert.match((await get(gateway)).headers['cache-status'], /^turnpike; hit; ttl=-[0-9]+$/);
        assert.equal(origin.requests.length, 2);
        origin.open();
        await gateway.logged((entries) => entries.some((entry) => entry['turnpike.cache'] === 'refresh'));
        assert.notEqual((await get(gateway)).body, '1');
    });

    await t.test('a fetch for no client ends where nothing of it is kept', async (t) => {
        let endless;
        const origin = await rawOrigin(t, async (wire) => {
            for (;;) {
                await wire.request(LONG_MS);
                if (origin.requests.length === 2) {
                    endless = wire;
                    wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + `2000\r\n${'x'.repeat(8192)}\r\n`.repeat(4));
                    return; // and no end
                }
                wire.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood');
            }
        });
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 10ms, stale_while_revalidate: 1h, max_answer: 16KiB}'));
        assert.equal((await get(gateway)).body, 'good');
        await until('a fetch for no client', async () => {
            await get(gateway);
            return origin.requests.length > 1;
        });
        await endless.closed();
    });

    await t.test('stale_if_error serves what there is when timeouts.total is over', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => (number === 1 ? { body: 'once' } : new Promise(() => {})));
        const gateway = await startGateway(t, config(origin, 'timeouts: {total: 200ms}\n    cache: {ttl: 10ms, stale_if_error: 1h}'));
        let stale;
        await until('the origin to be asked once more', async () => {
            stale = await get(gateway);
            return origin.requests.length > 1;
        });
        assert.deepEqual([stale.status, stale.body], [200, 'once']);
    });

    await t.test('stale_if_error serves what there is, where the origin fails or answers 5xx', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => [{ body: 'good' }, { status: '503 Down', body: 'bad' }][number - 1] ?? null);
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 10ms, stale_if_error: 1h}'));
        assert.equal((await get(gateway)).body, 'good');
        for (const sent of [2, 3]) {
            do {
                const answer = await get(gateway);
                assert.deepEqual([answer.status, answer.body], [200, 'good']);
            } while (origin.requests.length < sent);
        }
        for (const wish of ['no-cache', 'max-age=0']) { // RFC 9111 section 5.2.1.4
            assert.equal((await get(gateway, '/', { 'Cache-Control': wish })).body, 'good');
        }
    });

    await t.test('a client that is turned down takes nothing from others: 4xx neither replaces nor ends what is stored', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) =>
            asked.get('X-Odd') ? { status: '403 Not you', body: 'no' } : { body: `${number}` });
        for (const stale of ['stale_while_revalidate', 'stale_if_error']) {
            const gateway = await startGateway(t, config(origin, `coalesce: true\n    cache: {ttl: 10ms, ${stale}: 1h}`));
            const stored = () => get(gateway, '/', { 'Cache-Control': 'max-stale' });
            const { body } = await get(gateway);
            await until('it is stale', async () => /ttl=-/.test((await stored()).headers['cache-status']));
            const odd = await get(gateway, '/', { 'X-Odd': '1', 'Cache-Control': 'min-fresh=1' });
            assert.equal(odd.status, 403);
            assert.equal((await stored()).body, body);
        }
    });

    await t.test('429 is an error for which a stale answer stands in', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => (number === 1 ? { body: 'good' } : { status: '429 Too Many Requests' }));
        const gateway = await startGateway(t, config(origin, 'coalesce: true\n    cache: {ttl: 10ms, stale_if_error: 1h}'));
        assert.equal((await get(gateway)).body, 'good');
        await until('it was asked again', async () => {
            const answer = await get(gateway);
            assert.deepEqual([answer.status, answer.body], [200, 'good']);
            return origin.requests.length > 3;
        });
    });

    await t.test('turnpikectl tells what there is, and throws it out; explain tells who takes part', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => ({ body: `${number}` }));
        const gateway = await startGateway(t, (folder) => `${config(origin, 'cache: {ttl: 1h}')}\nadmin: {socket: ${folder}/admin.sock}\n`);
        for (const path of ['/a/1', '/a/2', '/b']) {
            await get(gateway, path);
        }
        const told = async (...words) => {
            const { code, stdout, stderr } = await ctl(gateway, ...words);
            assert.equal(code, 0, stderr);
            return stdout;
        };
        const kept = async () => JSON.parse(await told('--json', 'cache')).routes[0].answers;
        assert.equal(await kept(), 3);
        const measured = await metricsOf(gateway);
        assert.equal(valueOf(measured, 'turnpike_cache_answers', { route: 'shop' }), 3);
        assert.ok(valueOf(measured, 'turnpike_cache_bytes', { route: 'shop' }) > 300);
        assert.match(await told('cache', 'purge', '/a/'), /2 answers/);
        assert.equal(await kept(), 1);
        assert.equal((await get(gateway, '/b')).body, '3');
        assert.equal((await get(gateway, '/a/1')).body, '4');
        assert.match(await told('cache', 'purge', `http://127.0.0.1:${gateway.port}/`), /2 answers/);
        await get(gateway, '/c', { Host: 'Shop.test' });
        assert.match(await told('cache', 'purge', 'HTTP://SHOP.test/c'), /1 answers/);
        assert.equal((await ctl(gateway, 'cache', 'purge', 'nonsense')).code, 1);
        assert.doesNotMatch(await told('explain', `GET ${gateway.url('/a')}`, '-H', 'Cookie: turnpike-ticket-hall=1'), /takes no part/);
        assert.match(await told('explain', `GET ${gateway.url('/a')}`, '-H', 'Cookie: a=b'), /takes no part: it has a Cookie/);
        assert.match(await told('explain', `GET ${gateway.url('/a')}`, '-H', 'Cache-Control: no-store'), /takes no part: it says Cache-Control: no-store/);
        assert.match(await told('explain', `GET ${gateway.url('/a')}`), /ttl_ms/);
    });

    await t.test('a reload keeps it', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => ({ body: `${number}` }));
        const gateway = await startGateway(t, config(origin, 'cache: {ttl: 1h}'));
        assert.equal((await get(gateway)).body, '1');
        await gateway.reload();
        assert.equal((await get(gateway)).body, '1');
    });

    await t.test('a reload that changes the cache lets go what the configuration before it had stored', async (t) => {
        const origin = await cacheOrigin(t, async (asked, number) => ({ body: `${number}` }));
        const yaml = (folder, ttl) => `${config(origin, `cache: {ttl: ${ttl}}`)}\nadmin: {socket: ${folder}/admin.sock}\n`;
        let place;
        const gateway = await startGateway(t, (folder) => yaml(place = folder, '1h'));
        const kept = async () => valueOf(await metricsOf(gateway), 'turnpike_cache_answers', { route: 'shop' });
        for (const ttl of ['2h', '3h', '1h']) {
            await get(gateway);
            assert.equal(await kept(), 1);
            await gateway.reload(yaml(place, ttl));
            await until('nothing is stored', async () => await kept() === 0);
        }
        assert.equal((await get(gateway)).body, '4');
    });
});

// What a strict reading of RFC 9111 allows: an answer made for one request may reach another one only so. Who
// asks for a check (no-cache) may share one that was not answered yet when it came.
function mayShare(source, asked) {
    const lower = (headers, name) => headers[name];
    const control = source.fields['Cache-Control'] ?? '';
    const vary = (source.fields.Vary ?? '').split(', ').filter((name) => name !== '');
    return source.path === asked.path && ![source, asked].some((each) => each.headers.Authorization || each.headers.Cookie) &&
        !source.fields['Set-Cookie'] && !/no-store|private|no-cache|max-age=0/.test(control) && !vary.includes('*') &&
        !/no-store/.test(asked.headers['Cache-Control'] ?? '') &&
        !(/no-cache/.test(asked.headers['Cache-Control'] ?? '') && source.over < asked.began) && !/no-store/.test(source.headers['Cache-Control'] ?? '') &&
        vary.every((name) => lower(source.headers, name) === lower(asked.headers, name));
}

test('no answer reaches a client that it was not made for', async (t) => {
    const random = new Random(20260607);
    const pick = (list) => random.pick(list);
    const made = new Map();
    const asked = new Map();
    const origin = await cacheOrigin(t, async (wire, number) => {
        const source = asked.get(wire.get('X-Number'));
        const fields = {};
        const put = (name, value) => value && (fields[name] = value);
        put('Cache-Control', pick(['', '', 'max-age=60', 'public', 'private', 'no-store', 'no-cache', 'max-age=0', 'max-age=60, private="x"', 's-maxage=60']));
        put('Vary', pick(['', '', '', 'Accept-Language', 'Accept-Language, X-Tenant', '*']));
        put('Set-Cookie', pick(['', '', '', `id=${number}`]));
        made.set(String(number), Object.assign(source, { fields }));
        return { status: pick(['200 OK', '200 OK', '200 OK', '404 Not Found', '500 Oh no']), body: String(number), fields: Object.entries(fields).map((field) => field.join(': ')) };
    });
    const gateway = await startGateway(t, config(origin, 'coalesce: true\n    cache: {ttl: 1h}', 'workers: 2'));
    let sent = 0;
    let clock = 0;
    let shared = 0;
    const lane = async () => {
        const agent = keepAliveAgent();
        for (let i = 0; i < 60; i++) {
            const headers = { 'X-Number': String(++sent) };
            const put = (name, value) => value && (headers[name] = value);
            put('Authorization', pick(['', '', '', `Bearer ${sent}`]));
            put('Cookie', pick(['', '', '', `user=${sent}`]));
            put('Accept-Language', pick(['', 'de', 'fr']));
            put('X-Tenant', pick(['', 'a', 'b']));
            put('Cache-Control', pick(['', '', '', '', 'no-cache', 'no-store', 'max-age=5']));
            const path = `/${random.below(6)}`;
            const mine = { path, headers, began: ++clock };
            asked.set(headers['X-Number'], mine);
            const answer = await request(gateway, { path, headers, agent });
            mine.over = ++clock;
            const source = made.get(answer.body);
            if (source.headers['X-Number'] !== headers['X-Number']) {
                shared++;
                assert.ok(mayShare(source, mine), JSON.stringify({ source, mine }));
                assert.equal(answer.headers['set-cookie'], undefined);
            }
        }
        agent.destroy();
    };
    await Promise.all(Array.from({ length: 16 }, lane));
    assert.ok(shared > 20, `${shared} of ${sent}`);
});
