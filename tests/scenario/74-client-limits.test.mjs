// SPDX-License-Identifier: BSD-2-Clause
// What one client address may have: connections at once, new ones a second, requests a second;
// counted over all workers, for the true client behind a PROXY header or a trusted proxy.
import assert from 'node:assert/strict';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { keepAliveAgent, request } from './lib/client.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, connectLoose, head } from './lib/raw-client.mjs';
import { pause, until } from './lib/wait.mjs';

const PONG = 'routes: [{name: ping, respond: {status: 200, body: pong}}]';
const GET = head('GET /ping HTTP/1.1', 'Host: a');
// An hour's worth of requests at this rate would be 1: the bucket does not fill while a test runs.
const SLOWLY = 'request_rate: 1, request_burst: 3';

async function statuses(gateway, count, options = {}) {
    const seen = [];
    for (let i = 0; i < count; i++) {
        seen.push((await request(gateway, options)).status);
    }
    return seen;
}

test('connections at once', async (t) => {
    const gateway = await startGateway(t, `workers: 2\nclient_limits: {max_connections: 4}\n${PONG}`);
    const clients = [];
    for (let i = 0; i < 4; i++) {
        clients.push(await connect(t, gateway));
        assert.equal((await clients[i].ask(GET)).status, 200);
    }

    await t.test('one more is told so and closed', async () => {
        const client = await connect(t, gateway);
        const answer = await client.ask(GET);
        assert.equal(answer.status, 429);
        assert.equal(answer.get('connection'), 'close');
        assert.ok(Number(answer.get('retry-after')) >= 1);
        await client.closed();
    });

    await t.test('those that are there are served on', async () => {
        for (const client of clients) {
            assert.equal((await client.ask(GET)).status, 200);
        }
    });

    await t.test('one that goes makes room', async () => {
        clients.pop().destroy();
        await until('another to be let in', async () => {
            const client = await connect(t, gateway);
            return (await client.ask(GET)).status === 200;
        });
    });
});

test('many that come and go leave nothing behind', async (t) => {
    const gateway = await startGateway(t, `workers: 2\nclient_limits: {max_connections: 3}\n${PONG}`);
    for (let i = 0; i < 60; i++) {
        await until('room', async () => (await request(gateway)).status === 200);
    }
});

test('new connections a second', async (t) => {
    const gateway = await startGateway(t, `client_limits: {connection_rate: 5}\n${PONG}`);
    const seen = (await Promise.all(Array.from({ length: 40 }, () => request(gateway)))).map((answer) => answer.status);
    const let_in = seen.filter((status) => status === 200).length;
    assert.ok(let_in >= 5 && let_in < 40, `${let_in} were let in`);
    assert.equal(seen.filter((status) => status === 429).length, 40 - let_in);
    await until('a later one to be let in', async () => (await request(gateway)).status === 200);
});

// The worker has slept meanwhile: the first thing it sees is the connection.
test('new connections after a second without any', async (t) => {
    const gateway = await startGateway(t, `client_limits: {connection_rate: 2}\n${PONG}`);
    const count = async () => (await Promise.all(Array.from({ length: 12 }, () => request(gateway))))
        .filter((answer) => answer.status === 200).length;
    assert.ok(await count() >= 2);
    await pause(1200);
    assert.ok(await count() >= 2);
});

test('requests a second', async (t) => {
    const gateway = await startGateway(t, `workers: 2\nclient_limits: {${SLOWLY}}\n${PONG}`);
    const agent = keepAliveAgent();
    defer(t, () => agent.destroy());

    await t.test('a burst passes, whichever worker has the connection; then 429', async () => {
        const seen = await statuses(gateway, 12);
        assert.ok(seen.filter((status) => status === 200).length >= 3);
        assert.equal(seen[0], 200);
        assert.ok(seen.includes(429), `${seen}`);
    });

    await t.test('which says what the quota is and when to come back, and keeps the connection', async () => {
        const client = await connect(t, gateway);
        let answer;
        await until('one that is too many', async () => {
            answer = await client.ask(GET);
            return answer.status === 429;
        });
        assert.equal(answer.get('ratelimit-policy'), '"requests";q=3;w=3');
        const limit = /^"requests";r=0;t=(\d+)$/.exec(answer.get('ratelimit'));
        assert.ok(limit, answer.get('ratelimit'));
        assert.ok(Number(limit[1]) >= 1);
        assert.ok(Number(answer.get('retry-after')) >= Number(limit[1]));
        assert.equal(answer.get('content-type'), 'application/problem+json');
        const problem = JSON.parse(answer.text);
        assert.equal(problem.type, 'https://iana.org/assignments/http-problem-types#quota-exceeded');
        assert.deepEqual(problem['violated-policies'], ['requests']);
        assert.equal((await client.ask(GET)).status, 429, 'the connection is still there');
    });

    await t.test('the log says it', async () => {
        const entries = await gateway.logged((all) => all.some((entry) => entry['http.response.status_code'] === 429));
        const refused = entries.find((entry) => entry['http.response.status_code'] === 429);
        assert.equal(refused['error.type'], 'http_request_denied');
    });

    await t.test('after a while it may again', async () => {
        await until('the bucket to fill', async () => (await request(gateway)).status === 200);
    });
});

