// SPDX-License-Identifier: BSD-2-Clause
// The live page (GET /) and its stream of updates (GET /live).
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { adminIn, ask, askRefused } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { patient, until } from './lib/wait.mjs';
import { hasBrowser, openBrowser } from './lib/webdriver.mjs';

const LONG = patient(60000);

// Where admin.metrics listens.
async function metricsPort(gateway) {
    return Number((await gateway.said(/metrics at \S+:([0-9]+) \(/))[1]);
}

// Reads the stream: `events` grows; rows are put together as the page does it.
function look(gateway, where) {
    const seen = { events: [], tables: {}, last: null, ended: false, headers: null };
    const sent = http.get({ ...where, path: '/live', agent: false }, (answer) => {
        let text = '';
        seen.headers = answer.headers;
        answer.setEncoding('utf8');
        answer.on('data', (part) => {
            text += part;
            for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
                take(seen, text.slice(0, end));
                text = text.slice(end + 2);
            }
        });
        answer.on('error', () => {});
        answer.on('end', () => (seen.ended = true));
    });
    sent.on('error', () => {});
    seen.leave = () => sent.destroy();
    return seen;
}

function take(seen, text) {
    const [, name] = /^event: (.*)$/m.exec(text);
    const event = { name, ...JSON.parse(/^data: (.*)$/m.exec(text)[1]) };
    seen.events.push(event);
    if (name !== 'update') {
        return;
    }
    seen.last = event;
    for (const [table, { rows, count }] of Object.entries(event).filter(([, value]) => value?.rows)) {
        seen.tables[table] ??= [];
        Object.assign(seen.tables[table], rows);
        seen.tables[table].length = count;
    }
}

const row = (seen, table, name) => seen.tables[table]?.find((each) => each.name === name);

test('the page is one file that may load nothing and run nothing else', async (t) => {
    const gateway = await startGateway(t, (folder) => `${adminIn(folder)}\nroutes: [{name: all, respond: {status: 204}}]`);
    const page = await ask(gateway, '/');
    assert.equal(page.status, 200);
    assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
    assert.ok(page.bytes.length < 120000, `${page.bytes.length} bytes`);
    const policy = page.headers['content-security-policy'];
    assert.match(policy, /^default-src 'none'; /);
    const text = page.bytes.toString('utf8');
    for (const [tag, directive] of [['script', 'script-src'], ['style', 'style-src']]) {
        const inside = [...text.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))];
        assert.equal(inside.length, 1);
        const hash = crypto.createHash('sha256').update(inside[0][1]).digest('base64');
        assert.ok(policy.includes(`${directive} 'sha256-${hash}'`), policy);
    }
    assert.equal(/(src|href)="?(https?:)?\/\//.test(text), false);
    assert.equal(/innerHTML|insertAdjacentHTML|document\.write|eval\(/.test(text), false);
});

test('updates come once a second, with the rows that differ', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, (folder) => `${adminIn(folder)}
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: busy, match: {path: /busy}, service: app}
  - {name: idle, match: {path: /idle}, service: app}
`);
    const seen = look(gateway, { socketPath: `${gateway.folder}/admin.sock` });
    await until('the first update', () => seen.last, LONG);
    assert.equal(seen.headers['content-type'], 'text/event-stream');
    assert.equal(seen.events[0].name, 'history');
    assert.deepEqual(seen.tables.routes.map((each) => each.name), ['busy', 'idle']);
    assert.equal(row(seen, 'origins', origin.address).state, 'serves');
    const first = seen.events.length;
    for (let i = 0; i < 20; i++) {
        await request(gateway, { path: '/busy' });
    }
    await until('the rate', () => row(seen, 'routes', 'busy').total === 20 && row(seen, 'routes', 'busy').rate > 0, LONG);
    assert.ok(row(seen, 'origins', origin.address).p50_us > 0);
    assert.equal(seen.events.slice(first).some((event) => event.routes.rows[1] !== undefined), false, 'the idle route came again');
    // Each second is told once in the history and once in an update.
    const counted = () => seen.events.slice(1).reduce((sum, event, i, all) =>
        sum + (event.second > (i > 0 ? all[i - 1] : seen.events[0]).second ? event.sample.requests : 0),
    seen.events[0].requests.reduce((sum, each) => sum + each, 0));
    await until('all requests in the samples', () => counted() === 20, LONG);
    seen.leave();
    // Who comes later gets the past, and all rows.
    const later = look(gateway, { socketPath: `${gateway.folder}/admin.sock` });
    await until('the first update', () => later.last, LONG);
    assert.equal(later.tables.routes.length, 2);
    assert.equal(later.events[0].requests.reduce((sum, each) => sum + each, 0), 20);
    later.leave();
});

