// SPDX-License-Identifier: BSD-2-Clause
// Limits of origins and services hold over all workers, and no request is forgotten in a line.
import assert from 'node:assert/strict';
import test from 'node:test';
import { keepAliveAgent, request } from './lib/client.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { pause, until } from './lib/wait.mjs';

const WORKERS = 'workers: 4';

// Counts how many requests it has at once, and takes its time for each.
async function counting(t, name, { takes = 3, common } = {}) {
    const count = common ?? { now: 0, most: 0 };
    const origin = await httpOrigin(t, {
        name,
        handler: async (asked, answer) => {
            count.most = Math.max(count.most, ++count.now);
            await pause(takes);
            count.now--;
            answer.end(name);
        },
    });
    origin.server.on('connection', () => (origin.mostOpen = Math.max(origin.mostOpen ?? 0, origin.open.size)));
    origin.count = count;
    return origin;
}

async function start(t, origins, service) {
    const list = origins.map((origin) => `"${origin.address}"`).join(', ');
    return startGateway(t, `
${WORKERS}
services: {app: {origins: [${list}], ${service}}}
routes: [{name: all, service: app}]
`);
}

// Lanes of one connection each, which are spread over the workers.
async function lanes(gateway, count, asks) {
    return Promise.all(
        Array.from({ length: count }, async () => {
            const agent = keepAliveAgent();
            const statuses = [];
            try {
                while (asks(statuses)) {
                    statuses.push((await request(gateway, { agent })).status);
                }
            } finally {
                agent.destroy();
            }
            return statuses;
        }),
    );
}

const times = (count) => (statuses) => statuses.length < count;

function assertAllWell(results) {
    for (const statuses of results) {
        assert.ok(statuses.every((status) => status === 200), JSON.stringify(statuses));
    }
}

test('limits.max_concurrent_requests_per_origin: so many at one origin, whatever the number of workers', async (t) => {
    const origin = await counting(t, 'a');
    const gateway = await start(t, [origin], 'limits: {max_concurrent_requests_per_origin: 3}');
    assertAllWell(await lanes(gateway, 24, times(10)));
    assert.equal(origin.count.most, 3);
});

test('limits.max_concurrent_requests: so many at all origins together', async (t) => {
    const common = { now: 0, most: 0 };
    const origins = [await counting(t, 'a', { common }), await counting(t, 'b', { common })];
    const gateway = await start(t, origins, 'limits: {max_concurrent_requests: 5}');
    assertAllWell(await lanes(gateway, 24, times(10)));
    assert.equal(common.most, 5);
});

test('pool.max_connections: so many to one origin, whatever the number of workers', async (t) => {
    const origin = await counting(t, 'a');
    const gateway = await start(t, [origin], 'pool: {max_connections: 2}');
    assertAllWell(await lanes(gateway, 24, times(10)));
    // One that the gateway has closed may be open at the origin for a moment longer.
    assert.ok(origin.mostOpen >= 2 && origin.mostOpen <= 4, `${origin.mostOpen}`);
});

test('limits.max_connections: so many to all origins together', async (t) => {
    const origins = [await counting(t, 'a'), await counting(t, 'b')];
    let most = 0;
    for (const origin of origins) {
        origin.server.on('connection', () => (most = Math.max(most, origins[0].open.size + origins[1].open.size)));
    }
    const gateway = await start(t, origins, 'limits: {max_connections: 3}');
    assertAllWell(await lanes(gateway, 24, times(10)));
    assert.ok(most >= 3 && most <= 6, `${most}`);
});

test('an idle connection that lies with one worker is no reason to wait for another', async (t) => {
    const origin = await counting(t, 'a', { takes: 0 });
    const gateway = await start(t, [origin], 'pool: {max_connections: 1, pending_timeout: 60s}');
    // Each new client connection goes to the worker with the fewest.
    const agents = Array.from({ length: 8 }, () => keepAliveAgent());
    t.after(() => agents.forEach((agent) => agent.destroy()));
    for (const agent of [...agents, ...agents]) {
        assert.equal((await request(gateway, { agent })).status, 200);
    }
    const workers = new Set((await gateway.logged(16)).map((entry) => entry['turnpike.worker']));
    assert.ok(workers.size > 1, 'more than one worker had requests');
});

test('no client starves while others are served without end', async (t) => {
    const origin = await counting(t, 'a', { takes: 1 });
    const gateway = await start(t, [origin], 'limits: {max_concurrent_requests_per_origin: 1}, pool: {pending_timeout: 60s}');
    let total = 0;
    const results = await lanes(gateway, 12, () => total++ < 600);
    assertAllWell(results);
    assert.equal(origin.count.most, 1);
    const least = Math.min(...results.map((statuses) => statuses.length));
    assert.ok(least >= 5, results.map((statuses) => statuses.length).join(' '));
});

