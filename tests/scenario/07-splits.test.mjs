// SPDX-License-Identifier: BSD-2-Clause
// Weighted splits between services.
import assert from 'node:assert/strict';
import test from 'node:test';
import { tally } from './lib/client.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';

async function split(t, weights) {
    const origins = await Promise.all(weights.map((_, i) => httpOrigin(t, { name: `v${i + 1}` })));
    const services = origins.map((origin, i) => `  v${i + 1}: {origins: ["${origin.address}"]}`).join('\n');
    const arms = weights.map((weight, i) => `v${i + 1}: ${weight}`).join(', ');
    return startGateway(t, `
services:
${services}
routes:
  - {name: all, split: {${arms}}}
`);
}

test('95% and 5% of 200 requests are 190 and 10', async (t) => {
    assert.deepEqual(await tally(await split(t, ['95%', '5%']), 200), { v1: 190, v2: 10 });
});

test('50% and 50% take turns', async (t) => {
    assert.deepEqual(await tally(await split(t, ['50%', '50%']), 20), { v1: 10, v2: 10 });
});

test('three arms', async (t) => {
    assert.deepEqual(await tally(await split(t, ['70%', '20%', '10%']), 100), { v1: 70, v2: 20, v3: 10 });
});

test('parts of a per cent', async (t) => {
    assert.deepEqual(await tally(await split(t, ['99.5%', '0.5%']), 400, { connections: 4 }), { v1: 398, v2: 2 });
});

test('0% gets nothing', async (t) => {
    assert.deepEqual(await tally(await split(t, ['100%', '0%']), 50), { v1: 50 });
});

test('the arms are mixed, not one after the other', async (t) => {
    const origins = [await httpOrigin(t, { name: 'a' }), await httpOrigin(t, { name: 'b' })];
    const gateway = await startGateway(t, `
services: {a: {origins: ["${origins[0].address}"]}, b: {origins: ["${origins[1].address}"]}}
routes: [{name: all, split: {a: 75%, b: 25%}}]
`);
    for (let i = 0; i < 10; i++) {
        assert.deepEqual(await tally(gateway, 4), { a: 3, b: 1 });
    }
});
