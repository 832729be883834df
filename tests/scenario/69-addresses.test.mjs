// SPDX-License-Identifier: BSD-2-Clause
// An origin by name stands for its addresses: each is an origin of its own for health, balance and
// pools, and is followed as DNS changes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { keepAliveAgent, request, tally } from './lib/client.mjs';
import { adminIn, askJson, ctlLines, ctlRefused, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { nameServer } from './lib/name-server.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { patient, pause, until } from './lib/wait.mjs';

const HOST = 'api.example.test';

// One origin at each of these addresses, all at the same port; `moods` say how they answer.
async function originsAt(t, addresses, moods = {}) {
    const first = await httpOrigin(t, { name: addresses[0], host: addresses[0], handler: moods[addresses[0]] });
    const others = addresses.slice(1).map((host) => httpOrigin(t, { name: host, host, port: first.port, handler: moods[host] }));
    return [first, ...await Promise.all(others)];
}

function config(server, port, { service = '', more = '' } = {}) {
    return (folder) => `
dns: {servers: ["${server.address}"]}
services: {app: {origins: ["${HOST}:${port}"]${service && `, ${service}`}}}
routes: [{name: all, service: app}]
${adminIn(folder)}
${more}`;
}

async function begin(t, addresses, moods, options) {
    const server = await nameServer(t);
    const origins = await originsAt(t, addresses, moods);
    const { port } = origins[0];
    server.set('A', HOST, addresses);
    const gateway = await startGateway(t, config(server, port, options));
    return { server, origins, port, gateway };
}

async function addressesOf(gateway) {
    return (await askJson(gateway, '/v1/services')).addresses;
}

function countOf(answers, wanted) {
    return answers.filter(wanted).length;
}

// So many lanes with a connection each, until `over`; all answers, or what went wrong.
async function load(gateway, lanes, count, method = () => 'GET') {
    const agent = keepAliveAgent(lanes);
    const answers = [];
    let left = count;
    const lane = async () => {
        while (left > 0) {
            const at = left--;
            const asked = method(at);
            const answer = await request(gateway, { agent, method: asked, body: asked === 'POST' ? 'x' : undefined })
                .catch((error) => ({ status: 0, body: String(error) }));
            answers.push({ ...answer, method: asked });
        }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    agent.destroy();
    return answers;
}

test('each address takes its turn, and is shown: log, services, metrics, drain', async (t) => {
    const { gateway, port } = await begin(t, ['127.0.0.1', '127.0.0.2', '127.0.0.3']);
    assert.deepEqual(await tally(gateway, 9), { '127.0.0.1': 3, '127.0.0.2': 3, '127.0.0.3': 3 });
    const entries = await gateway.logged(9);
    assert.deepEqual([...new Set(entries.map((entry) => entry['turnpike.origin']))], [`${HOST}:${port}`]);
    assert.deepEqual(entries.map((entry) => entry['turnpike.attempts'][0].address).sort().filter((_, at) => at % 3 === 0),
        ['127.0.0.1', '127.0.0.2', '127.0.0.3']);
    const { origins: [row], addresses } = await askJson(gateway, '/v1/services');
    assert.equal(row.address, `${HOST}:${port}`);
    assert.deepEqual([row.state, row.requests, row.addresses, row.serving], ['serves', 9, 3, 3]);
    assert.deepEqual(addresses.map((each) => each.origin), [1, 2, 3].map((at) => `${HOST}:${port}@127.0.0.${at}`));
    assert.equal(valueOf(await metricsOf(gateway), 'turnpike_origin_requests_total', { origin: `${HOST}:${port}`, address: '127.0.0.2' }), 3);
    await ctlLines(gateway, 'drain', `${HOST}:${port}@127.0.0.2`);
    assert.deepEqual(await tally(gateway, 4), { '127.0.0.1': 2, '127.0.0.3': 2 });
    await ctlLines(gateway, 'undrain', `${HOST}:${port}@127.0.0.2`);
    await ctlLines(gateway, 'drain', `${HOST}:${port}`, '--force');
    assert.equal((await request(gateway)).status, 503);
    assert.deepEqual((await addressesOf(gateway)).map((each) => each.state), ['drained', 'drained', 'drained']);
});

test('one of three addresses answers 503: it is ejected, the others serve', async (t) => {
    const bad = (_, answer) => { answer.statusCode = 503; answer.end(); };
    const { gateway, origins } = await begin(t, ['127.0.0.1', '127.0.0.2', '127.0.0.3'], { '127.0.0.2': bad },
        { service: 'balance: least_requests, health: {ejection_time: 1h, max_ejection_time: 1h}' });
    const answers = await load(gateway, 6, 600);
    const failed = countOf(answers, (answer) => answer.status !== 200);
    assert.ok(failed <= 20, `${failed} of 600 failed`);
    await gateway.said(new RegExp(`origin ${HOST}:\\d+@127\\.0\\.0\\.2: ejected for`));
    assert.ok(origins[0].requests.length > 200 && origins[2].requests.length > 200);
});

test('a changed address is followed while all connections are busy', async (t) => {
    const { gateway, server, origins, port } = await begin(t, ['127.0.0.1']);
    const next = await httpOrigin(t, { name: 'new', host: '127.0.0.2', port });
    let over = false;
    const agent = keepAliveAgent(8);
    const bad = [];
    const lane = async () => {
        while (!over) {
            const answer = await request(gateway, { agent });
            if (answer.status !== 200) {
                bad.push(answer.status);
            }
        }
    };
    const lanes = Array.from({ length: 8 }, lane);
    try {
        await until('the old address to be at work', () => origins[0].requests.length > 100);
        server.set('A', HOST, ['127.0.0.2']);
        await until('the new address to be at work', () => next.requests.length > 100, 5000);
        const before = origins[0].requests.length;
        await until('more to go there', () => next.requests.length > 400);
        assert.equal(origins[0].requests.length, before, 'requests went to an address that is gone');
        await until('its connections to be closed', () => origins[0].open.size === 0);
    } finally {
        over = true;
        await Promise.all(lanes);
        agent.destroy();
    }
    assert.deepEqual(bad, []);
});

test('an address that refuses costs no request, whatever its method', async (t) => {
    const { gateway, origins } = await begin(t, ['127.0.0.1', '127.0.0.2', '127.0.0.3'], {},
        { service: 'health: {max_ejected_share: 0%}' });
    await origins[0].close();
    await origins[1].close();
    const answers = await load(gateway, 3, 60, (at) => (at % 2 ? 'POST' : 'GET'));
    assert.deepEqual([...new Set(answers.map((answer) => answer.body))], ['127.0.0.3']);
    const entries = await gateway.logged(60);
    assert.ok(entries.every((entry) => entry['turnpike.attempts'].length === 1), 'within one attempt');
});

test('each address is probed', async (t) => {
    let broken = false;
    const moody = (asked, answer) => { answer.statusCode = broken ? 500 : 200; answer.end('b'); };
    const { gateway } = await begin(t, ['127.0.0.1', '127.0.0.2'], { '127.0.0.2': moody },
        { service: 'health: {probe: {type: http, path: /up, interval: 50ms, healthy: 1, unhealthy: 1}, slow_start: none}' });
    await until('probes of both', async () => (await addressesOf(gateway)).every((each) => each.probes === 'up'));
    broken = true;
    await gateway.said(new RegExp(`origin ${HOST}:\\d+@127\\.0\\.0\\.2: down`));
    assert.deepEqual(await tally(gateway, 6), { '127.0.0.1': 6 });
    broken = false;
    await gateway.said(new RegExp(`origin ${HOST}:\\d+@127\\.0\\.0\\.2: up again`));
    assert.deepEqual(await tally(gateway, 6), { '127.0.0.1': 3, b: 3 });
});

test('a reload forgets no address and nothing about it', async (t) => {
    const { gateway, server, port } = await begin(t, ['127.0.0.1', '127.0.0.2']);
    await tally(gateway, 4);
    await ctlLines(gateway, 'drain', `${HOST}:${port}@127.0.0.1`, '--force');
    server.close();
    assert.match(await gateway.reload(config(server, port, { service: 'pool: {max_idle: 7}' })), /1 changed/);
    assert.deepEqual(await tally(gateway, 4), { '127.0.0.2': 4 });
});

const differences = async (gateway) => (await askJson(gateway, '/v1/status')).differs_from_file ?? [];

test('a drained address is drained when it comes, comes back, or comes after a start', async (t) => {
    const server = await nameServer(t);
    const origins = await originsAt(t, ['127.0.0.1', '127.0.0.2']);
    const { port } = origins[0];
    const gateway = await startGateway(t, (folder) => config(server, port, { more: `state_directory: ${folder}` })(folder));
    const drained = `${HOST}:${port}@127.0.0.1`;
    const served = (body) => until(`an answer of ${body}`, async () => (await request(gateway)).body === body, patient(10_000));
    await gateway.said(/cannot be resolved/);
    await ctlLines(gateway, 'drain', drained);
    assert.deepEqual(await differences(gateway), [`origin ${drained}: drained (operator), not in DNS now`]);
    server.set('A', HOST, ['127.0.0.1', '127.0.0.2']);
    await served('127.0.0.2');
    assert.deepEqual(await tally(gateway, 4), { '127.0.0.2': 4 });
    server.set('A', HOST, '127.0.0.2');
    await until('it to be gone', async () => (await addressesOf(gateway)).length === 1, patient(10_000));
    await until('it to be told so', async () => /not in DNS now/.test(await differences(gateway)), patient(10_000));
    await gateway.upgrade();
    server.set('A', HOST, ['127.0.0.1', '127.0.0.2']);
    await until('it to be back', async () => (await addressesOf(gateway)).length === 2, patient(10_000));
    assert.deepEqual(await differences(gateway), [`origin ${drained}: drained (operator)`]);
    assert.deepEqual(await tally(gateway, 4), { '127.0.0.2': 4 });
    await ctlLines(gateway, 'undrain', drained);
    assert.deepEqual(await tally(gateway, 4), { '127.0.0.1': 2, '127.0.0.2': 2 });
    await ctlRefused(gateway, /no service has an origin/, 'drain', `${HOST}:${port}@127.0.0.9`);
});

test('a name that is unknown at start is asked for again every second', async (t) => {
    const server = await nameServer(t);
    const [origin] = await originsAt(t, ['127.0.0.1']);
    const gateway = await startGateway(t, config(server, origin.port, { more: 'workers: 1' }));
    const asked = () => server.questions.filter((each) => each.type === 'A' && each.name === HOST).length;
    await until('five questions', () => asked() >= 5, 7000);
    server.set('A', HOST, '127.0.0.1');
    await until('an answer', async () => (await request(gateway)).status === 200, 2500);
});
// So that three of ten fail, each of its own accord.
function resetsSome() {
    let count = 0;
    return async (asked, answer, record) => {
        await record.body();
        if (count++ % 10 < 3) {
            asked.socket.resetAndDestroy();
        } else {
            answer.end('shaky');
        }
    };
}

test('of an origin that resets 30% clients notice next to nothing', async (t) => {
    const { gateway } = await begin(t, ['127.0.0.1', '127.0.0.2', '127.0.0.3'], { '127.0.0.3': resetsSome() },
        { service: 'health: {ejection_time: 1h, max_ejection_time: 1h}' });
    const answers = await load(gateway, 6, 1200, (at) => (at % 2 ? 'POST' : 'GET'));
    const failed = answers.filter((answer) => answer.status !== 200);
    assert.ok(failed.length <= 8, `${failed.length} of 1200 failed`);
    assert.deepEqual(failed.filter((answer) => answer.method === 'GET'), [], 'a safe request is tried again');
    // Where nothing may be sent twice: after the first the others come first.
    const posts = await load(gateway, 6, 300, () => 'POST');
    assert.ok(posts.filter((answer) => answer.status !== 200).length <= 8);
});

test('an origin whose answers stop after their heads is sent away at once', async (t) => {
    const stalls = (_, answer) => { answer.setHeader('Content-Length', 10); answer.write('12345'); };
    const { gateway, origins } = await begin(t, ['127.0.0.1', '127.0.0.2', '127.0.0.3'], { '127.0.0.3': stalls },
        { service: 'health: {ejection_time: 1h, max_ejection_time: 1h}', more: 'timeouts: {response_idle: 5m}' });
    const agent = keepAliveAgent(8);
    let over = false;
    const lane = async () => {
        while (!over) {
            await request(gateway, { agent }).catch(() => {});
        }
    };
    const lanes = Array.from({ length: 8 }, lane);
    await gateway.said(/@127\.0\.0\.3: ejected for .* answers have stopped/);
    over = true;
    // Those who wait there are told by a reset, long before response_idle, as nothing more will come.
    await until('all to be told', async () => await Promise.race([Promise.all(lanes), pause(100).then(() => false)]), patient(60_000));
    agent.destroy();
    for (const socket of origins[2].open) {
        socket.destroy();
    }
    await Promise.all(lanes);
});
