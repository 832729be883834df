// SPDX-License-Identifier: BSD-2-Clause
// Who may come in: allow and deny, maintenance and its testers, the operator's own error pages.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { adminIn, ask, askJson, askRefused } from './lib/control.mjs';
import { request } from './lib/client.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { until } from './lib/wait.mjs';

const TRUSTED = 'trusted_proxies: [127.0.0.0/8]';
const from = (client) => ({ headers: { 'X-Forwarded-For': client } });

test('allow and deny', async (t) => {
    const gateway = await startGateway(t, `
${TRUSTED}
listeners: [{address: "127.0.0.1:0", deny: [192.0.2.0/24]}]
routes:
  - {name: inner, match: {path_prefix: /inner}, allow: [10.0.0.0/8, "2001:db8::/32"], deny: [10.66.0.0/16], respond: {body: inner}}
  - {name: all, respond: {body: all}}`);
    const status = async (client, where) => (await request(gateway, { path: where, ...from(client) })).status;

    for (const [client, where, wanted] of [
        ['198.51.100.1', '/', 200], ['198.51.100.1', '/inner', 403],
        ['10.1.2.3', '/inner', 200], ['10.66.2.3', '/inner', 403], ['10.66.2.3', '/', 200],
        ['2001:db8::1', '/inner', 200], ['2001:db9::1', '/inner', 403],
        ['192.0.2.7', '/', 403], ['192.0.2.7', '/inner', 403],
    ]) {
        assert.equal(await status(client, where), wanted, `${client} ${where}`);
    }
    const problem = JSON.parse((await request(gateway, { path: '/inner', ...from('198.51.100.1') })).body);
    assert.match(problem.detail, /allow, deny/);
});

test('an empty list of allow is a mistake: it let all in', async (t) => {
    for (const file of ['listeners: [{address: "127.0.0.1:0"}]\nroutes: [{allow: [], respond: {}}]', 'listeners: [{address: "127.0.0.1:0", allow: []}]\nroutes: [{respond: {}}]']) {
        const run = await runGateway(t, file, { args: (at) => ['-t', '-c', at] });
        assert.equal(run.code, 1, run.stderr);
        assert.match(run.stderr, /'allow' is empty; leave it out to let all clients in; for none write deny: \[0\.0\.0\.0\/0, "::\/0"\]/);
    }
    const run = await runGateway(t, 'listeners: [{address: "127.0.0.1:0"}]\nroutes: [{deny: [], respond: {}}]', { args: (at) => ['-t', '-c', at] });
    assert.equal(run.code, 0, run.stderr);
});

