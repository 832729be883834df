// SPDX-License-Identifier: BSD-2-Clause
// turnpikectl: tables for people, JSON for machines, an exit status and a reason for scripts.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { request, tally } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { adminIn, askJson, ctl, ctlLines, ctlRefused, metricsOf, valueOf } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect } from './lib/raw-client.mjs';
import { until } from './lib/wait.mjs';

const SIMPLE = `
routes:
  - {name: hello, match: {path_prefix: /h}, respond: {body: hello}}
  - {name: rest, respond: {body: rest}}
`;

function simple(t) {
    return startGateway(t, (folder) => `${SIMPLE}${adminIn(folder)}`);
}

// The cells of a printed table, by its header.
function cells(lines) {
    const [header, ...rows] = lines.map((line) => line.trim().split(/ {2,}/));
    return rows.map((row) => Object.fromEntries(row.map((cell, i) => [header[i], cell])));
}

test('facts are lines, lists are tables', async (t) => {
    const gateway = await simple(t);
    await tally(gateway, 3, { path: '/h' });
    const status = await ctlLines(gateway, 'status');
    assert.ok(status.some((line) => /^state +running$/.test(line)), status.join('\n'));
    assert.ok(status.some((line) => new RegExp(`^pid +${gateway.pid}$`).test(line)), status.join('\n'));
    const routes = cells(await ctlLines(gateway, 'routes'));
    assert.deepEqual(routes.map(({ NAME, EXCHANGES }) => [NAME, EXCHANGES]), [['hello', '3'], ['rest', '0']]);
    assert.equal(routes[0].MATCH, 'path_prefix=/h');
});

test('--json prints what the gateway said', async (t) => {
    const gateway = await simple(t);
    // Rates are told from the second reading on; without traffic they stay 0.
    await until('rates', async () => 'rate_per_s' in (await askJson(gateway, '/v1/routes')).routes[0]);
    const printed = JSON.parse((await ctlLines(gateway, '--json', 'routes')).join('\n'));
    assert.deepEqual(printed, await askJson(gateway, '/v1/routes'));
});

test('metrics come as they are', async (t) => {
    const gateway = await simple(t);
    assert.ok((await ctlLines(gateway, 'metrics')).includes('turnpike_workers 1'));
});

test('what cannot be done has a reason and an exit status', async (t) => {
    const gateway = await simple(t);
    await ctlRefused(gateway, /no service has an origin '10.0.0.1:80'\n.*turnpikectl services/, 'drain', '10.0.0.1:80');
    const unknown = await ctl(gateway, 'frobnicate');
    assert.equal(unknown.code, 2);
    assert.equal(unknown.stderr, "turnpikectl: there is no command 'frobnicate'\nturnpikectl --help lists commands and options\n");
    assert.match((await ctl(gateway, '--frobnicate')).stderr, /frobnicate'\nturnpikectl --help lists/);
    const usage = await ctl(gateway, 'drain');
    assert.equal(usage.code, 2);
    assert.match(usage.stderr, /usage: turnpikectl drain ORIGIN/);
    await gateway.stop();
    await ctlRefused(gateway, /cannot reach a gateway at .*admin\.sock/, 'status');
});

test('diff tells what a file would change, and its errors', async (t) => {
    const gateway = await simple(t);
    const file = `${gateway.folder}/new.yaml`;
    const running = fs.readFileSync(`${gateway.folder}/turnpike.yaml`, 'utf8');
    fs.writeFileSync(file, running.replace('body: rest', 'body: other').replace('routes:', 'routes:\n  - {name: more, match: {path: /m}, respond: {}}'));
    const lines = await ctlLines(gateway, 'diff', file);
    assert.ok(lines.includes('+ route more') && lines.includes('~ route rest'), lines.join('\n'));
    fs.writeFileSync(file, running.replace('routes:', 'rowts: 1\nroutes:'));
    await ctlRefused(gateway, /new\.yaml:[0-9]+:1: unknown option 'rowts'/, 'diff', file);
});

test('a drained origin is said to be, in services and in the log', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, (folder) => `${through(origin)}${adminIn(folder)}`);
    const stateNow = async () => (await askJson(gateway, '/v1/services')).origins[0].state;
    assert.equal(await stateNow(), 'serves');
    await ctlLines(gateway, 'drain', origin.address, '--force');
    assert.equal(await stateNow(), 'drained');
    await gateway.said(new RegExp(`drain ${origin.address}, .*uid ${process.getuid()}`));
    assert.deepEqual((await askJson(gateway, '/v1/status')).differs_from_file, [`origin ${origin.address}: drained (operator)`]);
    await ctlLines(gateway, 'reload');
    assert.equal(await stateNow(), 'drained');
    await ctlLines(gateway, 'undrain', origin.address);
    assert.equal((await askJson(gateway, '/v1/status')).differs_from_file, undefined);
    assert.equal(await stateNow(), 'serves');
});