test('reloads and weights are told with what they changed', async (t) => {
    const yaml = (folder) => `${adminIn(folder)}
services: {old: {origins: ["127.0.0.1:1"]}, new: {origins: ["127.0.0.1:2"]}}
routes: [{name: pay, split: {old: 95%, new: 5%}}]`;
    const gateway = await startGateway(t, yaml);
    const seen = look(gateway, { socketPath: `${gateway.folder}/admin.sock` });
    await until('the first update', () => seen.last, LONG);
    await ask(gateway, '/v1/routes/pay/weights?new=1', { method: 'POST' });
    await until('the weight', () => seen.tables.changes[0].action === 'weight', LONG);
    assert.equal(seen.tables.changes[0].before, 'old: 95%, new: 5%');
    assert.equal(seen.tables.changes[0].after, 'old: 99%, new: 1%');
    assert.deepEqual(seen.tables.splits[0].arms.map((arm) => arm.weight), [9900, 100]);
    await gateway.reload((folder) => `${yaml(folder)}\nvia: changed`);
    await until('the reload', () => seen.tables.changes[0].action === 'reload', LONG);
    assert.match(seen.tables.changes[0].change, /via/);
    // A stop does not wait for those who look.
    gateway.signal('SIGTERM');
    await gateway.exited;
    await until('the stream to end', () => seen.ended, LONG);
});

test('other sites, other names and other addresses get neither page nor orders', async (t) => {
    const gateway = await startGateway(t, (folder) => `${adminIn(folder, 'metrics: "0.0.0.0:0"')}\nroutes: [{name: all, respond: {status: 204}}]`);
    const elsewhere = { connectOptions: { host: '127.0.0.1', port: await metricsPort(gateway) } };
    assert.equal((await request(elsewhere, { path: '/metrics' })).status, 200);
    for (const path of ['/', '/live', '/v1/status']) {
        assert.equal((await request(elsewhere, { path })).status, 404, path);
    }
    for (const path of ['/', '/live']) {
        await askRefused(gateway, path, 403, { headers: { host: 'rebound.example:9464' } });
    }
    await askRefused(gateway, '/v1/reload', 403, { method: 'POST', headers: { origin: 'http://127.0.0.1:9464' } });
    assert.equal((await ask(gateway, '/live', { method: 'HEAD' })).status, 200);
});

test('a browser shows what happens, and all of it as text', { skip: !hasBrowser && 'no Chromium with chromedriver is installed' }, async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, (folder) => `${adminIn(folder, 'metrics: "127.0.0.1:0"')}
services: {old: {origins: ["${origin.address}"]}, new: {origins: ["${origin.address}"]}, gone: {origins: ["127.0.0.1:1"]}}
routes:
  - {name: pay, match: {path_prefix: /pay/}, split: {old: 95%, new: 5%}}
  - {name: hostile, match: {path_prefix: "/<img%20src=x%20onerror=document.title='taken'>/"}, service: gone}
`);
    const browser = await openBrowser(t);
    await browser.go(`http://127.0.0.1:${await metricsPort(gateway)}/`);
    const text = (id) => browser.run(`return document.getElementById('${id}').innerText`);
    await until('the page to be live', async () => (await text('state')).includes('live'), LONG);
    await request(gateway, { path: '/pay/1' });
    await until('the request to be shown', async () => /^pay(.|\n)*\t1$/m.test(await text('routes')), LONG);
    assert.match(await text('routes'), /<img%20src=x%20onerror=document.title='taken'>/);
    assert.match(await text('splits'), /old 95%.*\n?.*new 5%/);
    assert.match(await text('services'), new RegExp(origin.address));
    assert.equal(await browser.run('return document.images.length'), 0);
    assert.notEqual(await browser.run('return document.title'), 'taken');
    await ask(gateway, '/v1/routes/pay/weights?new=20', { method: 'POST' });
    await until('the new weights', async () => /new 20% \(file: 5%\)/.test(await text('splits')), LONG);
    assert.match(await text('changes'), /old: 95%, new: 5% → old: 80%, new: 20%/);
    // What is there to press changes nothing but the view.
    assert.equal(await browser.run('return document.querySelectorAll("button, form, a[href^=http]").length'), 0);
    assert.deepEqual(await browser.complaints(), []);
});
