// SPDX-License-Identifier: BSD-2-Clause
// Metrics of budgets, codes, times and the process; the alert rules and the dashboard name what
// there is. promtool (package prometheus) checks both where it is installed.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http2 from 'node:http2';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { request } from './lib/client.mjs';
import { adminIn, ask, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connectHttp2, open as openStream } from './lib/http2.mjs';
import { linuxOnly } from './lib/linux-only.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { heldOrigin } from './lib/raw-origin.mjs';
import { patient, until, within } from './lib/wait.mjs';
import { echoWebSockets, openWebSocket } from './lib/websocket.mjs';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const RULES = path.join(ROOT, 'contrib/prometheus/turnpike.rules.yaml');
const DASHBOARD = path.join(ROOT, 'contrib/grafana/turnpike.json');
const LONG = patient(60000);
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

const yaml = (origin) => (folder) => `workers: 2
${adminIn(folder)}
limits: {max_connections: 500}
services: {app: {origins: ["${origin.address}"]}, gone: {origins: ["127.0.0.1:1"]}}
routes:
  - {name: pay, match: {path_prefix: /pay/}, split: {app: 95%, gone: 5%}, ramp: {steps: [10%, 100%]}}
  - {name: gone, match: {path: /gone}, service: gone}
  - {name: no, match: {path: /no}, respond: {status: 418}}
  - {name: all, service: app}
`;

test(...linuxOnly('codes, budgets, times and the process are told'), async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    for (let i = 0; i < 6; i++) {
        assert.equal((await request(gateway, { path: '/no' })).status, 418);
    }
    assert.equal((await request(gateway, { path: '/gone' })).status, 502);
    assert.equal((await request(gateway, { path: '/' })).status, 200);
    const counted = (families) => valueOf(families, 'turnpike_route_error_responses_total', { route: 'no', code: '418' });
    const metrics = await until('the codes', async () => {
        const families = await metricsOf(gateway);
        return families.get('turnpike_route_error_responses_total').samples.length === 2 && counted(families) === 6 && families;
    }, LONG);
    assert.equal(valueOf(metrics, 'turnpike_route_error_responses_total', { route: 'gone', code: '502' }), 1);
    assert.equal(valueOf(metrics, 'turnpike_client_connections_limit'), 500);
    assert.equal(valueOf(metrics, 'turnpike_tls_handshakes_limit'), 2000);
    assert.ok(valueOf(metrics, 'turnpike_origin_connect_duration_seconds_count') >= 1);
    assert.equal(valueOf(metrics, 'turnpike_pressure_level', { resource: 'memory' }), 0);
    assert.ok(valueOf(metrics, 'turnpike_memory_budget_bytes') > valueOf(metrics, 'turnpike_memory_used_bytes'));
    assert.ok(valueOf(metrics, 'turnpike_descriptors_used') > 0);
    const threads = fs.readdirSync(`/proc/${gateway.pid}/task`).length;
    assert.equal(valueOf(metrics, 'process_threads'), threads);
    assert.ok(valueOf(metrics, 'process_resident_memory_bytes') > 1 << 20);
    assert.ok(valueOf(metrics, 'process_virtual_memory_bytes') >= valueOf(metrics, 'process_resident_memory_bytes'));
    assert.ok(metrics.get('process_cpu_seconds_total').samples[0].value > 0);
    assert.equal(Math.min(...metrics.get('turnpike_route_exchange_duration_seconds').samples
        .filter((sample) => sample.labels.le).map((sample) => Number(sample.labels.le.replace('+Inf', 'Infinity')))), 0.000064);
});

test('tunnels are counted while they are open', async (t) => {
    const origin = await httpOrigin(t);
    echoWebSockets(origin.server);
    const gateway = await startGateway(t, yaml(origin));
    const open = async () => valueOf(await metricsOf(gateway), 'turnpike_tunnels_open');
    assert.equal(await open(), 0);
    const socket = await openWebSocket(t, gateway);
    assert.equal(await open(), 1);
    socket.wire.destroy();
    await until('the tunnel to be gone', async () => await open() === 0, LONG);
    await (await openWebSocket(t, gateway)).close(); // the origin ends it first
    await until('that one to be gone', async () => await open() === 0, LONG);
});