test('what only a start takes up is said, before and after', async (t) => {
    const gateway = await simple(t);
    const file = `${gateway.folder}/turnpike.yaml`;
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('workers: 1', 'workers: 2\ncore_dumps: true\nvia: other'));
    const diff = await ctlLines(gateway, 'diff', file);
    assert.deepEqual(diff.filter((line) => /^[-+~] option/.test(line)), ['+ option core_dumps (only from the next start on)',
        '+ option via', '~ option workers (only from the next start on)']);
    assert.match((await ctlLines(gateway, 'reload')).join('\n'), /1 changed \(workers\); only from the next start on: workers, core_dumps$/);
});

test('reload takes the file up; a bad one changes nothing and says why', async (t) => {
    const gateway = await simple(t);
    const file = `${gateway.folder}/turnpike.yaml`;
    const first = fs.readFileSync(file, 'utf8');
    fs.writeFileSync(file, first.replace('body: rest', 'body: other'));
    const lines = await ctlLines(gateway, 'reload');
    assert.ok(lines.some((line) => /routes: 1 changed \(rest\)/.test(line)), lines.join('\n'));
    assert.equal((await request(gateway, {})).body, 'other');
    fs.writeFileSync(file, `${first}\nnonsense: 1\n`);
    await ctlRefused(gateway, /unknown option 'nonsense'/, 'reload');
    assert.equal((await request(gateway, {})).body, 'other');
    const status = await askJson(gateway, '/v1/status');
    assert.equal(status.generation, 2);
    assert.match(status.file_error, /unknown option 'nonsense'/);
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_config_stale'), 1);
    assert.equal(valueOf(metrics, 'turnpike_config_generation'), 2);
});

test('a reload that is not confirmed goes back by itself, one that is confirmed stays', async (t) => {
    const gateway = await simple(t);
    const file = `${gateway.folder}/turnpike.yaml`;
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('body: rest', 'body: other'));
    await ctlLines(gateway, 'reload', '--confirm', '1s');
    assert.equal((await request(gateway, {})).body, 'other');
    await ctlRefused(gateway, /waits for its confirmation\nturnpikectl confirm lets it stay, turnpikectl cancel/, 'reload');
    await until('the way back', async () => (await request(gateway, {})).body === 'rest');
    const stale = async () => valueOf(await metricsOf(gateway), 'turnpike_config_stale');
    await until('it to be said', async () => (await askJson(gateway, '/v1/status')).rolled_back !== undefined);
    assert.equal(await stale(), 1);
    await ctlLines(gateway, 'reload', '--confirm', '10m');
    assert.ok((await askJson(gateway, '/v1/status')).confirm_by);
    await ctlLines(gateway, 'confirm');
    assert.equal((await askJson(gateway, '/v1/status')).confirm_by, undefined);
    assert.equal((await askJson(gateway, '/v1/status')).rolled_back, undefined);
    assert.equal(await stale(), 0);
    assert.equal((await request(gateway, {})).body, 'other');
    await ctlRefused(gateway, /no reload waits/, 'cancel');
    const bad = await ctl(gateway, 'reload', '--confirm', 'soon');
    assert.equal(bad.code, 2);
});

async function split(t, more = '') {
    const [old, fresh] = await Promise.all(['old', 'new'].map((name) => httpOrigin(t, { name })));
    return startGateway(t, (folder) => `workers: 2
services:
  old: {origins: ["${old.address}"]}
  new: {origins: ["${fresh.address}"]}
routes:
  - {name: shop, split: {old: 100%, new: 0%}${more}}
  - {name: other, match: {path: /other}, respond: {}}
${adminIn(folder)}`);
}

