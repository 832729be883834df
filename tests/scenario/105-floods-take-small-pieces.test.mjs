// SPDX-License-Identifier: BSD-2-Clause
// A flood of HTTP/2 that stays within its budget is read in small pieces, over many turns of the loop:
// those who are served beside it wait for none of them. A client that comes while one goes on, or that
// has ended one, is served as before.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { keepAliveAgent, request } from './lib/client.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { authority, certificateList } from './lib/tls.mjs';
import * as h2 from '../peers/http2_peer.mjs';

const { Http2Peer, GET, POST, headers, data, reset, ping } = h2;
const END = { end: true };
const WAIT = [...GET.slice(0, 3), [':path', '/wait']];
const odd = (i) => 2 * i + 1;
const gaveUp = (count) => Array.from({ length: count }, (_, i) => [headers(odd(i), WAIT, END), reset(odd(i))]).flat();
const answersPing = (peer) => peer.until(({ type, flags }) => type === h2.PING && flags === h2.ACK);

async function served(t, { tls = '' } = {}) {
    const origin = await httpOrigin(t, {
        handler: async (req, response) => {
            let bytes = 0;
            for await (const piece of req) {
                bytes += piece.length;
            }
            if (req.url !== '/wait') {
                response.end(`${bytes} bytes`);
            }
        },
    });
    const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", h2c: true}${tls}]
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: hello, match: {path: /hello}, respond: {body: hello}}, {name: all, service: app}]
`);
    return { origin, gateway };
}

// 900 streams that are begun and reset are 50 kB: read at once, they would be one or two turns.
async function serveBesideFlood(t, gateway, options) {
    const flooder = await Http2Peer.connect(t, gateway, options);
    const agent = keepAliveAgent();
    let is_over = false;
    let answers = 0;

    t.after(() => agent.destroy());
    await request(gateway, { path: '/hello', agent });
    flooder.send(...gaveUp(900), ping());
    const over = answersPing(flooder)
        .then((got) => assert.ok(got, 'the flood is within its budget'))
        .finally(() => (is_over = true));
    over.catch(() => {}); // it is awaited below
    while (!is_over) {
        assert.equal((await request(gateway, { path: '/hello', agent })).status, 200);
        answers++;
    }
    await over;
    return answers;
}

test('while many streams are begun and reset, others are served in between', async (t) => {
    const { gateway } = await served(t);
    const answers = await serveBesideFlood(t, gateway);

    assert.ok(answers >= 3, `${answers} answers beside the flood`);
});

// What the library has read ahead waits for the connection's next piece, too.
test('over TLS the same', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['a.example'] });
    const { gateway } = await served(t, {
        tls: `, {address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}`,
    });
    const plain = await serveBesideFlood(t, gateway);
    const secure = await serveBesideFlood(t, gateway, { at: 1, ca: readFileSync(ca.cert) });

    assert.ok(secure >= plain / 10, `${secure} answers beside the flood over TLS, ${plain} without`);
});

test('a client that has given up many requests goes on with others', async (t) => {
    const { gateway } = await served(t);
    const peer = await Http2Peer.connect(t, gateway);
    const body = Buffer.alloc(16000, 'x');

    peer.send(...gaveUp(100), ping());
    assert.ok(await answersPing(peer));
    peer.send(headers(1001, [...POST.slice(0, 3), [':path', '/upload']]), data(1001, body), data(1001, body), data(1001, body, END));
    assert.equal((await peer.answered(1001)).body.toString(), '48000 bytes');
});

test('a client that comes beside a flood is served', async (t) => {
    const { gateway } = await served(t);
    const flooder = await Http2Peer.connect(t, gateway);
    const body = Buffer.alloc(16000, 'x');

    flooder.send(...gaveUp(300), ping());
    const peer = await Http2Peer.connect(t, gateway);
    peer.send(headers(1, [...POST.slice(0, 3), [':path', '/upload']]), data(1, body), data(1, body), data(1, body, END));
    assert.equal((await peer.answered(1)).body.toString(), '48000 bytes');
    assert.ok(await answersPing(flooder));
});
