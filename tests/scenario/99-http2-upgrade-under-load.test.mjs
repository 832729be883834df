// SPDX-License-Identifier: BSD-2-Clause
// Fifty SIGHUP and one SIGUSR2 under 8 connections with 32 POST streams each: each request is answered
// once, none is lost and none reaches the origin twice; no reload closes a connection.
// 126-http2-origins-under-load plays it with origins of HTTP/2.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { Http2Load } from './lib/http2-load.mjs';
import { httpOrigin } from './lib/origin.mjs';

const LANES = 8;
const BEFORE = 500; // answers before the first reload
const RELOADS = 50;

test('fifty reloads and a binary upgrade lose no stream and repeat none', async (t) => {
    const seen = new Map();
    const origin = await httpOrigin(t, {
        handler: async (request, response, record) => response.end(Http2Load.note(seen, await record.body())),
    });
    const gateway = await startGateway(t, `timeouts: {drain: 1s}\nlisteners: [{address: "127.0.0.1:0", h2c: true}]\n${through(origin, { more: 'workers: 2' })}`);
    const load = new Http2Load(t, gateway, { lanes: LANES });

    await load.more(BEFORE);
    for (let i = 0; i < RELOADS; i++) {
        assert.match(await gateway.reload(), /info reload/);
        await load.more(20);
    }
    assert.equal(load.connections, LANES);
    await gateway.upgrade();
    await load.more(0, () => load.connections >= 2 * LANES);
    await load.end(seen);
});