test('weights take hold at once on every worker, say that they differ, and survive a reload', async (t) => {
    const gateway = await split(t);
    assert.deepEqual(await tally(gateway, 20, { connections: 4 }), { old: 20 });
    await ctlLines(gateway, 'weight', 'shop', 'new=100');
    assert.deepEqual(await tally(gateway, 20, { connections: 4 }), { new: 20 });
    assert.deepEqual((await askJson(gateway, '/v1/status')).differs_from_file, ['route shop: old: 0%, new: 100% (operator)']);
    assert.equal((await askJson(gateway, '/v1/routes')).routes[0].differs_from_file, 'operator');
    assert.match(gateway.stderr, /weight shop: old: 0%, new: 100%, at run time, by uid/);
    const file = `${gateway.folder}/turnpike.yaml`;
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('path: /other', 'path: /another'));
    await ctlLines(gateway, 'reload');
    assert.deepEqual(await tally(gateway, 20, { connections: 4 }), { new: 20 });
    await ctlLines(gateway, 'weight', 'shop', 'reset');
    assert.deepEqual(await tally(gateway, 20, { connections: 4 }), { old: 20 });
    assert.equal((await askJson(gateway, '/v1/status')).differs_from_file, undefined);
});

test('what was set at run time can be written out, and then is what the file says', async (t) => {
    const gateway = await split(t);
    assert.deepEqual(await ctlLines(gateway, 'export'), ['# Nothing differs from the file.']);
    await ctlLines(gateway, 'weight', 'shop', 'old=99.75', 'new=0.25%');
    const [written] = (await ctlLines(gateway, 'export')).join('\n').match(/split: \{.*\}/);
    assert.equal(written, 'split: {"old": 99.75%, "new": 0.25%}');
    const file = `${gateway.folder}/turnpike.yaml`;
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('split: {old: 100%, new: 0%}', written));
    await ctlLines(gateway, 'reload');
    assert.deepEqual(await ctlLines(gateway, 'export'), ['# Nothing differs from the file.']);
    assert.equal((await askJson(gateway, '/v1/routes')).routes[0].split.new, '0.25%');
});

