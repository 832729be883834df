// SPDX-License-Identifier: BSD-2-Clause
// Origins by SRV name (RFC 2782): targets, weights, priorities, changes, and all that DNS may do.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import https from 'node:https';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { keepAliveAgent, request, tally } from './lib/client.mjs';
import { adminIn, askJson, ctlLines, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { message, nameServer, recordBytes } from './lib/name-server.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { authority } from './lib/tls.mjs';
import { until } from './lib/wait.mjs';

const NAME = '_pay._tcp.example.test';
const GET = head('GET / HTTP/1.1', 'Host: a');

async function origins(t, ...names) {
    return Promise.all(names.map((name) => httpOrigin(t, { name })));
}

function config(server, { origin = `"srv:${NAME}"`, service = '', more = '' } = {}) {
    return (folder) => `
dns: {servers: ["${server.address}"]}
services: {app: {origins: [${origin}]${service && `, ${service}`}}}
routes: [{name: all, service: app}]
${adminIn(folder)}
${more}`;
}

async function rowsOf(gateway) {
    return (await askJson(gateway, '/v1/services')).origins;
}

// Worker 0 knows of these targets, in this order.
async function targetsToBe(gateway, ports) {
    await until(() => `targets ${ports}; stderr:\n${gateway.stderr}`, async () => {
        const targets = (await rowsOf(gateway)).filter((row) => row.of);
        return targets.map((row) => Number(row.address.split(':')[1])).join() === ports.join();
    });
}

test('targets with their ports are the origins: in answers, log, services, explain and metrics', async (t) => {
    const [a, b] = await origins(t, 'a', 'b');
    const server = await nameServer(t);
    server.targets(NAME, [{ origin: a, weight: 1 }, { origin: b, weight: 1 }]);
    const gateway = await startGateway(t, config(server));
    assert.deepEqual(await tally(gateway, 10), { a: 5, b: 5 });
    const logged = (await gateway.logged(10)).map((entry) => entry['turnpike.origin']);
    assert.deepEqual([...new Set(logged)].sort(), [`a.example.test:${a.port}`, `b.example.test:${b.port}`]);
    const rows = await rowsOf(gateway);
    assert.deepEqual(rows.map((row) => row.address), [`srv:${NAME}`, `a.example.test:${a.port}`, `b.example.test:${b.port}`]);
    assert.deepEqual(rows.map((row) => row.state), ['resolved', 'serves', 'serves']);
    assert.equal(rows[0].targets, 2);
    assert.equal(rows[1].requests, 5);
    assert.equal(rows[1].of, `srv:${NAME}`);
    assert.equal((await askJson(gateway, '/v1/services')).services[0].origins, 2);
    const lines = await ctlLines(gateway, 'services');
    assert.ok(lines.some((line) => line.includes(`a.example.test:${a.port}`)), lines.join('\n'));
    const explained = (await ctlLines(gateway, 'explain', 'GET http://x/')).join('\n');
    assert.match(explained, new RegExp(`b\\.example\\.test:${b.port}`));
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_srv_targets', { srv: NAME }), 2);
    assert.equal(valueOf(metrics, 'turnpike_origin_requests_total', { origin: `a.example.test:${a.port}`, address: '127.0.0.1' }), 5);
});

test('the set grows and shrinks; who stays keeps connections, counters and drain', async (t) => {
    const [a, b, c] = await origins(t, 'a', 'b', 'c');
    const server = await nameServer(t);
    server.targets(NAME, [{ origin: a, weight: 1 }, { origin: b, weight: 1 }]);
    const gateway = await startGateway(t, config(server));
    await tally(gateway, 10);
    await ctlLines(gateway, 'drain', `b.example.test:${b.port}`);
    server.targets(NAME, [{ origin: a, weight: 1 }, { origin: b, weight: 1 }, { origin: c, weight: 1 }]);
    await targetsToBe(gateway, [a, b, c].map((each) => each.port));
    await until('the name of the new one to be resolved', async () => (await request(gateway)).body === 'c');
    assert.deepEqual(await tally(gateway, 10), { a: 5, c: 5 });
    const row = (await rowsOf(gateway)).find((each) => each.address.startsWith('b.'));
    assert.equal(row.state, 'drained');
    await ctlLines(gateway, 'undrain', `b.example.test:${b.port}`);
    assert.deepEqual(await tally(gateway, 9), { a: 3, b: 3, c: 3 });
    server.targets(NAME, [{ origin: a, weight: 1 }]);
    await targetsToBe(gateway, [a.port]);
    assert.deepEqual(await tally(gateway, 10), { a: 10 });
    assert.equal(a.connections, 1, 'its connection was kept through all of that');
    await until('the connections of those who left to be closed', () => b.open.size + c.open.size === 0);
});

test('weights hold exactly; 0 beside others is a hundredth of 1; all 0 share evenly', async (t) => {
    const [a, b, c] = await origins(t, 'a', 'b', 'c');
    const server = await nameServer(t);
    const set = (...weights) => server.targets(NAME, [a, b, c].map((origin, i) => ({ origin, weight: weights[i] })));
    set(60, 30, 10);
    const gateway = await startGateway(t, config(server, { origin: `{address: "srv:${NAME}", weight: 7}` }));
    await request(gateway);
    await until('all three to be resolved', () => server.asked('A') >= 3);
    const many = await tally(gateway, 1000);
    for (const [name, share] of [['a', 600], ['b', 300], ['c', 100]]) {
        assert.ok(Math.abs(many[name] - share) <= 3, JSON.stringify(many));
    }
    const changed = (...weights) => until(`weights ${weights}`, async () => {
        const rows = (await rowsOf(gateway)).filter((row) => row.of);
        return rows.map((row) => row.weight / 7).join() === weights.join();
    });
    set(1, 1, 0);
    await changed(1, 1, 0);
    const few = await tally(gateway, 402);
    assert.ok(few.c >= 1 && few.c <= 3, JSON.stringify(few));
    assert.ok(Math.abs(few.a - few.b) <= 3, JSON.stringify(few));
    set(0, 0, 0);
    await changed(0, 0, 0);
    assert.deepEqual(await tally(gateway, 30), { a: 10, b: 10, c: 10 });
});

test('the first priority that has anyone fit takes all; backup origins come behind all of them', async (t) => {
    const [a, b, c, d] = await origins(t, 'a', 'b', 'c', 'd');
    const server = await nameServer(t);
    server.targets(NAME, [
        { origin: a, priority: 10, weight: 1 },
        { origin: b, priority: 10, weight: 1 },
        { origin: c, priority: 20, weight: 1 },
    ]);
    const gateway = await startGateway(t, config(server, {
        origin: `"srv:${NAME}", {address: "${d.address}", backup: true}`,
        service: 'health: {probe: {type: tcp, interval: 40ms, healthy: 1, unhealthy: 1}, slow_start: none}',
    }));
    assert.deepEqual(await tally(gateway, 10), { a: 5, b: 5 });
    await ctlLines(gateway, 'drain', `a.example.test:${a.port}`);
    assert.deepEqual(await tally(gateway, 10), { b: 10 });
    await b.close();
    await gateway.said(new RegExp(`origin b\\.example\\.test:${b.port}@127\\.0\\.0\\.1: down`));
    assert.deepEqual(await tally(gateway, 10), { c: 10 });
    await c.close();
    await gateway.said(new RegExp(`origin c\\.example\\.test:${c.port}@127\\.0\\.0\\.1: down`));
    assert.deepEqual(await tally(gateway, 10), { d: 10 });
    await ctlLines(gateway, 'undrain', `a.example.test:${a.port}`);
    assert.deepEqual(await tally(gateway, 10), { a: 10 });
});

test('a dead or confused name server changes nothing: the last good answer is kept', async (t) => {
    const [a] = await origins(t, 'a');
    const server = await nameServer(t);
    server.targets(NAME, [{ origin: a }]);
    const gateway = await startGateway(t, config(server));
    assert.deepEqual(await tally(gateway, 2), { a: 2 });
    server.set('SRV', NAME, null);
    await gateway.said(new RegExp(`cannot resolve ${NAME}: .*, keeping its last answer`));
    assert.deepEqual(await tally(gateway, 2), { a: 2 });
    server.targets(NAME, [{ origin: a }]);
    await gateway.said(new RegExp(`${NAME} resolves again`));
    server.close();
    await until('another failure', () => [...gateway.stderr.matchAll(new RegExp(`cannot resolve ${NAME}`, 'g'))].length >= 2);
    assert.deepEqual(await tally(gateway, 2), { a: 2 });
});

test('a reload that changes the service goes on with the answer that was had', async (t) => {
    const [a, b] = await origins(t, 'a', 'b');
    const server = await nameServer(t);
    server.targets(NAME, [{ origin: a, weight: 1 }, { origin: b, weight: 3 }]);
    const gateway = await startGateway(t, config(server));
    await tally(gateway, 4);
    server.close();
    assert.match(await gateway.reload(config(server, { service: 'pool: {max_idle: 7}' })), /1 changed/);
    assert.equal(Object.keys(await tally(gateway, 20)).length, 2);
    assert.deepEqual((await rowsOf(gateway)).map((row) => row.state), ['resolved', 'serves', 'serves']);
});

test('changes under load fail no request, on any worker', async (t) => {
    const all = await origins(t, 'a', 'b', 'c', 'd');
    const server = await nameServer(t);
    const set = (...which) => server.targets(NAME, which.map((i) => ({ origin: all[i], weight: i + 1 })));
    set(0, 1);
    const gateway = await startGateway(t, config(server, { more: 'workers: 3' }));
    const agent = keepAliveAgent(6);
    const bad = [];
    let count = 0;
    let over = false;
    const lane = async () => {
        while (!over) {
            const answer = await request(gateway, { agent, method: count % 3 === 0 ? 'POST' : 'GET', body: count % 3 === 0 ? 'x' : undefined });
            count++;
            if (answer.status !== 200) {
                bad.push(`${answer.status} ${answer.body}`);
            }
        }
    };
    const lanes = Array.from({ length: 6 }, lane);
    try {
        for (const which of [[2, 3], [0, 1, 2, 3], [3], [0, 2], [1]]) {
            const before = server.asked('SRV');
            set(...which);
            await targetsToBe(gateway, which.map((i) => all[i].port));
            await until('every worker to have asked', () => server.asked('SRV') >= before + 3);
        }
    } finally {
        over = true;
        await Promise.all(lanes);
        agent.destroy();
    }
    assert.deepEqual(bad, []);
    assert.ok(count > 100, `${count} requests`);
    const failures = (await rowsOf(gateway)).reduce((sum, row) => sum + row.failures, 0);
    assert.equal(failures, 0);
});

test('a target that leaves finishes what it has', async (t) => {
    const [b] = await origins(t, 'b');
    let finish;
    const a = await httpOrigin(t, { name: 'a', handler: (asked, answer) => {
        answer.write('begun ');
        finish = () => answer.end('done');
    } });
    const server = await nameServer(t);
    server.targets(NAME, [{ origin: a }]);
    const gateway = await startGateway(t, config(server));
    const slow = request(gateway);
    await until('the request to be there', () => finish);
    server.targets(NAME, [{ origin: b }]);
    await targetsToBe(gateway, [b.port]);
    assert.deepEqual(await tally(gateway, 3), { b: 3 });
    finish();
    assert.equal((await slow).body, 'begun done');
    await until('its connection to be closed', () => a.open.size === 0);
    const entry = (await gateway.logged(4)).find((each) => each['turnpike.origin'].startsWith('a.'));
    assert.equal(entry['http.response.status_code'], 200);
});

test('"." says that the service is not available: 503, said once, until there are targets again', async (t) => {
    const [a] = await origins(t, 'a');
    const server = await nameServer(t);
    server.targets(NAME, [{ target: '.' }]);
    const gateway = await startGateway(t, config(server));
    const client = await connect(t, gateway);
    const refused = async () => {
        const problem = assertOwnError(await client.ask(GET), 503, 'destination_unavailable');
        assert.match(problem.detail, /not available/);
    };
    await refused();
    assert.equal((await rowsOf(gateway))[0].state, 'not available');
    const before = server.asked('SRV');
    await until('it to be asked for again', () => server.asked('SRV') >= before + 2);
    await refused();
    server.targets(NAME, [{ origin: a }]);
    await targetsToBe(gateway, [a.port]);
    assert.deepEqual(await tally(gateway, 2), { a: 2 });
    server.targets(NAME, [{ target: '.' }]);
    await until('its end', async () => (await rowsOf(gateway))[0].state === 'not available');
    await refused();
    assert.equal([...gateway.stderr.matchAll(/decidedly not available/g)].length, 2);
});

test('the first requests wait for the first answer, and go where it says', async (t) => {
    const [a, b] = await origins(t, 'a', 'b');
    const server = await nameServer(t);
    server.targets(NAME, [{ origin: a, weight: 1 }, { origin: b, weight: 1 }]);
    server.holds = true;
    const gateway = await startGateway(t, config(server));
    const waiting = Array.from({ length: 6 }, () => request(gateway));
    await until('them to wait', async () => (await rowsOf(gateway))[0].pending === 6);
    assert.equal((await rowsOf(gateway))[0].state, 'not answered yet');
    server.release();
    const answers = await Promise.all(waiting);
    assert.deepEqual(answers.map((each) => each.status), answers.map(() => 200));
    assert.equal(new Set(answers.map((each) => each.body)).size, 2);
    for (const entry of await gateway.logged(6)) {
        assert.match(entry['turnpike.origin'], /^[ab]\.example\.test:/);
        assert.equal(entry['turnpike.attempts'].length, 1);
    }
});

test('a name that cannot be resolved is 502 until it can, beside others it is not noticed', async (t) => {
    const [a, b] = await origins(t, 'a', 'b');
    const server = await nameServer(t);
    const gateway = await startGateway(t, config(server));
    const client = await connect(t, gateway);
    assertOwnError(await client.ask(GET), 502, 'dns_error');
    assert.equal((await rowsOf(gateway))[0].state, 'cannot be resolved');
    assert.match(await gateway.reload(config(server, { origin: `"srv:${NAME}", "${b.address}"` })), /1 changed/);
    assert.deepEqual(await tally(gateway, 5), { b: 5 });
    server.targets(NAME, [{ origin: a, weight: 1 }]);
    await targetsToBe(gateway, [a.port]);
    await until('both to serve', async () => Object.keys(await tally(gateway, 2)).length === 2);
});

test('of 300 targets 256 are taken, over TCP, and the log says so', async (t) => {
    const [a] = await origins(t, 'a');
    const server = await nameServer(t);
    server.targets(NAME, Array.from({ length: 300 }, (_, i) => ({ origin: a, target: `t${i}.example.test`, priority: i === 7 ? 1 : 2 })));
    const gateway = await startGateway(t, config(server));
    await gateway.said(/srv:_pay\._tcp\.example\.test: more than 256 targets; 44 of the last priority are left out/);
    assert.equal((await request(gateway)).status, 200);
    const rows = (await rowsOf(gateway)).filter((row) => row.of);
    assert.equal(rows.length, 256);
    assert.equal(rows[0].address, `t7.example.test:${a.port}`);
    const [entry] = await gateway.logged(1);
    assert.equal(entry['turnpike.origin'], `t7.example.test:${a.port}`);
});

test('an alias on the way is followed; names that are none and ports 0 are left out', async (t) => {
    const [a] = await origins(t, 'a');
    const server = await nameServer(t);
    server.set('CNAME', NAME, 'real.example.test');
    server.set('CNAME', 'alias.example.test', 'a.example.test');
    server.set('A', 'a.example.test', '127.0.0.1');
    server.set('SRV', 'real.example.test', [
        { target: 'alias.example.test', port: a.port },
        { target: '10.0.0.1', port: 80 },
        { target: 'no port.example.test', port: 80 },
        { target: 'zero.example.test', port: 0 },
    ]);
    const gateway = await startGateway(t, config(server));
    assert.deepEqual(await tally(gateway, 3), { a: 3 });
    await gateway.said(/3 records are left out: no host name, or no port/);
    assert.equal((await rowsOf(gateway)).filter((row) => row.of).length, 1);
});

test('malformed answers are no answers, and harm nothing', async (t) => {
    const [a] = await origins(t, 'a');
    const server = await nameServer(t);
    const record = recordBytes('SRV', { target: 'evil.example.test', port: 1 }, 1);
    const pointing = (to) => Buffer.concat([record.subarray(0, 10), Buffer.from([0, 8]), record.subarray(12, 18), Buffer.from([0xc0 | (to >> 8), to & 0xff])]);
    const forged = {
        '_cut._tcp.example.test': (question) => message(question, [record.subarray(0, record.length - 3)]),
        '_many._tcp.example.test': (question) => message(question, [record], { count: 9 }),
        '_loop._tcp.example.test': (question) => message(question, [pointing(12 + question.section.length + 18)]),
        '_short._tcp.example.test': (question) => message(question, []).subarray(0, 11),
        '_empty._tcp.example.test': (question) => message(question, []),
        '_host._tcp.example.test': (question) => message(question, [recordBytes('SRV', { target: 'x y', port: 0 }, 0xffffffff)]),
    };
    const bad = Object.keys(forged);
    server.targets(NAME, [{ origin: a }]);
    server.forge = (question) => (forged[question.name] ?? ((asked) => message(asked, [recordBytes('SRV', { target: 'a.example.test', port: a.port }, 1)])))(question);
    const gateway = await startGateway(t, config(server, { origin: [NAME, ...bad].map((name) => `"srv:${name}"`).join(), service: 'pool: {pending_timeout: 300ms}' }));
    await until('the good one to serve', async () => (await request(gateway)).body === 'a');
    assert.deepEqual(await tally(gateway, 10), { a: 10 });
    const times = (name) => server.questions.filter((each) => each.name === name).length;
    await until('all to be asked for again', () => bad.every((name) => times(name) >= 2));
    assert.deepEqual(await tally(gateway, 10), { a: 10 });
    assert.ok(!gateway.stderr.includes('evil'), gateway.stderr);
    server.forge = (question) => forged['_cut._tcp.example.test'](question);
    await gateway.said(new RegExp(`cannot resolve ${NAME}: .*, keeping its last answer`));
    assert.deepEqual(await tally(gateway, 10), { a: 10 });
});

test('with TLS each target shows a certificate for its own name', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['DNS:a.example.test'] });
    const names = [];
    const secure = https.createServer({ cert: fs.readFileSync(own.cert), key: fs.readFileSync(own.key) }, (asked, answer) => answer.end('secure'));
    secure.on('secureConnection', (socket) => names.push(socket.servername));
    await new Promise((resolve) => secure.listen(0, '127.0.0.1', resolve));
    defer(t, () => new Promise((resolve) => {
        secure.close(resolve);
        secure.closeAllConnections();
    }));
    const server = await nameServer(t);
    const a = { name: 'a', port: secure.address().port };
    server.targets(NAME, [{ origin: a }]);
    const gateway = await startGateway(t, config(server, { service: `tls: {ca: "${ca.cert}"}` }));
    assert.deepEqual(await tally(gateway, 3), { secure: 3 });
    assert.deepEqual(names, ['a.example.test']);
    server.targets(NAME, [{ origin: { ...a, name: 'other' } }]);
    await until('the certificate to be refused', async () => (await request(gateway)).status === 502);
    const [entry] = (await gateway.logged((entries) => entries.some((each) => each['error.type']))).filter((each) => each['error.type']);
    assert.match(entry['turnpike.origin'], /^other\.example\.test:/);
});
