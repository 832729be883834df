// SPDX-License-Identifier: BSD-2-Clause
// Out of file descriptors: accepting pauses, once said, without a busy loop; it recovers.
import assert from 'node:assert/strict';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { through } from './lib/configs.mjs';
import { isInstrumented, startGateway } from './lib/gateway.mjs';
import { connectLoose, connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { pause, until } from './lib/wait.mjs';

const GET = head('GET /ping HTTP/1.1', 'Host: a');
const PONG = 'routes: [{name: ping, match: {path: /ping}, respond: {status: 200, body: pong}}]';
// Nothing guards them before the kernel has none left (76-descriptor-pressure.test.mjs has the guard).
const UNGUARDED = 'limits: {descriptors: 100000}';
const FEW = { wrap: ['prlimit', '--nofile=64:64'] };

test('out of descriptors', async (t) => {
    const gateway = await startGateway(t, `${UNGUARDED}\n${PONG}`, FEW);
    const clients = [];
    defer(t, () => clients.forEach((each) => each.destroy()));
    const first = await connectLoose(gateway);
    clients.push(first);
    assert.equal((await first.ask(GET)).text, 'pong');
    for (let i = 0; i < 120; i++) {
        const client = await connectLoose(gateway);
        client.send(GET);
        clients.push(client);
    }
    await until('the last descriptor to be used', () => gateway.descriptors() >= 55);

    await t.test('who is connected is served on', async () => {
        assert.equal((await first.ask(GET)).text, 'pong');
    });

    await t.test('it says so', async () => {
        await gateway.said(/descriptor|too many open files/i);
    });

    await t.test('it does not spin', { skip: isInstrumented && 'under a sanitizer' }, async () => {
        const before = gateway.processorTime();
        await pause(1000);
        const used = gateway.processorTime() - before;
        assert.ok(used <= 100, `${used} ms of processor time in a second of doing nothing`);
    });

    const saidSo = () => gateway.stderr.split('\n').filter((line) => /descriptor|too many open files/i.test(line));
    await t.test('it has said so once', () => assert.equal(saidSo().length, 1, saidSo().join('\n')));

    await t.test('nor again each time that one place is free for a moment', async () => {
        for (let i = 0; i < 3; i++) {
            const before = clients.filter((each) => each.everReceived > 0).length;
            clients.find((each) => each !== first && each.everReceived > 0 && !each.socket.destroyed).destroy();
            await until('the next to be served', () => clients.filter((each) => each.everReceived > 0).length > before);
            await pause(300);
        }
        assert.equal(saidSo().length, 1, saidSo().join('\n'));
    });

    await t.test('it recovers: who waited is served', async () => {
        const waiting = clients.filter((each) => each.everReceived === 0);
        assert.ok(waiting.length > 10, `${waiting.length} are waiting`);
        for (const client of clients) {
            if (client.everReceived > 0) {
                client.destroy();
            }
        }
        await until('new ones to be served', () => waiting.filter((each) => each.everReceived > 0).length >= 40);
        for (const client of clients) {
            client.destroy();
        }
        const last = await connect(t, gateway);
        assert.equal((await last.ask(GET)).text, 'pong');
    });
});

// With an even number left each client has its origin connection; with an odd one the last has none.
test('no descriptor for an origin connection is an answer, not a crash', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
    });
    const clients = [];
    for (const most of [64, 65]) {
        const gateway = await startGateway(t, `${UNGUARDED}\n${through(origin)}`, { wrap: ['prlimit', `--nofile=${most}:${most}`] });
        defer(t, () => clients.forEach((each) => each.destroy()));
        for (let i = 0; i < 80; i++) {
            const client = await connectLoose(gateway);
            client.send(head(`GET /${i} HTTP/1.1`, 'Host: a'));
            clients.push(client);
        }
    }
    await until('some to be turned away', () => clients.some((each) => each.everReceived > 0));
    for (const client of clients.filter((each) => each.everReceived > 0)) {
        const answer = await client.answer();
        assert.equal(answer.status, 503);
    }
});

test('limits.max_connections bounds the clients of the process', async (t) => {
    const gateway = await startGateway(t, `limits: {max_connections: 10}\n${PONG}`);
    const before = gateway.descriptors();
    const clients = [];
    let most = 0;
    const look = setInterval(() => (most = Math.max(most, gateway.descriptors() - before)), 2);
    defer(t, () => clearInterval(look));
    defer(t, () => clients.forEach((each) => each.destroy()));
    for (let i = 0; i < 30; i++) {
        const client = await connectLoose(gateway);
        client.send(GET);
        clients.push(client);
    }
    // While others wait answers say Connection: close, so that each has its turn.
    await until('all to be served', () => clients.every((each) => each.everReceived > 0));
    assert.ok(most >= 1 && most <= 12, `${most} at once`); // a log or so may be among them
    const next = await connect(t, gateway);
    assert.equal((await next.ask(GET)).text, 'pong');
});