test('limits.max_pending: the line of a service has an end', async (t) => {
    let go = false;
    const origin = await httpOrigin(t, {
        handler: (_, answer) => until('its turn', () => go).then(() => answer.end('a')),
    });
    const gateway = await start(t, [origin], 'limits: {max_concurrent_requests: 2, max_pending: 3}');
    const asked = [request(gateway), request(gateway)];
    // Before that each waits in line for its connection, and may have another one refused.
    await until('the first two to be at the origin', () => origin.requests.length === 2);
    asked.push(...Array.from({ length: 10 }, () => request(gateway)));
    const refused = [];
    for (const each of asked) {
        each.then((answer) => answer.status === 503 && refused.push(answer));
    }
    await until('the others to be refused', () => refused.length === 7);
    assert.match(refused[0].headers['proxy-status'], /error=connection_limit_reached/);
    go = true;
    const statuses = (await Promise.all(asked)).map((answer) => answer.status);
    assert.equal(statuses.filter((status) => status === 200).length, 5);
});

test('a client that leaves gives back what it had', async (t) => {
    let hold = true;
    const origin = await httpOrigin(t, {
        handler: (_, answer) => {
            if (!hold) {
                answer.end('a');
            }
        },
    });
    const gateway = await start(t, [origin], 'limits: {max_concurrent_requests: 2}');
    const agents = Array.from({ length: 5 }, () => keepAliveAgent());
    for (const agent of agents) {
        request(gateway, { agent }).catch(() => {});
    }
    await until('two to be there', () => origin.requests.length === 2);
    hold = false;
    for (const agent of agents) {
        Object.values(agent.sockets).flat().forEach((socket) => socket.resetAndDestroy());
    }
    for (let i = 0; i < 10; i++) {
        assert.equal((await request(gateway)).status, 200);
    }
});

const GET = head('GET / HTTP/1.1', 'Host: a');
const post = (sent) => head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 40000') + 'x'.repeat(sent);
const REQUESTS = [GET, post(40000), post(20000)];

// What becomes of a request, whatever was taken for it must be given back.
const TROUBLES = [
    (wire) => wire.ok('ok'),
    (wire) => wire.end(),
    (wire) => wire.reset(),
    () => {}, // stalls
    (wire) => wire.send('HTTP/1.1 200 OK\r\nConte').end(),
    (wire) => wire.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbut').end(),
    (wire) => wire.send('nonsense\r\n\r\n'),
    (wire) => wire.send('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'),
];

// Does each of them in turn, until it is to hold what it gets.
async function troubled(t) {
    const held = new Set();
    let turn = 0;
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.requestHead(3_600_000);
            if (origin.trouble === 'holds') {
                held.add(wire);
                await wire.closed(3_600_000);
                held.delete(wire);
                return;
            }
            TROUBLES[turn++ % TROUBLES.length](wire);
        }
    });
    return Object.assign(origin, { held });
}

test('what was taken is given back, however a request ends', async (t) => {
    const origins = [await troubled(t), await troubled(t)];
    const dead = await rawOrigin(t);
    await dead.close();
    const file = (list, service, more = '') => `
${WORKERS}
services: {app: {origins: [${list.map(({ address }) => `"${address}"`).join(', ')}], ${service},
    health: {consecutive_failures: off, failed_share: off, slow: {factor: off}}}}
routes: [{name: all, service: app}]
${more}`;
    const gateway = await startGateway(t, file([...origins, dead],
        'limits: {max_concurrent_requests: 6, max_concurrent_requests_per_origin: 4, max_connections: 9, max_pending: 12}, pool: {max_connections: 5, pending_timeout: 100ms}',
        'timeouts: {first_byte: 50ms, response_idle: 50ms, total: 150ms}\nlimits: {request_buffer: 1KiB}'));
    await Promise.all(Array.from({ length: 16 }, async (_, number) => {
        for (let i = 0; i < 20; i++) {
            const client = await connect(t, gateway);
            client.send(REQUESTS[(i + number) % REQUESTS.length]);
            if ((i + number) % 4 === 0) {
                await pause(number % 7);
            } else {
                await client.answer().catch(() => {}); // whatever it is, or none
            }
            client.reset();
        }
    }));

    // As much as ever can be under way now: less would be a leak, more an account given back twice.
    for (const [service, most] of [['limits: {max_connections: 9}', 9], ['limits: {max_concurrent_requests: 6}', 6],
        ['limits: {max_concurrent_requests_per_origin: 4}', 8], ['pool: {max_connections: 5}', 10]]) {
        await gateway.reload(file(origins, service));
        const clients = await Promise.all(Array.from({ length: 20 }, () => connect(t, gateway)));
        origins.forEach((origin) => (origin.trouble = 'holds'));
        clients.forEach((client) => client.send(GET));
        const held = () => origins.reduce((sum, origin) => sum + origin.held.size, 0);
        await until(`${most} requests to be under way with ${service}`, () => held() >= most);
        await pause(20); // for one too many to show
        assert.equal(held(), most, service);
        clients.forEach((client) => client.reset());
        await until('them to be let go', () => held() === 0);
    }
});