test('streams of HTTP/2 clients are counted while they are open', async (t) => {
    const origin = await heldOrigin(t);
    const gateway = await startGateway(t, (folder) => `listeners: [{address: "127.0.0.1:0", h2c: true}]\n${yaml(origin)(folder)}`);
    const count = async () => valueOf(await metricsOf(gateway), 'turnpike_http2_streams_open');
    const become = (expected) => until(`${expected} open streams`, async () => await count() === expected, LONG);
    assert.equal(await count(), 0);
    const session = await connectHttp2(t, gateway);
    const answered = [openStream(session), openStream(session), openStream(session)];
    await become(3);
    for (let left = 2; left >= 0; left--) {
        await origin.answer();
        await become(left);
    }
    await Promise.all(answered.map((stream) => within('an answer', stream.answer)));
    const other = await connectHttp2(t, gateway);
    const [cancelled] = [openStream(session), openStream(session), openStream(other), openStream(other)];
    await become(4);
    cancelled.close(http2.constants.NGHTTP2_CANCEL);
    await become(3);
    other.destroy();
    await become(1);
    session.destroy();
    await become(0);
});

test('OpenMetrics where asked for', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    const answer = await ask(gateway, '/metrics', { headers: { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' } });
    assert.match(answer.headers['content-type'], /^application\/openmetrics-text; version=1\.0\.0/);
    assert.match(answer.body, /\n# EOF\n$/);
    assert.match(answer.body, /# TYPE turnpike_exchanges_started counter\nturnpike_exchanges_started_total 0\n/);
    assert.equal(/# TYPE \S+_total /.test(answer.body), false);
    assert.equal((await ask(gateway, '/metrics')).headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
});

// Names of series that a query reads.
const namesIn = (text) => new Set(text.match(/\b(turnpike|process)_[a-z0-9_]+/g));

test(...linuxOnly('rules and dashboard name what there is, and each alert has its page'), async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    const families = await metricsOf(gateway);
    const rules = fs.readFileSync(RULES, 'utf8');
    const dashboard = JSON.parse(fs.readFileSync(DASHBOARD, 'utf8'));
    const queries = dashboard.panels.flatMap((panel) => panel.targets.map((target) => target.expr));
    const expressions = rules.split('\n').filter((line) => !/^ *(#|- alert|summary|action|runbook)/.test(line)).join('\n');
    for (const name of [...namesIn(expressions), ...namesIn(queries.join('\n'))]) {
        assert.ok(families.has(name.replace(/_(bucket|sum|count)$/, '')) || families.has(name), `there is no ${name}`);
    }
    const anchors = new Set(fs.readFileSync(path.join(ROOT, 'doc/RUNBOOK.md'), 'utf8').split('\n')
        .filter((line) => line.startsWith('## ')).map((line) => line.slice(3).toLowerCase().replaceAll(' ', '-')));
    const links = [...rules.matchAll(/runbook: doc\/RUNBOOK\.md#(\S+)/g)].map(([, anchor]) => anchor);
    assert.equal(links.length, [...rules.matchAll(/- alert:/g)].length);
    links.forEach((anchor) => assert.ok(anchors.has(anchor), `RUNBOOK.md has no section ${anchor}`));
    const ids = dashboard.panels.map((panel) => panel.id);
    assert.equal(new Set(ids).size, ids.length);
});

test('promtool finds nothing', { skip: !hasPromtool && 'no promtool is installed' }, async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    await request(gateway, { path: '/no' });
    const { body } = await ask(gateway, '/metrics');
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
    assert.deepEqual([checked.status, checked.stdout, checked.stderr], [0, '', '']);
    const rules = spawnSync('promtool', ['check', 'rules', RULES], { encoding: 'utf8' });
    assert.equal(rules.status, 0, rules.stdout + rules.stderr);
});

test('how late the loops of all workers came to their timers', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    await until('a timer of a loop to be due', async () => valueOf(await metricsOf(gateway), 'turnpike_loop_lag_seconds_count', {}) > 0, LONG);
    const metrics = await metricsOf(gateway);
    const longest = valueOf(metrics, 'turnpike_loop_lag_max_seconds', {});
    assert.ok(longest >= 0 && longest < 600, String(longest));
    assert.ok(longest <= valueOf(metrics, 'turnpike_loop_lag_seconds_sum', {}) + 1e-9);
    process.kill(gateway.pid, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 3000)); // longer than the pause between two timers
    process.kill(gateway.pid, 'SIGCONT');
    await until('the pause to be told', async () => valueOf(await metricsOf(gateway), 'turnpike_loop_lag_max_seconds', {}) > 0.5, LONG);
});
