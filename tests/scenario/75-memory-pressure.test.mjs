// SPDX-License-Identifier: BSD-2-Clause
// The process has a memory budget: many clients that hold much are held back and new ones refused
// before it is used up, and those cut that cost most; others are served on, and all is well again once they have gone.
import assert from 'node:assert/strict';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { request } from './lib/client.mjs';
import { isInstrumented, startGateway } from './lib/gateway.mjs';
import { connectLoose, head } from './lib/raw-client.mjs';
import { patient, until } from './lib/wait.mjs';

const MIB = 1024 * 1024;
const HOGS = 1000;

test('memory under pressure', { skip: isInstrumented && 'figures mean nothing under a sanitizer' }, async (t) => {
    const config = (more) => `${more}
routes: [{name: ping, respond: {body: pong}}]
`;
    const bare = await startGateway(t, config(''));
    const budget = Math.ceil(bare.memory().now / MIB) + 32;
    await bare.stop();
    const gateway = await startGateway(t, config(`limits: {memory: ${budget}MiB}`));
    const hogs = [];
    defer(t, () => hogs.forEach((each) => each.destroy()));
    // Too long for a small buffer, and without an end.
    const half = `${head('GET / HTTP/1.1', 'Host: a', `X-Long: ${'x'.repeat(6000)}`).slice(0, -4)}`;
    let served = 0;

    for (let i = 0; i < HOGS; i++) {
        const hog = await connectLoose(gateway);
        hog.keepsLog = false;
        hog.send(half);
        hogs.push(hog);
        if (i % 50 === 49) {
            const { status } = await request(gateway, { path: '/ping' });
            assert.ok(status === 200 || status === 503, `${status}`);
            served += status === 200;
        }
    }

    await t.test('it says so', async () => {
        await gateway.said(/short of memory: .* (large request bodies|new connections|most memory)/);
        assert.ok(served > 0);
    });

    await t.test('new connections are refused in plain words', async () => {
        await until('a refusal', async () => (await request(gateway, { path: '/ping' })).status === 503);
    });

    await t.test('it keeps to its budget', () => {
        const { most } = gateway.memory();
        assert.ok(most <= budget * MIB * 1.05, `${most} bytes of ${budget} MiB`);
    });

    await t.test('it recovers when they are gone', async () => {
        hogs.forEach((each) => each.destroy());
        await gateway.said(/no longer short of memory/, patient(20000));
        assert.equal((await request(gateway, { path: '/ping' })).status, 200);
    });

    await t.test('it told it once', () => {
        const lines = gateway.stderr.split('\n').filter((line) => /short of memory/.test(line));
        assert.ok(lines.length <= 5, lines.join('\n'));
    });
});
