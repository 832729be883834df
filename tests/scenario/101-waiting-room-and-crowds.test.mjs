// SPDX-License-Identifier: BSD-2-Clause
// waiting_room of a route against clients that ignore its cookie: what one address may hold, who comes
// in all the same, and what shared caches are told.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { keepAliveAgent, request } from './lib/client.mjs';
import { adminIn, metricsOf, valueOf } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { until } from './lib/wait.mjs';

const KEY = 'k'.repeat(48);
const COOKIE = 'turnpike-ticket-sale';

// `from`: the address that a trusted proxy names.
const config = (room) => (folder) => {
    fs.writeFileSync(path.join(folder, 'key'), KEY);
    return `
state_directory: ${folder}
${adminIn(folder)}
trusted_proxies: [127.0.0.0/8]
routes:
  - {name: sale, waiting_room: {${room}, keys: [${folder}/key]}, respond: {body: in}}
`;
};

const ask = (gateway, from, { cookie, ...options } = {}) => request(gateway, { ...options, headers: { Accept: 'application/json', 'X-Forwarded-For': from, ...(cookie ? { Cookie: cookie } : {}) } });
const turnedAway = async (gateway) => valueOf(await metricsOf(gateway), 'turnpike_waiting_room_turned_away_total', { route: 'sale', cause: 'full' });
const cookieOf = (answer) => answer.headers['set-cookie'][0].split(';')[0];

// What the gateway would have given: it signs with the same key.
const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest();
const roomKey = hmac(KEY, 'turnpike waiting room sale');
function ticket(kind, sinceMs, untilS, id = crypto.randomBytes(8).toString('hex')) {
    const text = `${kind}.${id}.${sinceMs.toString(16).padStart(12, '0')}.${untilS.toString(16).padStart(8, '0')}`;
    const mac = hmac(roomKey, text).toString('hex').slice(0, 32);
    return `${COOKIE}=${text}.${mac}`;
}

test('one client that ignores cookies', async (t) => {
    const gateway = await startGateway(t, config('active: 200, session: 1h'));
    const agent = keepAliveAgent();
    t.after(() => agent.destroy());
    // Few enough to be over long before the first of their seats is free again.
    const answers = [];
    for (let i = 0; i < 60; i++) {
        answers.push(await ask(gateway, '192.0.2.1', { agent }));
    }
    const refused = answers.filter((answer) => answer.status === 503);

    await t.test('holds a tenth of the room', () => {
        assert.equal(answers.filter((answer) => answer.status === 200).length, 20);
        assert.equal(refused.length, 40);
        assert.equal(JSON.parse(refused[0].body).ask_again_seconds, 1);
        assert.equal(refused[0].headers['retry-after'], '1');
    });

    await t.test('others come in at once', async () => {
        for (let i = 0; i < 30; i++) {
            assert.equal((await ask(gateway, `198.51.100.${i}`)).status, 200);
        }
    });

    await t.test('so do those behind its address, once they bring their tickets back', async () => {
        for (const answer of refused.slice(0, 30)) {
            const back = await ask(gateway, '192.0.2.1', { cookie: cookieOf(answer) });
            assert.equal(back.status, 200);
            assert.match(back.headers['set-cookie'][0], /=a\..*; Max-Age=3600;/);
        }
    });

    await t.test('an IPv6 customer is one, whatever the address', async () => {
        let [inside, outside] = [0, 0];
        for (let i = 0; i < 30; i++) {
            const { status } = await ask(gateway, `2001:db8:0:7::${i.toString(16)}`, { agent });
            inside += status === 200;
            outside += status === 503;
        }
        assert.deepEqual([inside, outside], [20, 10]);
        assert.equal((await ask(gateway, '2001:db8:0:8::1')).status, 200);
    });
});

