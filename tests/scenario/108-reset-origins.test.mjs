// SPDX-License-Identifier: BSD-2-Clause
// Origins of HTTP/2 that reset a connection while the gateway has something to say on it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { data, headers, ping } from '../peers/http2_peer.mjs';
import { request } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { rawHttp2Origin } from './lib/raw-http2-origin.mjs';
import { within } from './lib/wait.mjs';

test('a PING that a reset follows at once stops no worker', async (t) => {
    const origin = await rawHttp2Origin(t, async (peer) => {
        for (let id = await peer.request(); id !== undefined; id = await peer.request()) {
            peer.send(Buffer.concat([headers(id, [[':status', '200']]), data(id, 'ok', { end: true })]));
        }
    });
    const gateway = await startGateway(t, `workers: 1\nlisteners: [{address: "127.0.0.1:0"}]\n${through(origin, { service: 'protocol: http2' })}`);

    for (let i = 0; i < 30; i++) {
        assert.equal((await within('an answer', request(gateway))).body, 'ok');
        for (const wire of origin.wires.filter(({ ended }) => !ended)) {
            wire.send(Buffer.concat(Array(3).fill(ping())));
            wire.reset();
        }
    }
});
