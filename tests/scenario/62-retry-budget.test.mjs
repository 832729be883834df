// SPDX-License-Identifier: BSD-2-Clause
// Retries are held to a share of the requests, wait a moment, and are counted; connections that
// are known to be closed soon carry no request that cannot be sent again.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { adminIn, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { answerAll, rawOrigin } from './lib/raw-origin.mjs';
import { pause, until } from './lib/wait.mjs';

const GET = head('GET / HTTP/1.1', 'Host: a');
const POST = head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 2') + 'ok';
// One worker, so that the order of the origins is one; no ejection, which would end the failures.
const ONE = 'workers: 1';
const SERVICE = 'retry_budget: {percent: 20, min_per_second: 0}, health: {consecutive_failures: off, failed_share: off}';

async function resettingOrigin(t) {
    return rawOrigin(t, async (wire) => {
        await wire.request();
        wire.reset();
    });
}

test('retries stay below the share; the others fail at once', async (t) => {
    const origins = [await resettingOrigin(t), await resettingOrigin(t)];
    const gateway = await startGateway(t, (folder) =>
        through(origins, { service: SERVICE, more: `${ONE}\n${adminIn(folder)}`, route: 'retry: {backoff: 1ms}' }));
    for (let i = 0; i < 100; i++) {
        assert.equal((await request(gateway)).status, 502);
    }
    const attempts = origins[0].requests.length + origins[1].requests.length;
    assert.ok(attempts > 110 && attempts <= 120, `${attempts} attempts of 100 requests`);
    const entries = await gateway.logged(100);
    assert.equal(entries.filter((each) => each['turnpike.attempts']?.length === 2).length, attempts - 100);
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_service_retries_total', { service: 'app' }), attempts - 100);
    assert.equal(valueOf(metrics, 'turnpike_service_retries_denied_total', { service: 'app' }), 200 - attempts);
    assert.equal(valueOf(metrics, 'turnpike_service_retries_left', { service: 'app' }), 0);
});

test('what clients send again leaves the gateway fewer retries', async (t) => {
    const origins = [await resettingOrigin(t), await resettingOrigin(t)];
    const attempts = () => origins[0].requests.length + origins[1].requests.length;
    const gateway = await startGateway(t, (folder) =>
        through(origins, { service: SERVICE, more: `${ONE}\n${adminIn(folder)}`, route: 'retry: {backoff: 1ms}' }));
    for (let i = 0; i < 50; i++) {
        for (const name of [{ 'X-Request-Id': `one-${i}` }, { 'X-Request-Id': `one-${i}` }]) {
            assert.equal((await request(gateway, { headers: name })).status, 502);
        }
    }
    assert.equal(attempts(), 100, 'one for each');
    // One id on requests for other things is no repetition, nor is another key.
    for (let i = 0; i < 50; i++) {
        await request(gateway, { path: `/${i}`, headers: { 'X-Request-Id': 'two' } });
        await request(gateway, { path: '/', headers: { 'X-Request-Id': 'three', 'Idempotency-Key': `${i}` } });
        await request(gateway);
    }
    assert.equal(valueOf(await metricsOf(gateway), 'turnpike_requests_repeated_total'), 50);
});

test('what follows from a stale connection costs the budget nothing', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.ok();
        wire.destroy();
    });
    const gateway = await startGateway(t, through(origin, { service: 'retry_budget: {percent: 0, min_per_second: 0}', more: ONE }));
    const client = await connect(t, gateway);
    for (let i = 0; i < 30; i++) {
        assert.equal((await client.ask(GET)).status, 200);
    }
});

test('reuse: fresh, any, and proven by default', async (t) => {
    for (const [route, most, least] of [['reuse: fresh', 10, 10], ['reuse: any', 1, 1], ['', 9, 2]]) {
        const origin = await rawOrigin(t, answerAll);
        const gateway = await startGateway(t, through(origin, { route, more: ONE }));
        const client = await connect(t, gateway);
        for (let i = 0; i < 10; i++) {
            assert.equal((await client.ask(POST)).status, 200);
            if (i === 3) {
                await pause(150); // an origin has proven itself once it has kept one for 100 ms
            }
        }
        assert.ok(origin.wires.length <= most && origin.wires.length >= least, `${route}: ${origin.wires.length} connections`);
    }
});

test('an origin that closes soon is not trusted with a POST', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.request(3_600_000);
            wire.ok();
            setTimeout(() => wire.destroy(), 20);
        }
    });
    const gateway = await startGateway(t, through(origin, { more: ONE }));
    const client = await connect(t, gateway);
    await client.ask(GET);
    await origin.wires[0].closed();
    await pause(150);
    for (let i = 0; i < 5; i++) {
        assert.equal((await client.ask(POST)).status, 200);
    }
    const entries = await gateway.logged(6);
    assert.ok(entries.every((each) => each['turnpike.attempts'][0].reused === undefined));
});

test('Keep-Alive: timeout= and max= are heeded', async (t) => {
    const origin = await rawOrigin(t, async (wire, number) => {
        for (;;) {
            await wire.request(3_600_000);
            wire.ok('ok', number === 0 ? 'Keep-Alive: timeout=60, max=2' : 'Keep-Alive: timeout=1');
        }
    });
    const gateway = await startGateway(t, through(origin, { more: ONE }));
    const client = await connect(t, gateway);
    for (let i = 0; i < 4; i++) {
        assert.equal((await client.ask(GET)).status, 200);
    }
    assert.deepEqual(origin.requests.map((each) => each.connection), [0, 0, 0, 1]);
    const before = Date.now();
    await origin.wires[1].closed();
    assert.ok(Date.now() - before < 1000, 'closed before the origin would');
});
