// SPDX-License-Identifier: BSD-2-Clause
// The control interface: who may ask, what is told, and that it stays out of the traffic's books.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import test from 'node:test';
import { request, tally } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { adminIn, ask, askJson, askRefused, metricsOf, parseMetrics, valueOf } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { linuxOnly } from './lib/linux-only.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const SIMPLE = `
routes:
  - {name: hello, respond: {body: hello}}
`;

test('status tells about the process in the words of the configuration', async (t) => {
    const gateway = await startGateway(t, (folder) => `workers: 2\n${SIMPLE}${adminIn(folder)}`);
    await tally(gateway, 5);
    const status = await askJson(gateway, '/v1/status');
    assert.equal(status.pid, gateway.pid);
    assert.equal(status.state, 'running');
    assert.equal(status.workers.length, 2);
    assert.equal(status.exchanges_started, 5);
    assert.deepEqual(status.listeners.map(({ address, exchanges, errors }) => ({ address, exchanges, errors })),
        [{ address: '127.0.0.1:0', exchanges: 5, errors: 0 }]);
});

test('the socket is for its owner alone, and goes with the process', async (t) => {
    const gateway = await startGateway(t, (folder) => `${SIMPLE}${adminIn(folder)}`);
    const file = `${gateway.folder}/admin.sock`;
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    await gateway.stop();
    assert.equal(fs.existsSync(file), false);
});

test('questions show in no log and no counter of the traffic, nor among the listeners', async (t) => {
    const gateway = await startGateway(t, (folder) => `${SIMPLE}${adminIn(folder)}`);
    for (let i = 0; i < 3; i++) {
        await ask(gateway, '/v1/status');
        await askRefused(gateway, '/nothing', 404);
    }
    await request(gateway, {});
    assert.equal(gateway.listeners.length, 1);
    assert.deepEqual((await gateway.logged(1)).map((entry) => entry['turnpike.route']), ['hello']);
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_exchanges_started_total'), 1);
    assert.equal(valueOf(metrics, 'turnpike_client_connections_accepted_total'), 1);
});

test('metrics are well-formed and add up over the workers', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, (folder) => `workers: 2\n${through(origin)}${adminIn(folder)}`);
    await tally(gateway, 40, { connections: 4 });
    await until('all exchanges to be counted', async () =>
        valueOf(await metricsOf(gateway), 'turnpike_route_exchange_duration_seconds_count', { route: 'all' }) === 40);
    const metrics = await metricsOf(gateway);
    for (const [kind, name] of [['listener', '127.0.0.1:0'], ['route', 'all'], ['service', 'app']]) {
        assert.equal(valueOf(metrics, `turnpike_${kind}_exchanges_total`, { [kind]: name, status: '2xx' }), 40);
        assert.equal(valueOf(metrics, `turnpike_${kind}_exchange_outcomes_total`, { [kind]: name, outcome: 'answered' }), 40);
        assert.equal(valueOf(metrics, `turnpike_${kind}_exchange_duration_seconds_count`, { [kind]: name }), 40);
        assert.ok(valueOf(metrics, `turnpike_${kind}_exchange_duration_seconds_sum`, { [kind]: name }) > 0);
    }
    assert.equal(valueOf(metrics, 'turnpike_origin_responses_total', { origin: origin.address, status: '2xx' }), 40);
    assert.equal(valueOf(metrics, 'turnpike_origin_response_duration_seconds_count', { origin: origin.address }), 40);
    assert.equal(valueOf(metrics, 'turnpike_origin_requests_total', { origin: origin.address }), 40);
    assert.ok(valueOf(metrics, 'turnpike_service_sent_bytes_total', { service: 'app' }) > 40 * 6);
});

test('an answer that ends with its connection has a duration, too', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send('HTTP/1.0 200 OK\r\n\r\nall of it');
        wire.end();
    });
    const gateway = await startGateway(t, (folder) => `${through(origin)}${adminIn(folder)}`);
    for (let i = 0; i < 3; i++) {
        assert.equal((await request(gateway)).body, 'all of it');
    }
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_origin_responses_total', { origin: origin.address, status: '2xx' }), 3);
    assert.equal(valueOf(metrics, 'turnpike_origin_response_duration_seconds_count', { origin: origin.address }), 3);
});

test('failures of an origin are counted by what went wrong, cuts by their cause', async (t) => {
    const gateway = await startGateway(t, (folder) => `${through('127.0.0.1:1')}timeouts: {head: 200ms, body_idle: 200ms}\n${adminIn(folder)}`);
    assert.equal((await request(gateway, {})).status, 502);
    const slow = await connect(t, gateway);
    slow.send('GET / HT');
    await until('the slow client to be cut and counted', async () =>
        valueOf(await metricsOf(gateway), 'turnpike_client_forced_closes_total', { cause: 'head' }) === 1);
    const stalled = await connect(t, gateway);
    stalled.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx');
    await stalled.closed();
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_client_forced_close_exchange_duration_seconds_count', { cause: 'body-idle' }), 1);
    assert.ok(valueOf(metrics, 'turnpike_client_forced_close_exchange_duration_seconds_sum', { cause: 'body-idle' }) >= 0.1);
    assert.equal(valueOf(metrics, 'turnpike_origin_attempts_failed_total', { origin: '127.0.0.1:1', failure: 'refused' }), 1);
    assert.equal(valueOf(metrics, 'turnpike_route_errors_total', { route: 'all' }), 2);
});

test('names that would break the format are escaped', async (t) => {
    const gateway = await startGateway(t, (folder) => `