for (const [how, again] of [
    ['a crash', async (t, gateway, config) => (await gateway.crash(), startGateway(t, config))],
    ['a restart', async (t, gateway, config) => (await gateway.stop(), startGateway(t, config))],
    ['a binary upgrade', async (t, gateway) => (await gateway.upgrade(), gateway)],
]) {
    test(`weights and drains outlive ${how}, and say so`, async (t) => {
        const state = temporaryFolder(t);
        const origins = await Promise.all(['a', 'b', 'new'].map((name) => httpOrigin(t, { name })));
        const config = (folder) => `
state_directory: ${state}
services:
  old: {origins: ["${origins[0].address}", "${origins[1].address}"]}
  new: {origins: ["${origins[2].address}"]}
routes: [{name: shop, split: {old: 50%, new: 50%}}]
${adminIn(folder)}`;
        let gateway = await startGateway(t, config);
        await ctlLines(gateway, 'weight', 'shop', 'new=0');
        await ctlLines(gateway, 'drain', origins[0].address, '--force');
        gateway = await again(t, gateway, config);
        assert.deepEqual(await tally(gateway, 20), { b: 20 });
        assert.deepEqual((await askJson(gateway, '/v1/status')).differs_from_file,
            ['route shop: old: 100%, new: 0% (operator)', `origin ${origins[0].address}: drained (operator)`]);
        assert.match(gateway.stderr, /weight shop: old: 100%, new: 0%, as it was set before this start/);
        const audit = fs.readFileSync(`${state}/audit.log`, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
        const [weight, drain] = audit.filter(({ why }) => why === 'set before this start');
        assert.deepEqual([weight.action, weight.subject, weight.after, weight.by], ['weight', 'shop', 'old: 100%, new: 0%', 'gateway']);
        assert.deepEqual([drain.action, drain.subject], ['drain', origins[0].address]);
        await ctlLines(gateway, 'undrain', origins[0].address);
        await ctlLines(gateway, 'weight', 'shop', 'reset');
        gateway = await again(t, gateway, config);
        assert.equal((await askJson(gateway, '/v1/status')).differs_from_file, undefined);
    });
}

test('weights end at a start whose file has another split', async (t) => {
    const state = temporaryFolder(t);
    const config = (old) => (folder) => `
state_directory: ${state}
services: {old: {origins: ["127.0.0.1:1"]}, new: {origins: ["127.0.0.1:2"]}}
routes: [{name: shop, split: {old: ${old}%, new: ${100 - old}%}}]
${adminIn(folder)}`;
    const first = await startGateway(t, config(50));
    await ctlLines(first, 'weight', 'shop', 'new=0');
    await first.stop();
    const second = await startGateway(t, config(60));
    assert.match(second.stderr, /route shop: its split changed in the file; weights that were set before this start end/);
    assert.deepEqual((await askJson(second, '/v1/routes')).routes[0].split, { old: '60%', new: '40%' });
    await second.stop();
    const third = await startGateway(t, config(50));
    assert.deepEqual((await askJson(third, '/v1/routes')).routes[0].split, { old: '50%', new: '50%' });
});

test('diff says which weights set at run time would end', async (t) => {
    const gateway = await split(t);
    const file = `${gateway.folder}/turnpike.yaml`;
    const next = `${gateway.folder}/next.yaml`;
    fs.writeFileSync(next, fs.readFileSync(file, 'utf8').replace('old: 100%, new: 0%', 'old: 90%, new: 10%'));
    const ends = async (name) => (await ctlLines(gateway, 'diff', name)).join('\n');
    assert.doesNotMatch(await ends(next), /^overrides ended/m);
    await ctlLines(gateway, 'weight', 'shop', 'new=50');
    assert.match(await ends(next), /^overrides ended:\nroute shop: old: 50%, new: 50% \(operator\)$/m);
    assert.doesNotMatch(await ends(file), /^overrides ended/m);
});

test('weights that cannot be are refused, and change nothing', async (t) => {
    const gateway = await split(t);
    await ctlRefused(gateway, /no route 'other' with a split\nturnpikectl routes/, 'weight', 'other', 'new=1');
    await ctlRefused(gateway, /the split of route 'shop' has no service 'newer', only old, new\n/, 'weight', 'shop', 'newer=1');
    await ctlRefused(gateway, /add up to 100%/, 'weight', 'shop', 'old=50', 'new=51');
    await ctlRefused(gateway, /'new=0.001' is no weight, which is SERVICE=PERCENT/, 'weight', 'shop', 'old=1', 'new=0.001');
    await ctlRefused(gateway, /'new=101' is no weight, which is SERVICE=PERCENT/, 'weight', 'shop', 'new=101', 'old=1');
    await ctlRefused(gateway, /route 'shop' has no ramp/, 'ramp', 'pause', 'shop');
    assert.deepEqual(await ctlLines(gateway, 'ramp', 'status'), ['ramps: none']);
    assert.deepEqual(await tally(gateway, 10), { old: 10 });
});

test('explain knows the arm of a user by the weights of now', async (t) => {
    const gateway = await split(t, ', sticky: [{cookie: uid}]');
    const arm = async () => (await ctlLines(gateway, 'explain', 'GET http://a/', '-H', 'Cookie: uid=7'))
        .find((line) => /^arm  /.test(line)).trim().split(/ +/)[1];
    const ofUser = async () => (await request(gateway, { headers: { Cookie: 'uid=7' } })).body;
    for (const weight of ['0', '100', '50', '3']) {
        await ctlLines(gateway, 'weight', 'shop', `new=${weight}`);
        assert.equal(await arm(), await ofUser(), `at ${weight}%`);
    }
});

test('the costliest connections of all workers are listed', async (t) => {
    const gateway = await startGateway(t, (folder) => `workers: 2\n${SIMPLE}${adminIn(folder)}`);
    const slow = await Promise.all(Array.from({ length: 6 }, () => connect(t, gateway)));
    slow.forEach((client) => client.send('GET /h HTTP/1.1\r\nHost: a\r\nX-Slow: '));
    await until('all six to be listed', async () => (await askJson(gateway, '/v1/connections')).connections.length === 6);
    const { connections } = await askJson(gateway, '/v1/connections?top=2');
    assert.equal(connections.length, 2);
    assert.ok(connections[0].cost >= connections[1].cost);
    assert.match(connections[0].client, /^127\.0\.0\.1:[0-9]+$/);
    const listed = async (...words) => (await ctlLines(gateway, 'connections', ...words)).filter((line) => line.startsWith('127.')).length;
    assert.equal(await listed('--top', '3'), 3);
    assert.ok(await listed('--top') > 3);
    await ctlRefused(gateway, /'top' expects a number/, 'connections', '--top', 'all');
});

test('trace logs the steps of one request id, of no other, until it is stopped', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, (folder) => `request_id: any\n${through(origin)}${adminIn(folder)}`);
    await ctlRefused(gateway, /client=IP or id=REQUEST-ID/, 'trace', 'for=5');
    await ctlRefused(gateway, /no IP address/, 'trace', 'client=nobody');
    await ctlLines(gateway, 'trace', 'id=this-one');
    await request(gateway, { path: '/not-this', headers: { 'X-Request-Id': 'another' } });
    await request(gateway, { path: '/this?secret=1', headers: { 'X-Request-Id': 'this-one' } });
    await gateway.said(/trace this-one \+[0-9.]+ ms: OVER/);
    await gateway.said(/attempt 1: answered\n/);
    const lines = gateway.stderr.split('\n').filter((line) => line.includes('trace this-one +'));
    assert.match(lines[0], /GET .*\/this from 127\.0\.0\.1$/);
    assert.doesNotMatch(gateway.stderr, /trace another \+|secret/);
    for (const state of ['ATTEMPTS', 'RELAYS', 'LEAVES', 'OVER']) {
        assert.ok(lines.some((line) => line.includes(`ms: ${state}: `)), `${state} in\n${lines.join('\n')}`);
    }
    assert.ok(lines.some((line) => line.includes(`attempt 1: asks origin ${origin.address} of service app`)), lines.join('\n'));
    assert.ok(lines.some((line) => /attempt 1: answered$/.test(line)), lines.join('\n'));
    await ctlLines(gateway, 'trace', 'stop');
    await request(gateway, { path: '/later', headers: { 'X-Request-Id': 'this-one' } });
    await ctlLines(gateway, 'trace', 'client=127.0.0.1', 'for=5');
    await request(gateway, { path: '/last', headers: { 'X-Request-Id': 'last-one' } });
    await gateway.said(/trace last-one \+[0-9.]+ ms: OVER/);
    assert.doesNotMatch(gateway.stderr, /\/later/);
});

