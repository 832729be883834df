// SPDX-License-Identifier: BSD-2-Clause
// Origins over HTTP/2 under many POST streams, while the gateway is reloaded, its weights change, another
// process takes over, or it stops: each request is answered once, none is lost, none reaches an origin
// twice, and no connection to an origin is closed by a reload.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import { Http2Load } from './lib/http2-load.mjs';
import { connectHttp2, open } from './lib/http2.mjs';
import { http2Origin } from './lib/http2-origin.mjs';
import { patient, until, within } from './lib/wait.mjs';

const SHARES = [50, 5, 95, 0, 100];
const RELOADS = 50;
const LOAD = { lanes: 8, streams: 32 };

function notingOrigin(t, seen) {
    return http2Origin(t, {
        handler: async (stream, headers, record) => {
            const id = Http2Load.note(seen, await record.body());
            stream.respond({ ':status': 200 });
            stream.end(id);
        },
    });
}

const yamlFor = (a, b, drain = '30s') => (share) => `timeouts: {drain: ${drain}}
listeners: [{address: "127.0.0.1:0", h2c: true}]
workers: 2
services:
  a: {protocol: http2, origins: ["${a.address}"]}
  b: {protocol: http2, origins: ["${b.address}"]}
routes: [{name: all, split: {a: ${share}%, b: ${100 - share}%}}]
`;

async function start(t, seen) {
    const a = await notingOrigin(t, seen);
    const b = await notingOrigin(t, seen);
    const yaml = yamlFor(a, b, '1s');
    return { a, b, yaml, gateway: await startGateway(t, yaml(50)) };
}

test('fifty reloads lose no stream, repeat none and close no connection; nor does a binary upgrade lose any', async (t) => {
    const seen = new Map();
    const { a, b, yaml, gateway } = await start(t, seen);
    const load = new Http2Load(t, gateway, LOAD);

    await load.more(300, () => a.requests.length > 0 && b.requests.length > 0);
    for (let i = 0; i < RELOADS; i++) {
        assert.match(await gateway.reload(yaml(SHARES[i % SHARES.length])), /info reload/);
        await load.more(20);
    }
    assert.deepEqual([a, b].map((origin) => origin.sessions.filter((session) => session.isOver).length), [0, 0]);
    assert.equal(load.connections, LOAD.lanes);
    await gateway.upgrade();
    await load.more(100, () => load.connections >= 2 * LOAD.lanes);
    await load.end(seen);
    assert.deepEqual([...a.resets, ...b.resets], []);
});

test('SIGTERM: streams that are under way are answered, and the connections to origins end with GOAWAY', async (t) => {
    const held = [];
    const origin = await http2Origin(t, {
        handler: async (stream, headers, record) => {
            await record.body();
            held.push(stream);
        },
    });
    const goaways = [];
    origin.server.on('session', (session) => session.on('goaway', (code) => goaways.push(code)));
    const gateway = await startGateway(t, yamlFor(origin, origin)(50));
    const session = await connectHttp2(t, gateway);
    const streams = Array.from({ length: 20 }, (_, i) => open(session, { ':method': 'POST' }, { body: `body ${i}` }));

    await until('all to be there', () => held.length === streams.length);
    gateway.signal('SIGTERM');
    await until('the client to hear of it', () => session.goaways.length > 0);
    for (const stream of held) {
        stream.respond({ ':status': 200 });
        stream.end('done');
    }
    for (const stream of streams) {
        assert.equal((await within('an answer', stream.answer, patient(20000))).body, 'done');
    }
    session.close();
    assert.deepEqual(await within('the end', gateway.exited, patient(20000)), { code: 0, signal: null });
    assert.equal(held.length, streams.length);
    await until('the origin to hear of it', () => goaways.length === origin.sessions.length, patient(20000));
    assert.deepEqual(goaways.filter((code) => code !== 0), []);
});
