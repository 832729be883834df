// SPDX-License-Identifier: BSD-2-Clause
// A request whose body is not whole yet does not take the last part of any limit of its service, and
// gives its place up to those that wait for it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { adminIn, askJson } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { patient, pause, until } from './lib/wait.mjs';

const GET = (path) => head(`GET ${path} HTTP/1.1`, 'Host: a');
// The chunk is larger than what is gathered, so that the request goes to its origin at once.
const DRIP = `${head('POST /drip HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}4e20\r\n${'x'.repeat(20_000)}\r\n`;
// No rate would cut anyone here, nor a pause.
const DRIPS_ARE_FINE = 'min_rates: {request_body: none, response: none}\ntimeouts: {body_idle: 10m}\n';

const library = (t) => rawOrigin(t, async (wire) => {
    for (;;) {
        await wire.request(patient(120_000));
        wire.ok('ok');
    }
});

const begun = (origin) => origin.wires.filter((wire) => wire.everReceived > 0).length;

async function drip(t, gateway) {
    const client = await connect(t, gateway);
    client.send(DRIP);
    return client;
}

const cuts = (entries) => entries.map((entry) => entry['turnpike.closed_by']).filter(Boolean);
const start = (t, origin, service, more = '') => startGateway(t, through(origin, { service, more: DRIPS_ARE_FINE + more }));

for (const limit of ['limits: {max_concurrent_requests: 4}', 'limits: {max_concurrent_requests_per_origin: 4}', 'limits: {max_connections: 4}', 'pool: {max_connections: 4}']) {
    test(`uploads that drip leave a part of ${limit} to all others`, async (t) => {
        const origin = await library(t);
        const gateway = await start(t, origin, limit);
        for (let i = 0; i < 8; i++) {
            await drip(t, gateway);
        }
        await until('three to be at the origin', () => begun(origin) >= 3);
        const statuses = [];
        for (let i = 0; i < 6; i++) {
            const client = await connect(t, gateway);
            statuses.push((await client.ask(GET('/'))).status);
        }
        assert.deepEqual(statuses, Array(6).fill(200));
    });
}

test('of the line too', async (t) => {
    const origin = await library(t);
    const gateway = await start(t, origin, 'limits: {max_concurrent_requests: 4, max_pending: 8}, pool: {pending_timeout: 60s}');
    const dripping = [];
    for (let i = 0; i < 20; i++) {
        dripping.push(await drip(t, gateway));
    }
    // Three are at the origin, six in line; those beyond are refused at once.
    const refused = await Promise.all(dripping.slice(9).map((client) => client.answer({ deadline: patient(30_000) })));
    assert.deepEqual([...new Set(refused.map(({ status }) => status))], [503]);
    const others = await Promise.all(Array.from({ length: 2 }, () => connect(t, gateway)));
    const answers = await Promise.all(others.map((client) => client.ask(GET('/'))));
    assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
});

test('an upload that drips gives way while another request waits for its place', async (t) => {
    const origin = await library(t);
    const gateway = await start(t, origin, 'limits: {max_concurrent_requests: 1}, pool: {pending_timeout: 60s}');
    const dripping = await drip(t, gateway);
    await until('it to be at the origin', () => begun(origin) === 1);
    const other = await connect(t, gateway);
    assert.equal((await other.ask(GET('/'))).status, 200);
    const answer = await dripping.answer();
    assert.equal(answer.status, 408);
    assert.match(answer.text, /others waited/);
    assert.deepEqual(cuts(await gateway.logged(2)), ['reserve']);
});

test('who has brought the whole request goes first', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            const { target } = await wire.request(patient(120_000));
            origin.targets.push(target);
            await until('the first to be let go', () => target !== '/first' || origin.go);
            wire.ok('ok');
        }
    });
    origin.targets = [];
    const gateway = await start(t, origin, 'limits: {max_concurrent_requests: 1}, pool: {pending_timeout: 60s}');
    const first = await connect(t, gateway);
    first.send(GET('/first'));
    await until('the first to be at the origin', () => origin.targets.length === 1);
    const upload = await connect(t, gateway);
    upload.send(DRIP);
    const waiting = async (count) => {
        await until(`${count} in line`, async () => {
            const ask = await connect(t, gateway);
            const { text } = await ask.ask(GET('/%00'));
            return text !== undefined;
        });
    };
    await waiting(1);
    const second = await connect(t, gateway);
    second.send(GET('/second'));
    await waiting(2);
    origin.go = true;
    assert.equal((await second.answer()).status, 200);
    upload.send('0\r\n\r\n');
    assert.equal((await upload.answer()).status, 200);
    assert.deepEqual(origin.targets, ['/first', '/second', '/drip']);
});

// Connections, by the worker that has them: two at least on each of two.
async function onBothWorkers(t, gateway) {
    const workers = [[], []];
    for (let count = 1; workers.some((clients) => clients.length < 2) || count <= 6; count++) {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(GET('/direct'))).status, 204);
        const entries = await gateway.logged(count);
        workers[entries.at(-1)['turnpike.worker'] ?? 0].push(client);
    }
    return workers;
}

test('on whichever worker', async (t) => {
    const targets = [];
    let go = false;
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            const { target } = await wire.request(patient(120_000));
            targets.push(target);
            await until('the first to be let go', () => target !== '/first' || go);
            await pause(target === '/second' ? 100 : 0); // longer than a worker's turn is
            wire.ok('ok');
        }
    });
    const gateway = await startGateway(t, (folder) => `
workers: 2
services: {app: {origins: ["${origin.address}"], limits: {max_concurrent_requests: 1}, pool: {pending_timeout: 1h}}}
routes:
  - {name: direct, match: {path: /direct}, respond: {status: 204}}
  - {name: all, service: app}
${adminIn(folder)}
${DRIPS_ARE_FINE}`);
    const inLine = (count) => until(`${count} in line`, async () => {
        const { origins } = await askJson(gateway, '/v1/services');
        return origins[0].pending === count;
    });
    const [[holds, uploads], [second, third]] = await onBothWorkers(t, gateway);
    holds.send(GET('/first'));
    await until('the first to be at the origin', () => targets.length === 1);
    uploads.send(DRIP);
    await inLine(1);
    second.send(GET('/second'));
    third.send(GET('/third'));
    await inLine(3);
    go = true;
    assert.equal((await second.answer()).status, 200);
    assert.equal((await third.answer()).status, 200);
    uploads.send('0\r\n\r\n');
    assert.equal((await uploads.answer()).status, 200);
    assert.deepEqual(targets.toSorted(), ['/drip', '/first', '/second', '/third']);
    assert.equal(targets.at(-1), '/drip');
});

test('no client is cut while none waits', async (t) => {
    const origin = await library(t);
    const gateway = await start(t, origin, 'limits: {max_concurrent_requests: 4}');
    const dripping = [await drip(t, gateway), await drip(t, gateway)];
    await until('both to be at the origin', () => begun(origin) === 2);
    // Four seconds, in which others are served without a wait.
    for (const until_ms = Date.now() + 4000; Date.now() < until_ms;) {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(GET('/'))).status, 200);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    for (const client of dripping) {
        client.send('0\r\n\r\n');
        assert.equal((await client.answer()).status, 200);
    }
});
