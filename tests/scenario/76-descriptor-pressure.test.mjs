// SPDX-License-Identifier: BSD-2-Clause
// The process has a budget of descriptors: with few left, the longest idle connections go first,
// and new ones wait in the kernel for those that achieve nothing to be closed.
import assert from 'node:assert/strict';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { request } from './lib/client.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connectLoose, head } from './lib/raw-client.mjs';
import { patient, until } from './lib/wait.mjs';

const PONG = 'routes: [{name: ping, respond: {body: pong}}]';
const GET = head('GET /ping HTTP/1.1', 'Host: a');
const BUDGET = 400;

async function many(t, gateway, count, bytes) {
    const clients = [];
    defer(t, () => clients.forEach((each) => each.destroy()));
    for (let i = 0; i < count; i++) {
        const client = await connectLoose(gateway);
        client.send(bytes);
        clients.push(client);
    }
    return clients;
}

test('idle connections make room', async (t) => {
    const gateway = await startGateway(t, `limits: {descriptors: ${BUDGET}}\n${PONG}`);
    const idle = await many(t, gateway, BUDGET - 50, GET);
    await until('all to be served', () => idle.every((each) => each.everReceived > 0 || each.ended));
    await gateway.said(/short of file descriptors: .*idle connections close early/);
    await until('some to be closed', () => idle.some((each) => each.ended), patient(15000));
    await gateway.said(/no longer short of file descriptors; meanwhile [1-9]/, patient(20000));
    assert.ok(idle.some((each) => !each.ended), 'not all of them');
    assert.equal((await request(gateway)).status, 200);
});

test('who achieves nothing gives way to new ones', async (t) => {
    const gateway = await startGateway(t, `limits: {descriptors: ${BUDGET}}\ntimeouts: {head: 1h}\n${PONG}`);
    const busy = await many(t, gateway, BUDGET - 20, 'GET /ping HTTP/1.1\r\nHost: a\r\n');
    await gateway.said(/short of file descriptors: /);
    const answer = await request(gateway);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.connection, 'close');
    const kept = busy.filter((each) => !each.ended);
    assert.ok(kept.length > BUDGET / 2);
    kept.forEach((each) => each.destroy());
    await gateway.said(/no longer short of file descriptors/, patient(20000));
    assert.equal((await request(gateway)).status, 200);
});

test('a reload changes the budget', async (t) => {
    const config = (budget) => `limits: {descriptors: ${budget}}\n${PONG}`;
    const gateway = await startGateway(t, config(10000));
    const idle = await many(t, gateway, 200, GET);
    await until('all to be served', () => idle.every((each) => each.everReceived > 0));
    assert.ok(idle.every((each) => !each.ended));
    await gateway.reload(config(200));
    await until('some to be closed', () => idle.some((each) => each.ended), patient(15000));
});
