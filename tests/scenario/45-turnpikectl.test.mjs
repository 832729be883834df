// SPDX-License-Identifier: BSD-2-Clause
// turnpikectl: tables for people, JSON for machines, an exit status and a reason for scripts.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { request, tally } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { adminIn, askJson, ctl, ctlLines, ctlRefused, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
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
    const printed = JSON.parse((await ctlLines(gateway, '--json', 'routes')).join('\n'));
    assert.deepEqual(printed, await askJson(gateway, '/v1/routes'));
});

test('metrics come as they are', async (t) => {
    const gateway = await simple(t);
    assert.ok((await ctlLines(gateway, 'metrics')).includes('turnpike_workers 1'));
});

test('what cannot be done has a reason and an exit status', async (t) => {
    const gateway = await simple(t);
    await ctlRefused(gateway, /no service has such an origin\n.*turnpikectl services/, 'drain', '10.0.0.1:80');
    const unknown = await ctl(gateway, 'frobnicate');
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /no command 'frobnicate'[^]*usage:/);
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
    await ctlLines(gateway, 'drain', origin.address);
    assert.equal(await stateNow(), 'drained');
    assert.match(gateway.stderr, new RegExp(`drain ${origin.address}, .*uid ${process.getuid()}`));
    await ctlLines(gateway, 'undrain', origin.address);
    assert.equal(await stateNow(), 'serves');
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
    assert.match(status.file_is_bad, /unknown option 'nonsense'/);
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_config_stale'), 1);
    assert.equal(valueOf(metrics, 'turnpike_config_generation'), 2);
});

test('a reload that nobody confirms goes back by itself, one that is confirmed stays', async (t) => {
    const gateway = await simple(t);
    const file = `${gateway.folder}/turnpike.yaml`;
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('body: rest', 'body: other'));
    await ctlLines(gateway, 'reload', '--confirm', '1s');
    assert.equal((await request(gateway, {})).body, 'other');
    await until('the way back', async () => (await request(gateway, {})).body === 'rest');
    await ctlLines(gateway, 'reload', '--confirm', '10m');
    assert.ok((await askJson(gateway, '/v1/status')).goes_back_unless_confirmed_by);
    await ctlLines(gateway, 'confirm');
    assert.equal((await askJson(gateway, '/v1/status')).goes_back_unless_confirmed_by, undefined);
    assert.equal((await request(gateway, {})).body, 'other');
    await ctlRefused(gateway, /no reload waits/, 'cancel');
    const bad = await ctl(gateway, 'reload', '--confirm', 'soon');
    assert.equal(bad.code, 2);
});