listeners: [{address: 'unix:${folder}/a"b\\c.sock'}]
${SIMPLE}${adminIn(folder)}`);
    await request(gateway, { socketPath: gateway.connectOptions.path });
    await gateway.logged(1); /* an exchange is counted by then */
    assert.equal(valueOf(await metricsOf(gateway), 'turnpike_listener_exchange_duration_seconds_count',
        { listener: `unix:${gateway.folder}/a"b\\c.sock` }), 1);
});

test('an address for metrics answers them and the health, and nothing else', async (t) => {
    const gateway = await startGateway(t, (folder) => `${SIMPLE}${adminIn(folder, 'metrics: "127.0.0.1:0"')}`);
    const [, port] = /info metrics at 127\.0\.0\.1:([0-9]+) /.exec(gateway.stderr);
    const there = { connectOptions: { host: '127.0.0.1', port: Number(port) } };
    parseMetrics((await request(there, { path: '/metrics' })).body);
    assert.equal((await request(there, { path: '/health' })).body, 'ok\n');
    assert.equal((await request(there, { path: '/v1/status' })).status, 404);
});

test('a wrong method and a wrong path are refused with a remedy', async (t) => {
    const gateway = await startGateway(t, (folder) => `${SIMPLE}${adminIn(folder)}`);
    assert.match((await askRefused(gateway, '/v1/status', 405, { method: 'POST' })).remedy, /GET/);
    assert.equal((await ask(gateway, '/v1/status', { method: 'POST' })).headers.allow, 'GET'); // RFC 9110 section 15.5.6
    assert.match((await askRefused(gateway, '/v1/nothing', 404)).remedy, /\/v1/);
    const head = await ask(gateway, '/v1/status', { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.body, '');
});

// A listener of the same port, opened even for a moment, would take clients away from the first.
test('a second process is told who is in its way, and opens no listener', async (t) => {
    const gateway = await startGateway(t, (folder) => `${SIMPLE}${adminIn(folder)}`);
    const second = await runGateway(t, `listeners: [{address: "127.0.0.1:${gateway.port}"}]\n${SIMPLE}${adminIn(gateway.folder)}\n`);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /cannot listen on .*admin\.sock \(admin\.socket\): Address already in use; another process serves there/);
    assert.doesNotMatch(second.stderr, /listening on 127/);
    assert.equal((await ask(gateway, '/v1/status')).status, 200);
});

// No process leaves a lock file behind, but another user may make one in a folder where all may write.
test(...linuxOnly('a lock file that another process holds ends a start with an error that names both'), async (t) => {
    const folder = temporaryFolder(t);
    const holder = spawn('flock', [`${folder}/admin.sock.lock`, 'sleep', '60'], { stdio: 'ignore', detached: true });
    t.after(() => process.kill(-holder.pid));
    await until('the lock to be held', () => fs.existsSync(`${folder}/admin.sock.lock`) && fs.readFileSync('/proc/locks', 'utf8').includes(` ${holder.pid} `));
    const result = await runGateway(t, `access_log: off\nlisteners: [{address: "127.0.0.1:0"}]\n${SIMPLE}${adminIn(folder)}\n`);
    assert.equal(result.code, 1);
    assert.match(result.stderr, new RegExp(`process ${holder.pid} holds the lock file ${folder}/admin\\.sock\\.lock`));
});

test('clients that leave before their answer hold nothing up', async (t) => {
    const gateway = await startGateway(t, (folder) => `workers: 2\n${SIMPLE}${adminIn(folder)}`);
    const questions = ['POST /v1/reload', 'GET /v1/connections', 'GET /metrics', 'POST /v1/explain'];
    for (let i = 0; i < 40; i++) {
        const client = await connect(t, { connectOptions: { path: `${gateway.folder}/admin.sock` } });
        client.send(`${questions[i % 4]} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
        client.socket.destroy();
    }
    await until('the last reload', async () => (await askJson(gateway, '/v1/status')).generation > 1);
    assert.equal((await request(gateway, {})).body, 'hello');
});

test('while it stops, health says so and questions are still answered', async (t) => {
    const origin = await httpOrigin(t, { handler: () => {} });
    const gateway = await startGateway(t, (folder) => `${through(origin)}timeouts: {drain: 5s}\n${adminIn(folder)}`);
    const client = await connect(t, gateway);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('the request to be under way', async () => (await askJson(gateway, '/v1/status')).exchanges_started === 1);
    gateway.signal('SIGTERM');
    await until('health to say so', async () => (await ask(gateway, '/health')).status === 503);
    assert.equal((await askJson(gateway, '/v1/status')).state, 'stopping');
    client.socket.destroy();
});
