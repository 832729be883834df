// SPDX-License-Identifier: BSD-2-Clause
// waiting_room of a route: who is let in, what those who wait see, tickets that cannot be forged, and
// restarts in the middle.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { adminIn } from './lib/control.mjs';
import { until } from './lib/wait.mjs';

const config = (room, more = '') => (folder) => `
state_directory: ${folder}
${adminIn(folder)}
routes:
  - {name: sale, waiting_room: ${room}, respond: {body: in}}
${more}`;

// A user with a cookie jar of one.
class User {
    constructor(gateway, html = false) {
        Object.assign(this, { gateway, html, cookie: null });
    }

    async ask(options = {}) {
        const headers = { Accept: this.html ? 'text/html' : 'application/json', ...(this.cookie ? { Cookie: `x=y; ${this.cookie}` } : {}) };
        const answer = await request(this.gateway, { ...options, headers });
        const [given] = answer.headers['set-cookie'] ?? [];
        if (given) {
            this.cookie = given.split(';')[0];
            this.given = given;
        }
        return answer;
    }

    // From its second request on it has a seat for the whole session.
    async settles() {
        return (await this.isIn()) && (await this.isIn());
    }

    async isIn(options) {
        return (await this.ask(options)).status === 200;
    }
}

test('a waiting room', async (t) => {
    const gateway = await startGateway(t, config('{active: 2, session: 1h}'));
    const [a, b, c, d] = [new User(gateway), new User(gateway), new User(gateway), new User(gateway, true)];

    await t.test('lets so many in, by a cookie of its own', async () => {
        assert.ok(await a.isIn());
        assert.match(a.given, /^turnpike-ticket-sale=f\.[0-9a-f.]+; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/);
        assert.ok(await b.isIn({ method: 'POST' }));
        assert.ok(await b.isIn());
        assert.ok(await a.isIn({ method: 'POST', body: 'pays' }));
    });

    await t.test('others wait: JSON for programs', async () => {
        const answer = await c.ask();
        assert.equal(answer.status, 503);
        assert.equal(answer.headers['content-type'], 'application/json');
        assert.equal(answer.headers['cache-control'], 'no-store');
        const told = JSON.parse(answer.body);
        assert.equal(told.place, 1);
        assert.ok(told.wait_seconds > 0 && told.ask_again_seconds >= 4);
        assert.equal(answer.headers['retry-after'], String(told.ask_again_seconds));
    });

    await t.test('and a page for browsers, which asks again by itself', async () => {
        const answer = await d.ask();
        assert.equal(answer.status, 503);
        assert.match(answer.body, /<meta http-equiv="refresh" content="[0-9]+">/);
        assert.match(answer.body, /role="status"/);
        assert.doesNotMatch(answer.body, /\{(place|wait|again)\}|https?:/);
    });

    await t.test('who is in stays in, over a reload and another binary', async () => {
        await gateway.reload(config('{active: 2, session: 1h}', 'via: other'));
        assert.ok(await a.isIn());
        await gateway.upgrade();
        assert.ok(await a.isIn());
        assert.ok(await b.isIn());
        // Those who waited are known to the new process once they have asked again.
        assert.equal((await c.ask()).status, 503);
        assert.equal((await d.ask()).status, 503);
        assert.equal((await new User(gateway).ask()).status, 503);
    });

    await t.test('a ticket that was changed or made is none', async () => {
        for (const forged of [a.cookie.replace(/.$/, (last) => (last === '0' ? '1' : '0')), c.cookie.replace('=w.', '=a.'),
            `turnpike-ticket-sale=a.${crypto.randomBytes(8).toString('hex')}.0190ffffffff.ffffffff.${crypto.randomBytes(16).toString('hex')}`]) {
            const user = new User(gateway);
            user.cookie = forged;
            assert.equal((await user.ask()).status, 503, forged);
        }
    });

    await t.test('more places let the first of those who wait in', async () => {
        await gateway.reload(config('{active: 3, session: 1h}'));
        const since = parseInt(c.cookie.split('.')[2], 16);
        await until('another second than that of its arrival', () => Math.floor(Date.now() / 1000) > Math.floor(since / 1000));
        const late = new User(gateway);
        assert.equal((await late.ask()).status, 503);
        await until('the first to come in', () => c.isIn());
        assert.equal((await d.ask()).status, 503);
    });
});

