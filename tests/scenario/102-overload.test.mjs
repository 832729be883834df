// SPDX-License-Identifier: BSD-2-Clause
// More requests than an origin can take: lines by service and class, priorities, concurrency: auto.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const get = (target, ...fields) => head(`GET ${target} HTTP/1.1`, 'Host: a', ...fields);

// Answers a request only when it is told to: origin.answer() answers the oldest.
async function heldOrigin(t) {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            const asked = await wire.request();
            origin.pending.push(() => wire.ok(asked.target));
        }
    });
    origin.pending = [];
    origin.answer = async () => (await until('a request to answer', () => origin.pending.shift()))();
    return origin;
}

async function start(t, text, ...files) {
    return startGateway(t, `workers: 1\n${text}`, ...files);
}

// Sends one request, and returns once it is on its way through the gateway.
async function ask(t, gateway, target, ...fields) {
    const client = await connect(t, gateway);
    client.send(get(target, ...fields));
    await connect(t, gateway).then((each) => each.ask(get('/%00'))); // a turn of the loop has passed
    return client;
}

test('lines', async (t) => {
    await t.test('a service that waits for its own limit holds up no other service of the address', async (t) => {
        const origin = await heldOrigin(t);
        const gateway = await start(t, `
services:
  telemetry: {origins: ["${origin.address}"], limits: {max_concurrent_requests: 1}}
  payments: {origins: ["${origin.address}"], limits: {max_concurrent_requests: 10}}
routes:
  - {name: pay, match: {path_prefix: /pay/}, service: payments}
  - {name: all, service: telemetry}
`);
        await ask(t, gateway, '/1');
        await until('the first at the origin', () => origin.requests.length === 1);
        await ask(t, gateway, '/2');
        const payment = await ask(t, gateway, '/pay/');
        await until('the payment at the origin', () => origin.requests.length === 2);
        assert.equal(origin.requests[1].target, '/pay/');
        await origin.answer();
        await origin.answer();
        assert.equal((await payment.answer()).text, '/pay/');
        await until('the one that waited', () => origin.requests.length === 3);
        assert.equal(origin.requests[2].target, '/2');
    });
});
