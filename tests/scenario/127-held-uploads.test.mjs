// SPDX-License-Identifier: BSD-2-Clause
// An upload over HTTP/2 that goes on while the gateway takes nothing of it: the client is not slow.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import { connectHttp2, open } from './lib/http2.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { until, within } from './lib/wait.mjs';

// A request without a word, until the gateway has cut it after body_idle: so much time has passed at
// least, and the streams of this connection were looked at.
async function silentOneIsCut(session) {
    const stream = open(session, { ':method': 'POST', ':path': '/silent' }, { endStream: false });

    assert.equal((await within('a silent stream to be cut', stream.answer)).status, 408);
}

test('what a client sends while its body waits is not held against it later', async (t) => {
    const waiting = [];
    const origin = await httpOrigin(t, {
        handler: async (request, response, record) => {
            if (request.url === '/first') {
                await new Promise((resolve) => waiting.push(resolve));
            }
            response.end(String((await record.body()).length));
        },
    });
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true}]
services: {app: {origins: ["${origin.address}"], pool: {max_connections: 1, pending_timeout: 60s, reserve: 0%}}}
routes:
  - {name: silent, match: {path: /silent}, timeouts: {body_idle: 1s, request_buffer: 60s}, service: app}
  - {name: rest, service: app}`);
    const session = await connectHttp2(t, gateway);
    const first = open(session, { ':path': '/first' });
    await until('the origin to be asked', () => waiting.length === 1);
    const upload = open(session, { ':method': 'POST', ':path': '/upload' }, { endStream: false });

    // It waits for the connection, and more than limits.request_buffer waits in its stream.
    upload.write(Buffer.alloc(30_000));
    await silentOneIsCut(session);
    upload.write(Buffer.alloc(1000));
    await silentOneIsCut(session);
    waiting[0]();
    assert.equal((await within('the first answer', first.answer)).status, 200);
    await until('the upload to be at the origin', () => origin.requests.length === 2);
    await silentOneIsCut(session);
    assert.equal(upload.seen.status, undefined, 'no 408');
    upload.end('end');
    assert.equal((await within('the answer', upload.answer)).body, '31003');
});