// Browsers send no cookie with it.
const PREFLIGHT = { method: 'OPTIONS', headers: { Origin: 'https://www.example.com', 'Access-Control-Request-Method': 'POST' } };

test('a CORS preflight passes without a place', async (t) => {
    const gateway = await startGateway(t, config('{active: 8, session: 1h}'));
    for (let i = 0; i < 20; i++) {
        assert.equal((await request(gateway, PREFLIGHT)).status, 200);
    }
    const users = Array.from({ length: 8 }, () => new User(gateway));
    for (const user of users) {
        assert.ok(await user.settles());
    }
    assert.equal((await new User(gateway).ask()).status, 503);
    const answer = await request(gateway, PREFLIGHT);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['set-cookie'], undefined);
    for (const missing of ['Origin', 'Access-Control-Request-Method']) {
        const headers = { ...PREFLIGHT.headers };
        delete headers[missing];
        assert.equal((await request(gateway, { ...PREFLIGHT, headers })).status, 503, `without ${missing}`);
    }
    assert.equal((await request(gateway, { ...PREFLIGHT, method: 'GET' })).status, 503);
});

test('a restart keeps tickets and places', async (t) => {
    const state = temporaryFolder(t);
    const yaml = `state_directory: ${state}\nroutes: [{name: sale, waiting_room: {active: 2, session: 1h}, respond: {body: in}}]`;
    const before = await startGateway(t, yaml);
    const [a, b] = [new User(before), new User(before)];
    assert.ok(await a.settles() && await b.settles());
    await until('the room to be written down', () => fs.existsSync(path.join(state, 'waiting-rooms')));
    await before.stop();

    const after = await startGateway(t, yaml);
    assert.equal((await new User(after).ask()).status, 503, 'the places are those of the others');
    for (const user of [a, b]) {
        user.gateway = after;
        assert.ok(await user.isIn());
    }
});

test('the secret is there before the first ticket', async (t) => {
    const state = temporaryFolder(t);
    const yaml = `state_directory: ${state}\nroutes: [{name: sale, waiting_room: {active: 1, session: 1h}, respond: {body: in}}]`;
    const before = await startGateway(t, yaml);
    assert.ok(fs.existsSync(path.join(state, 'pin-secret')));
    assert.doesNotMatch(before.stderr, /waiting room/);
    const user = new User(before);
    assert.ok(await user.isIn());
    await before.crash();

    const after = await startGateway(t, yaml);
    assert.ok(await new User(after).isIn());
    user.gateway = after;
    assert.ok(await user.isIn());
});

test('a room whose places no restart keeps is warned of', async (t) => {
    const file = (more, room) => `${more}\nlisteners: [{address: "127.0.0.1:0"}]\nroutes: [{name: sale, waiting_room: {active: 1${room}}, respond: {body: in}}]`;
    const key = path.join(temporaryFolder(t), 'key');
    fs.writeFileSync(key, 'k'.repeat(48));
    const warned = /route sale: its waiting room has no .keys., and no state directory can be written/;
    const told = async (...parts) => (await runGateway(t, file(...parts), { args: (at) => ['-t', '-c', at] })).stderr;
    assert.match(await told('state_directory: /nonexistent', ''), warned);
    assert.doesNotMatch(await told('state_directory: /nonexistent', `, keys: [${key}]`), warned);
    assert.doesNotMatch(await told(`state_directory: ${path.dirname(key)}`, ''), warned);
    const gateway = await startGateway(t, file('state_directory: /nonexistent', ''));
    assert.match(gateway.stderr, warned);
});

test('before the opening all wait', async (t) => {
    const gateway = await startGateway(t, config(`{active: 100, opens_at: "${new Date(Date.now() + 3600000).toISOString().replace(/\.[0-9]+/, '')}"}`));
    const user = new User(gateway);
    const told = JSON.parse((await user.ask()).body);
    assert.equal(told.place, 0);
    assert.ok(told.wait_seconds > 3000 && told.wait_seconds <= 3601);
    await gateway.reload(config('{active: 100, opens_at: "2020-01-01T00:00:00+02:00"}'));
    assert.ok(await user.isIn());
});

