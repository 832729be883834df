// SPDX-License-Identifier: BSD-2-Clause
// SIGUSR2 under 8 connections with 32 POST streams each: each request is answered once, none is lost
// and none reaches the origin twice.
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { Http2Load } from './lib/http2-load.mjs';
import { httpOrigin } from './lib/origin.mjs';

const LANES = 8;
const BEFORE = 500; // answers before the upgrade

test('a binary upgrade loses no stream and repeats none', async (t) => {
    const seen = new Map();
    const origin = await httpOrigin(t, {
        handler: async (request, response, record) => response.end(Http2Load.note(seen, await record.body())),
    });
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true}]\n${through(origin, { more: 'workers: 2' })}`);
    const load = new Http2Load(t, gateway, { lanes: LANES });

    await load.more(BEFORE);
    await gateway.upgrade();
    await load.more(0, () => load.connections >= 2 * LANES);
    await load.end(seen);
});