test('while the room is full', async (t) => {
    const gateway = await startGateway(t, config('active: 1, session: 1h'));
    const first = await ask(gateway, '192.0.2.1');
    assert.equal(first.status, 200);
    const second = await ask(gateway, '192.0.2.1', { cookie: cookieOf(first) });
    assert.equal(second.status, 200);
    for (let i = 0; i < 100; i++) {
        assert.equal((await ask(gateway, '192.0.2.66')).status, 503);
    }

    await t.test('one address without tickets is before others eight times at most', async () => {
        const since = Date.now();
        await until('another second', () => Math.floor(Date.now() / 1000) > Math.floor(since / 1000));
        const told = JSON.parse((await ask(gateway, '192.0.2.2')).body);
        assert.ok(told.place <= 9, `place ${told.place}`);
    });

    await t.test('who is in sends what it came for', async () => {
        assert.equal((await ask(gateway, '192.0.2.1', { method: 'POST', body: 'pays', cookie: cookieOf(second) })).status, 200);
    });

    await t.test('also after a first request only, and a pause', async () => {
        const now = Math.floor(Date.now() / 1000);
        const mine = ticket('f', (now - 60) * 1000, now - 40);
        const before = await turnedAway(gateway);
        const page = await ask(gateway, '192.0.2.3', { cookie: mine });
        assert.equal(page.status, 503);
        assert.equal(JSON.parse(page.body).place, 1, 'its arrival counts');
        assert.equal((await ask(gateway, '192.0.2.3', { method: 'POST', body: 'pays', cookie: mine })).status, 200);
        const old = ticket('f', (now - 4000) * 1000, now - 3980);
        assert.equal(await turnedAway(gateway), before + 1, 'what was let through is not counted');
        assert.equal((await ask(gateway, '192.0.2.3', { method: 'POST', cookie: old })).status, 503, 'a session later it does not');
    });

    await t.test('tickets that are over, changed or made by others are none', async () => {
        const now = Math.floor(Date.now() / 1000);
        const good = ticket('a', (now - 60) * 1000, now + 600);
        assert.equal((await ask(gateway, '192.0.2.4', { cookie: good })).status, 200, 'of a gateway with the same key');
        for (const bad of [ticket('a', (now - 4000) * 1000, now - 10), good.replace(/.$/, (last) => (last === '0' ? '1' : '0')), good.replace('=a.', '=f.'), `${COOKIE}=`, ticket('x', now * 1000, now + 600)]) {
            assert.equal((await ask(gateway, '192.0.2.4', { cookie: bad })).status, 503, bad);
        }
    });

    await t.test('who waits keeps its ticket, until an eighth of its day is over', async () => {
        const now = Math.floor(Date.now() / 1000);
        const first = await ask(gateway, '192.0.2.5');
        const again = await ask(gateway, '192.0.2.5', { cookie: cookieOf(first) });
        assert.equal(again.status, 503);
        assert.equal(again.headers['set-cookie'], undefined);
        const old = ticket('w', (now - 11000) * 1000, now - 11000 + 86400, '0123456789abcdef');
        const renewed = await ask(gateway, '192.0.2.6', { cookie: old });
        assert.equal(renewed.status, 503);
        assert.match(renewed.headers['set-cookie'][0], /=w\.0123456789abcdef\..*; Max-Age=86400;/);
        const wasIn = ticket('f', (now - 60) * 1000, now - 40, 'fedcba9876543210');
        assert.match((await ask(gateway, '192.0.2.7', { cookie: wasIn })).headers['set-cookie'][0], /=w\.fedcba9876543210\./);
    });
});

test('shared caches keep no answer with a ticket', async (t) => {
    const said = { '/none': null, '/public': 'public, max-age=60', '/private': 'max-age=5, private', '/no-store': 'no-store', '/part': 'private="x-a", max-age=60' };
    const origin = await httpOrigin(t, { handler: (incoming, answer) => {
        const control = said[incoming.url];
        answer.writeHead(200, control ? { 'Cache-Control': control } : {});
        answer.end('a');
    } });
    const gateway = await startGateway(t, () => `
services:
  shop: {origins: ["${origin.address}"]}
routes:
  - {name: sale, waiting_room: {active: 100}, service: shop}
`);
    const told = async (where, options) => (await ask(gateway, '192.0.2.1', { path: where, ...options })).headers['cache-control'];

    assert.equal(await told('/none'), 'private');
    assert.equal(await told('/public'), 'public, max-age=60, private');
    assert.equal(await told('/private'), 'max-age=5, private');
    assert.equal(await told('/no-store'), 'no-store');
    assert.equal(await told('/part'), 'private="x-a", max-age=60, private');

    const first = await ask(gateway, '192.0.2.1', { path: '/none' });
    const second = await ask(gateway, '192.0.2.1', { path: '/none', cookie: cookieOf(first) });
    const third = await ask(gateway, '192.0.2.1', { path: '/public', cookie: cookieOf(second) });
    assert.equal(third.headers['set-cookie'], undefined);
    assert.equal(third.headers['cache-control'], 'public, max-age=60', 'without a new ticket it is what the origin said');
});

test('a restart keeps the places of those who wait', async (t) => {
    const state = temporaryFolder(t);
    const yaml = (active) => `state_directory: ${state}\ntrusted_proxies: [127.0.0.0/8]\nroutes: [{name: sale, waiting_room: {active: ${active}, session: 1h}, respond: {body: in}}]`;
    const before = await startGateway(t, yaml(1));
    const first = await ask(before, '192.0.2.1');
    assert.equal((await ask(before, '192.0.2.1', { cookie: cookieOf(first) })).status, 200);
    const waits = await ask(before, '192.0.2.2');
    assert.equal(waits.status, 503);
    assert.equal((await ask(before, '192.0.2.2', { cookie: cookieOf(waits) })).status, 503);
    await until('both to be written down', () => fs.existsSync(path.join(state, 'waiting-rooms')) && /^1 1 /.test(fs.readFileSync(path.join(state, 'waiting-rooms'), 'utf8')));
    await before.stop();

    const after = await startGateway(t, yaml(2));
    assert.equal((await ask(after, '192.0.2.3')).status, 503, 'one who comes later');
    assert.equal((await ask(after, '192.0.2.2', { cookie: cookieOf(waits) })).status, 200);
});