test('two gateways with one key, and a page of the operator\'s', async (t) => {
    const files = (folder) => {
        fs.writeFileSync(path.join(folder, 'key'), 'k'.repeat(48));
        fs.writeFileSync(path.join(folder, 'page.html'), '<p>{place} {wait} {again} {other}');
        return config(`{active: 1, session: 1h, keys: [${folder}/key], page: ${folder}/page.html}`)(folder);
    };
    const [one, other] = [await startGateway(t, files), await startGateway(t, files)];
    const user = new User(one);
    assert.ok(await user.isIn());
    user.gateway = other;
    assert.ok(await user.isIn());
    const waits = new User(other, true);
    assert.match((await waits.ask()).body, /^<p>1 [0-9]+ minutes [0-9]+ \{other\}$/);
    waits.gateway = one;
    assert.match((await waits.ask()).body, /^<p>1 /);
});

test('a page is whole, however often it names a value', async (t) => {
    const page = (text) => (folder) => {
        fs.writeFileSync(path.join(folder, 'page.html'), text);
        return config(`{active: 1, opens_at: "2090-01-01T00:00:00Z", page: ${folder}/page.html}`)(folder);
    };
    for (const [names, braces] of [[1972, 3], [204, 47720]]) { // at most 52 KiB, in both
        const rest = `${'{'.repeat(braces - 3)}END`;
        const gateway = await startGateway(t, page('{place}'.repeat(names) + rest));
        assert.equal((await new User(gateway, true).ask()).body, 'drawn at the start'.repeat(names) + rest);
        await gateway.stop();
    }
    const refused = await runGateway(t, page('{place}{wait}{again}'.repeat(666))(temporaryFolder(t)), { args: (file) => ['-t', '-c', file] });
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, /the page may have 53280 bytes, and 53248 are the most/);
});

test('times of an opening', async (t) => {
    for (const [written, wanted] of [['2028-02-29T23:59:59Z', Date.UTC(2028, 1, 29, 23, 59, 59)], ['2030-01-01T00:30:00+01:00', Date.UTC(2029, 11, 31, 23, 30)], ['2030-11-29T08:00:00-05:30', Date.UTC(2030, 10, 29, 13, 30)]]) {
        const gateway = await startGateway(t, config(`{active: 1, opens_at: "${written}"}`));
        const waits = JSON.parse((await new User(gateway).ask()).body).wait_seconds;
        assert.ok(Math.abs(waits - (wanted - Date.now()) / 1000) < 30, written);
        await gateway.stop();
    }
});

test('mistakes', async (t) => {
    const told = async (room, pattern) => {
        const run = await runGateway(t, `listeners: [{address: "127.0.0.1:0"}]\nroutes: [{waiting_room: ${room}, respond: {body: a}}]`, { args: (file) => ['-t', '-c', file] });
        assert.equal(run.code, 1, run.stderr);
        assert.match(run.stderr, pattern);
    };
    await told('{session: 5m}', /active/);
    await told('{active: 1, opens_at: "tomorrow, at eight o\'clock"}', /expects a time such as/);
    for (const never of ['2030-13-01T00:00:00Z', '2030-00-01T00:00:00Z', '2030-11-31T00:00:00Z', '2030-02-29T00:00:00Z', '2030-11-30T25:61:61Z', '2030-11-30T24:00:00Z', '2030-11-27T08:00:60Z',
        '2030-11-27T08:00:00+99:99', '2030-11-27T08:00:00+01:60', '2030-11-27 08:00:00Z', '2030- 1- 1T 8: 0: 0Z', '2030-11-27T08:00:00+ 1:00', '2030-11-27T08:00:00Z0', '2030-11-27T08:00:00.5Z', '+030-11-27T08:00:00Z']) {
        await told(`{active: 1, opens_at: "${never}"}`, /expects a time such as "2030-11-29T08:00:00Z"/);
    }
    await told('{active: 1, keys: [/etc/hostname]}', /random ones are the least/);
    await told('{active: 1, page: /nonexistent.html}', /No such file/);
    await told('{active: 1, cookie: "a b"}', /a cookie's name/);
});
