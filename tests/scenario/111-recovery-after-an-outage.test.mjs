// SPDX-License-Identifier: BSD-2-Clause
// An origin that was down for more than a second gets its requests back step by step.
import assert from 'node:assert/strict';
import test from 'node:test';
import { adminIn, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const get = (target) => head(`GET ${target} HTTP/1.1`, 'Host: a');
const LIMIT = 20;

// Answers a request only when it is told to.
function held(pending) {
    return async (wire) => {
        for (;;) {
            const asked = await wire.request();
            pending.push(() => wire.ok(asked.target));
        }
    };
}

// Requests fail at the closed port until the outage is one: a second and five of them.
async function outage(client) {
    const start = Date.now();
    for (let failures = 0; failures < 5 || Date.now() - start < 1200; failures++) {
        assert.equal((await client.ask(get('/down'))).status, 502);
        await until('some time', () => Date.now() - start > failures * 100);
    }
}

test('recovery', async (t) => {
    await t.test('a limit is whole again only step by step, and who waits is served', async (t) => {
        const gone = await rawOrigin(t);
        const address = gone.address;
        await gone.close();
        const gateway = await startGateway(t, (folder) => `workers: 1
${adminIn(folder)}
services:
  a: {origins: ["${address}"], concurrency: ${LIMIT}, pool: {pending_timeout: 60s}}
routes: [{name: a, service: a}]
`);
        await outage(await connect(t, gateway));
        const pending = [];
        await rawOrigin(t, held(pending), { port: Number(address.split(':').at(-1)) });
        const first = await connect(t, gateway);
        first.send(get('/first'));
        (await until('the first at the origin', () => pending.shift()))();
        assert.equal((await first.answer()).status, 200);

        const answers = [];
        for (let i = 0; i < 120; i++) {
            const client = await connect(t, gateway);
            client.send(get(`/${i}`));
            answers.push(client.answer());
        }
        const line = async () => valueOf(await metricsOf(gateway), 'turnpike_origin_requests_pending', { origin: address });
        const places = async () => valueOf(await metricsOf(gateway), 'turnpike_origin_recovery_slots', { origin: address });
        const inside = [];
        for (let served = 0; served < answers.length; served += inside.at(-1)) {
            const left = answers.length - served;
            // No other request goes in: those that are not at the origin wait in line.
            await until('all at the origin or in line', async () => pending.length >= Math.min(await places() || LIMIT, left) &&
                await line() === left - pending.length);
            inside.push(pending.length);
            pending.splice(0).forEach((answer) => answer());
        }
        assert.ok(inside[0] <= LIMIT / 4, `${inside}`);
        const whole = inside.indexOf(LIMIT);
        assert.ok(whole >= 3 && whole <= 8, `${inside}`);
        for (let i = 1; i <= whole; i++) {
            assert.ok(inside[i] > inside[i - 1] && inside[i] <= inside[i - 1] * 1.5 + 3, `${inside}`);
        }
        assert.equal(await places(), 0);
        assert.deepEqual((await Promise.all(answers)).map((each) => each.status), answers.map(() => 200));
    });

    await t.test('a reload makes no limit whole', async (t) => {
        const gone = await rawOrigin(t);
        const address = gone.address;
        await gone.close();
        const gateway = await startGateway(t, (folder) => `workers: 1
${adminIn(folder)}
services:
  a: {origins: ["${address}"], concurrency: 1000, pool: {pending_timeout: 60s}}
routes: [{name: a, service: a}]
`);
        await outage(await connect(t, gateway));
        const pending = [];
        await rawOrigin(t, held(pending), { port: Number(address.split(':').at(-1)) });
        const first = await connect(t, gateway);
        first.send(get('/first'));
        (await until('the first at the origin', () => pending.shift()))();
        assert.equal((await first.answer()).status, 200);
        const places = async () => valueOf(await metricsOf(gateway), 'turnpike_origin_recovery_slots', { origin: address });
        const before = await places();
        assert.ok(before >= 100 && before < 1000, `${before}`);
        await gateway.reload();
        const after = await places();
        assert.ok(after >= before && after < 1000, `${after} after ${before}`);
    });
});
