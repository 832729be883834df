// SPDX-License-Identifier: BSD-2-Clause
// Origins by name: names that need no network (localhost, one that cannot exist), and a name server
// on loopback.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { nameServer } from './lib/name-server.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { until } from './lib/wait.mjs';

test('an origin by the name localhost', async (t) => {
    const origin = await httpOrigin(t, { name: 'by name' });
    const gateway = await startGateway(t, through(`localhost:${origin.port}`));
    for (let i = 0; i < 3; i++) {
        assert.equal((await request(gateway)).body, 'by name');
    }
    assert.equal(origin.connections, 1);
    const [entry] = await gateway.logged(1);
    assert.equal(entry['turnpike.origin'], `localhost:${origin.port}`);
});

test('a name that cannot be resolved does not stop the start, and is 502, 503 or 504', async (t) => {
    const origin = await httpOrigin(t, { name: 'other' });
    const gateway = await startGateway(t, `
services:
  lost: {origins: ["no-such-name.invalid:80"]}
  app: {origins: ["${origin.address}"]}
routes:
  - {name: lost, match: {path: /lost}, service: lost}
  - {name: all, service: app}
`);
    assert.equal((await request(gateway)).body, 'other');
    const client = await connect(t, gateway);
    const answer = await client.ask(head('GET /lost HTTP/1.1', 'Host: a'), { deadline: 20_000 });
    assert.ok([502, 503, 504].includes(answer.status), `${answer.status}`);
    assertOwnError(answer, answer.status, ['dns_error', 'dns_timeout', 'destination_unavailable']);
    assert.equal((await request(gateway)).body, 'other');
});

// Answers of the name server wait for `release`, from now on.
function holdAnswers(server) {
    const take = server.take.bind(server);
    const held = [];
    server.take = (bytes, send) => held.push(() => take(bytes, send));
    return { held, release: () => { server.take = take; held.forEach((go) => go()); } };
}

test('a request for a name that is not known yet waits for the next answer, whichever it is', async (t) => {
    const origin = await httpOrigin(t, { name: 'here' });
    const server = await nameServer(t);
    const gateway = await startGateway(t, `
workers: 1
dns: {servers: ["${server.address}"]}
services: {app: {origins: ["new.example.test:${origin.port}"], pool: {pending_timeout: 1h}}}
routes:
  - {name: direct, match: {path: /direct}, respond: {status: 204}}
  - {name: all, service: app}
`);
    const waiting = async () => {
        const { held, release } = holdAnswers(server);
        await until('the next question', () => held.length > 0);
        const answers = [request(gateway), request(gateway, { method: 'POST', body: 'x' })];
        for (let i = 0; i < 2; i++) { // a turn of the loop for each, after theirs
            assert.equal((await request(gateway, { path: '/direct' })).status, 204);
        }
        return { answers, release };
    };
    await gateway.said(/cannot resolve new\.example\.test/);
    const vain = await waiting();
    vain.release();
    assert.deepEqual((await Promise.all(vain.answers)).map((each) => each.status), [502, 502]);
    const lucky = await waiting();
    server.set('A', 'new.example.test', '127.0.0.1');
    lucky.release();
    assert.deepEqual((await Promise.all(lucky.answers)).map((each) => each.body), ['here', 'here']);
});

test('beside an origin that cannot be resolved another one serves', async (t) => {
    const origin = await httpOrigin(t, { name: 'here' });
    const gateway = await startGateway(t, through([origin, 'no-such-name.invalid:80']));
    const statuses = [];
    for (let i = 0; i < 6; i++) {
        statuses.push((await request(gateway)).status);
    }
    assert.ok(statuses.filter((each) => each === 200).length >= 3, `${statuses}`);
    // Once it is known that there is no such name, nothing is tried on it.
    await until('the name to be given up', async () => {
        await request(gateway);
        await request(gateway);
        const entries = await gateway.logged(2);
        return entries.slice(-2).every((each) => each['turnpike.attempts'].length === 1 && each['http.response.status_code'] === 200);
    });
    const before = gateway.entries().length;
    for (let i = 0; i < 10; i++) {
        assert.equal((await request(gateway)).status, 200);
    }
    const after = (await gateway.logged(before + 10)).slice(before);
    assert.deepEqual(after.map((each) => each['turnpike.attempts'].length), after.map(() => 1));
});

test('requests that wait for a name go on as soon as another name is resolved', async (t) => {
    const origin = await httpOrigin(t, { name: 'here' });
    const server = await nameServer(t);
    const answerTo = server.answerTo.bind(server);
    let known = false;
    server.answerTo = (question) => (known && question.name.startsWith('early.') ? answerTo(question) : null);
    server.set('A', 'early.example.test', '127.0.0.1');
    const gateway = await startGateway(t, `
workers: 1
dns: {servers: ["${server.address}"]}
services: {app: {origins: ["late.example.test:${origin.port}", "early.example.test:${origin.port}"], pool: {pending_timeout: 25s}}}
routes: [{name: all, service: app}]
`);
    const answers = [request(gateway), request(gateway), request(gateway), request(gateway)];
    await until('both names to be asked for', async () => server.asked('A') >= 2);
    known = true;
    for (const answer of await Promise.all(answers)) {
        assert.equal(answer.body, 'here');
    }
    const entries = await gateway.logged(4);
    assert.deepEqual(entries.map((each) => each['turnpike.origin']), entries.map(() => `early.example.test:${origin.port}`));
});