test('maintenance', async (t) => {
    const config = (maintenance, more = '') => (folder) => `
state_directory: ${folder}
${adminIn(folder)}
routes:
  - {name: shop, match: {path_prefix: /shop}, maintenance: ${maintenance}, maintenance_pass: {X-Tester: secret, X-Staff: true}, respond: {body: open}}
  - {name: other, respond: {body: other}}
${more}`;
    const gateway = await startGateway(t, config('true'));
    const status = async (headers = {}, where = '/shop') => (await request(gateway, { path: where, headers })).status;
    const order = (state, route = 'shop') => askJson(gateway, `/v1/routes/${route}/maintenance?state=${state}`, { method: 'POST' });

    await t.test('by the file: testers pass, others get 503 and a time', async () => {
        const answer = await request(gateway, { path: '/shop/1' });
        assert.equal(answer.status, 503);
        assert.ok(Number(answer.headers['retry-after']) >= 60);
        assert.equal(JSON.parse(answer.body).detail, 'the route is in maintenance');
        assert.equal(await status({ 'X-Tester': 'secret' }), 200);
        assert.equal(await status({ 'X-Tester': 'other' }), 503);
        assert.equal(await status({ 'X-Staff': 'whatever' }), 200);
        assert.equal(await status({}, '/'), 200);
    });

    await t.test('a CORS preflight passes where testers may', async () => {
        const preflight = (where) => request(gateway, { path: where, method: 'OPTIONS', headers: { Origin: 'https://www.example.com', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-tester' } });
        assert.equal((await preflight('/shop')).status, 200);
        await order('on', 'other');
        assert.equal((await preflight('/')).status, 503);
        await order('file', 'other');
    });

    await t.test('by order, before what the file says, kept over a reload and another binary', async () => {
        assert.deepEqual(await order('off'), { route: 'shop', before: 'file', maintenance: 'off' });
        assert.equal(await status(), 200);
        await order('on', 'other');
        assert.equal(await status({}, '/'), 503);
        await gateway.reload(config('true', 'via: changed'));
        assert.equal(await status(), 200);
        assert.equal(await status({}, '/'), 503);
        const routes = (await askJson(gateway, '/v1/routes')).routes;
        assert.deepEqual(routes.map((route) => [route.name, route.maintenance, route.maintenance_by]), [['shop', false, 'operator'], ['other', true, 'operator']]);
        assert.deepEqual((await askJson(gateway, '/v1/status')).differs_from_file, ['route shop: maintenance off (operator)', 'route other: maintenance on (operator)']);
        assert.equal((await ask(gateway, '/v1/config')).body, `# These routes differ from the file:
routes:
  - name: "shop"
    maintenance: false # by operator
  - name: "other"
    maintenance: true # by operator
`);
        await gateway.upgrade();
        assert.equal(await status(), 200);
        assert.equal(await status({}, '/'), 503);
        await order('file');
        await order('file', 'other');
        assert.equal(await status(), 503);
        assert.equal(await status({}, '/'), 200);
        assert.deepEqual((await askJson(gateway, '/v1/routes')).routes.map((route) => route.maintenance_by), ['file', undefined]);
        assert.equal((await askJson(gateway, '/v1/status')).differs_from_file, undefined);
        assert.equal((await ask(gateway, '/v1/config')).body, '# Nothing differs from the file.\n');
    });

    await t.test('what is no order, and no route', async () => {
        await askRefused(gateway, '/v1/routes/shop/maintenance?state=maybe', 400, { method: 'POST' });
        await askRefused(gateway, '/v1/routes/nothing/maintenance?state=on', 404, { method: 'POST' });
    });
});

test('error pages', async (t) => {
    const page = (folder, name, text) => {
        fs.writeFileSync(path.join(folder, name), text);
        return path.join(folder, name);
    };
    const config = (folder) => `
error_pages: {404: ${page(folder, '404.html', '<p>lost')}, 503: ${page(folder, '503.html', '<p>busy')}}
routes:
  - {name: a, match: {path_prefix: /a}, maintenance: true, respond: {body: a}}
  - {name: b, match: {path_prefix: /b}, maintenance: true, error_pages: {maintenance: ${page(folder, 'm.html', '<p>soon')}}, respond: {body: b}}
`;
    const gateway = await startGateway(t, config);
    const browser = (where) => request(gateway, { path: where, headers: { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });

    for (const [where, status, body] of [['/', 404, '<p>lost'], ['/a', 503, '<p>busy'], ['/b', 503, '<p>soon']]) {
        const answer = await browser(where);
        assert.deepEqual([answer.status, answer.body], [status, body]);
        assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
        assert.equal(answer.headers.vary, 'Accept');
        assert.match(answer.headers['proxy-status'], /error=/);
        const program = await request(gateway, { path: where, headers: { Accept: 'application/json' } });
        assert.equal(program.headers['content-type'], 'application/problem+json');
        assert.equal(program.headers.vary, 'Accept');
    }

    await t.test('HTML is for those who want it more than JSON', async () => {
        for (const [accept, isPage] of [
            ['text/html', true], ['TEXT/HTML', true], ['text/html;level=1', true], ['text/html, application/json', true], ['application/json;q=0.8, text/html ; q=0.9', true],
            ['text/html;q=0', false], ['text/html;q=0.0, */*', false], ['application/json, text/html;q=0.9', false], ['text/html;q=0.5, application/problem+json', false],
            ['*/*', false], ['text/*', false], ['application/xhtml+xml', false], ['x/text/html', false], ['text/htmlx', false], ['', false],
        ]) {
            const answer = await request(gateway, { path: '/b', headers: { Accept: accept } });
            assert.equal(answer.headers['content-type'], isPage ? 'text/html; charset=utf-8' : 'application/problem+json', accept);
        }
    });

    await t.test('a reload reads them again', async () => {
        page(gateway.folder, '404.html', '<p>elsewhere');
        await gateway.reload();
        await until('the new page', async () => (await browser('/')).body === '<p>elsewhere');
    });

    await t.test('mistakes', async () => {
        const told = async (pages, pattern) => {
            const run = await runGateway(t, `listeners: [{address: "127.0.0.1:0"}]\nerror_pages: ${pages}\nroutes: [{respond: {body: a}}]`, { args: (file) => ['-t', '-c', file] });
            assert.equal(run.code, 1, run.stderr);
            assert.match(run.stderr, pattern);
        };
        await told('{200: /etc/hostname}', /a status from 400 to 599/);
        await told('{503: busy.html}', /absolute path/);
        await told('{503: /nonexistent/busy.html}', /No such file/);
        await told('{503: /dev/zero}', /no regular file/);
        await told('[503]', /mapping of statuses/);
    });
});
