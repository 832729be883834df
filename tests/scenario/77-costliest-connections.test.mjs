// SPDX-License-Identifier: BSD-2-Clause
// The list of the connections that cost most for what they achieve: a client that drips stands
// before those that wait or get on.
import assert from 'node:assert/strict';
import test from 'node:test';
import { adminIn, askJson } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const GET = head('GET /ping HTTP/1.1', 'Host: a');

test('the costliest connections', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
    });
    const gateway = await startGateway(t, (folder) => `${adminIn(folder)}
workers: 2
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: ping, match: {path: /ping}, respond: {body: pong}}
  - {name: app, service: app}
`);
    const idle = await connect(t, gateway);
    assert.equal((await idle.ask(GET)).status, 200);
    const waits = await connect(t, gateway);
    waits.send(head('GET /waits HTTP/1.1', 'Host: a'));
    const body = await connect(t, gateway);
    body.send(`${head('POST /drips HTTP/1.1', 'Host: a', 'Content-Length: 1000')}a`);
    const half = await connect(t, gateway);
    half.send('GET /ping HTTP/1.1\r\nHo');

    const rows = {};
    await until('all four to be listed, the dripping ones with a cost', async () => {
        const { connections } = await askJson(gateway, '/v1/connections?top=10');
        connections.forEach((row) => (rows[row.state] = row));
        return connections.length === 4 && rows['reads-head']?.held_ms > 100 && rows['reads-body']?.held_ms > 100;
    });
    assert.deepEqual(Object.keys(rows).sort(), ['awaits-origin', 'idle', 'reads-body', 'reads-head']);
    assert.ok(rows['reads-body'].memory_bytes > 4096, 'its head, its exchange');
    assert.ok(rows['reads-head'].cost > 0);
    assert.ok(rows['reads-body'].cost > 0);
    assert.equal(rows.idle.cost, 0);
    assert.ok(rows.idle.memory_bytes < 400);
    assert.equal(rows['reads-body'].route, 'app');
    assert.equal(rows['awaits-origin'].route, 'app');
    for (const row of Object.values(rows)) {
        assert.match(row.client, /^127\.0\.0\.1/);
        assert.ok(row.bytes_moved > 0 || row.state === 'idle');
        assert.ok(row.bytes_per_s * row.held_ms <= row.bytes_moved * 1000, 'bytes over time');
    }
    assert.equal(rows.idle.requests, 1);
});
