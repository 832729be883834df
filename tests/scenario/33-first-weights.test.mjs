// SPDX-License-Identifier: BSD-2-Clause
// 10,000 requests hit the split exactly: rotation is smooth, not by chance. The arms answer from
// listeners of the same gateway, over real pooled connections.
import assert from 'node:assert/strict';
import test from 'node:test';
import { connect, head } from './lib/raw-client.mjs';
import { startGateway } from './lib/gateway.mjs';
import { temporaryFolder } from './lib/folder.mjs';

const REQUESTS = 10_000;
const BATCH = 100;

async function hits(t, weights) {
    const folder = temporaryFolder(t);
    const names = weights.map((_, i) => `demo-v${i + 1}`);
    const gateway = await startGateway(t, `
listeners:
  - address: 127.0.0.1:0
${names.map((name) => `  - address: unix:${folder}/${name}`).join('\n')}
services:
${names.map((name) => `  ${name}: {origins: ["unix:${folder}/${name}"]}`).join('\n')}
routes:
${names.map((name) => `  - {name: ${name}, match: {listener: "unix:${folder}/${name}"}, respond: {status: 200, body: ${name}}}`).join('\n')}
  - {name: front, match: {listener: "127.0.0.1:0"}, split: {${names.map((name, i) => `${name}: ${weights[i]}`).join(', ')}}}
`);
    const client = await connect(t, gateway);
    client.keepsLog = false;
    const seen = Object.fromEntries(names.map((name) => [name, 0]));
    for (let sent = 0; sent < REQUESTS; sent += BATCH) {
        client.send(head('GET / HTTP/1.1', 'Host: a').repeat(BATCH));
        for (let i = 0; i < BATCH; i++) {
            seen[(await client.answer()).text]++;
        }
    }
    return Object.values(seen);
}

for (const [weights, wanted] of [
    [['95%', '5%'], [9500, 500]],
    [['99.99%', '0.01%'], [9999, 1]],
    [['60%', '25%', '15%'], [6000, 2500, 1500]],
]) {
    test(`${weights.join(' and ')} of ${REQUESTS} requests`, async (t) => {
        assert.deepEqual(await hits(t, weights), wanted);
    });
}
