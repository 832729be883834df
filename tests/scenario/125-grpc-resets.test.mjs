// SPDX-License-Identifier: BSD-2-Clause
// An origin that resets the stream of a gRPC call says why by a code of HTTP/2; the client hears the
// status that this code has in gRPC ("gRPC over HTTP2", Errors).
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { ask, connectHttp2 } from './lib/http2.mjs';
import { rawHttp2Origin } from './lib/raw-http2-origin.mjs';
import { data, headers, reset } from '../peers/http2_peer.mjs';

const GRPC = { ':method': 'POST', ':path': '/shop.v1.Orders/Place', 'content-type': 'application/grpc', te: 'trailers' };
const HEAD = [[':status', '200'], ['content-type', 'application/grpc']];
const MESSAGE = Buffer.from([0, 0, 0, 0, 1, 0x78]);

// By the code of the reset: what the status is. 7 is tried once more before it is told.
const STATUSES = [[0, '13'], [1, '13'], [2, '13'], [3, '13'], [6, '13'], [7, '14'], [8, '1'], [11, '8'], [12, '7'], [99, '13']];

for (const begun of [false, true]) {
    test(`a reset ${begun ? 'in the middle of' : 'before'} the answer has the status of its code`, async (t) => {
        let code;
        const origin = await rawHttp2Origin(t, async (peer) => {
            for (let id = await peer.request(); id !== undefined; id = await peer.request()) {
                peer.send(begun ? Buffer.concat([headers(id, HEAD), data(id, MESSAGE), reset(id, code)]) : reset(id, code));
            }
        });
        const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true}]
workers: 1
${through(origin, { service: 'protocol: http2, health: {consecutive_failures: off, failed_share: off}' })}`);
        const session = await connectHttp2(t, gateway);

        for (const [sent, status] of STATUSES) {
            code = sent;
            const answer = await ask(session, GRPC, { body: MESSAGE });
            assert.equal(answer.status, 200);
            assert.equal(answer.headers['grpc-status'] ?? answer.trailers['grpc-status'], status, `code ${sent}`);
        }
        const entries = await gateway.logged(STATUSES.length);
        assert.deepEqual(entries.map((entry) => String(entry['rpc.grpc.status_code'])), STATUSES.map(([, status]) => status));
    });
}
