// SPDX-License-Identifier: BSD-2-Clause
// What is known of origins outlives a reload, and the operator's drain lets them finish.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request, tally } from './lib/client.mjs';
import { adminIn, ctl } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { until } from './lib/wait.mjs';

const answers503 = (_, answer) => {
    answer.statusCode = 503;
    answer.end();
};

function service(origins, health, more = '') {
    return `
workers: 3
services: {app: {origins: [${origins.map((origin) => `"${origin.address}"`).join(', ')}], health: {${health}}}}
routes: [{name: all, service: app}]
${more}`;
}

async function ejectIll(gateway) {
    await tally(gateway, 40, { connections: 6 });
    await gateway.said(/: ejected for/);
}

test('an ejection outlives a reload that changes the service', async (t) => {
    const ill = await httpOrigin(t, { name: 'ill', handler: answers503 });
    const origins = [await httpOrigin(t, { name: 'a' }), ill];
    const gateway = await startGateway(t, service(origins, 'ejection_time: 1h, max_ejection_time: 1h'));
    await ejectIll(gateway);
    const before = ill.requests.length;
    const added = await httpOrigin(t, { name: 'added' });
    assert.match(await gateway.reload(service([...origins, added], 'ejection_time: 1h, max_ejection_time: 1h')), /generation 2/);
    const seen = await tally(gateway, 60, { connections: 6 });
    assert.equal(ill.requests.length, before, 'it gets nothing');
    assert.ok(seen.added >= 20, JSON.stringify(seen));
    assert.equal(gateway.stderr.match(/: ejected for/g).length, 1);
});

test('probes follow the settings, verdicts stay', async (t) => {
    const asked = [];
    const b = await httpOrigin(t, {
        name: 'b',
        handler: (request_, answer) => {
            asked.push(request_.url);
            answer.statusCode = request_.url === '/good' || request_.url === '/' ? 200 : 500;
            answer.end('b');
        },
    });
    const origins = [await httpOrigin(t, { name: 'a' }), b];
    const probing = (path) => service(origins, `slow_start: none, probe: {path: ${path}, interval: 50ms, healthy: 3, status: 200}`);
    const gateway = await startGateway(t, probing('/bad'));
    await gateway.said(/: down, by the probe/);
    await gateway.reload(probing('/worse'));
    await until('the new path to be asked for', () => asked.includes('/worse'));
    assert.deepEqual(await tally(gateway, 20), { a: 20 });
    assert.equal(gateway.stderr.match(/: down, by the probe/g).length, 1, 'it was down all the time');
    await gateway.reload(probing('/good'));
    await gateway.said(/: up again/);
    const count = asked.length;
    await gateway.reload(service(origins, 'slow_start: none'));
    await until('requests at it', async () => (await request(gateway)).body === 'b');
    assert.ok(asked.slice(count).filter((url) => url !== '/').length <= 4, 'there are no probes any more');
});

test('a down origin whose probe is taken away is up', async (t) => {
    const ill = await httpOrigin(t, {
        name: 'ill',
        handler: (asked, answer) => {
            answer.statusCode = asked.url === '/probe' ? 500 : 200;
            answer.end('ill');
        },
    });
    const origins = [await httpOrigin(t, { name: 'a' }), ill];
    const gateway = await startGateway(t, service(origins, 'probe: {path: /probe, interval: 50ms}'));
    await gateway.said(/: down, by the probe/);
    await gateway.reload(service(origins, 'slow_start: none'));
    assert.deepEqual(await tally(gateway, 10), { a: 5, ill: 5 });
});

test('a drained origin finishes what it has and gets nothing new, over a reload, too', async (t) => {
    const held = [];
    let holds = false;
    const leaves = await httpOrigin(t, {
        name: 'leaves',
        handler: (_, answer) => (holds ? held.push(answer) : answer.end('leaves')),
    });
    const origins = [await httpOrigin(t, { name: 'a' }), leaves];
    const gateway = await startGateway(t, (folder) => service(origins, 'slow_start: none', adminIn(folder)));
    holds = true;
    const asked = [];
    await until('it to have a request', async () => {
        asked.push(request(gateway));
        await Promise.race([asked.at(-1), until('it', () => held.length > 0).catch(() => {})]);
        return held.length > 0;
    });
    const result = await ctl(gateway, 'drain', leaves.address);
    assert.equal(result.code, 0, result.stderr);
    const before = leaves.requests.length;
    assert.deepEqual(await tally(gateway, 20, { connections: 4 }), { a: 20 });
    await gateway.reload(service(origins, 'slow_start: 1s', adminIn(gateway.folder)));
    assert.deepEqual(await tally(gateway, 20, { connections: 4 }), { a: 20 });
    assert.equal(leaves.requests.length, before);
    held.forEach((answer) => answer.end('at last'));
    const bodies = (await Promise.all(asked)).map((answer) => answer.body);
    assert.equal(bodies.filter((body) => body === 'at last').length, held.length);
    holds = false;
    await ctl(gateway, 'undrain', leaves.address);
    await until('it to be back', async () => (await request(gateway)).body === 'leaves');
});