test('at the opening the lot decides, not who asks first', async (t) => {
    const before = new Date(Date.now() + 7200000).toISOString().replace(/\.[0-9]+/, '');
    const gateway = await startGateway(t, config(`active: 1, session: 1h, opens_at: "${before}"`));
    const users = [];
    for (let i = 0; i < 6; i++) {
        const first = await ask(gateway, `192.0.2.${i}`);
        const again = await ask(gateway, `192.0.2.${i}`, { cookie: cookieOf(first) });
        assert.equal(again.status, 503);
        const cookie = cookieOf(first);
        users.push({ from: `192.0.2.${i}`, cookie, second: Math.floor(parseInt(cookie.split('.')[2], 16) / 1000) });
    }
    users.sort((a, b) => b.second - a.second);
    await gateway.reload(config('active: 1, session: 1h, opens_at: "2020-01-01T00:00:00Z"'));
    const statuses = [];
    for (const user of users) {
        statuses.push((await ask(gateway, user.from, { cookie: user.cookie })).status);
    }
    const earliest = users.filter((user) => user.second === users.at(-1).second).length;
    assert.deepEqual(statuses, users.map((_, i) => (i === users.length - earliest ? 200 : 503)));
});

const ticketOf = (cookie) => {
    const [kind, id, since] = cookie.slice(COOKIE.length + 1).split('.');
    return { cookie, kind, id, since: parseInt(since, 16) };
};
// The second before the opening in which the gateway has it arrive: its lot, of an hour's.
const lotOf = (drawn, opensMs) => BigInt(`0x${hmac(roomKey, `lot ${drawn.id}${opensMs.toString(16).padStart(16, '0')}`).toString('hex').slice(0, 16)}`) % 3600000n;

test('before an opening more tickets are no more chances', async (t) => {
    const opensMs = (Math.floor(Date.now() / 1000) + 8) * 1000;
    const gateway = await startGateway(t, config(`active: 8, session: 1h, opens_at: "${new Date(opensMs).toISOString().replace('.000', '')}"`));
    const agent = keepAliveAgent();
    t.after(() => agent.destroy());
    const draw = async (from) => ({ from, ...ticketOf(cookieOf(await ask(gateway, from, { agent }))) });
    const comesIn = async ({ from, cookie }) => (await ask(gateway, from, { cookie, agent })).status === 200;
    const collected = [];
    const honest = [];

    await t.test('an address draws as many as it may hold on trial; more are surplus', async () => {
        for (let i = 0; i < 40; i++) {
            collected.push(await draw('192.0.2.1'));
        }
        for (let i = 0; i < 12; i++) {
            honest.push(await draw(`198.51.100.${i}`));
        }
        assert.equal(collected.map((ticket) => ticket.kind).join(''), 'w'.repeat(8) + 's'.repeat(32));
        assert.ok(honest.every((ticket) => ticket.kind === 'w'));
    });

    await t.test('a ticket tells when it was drawn, and not its lot', () => {
        for (const { since } of [...collected, ...honest]) {
            assert.ok(Math.abs(Date.now() - since) < 8000);
        }
    });

    const dealt = [...honest, ...collected.slice(0, 8)];
    await t.test('all wait until then', async () => {
        for (const user of dealt) {
            assert.equal(await comesIn(user), false);
        }
        assert.ok(Date.now() < opensMs, 'this machine is too slow for the test');
    });

    await t.test('the best lots come in, whose ever they are, and surplus tickets behind all', async () => {
        await until('the opening', () => Date.now() > opensMs + 50);
        const inside = new Set();
        for (const user of [...collected.slice(8), ...dealt, ...dealt]) {
            if (await comesIn(user)) {
                inside.add(user);
            }
        }
        assert.equal(inside.size, 8);
        assert.deepEqual([...inside].filter(({ kind }) => kind === 's'), []);
        // Those of one second are equal. A high lot is an early place.
        const seconds = (user) => lotOf(user, opensMs) / 1000n;
        const worst = [...inside].map(seconds).reduce((a, b) => (a < b ? a : b));
        for (const user of dealt.filter((other) => !inside.has(other))) {
            assert.ok(seconds(user) <= worst + 1n, 'a better lot waits');
        }
    });
});
