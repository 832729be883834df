// SPDX-License-Identifier: BSD-2-Clause
// Probes: what they ask, what they make of the answers, what happens when all origins are down.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { request, tally } from './lib/client.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { until } from './lib/wait.mjs';

const OFTEN = 'interval: 50ms';

// Answers probes (path /health) by `state`, all else with its name.
async function probed(t, name) {
    const origin = await httpOrigin(t, {
        name,
        handler: (asked, answer) => {
            if (asked.url !== '/health') {
                answer.end(name);
                return;
            }
            origin.probes.push(asked.headers);
            answer.statusCode = origin.state.status ?? 200;
            if (origin.state.answers !== false) {
                answer.end(origin.state.body ?? 'fine');
            }
        },
    });
    origin.probes = [];
    origin.state = {};
    return origin;
}

async function start(t, origins, probe, { health = '', more = '' } = {}) {
    const list = origins.map((origin) => `"${origin.address ?? origin}"`).join(', ');
    return startGateway(t, `
services: {app: {origins: [${list}], health: {slow_start: none, probe: {${probe}}${health && `, ${health}`}}}}
routes: [{name: all, service: app}]
${more}`);
}

test('probes ask what they are told to, on connections of their own, and count nowhere', async (t) => {
    const origin = await probed(t, 'a');
    const gateway = await start(t, [origin], `path: /health, host: app.internal, ${OFTEN}`, { more: 'workers: 3' });
    await until('some probes', () => origin.probes.length >= 4);
    assert.equal(origin.probes[0].host, 'app.internal');
    assert.match(origin.probes[0]['user-agent'], /turnpike/);
    await request(gateway, { path: '/real' });
    const entries = await gateway.logged(1);
    assert.deepEqual(entries.map((entry) => entry['url.path']), ['/real']);
});

test('one verdict for all workers: one prober', async (t) => {
    const origin = await probed(t, 'a');
    await start(t, [origin], 'path: /health, interval: 200ms, jitter: 0%', { more: 'workers: 4' });
    await until('some probes', () => origin.probes.length >= 3);
    const began = Date.now();
    const count = origin.probes.length;
    await until('ten more', () => origin.probes.length >= count + 10, 20000);
    assert.ok(Date.now() - began > 1500, 'four probers would have been done four times as soon');
});

test('an origin is down after some bad probes, and up after some good ones', async (t) => {
    const a = await probed(t, 'a');
    const b = await probed(t, 'b');
    const gateway = await start(t, [a, b], `path: /health, ${OFTEN}, unhealthy: 3, healthy: 2`);
    await until('first probes', () => a.probes.length > 0 && b.probes.length > 0);
    b.state = { status: 500 };
    await gateway.said(/origin 127\S+: down, by the probe of service app: it answered 500/);
    assert.deepEqual(await tally(gateway, 10), { a: 10 });
    b.state = {};
    await gateway.said(/: up again, by the probe of service app/);
    assert.deepEqual(await tally(gateway, 10), { a: 5, b: 5 });
});

test('a bad probe or two change nothing', async (t) => {
    const a = await probed(t, 'a');
    const gateway = await start(t, [a, await probed(t, 'b')], `path: /health, ${OFTEN}, unhealthy: 1000`);
    await until('a first probe', () => a.probes.length > 0);
    a.state = { status: 500 };
    const count = a.probes.length;
    await until('bad probes', () => a.probes.length > count + 2);
    assert.deepEqual(await tally(gateway, 10), { a: 5, b: 5 });
});

test('the body must hold what is asked for, chunked or not', async (t) => {
    const a = await probed(t, 'a');
    const chunked = await httpOrigin(t, {
        name: 'chunked',
        handler: (asked, answer) => {
            answer.write('status: re');
            answer.write('ady');
            answer.end();
        },
    });
    const gateway = await start(t, [a, chunked], `path: /health, ${OFTEN}, body: "ready"`);
    await gateway.said(/: down, by the probe .*does not hold what it should/);
    assert.deepEqual(Object.keys(await tally(gateway, 10)), ['status: ready']);
    a.state = { body: 'I am ready.' };
    await gateway.said(/: up again/);
});

test('the status must be one of those set', async (t) => {
    const a = await probed(t, 'a');
    a.state = { status: 302 };
    const b = await probed(t, 'b');
    const gateway = await start(t, [a, b], `path: /health, ${OFTEN}, status: [200, 210-220]`);
    await gateway.said(/: down, by the probe .*it answered 302/);
    assert.deepEqual(await tally(gateway, 10), { b: 10 });
});

test('a probe that gets no answer in time is a bad one', async (t) => {
    const a = await probed(t, 'a');
    a.state = { answers: false };
    const b = await probed(t, 'b');
    const gateway = await start(t, [a, b], `path: /health, ${OFTEN}, timeout: 100ms`);
    await gateway.said(/: down, by the probe .*it took too long/);
});

test('tcp: a connection is enough', async (t) => {
    let connections = 0;
    const mute = net.createServer((socket) => {
        connections++;
        socket.on('error', () => {});
        socket.resume();
    });
    await new Promise((resolve) => mute.listen(0, '127.0.0.1', resolve));
    defer(t, () => mute.close());
    const gone = await httpOrigin(t);
    await gone.close();
    const gateway = await start(t, [`127.0.0.1:${mute.address().port}`, gone], `type: tcp, ${OFTEN}`);
    await gateway.said(new RegExp(`origin ${gone.address}: down, by the probe .*refused`));
    await until('several probes', () => connections >= 3);
    assert.doesNotMatch(gateway.stderr, new RegExp(`${mute.address().port}: down`));
});

test('all down: tried all the same, unless told to fail', async (t) => {
    const origins = [await probed(t, 'a'), await probed(t, 'b')];
    for (const origin of origins) {
        origin.state = { status: 500 };
    }
    const tries = await start(t, origins, `path: /health, ${OFTEN}`);
    const fails = await start(t, origins, `path: /health, ${OFTEN}`, { health: 'when_all_down: fail' });
    for (const gateway of [tries, fails]) {
        await until('both to be down', () => gateway.stderr.match(/: down, by/g)?.length === 2);
    }
    assert.deepEqual(await tally(tries, 10), { a: 5, b: 5 });
    const answer = await request(fails);
    assert.equal(answer.status, 503);
    assert.match(answer.headers['proxy-status'], /error=destination_unavailable/);
    assert.match(answer.headers['retry-after'], /^[0-9]+$/);
    const [entry] = await fails.logged(1);
    assert.equal(entry['http.response.status_code'], 503);
    origins[0].state = {};
    await fails.said(/: up again/);
    assert.deepEqual(await tally(fails, 10), { a: 10 });
});

test('a probe of type tcp has no path', async (t) => {
    const { runGateway } = await import('./lib/gateway.mjs');
    const result = await runGateway(t, `
listeners: [{address: "127.0.0.1:0"}]
services: {app: {origins: ["127.0.0.1:9"], health: {ejection_time: 10m, failed_status: 5xx, probe: {type: tcp, path: /x}}}}
routes: [{service: app}]
`);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /'health\.probe\.path' has no meaning for a probe of type tcp/);
    assert.match(result.stderr, /'health\.failed_status' expects a status such as 503, a range/);
    assert.match(result.stderr, /'health\.ejection_time' is longer than health\.max_ejection_time/);
});