test('nothing of its arguments reaches a terminal as an escape', async (t) => {
    const gateway = await simple(t);
    const EVIL = '\x1b[31mred\x07';
    for (const words of [[EVIL], ['reload', '--confirm', EVIL], ['drain', EVIL], ['weight', EVIL, 'a=1'], ['diff', EVIL], [`--${EVIL}`],
        ['-s', EVIL, 'status'], ['ramp', 'pause', EVIL], ['explain', EVIL], ['connections', `--top=${EVIL}`]]) {
        const said = await ctl(gateway, ...words).catch((error) => error);
        const text = `${said.stdout}${said.stderr}${said.message ?? ''}`;
        assert.ok(!/[\x00-\x09\x0b-\x1f\x7f]/.test(`${said.stdout}${said.stderr}`), JSON.stringify(text));
    }
});

test('reload shows what the file is warned of', async (t) => {
    const spare = '\nservices: {spare: {origins: ["127.0.0.1:9"]}}';
    const gateway = await startGateway(t, (folder) => `${SIMPLE}${adminIn(folder)}`);
    assert.ok(!(await ctlLines(gateway, 'reload')).some((line) => /warning/.test(line)));
    fs.appendFileSync(`${gateway.folder}/turnpike.yaml`, spare);
    const lines = await ctlLines(gateway, 'reload');
    assert.ok(lines.some((line) => /:\d+:\d+: .*spare/.test(line)), lines.join('\n'));
    const answer = await askJson(gateway, '/v1/reload', { method: 'POST' });
    assert.match(answer.warnings[0], /spare/);
});