test('a listener and a route with their own', async (t) => {
    const gateway = await startGateway(t, `
client_limits: {${SLOWLY}}
listeners:
  - address: "127.0.0.1:0"
  - {address: "127.0.0.2:0", client_limits: {request_rate: none}}
routes:
  - {name: narrow, match: {path: /narrow}, respond: {body: pong}, client_limits: {request_rate: 1, request_burst: 1}}
  - {name: open, match: {path: /open}, respond: {body: pong}, client_limits: {request_rate: none}}
  - {name: rest, respond: {body: pong}}
`);
    const other = { connectOptions: gateway.listeners[1].connectOptions };
    assert.deepEqual(await statuses(gateway, 2, { path: '/narrow' }), [200, 429]);
    assert.deepEqual(await statuses(gateway, 9, { path: '/open' }), Array(9).fill(200));
    assert.equal((await statuses(gateway, 1, { path: '/' }))[0], 200, 'the route did not use up what the others have');
    assert.ok((await statuses(gateway, 9, { path: '/' })).includes(429));
    assert.deepEqual(await statuses(other, 9, { path: '/' }), Array(9).fill(200));
    assert.ok((await statuses(other, 9, { path: '/narrow' })).includes(429));
});

test('who is exempt', async (t) => {
    const gateway = await startGateway(t, `client_limits: {${SLOWLY}, max_connections: 1, connection_rate: 1, exempt: [127.0.0.0/8]}\n${PONG}`);
    assert.deepEqual(await statuses(gateway, 12), Array(12).fill(200));
});

test('a PROXY header names the client', async (t) => {
    const gateway = await startGateway(t, `
client_limits: {max_connections: 1, ${SLOWLY}}
listeners: [{address: "127.0.0.1:0", proxy_protocol: {from: [127.0.0.0/8]}}]
${PONG}`);
    const from = async (address) => {
        const client = await connect(t, gateway);
        client.send(`PROXY TCP6 ${address} ::1 1234 80\r\n${GET}`);
        return { client, status: (await client.answer()).status };
    };
    assert.equal((await from('2001:db8:1:1::1')).status, 200);
    assert.equal((await from('2001:db8:1:1::2')).status, 429, 'the same customer');
    const second = await from('2001:db8:1:2::1');
    assert.equal(second.status, 200);
    for (let i = 0; i < 4; i++) {
        second.status = (await second.client.ask(GET)).status;
    }
    assert.equal(second.status, 429);
});

test('a trusted proxy names the client', async (t) => {
    const gateway = await startGateway(t, `
trusted_proxies: [127.0.0.0/8]
client_limits: {max_connections: 1, connection_rate: 1, ${SLOWLY}}
${PONG}`);
    const kept = await connectLoose(gateway);
    defer(t, () => kept.destroy());
    assert.equal((await kept.ask(GET)).status, 200);
    const first = { headers: { 'X-Forwarded-For': '198.51.100.1' } };
    const second = { headers: { 'X-Forwarded-For': '198.51.100.2' } };
    assert.ok((await statuses(gateway, 9, first)).includes(429));
    assert.deepEqual(await statuses(gateway, 2, second), [200, 200]);
});

test('a reload changes the limits and keeps the counts', async (t) => {
    const config = (connections) => `client_limits: {max_connections: ${connections}}\n${PONG}`;
    const gateway = await startGateway(t, config(2));
    const first = await connect(t, gateway);
    assert.equal((await first.ask(GET)).status, 200);
    await gateway.reload(config(1));
    assert.equal((await (await connect(t, gateway)).ask(GET)).status, 429);
    await gateway.reload(config(3));
    assert.equal((await (await connect(t, gateway)).ask(GET)).status, 200);
    assert.equal((await first.ask(GET)).status, 200);
});
