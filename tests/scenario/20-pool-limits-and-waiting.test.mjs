// SPDX-License-Identifier: BSD-2-Clause
// An origin at its connection limit: a bounded line with a deadline, served in order.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { heldOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const get = (target) => head(`GET ${target} HTTP/1.1`, 'Host: a');

test('pool limits', async (t) => {
    await t.test('no more connections than pool.max_connections, others wait and are served in order', async (t) => {
        const origin = await heldOrigin(t);
        const gateway = await startGateway(t, through(origin, { service: 'pool: {max_connections: 2, max_pending: 10, pending_timeout: 10s}' }));
        const clients = [];
        for (let i = 0; i < 6; i++) {
            const client = await connect(t, gateway);
            client.send(get(`/${i}`));
            clients.push(client);
            if (i < 2) {
                await until('it to be at the origin', () => origin.requests.length === i + 1);
            } else {
                await connect(t, gateway).then((each) => each.ask(get('/%00'))); // a turn of the loop has passed
            }
        }
        assert.equal(origin.wires.length, 2);
        for (let i = 0; i < 6; i++) {
            await origin.answer();
            assert.equal((await clients[i].answer()).text, `/${i}`);
            if (i + 2 < 6) {
                await until('the next in line', () => origin.requests.length === i + 3);
            }
        }
        assert.deepEqual(origin.requests.map((each) => each.target), ['/0', '/1', '/2', '/3', '/4', '/5']);
        assert.equal(origin.wires.length, 2);
    });

    await t.test('a full line is 503 at once', async (t) => {
        const origin = await heldOrigin(t);
        const gateway = await startGateway(t, through(origin, { service: 'pool: {max_connections: 1, max_pending: 1, pending_timeout: 10s}' }));
        const [first, second, third] = [await connect(t, gateway), await connect(t, gateway), await connect(t, gateway)];
        first.send(get('/1'));
        await until('the first at the origin', () => origin.requests.length === 1);
        second.send(get('/2'));
        third.send(get('/3'));
        const answered = await Promise.race([second.answer().then((answer) => ({ answer, other: third })), third.answer().then((answer) => ({ answer, other: second }))]);
        assertOwnError(answered.answer, 503, 'connection_limit_reached');
        await origin.answer();
        assert.equal((await first.answer()).status, 200);
        await origin.answer();
        await until('the other one to be served', () => answered.other.everything.includes('200 OK'));
    });

    await t.test('who waits too long gets 503', async (t) => {
        const origin = await heldOrigin(t);
        const gateway = await startGateway(t, through(origin, { service: 'pool: {max_connections: 1, max_pending: 5, pending_timeout: 100ms}' }));
        const [first, second] = [await connect(t, gateway), await connect(t, gateway)];
        first.send(get('/1'));
        await until('the first at the origin', () => origin.requests.length === 1);
        const start = Date.now();
        assertOwnError(await second.ask(get('/2')), 503, 'connection_limit_reached');
        assert.ok(Date.now() - start >= 80);
        await origin.answer();
        assert.equal((await first.answer()).status, 200);
        second.send(get('/2'));
        await origin.answer();
        assert.equal((await second.answer()).status, 200);
    });

    await t.test('who leaves the line does not take a turn', async (t) => {
        const origin = await heldOrigin(t);
        const gateway = await startGateway(t, through(origin, { service: 'pool: {max_connections: 1, max_pending: 5, pending_timeout: 10s}' }));
        const [first, second, third] = [await connect(t, gateway), await connect(t, gateway), await connect(t, gateway)];
        first.send(get('/1'));
        await until('the first at the origin', () => origin.requests.length === 1);
        second.send(get('/2'));
        await connect(t, gateway).then((each) => each.ask(get('/%00')));
        third.send(get('/3'));
        await connect(t, gateway).then((each) => each.ask(get('/%00')));
        second.reset();
        await gateway.logged((entries) => entries.some((each) => each['url.path'] === '/2'));
        await origin.answer();
        await first.answer();
        await origin.answer();
        assert.equal((await third.answer()).text, '/3');
        assert.deepEqual(origin.requests.map((each) => each.target), ['/1', '/3']);
    });

    await t.test('a connection that dies makes room for the next in line', async (t) => {
        const origin = await heldOrigin(t);
        const gateway = await startGateway(t, through(origin, { service: 'pool: {max_connections: 1, max_pending: 5, pending_timeout: 10s}' }));
        const [first, second] = [await connect(t, gateway), await connect(t, gateway)];
        first.send(head('POST /1 HTTP/1.1', 'Host: a', 'Content-Length: 0'));
        await until('the first at the origin', () => origin.requests.length === 1);
        second.send(get('/2'));
        await connect(t, gateway).then((each) => each.ask(get('/%00')));
        origin.wires[0].reset();
        assert.equal((await first.answer()).status, 502);
        await until('the second at the origin', () => origin.requests.length === 2);
        origin.pending.splice(0, origin.pending.length - 1);
        await origin.answer();
        assert.equal((await second.answer()).text, '/2');
    });
});
