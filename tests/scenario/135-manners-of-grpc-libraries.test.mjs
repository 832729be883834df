// SPDX-License-Identifier: BSD-2-Clause
// What libraries of gRPC do and expect on the wire, beyond HTTP/2: clients that measure the path by a PING for
// each DATA frame, servers that take PINGs for a flood where they have sent nothing since, and servers that
// see the end of a call in a DATA frame only. Played frame by frame, since each library does a part of it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { rawHttp2Origin } from './lib/raw-http2-origin.mjs';
import { patient, pause, within } from './lib/wait.mjs';
import { ACK, DATA, END_STREAM, HEADERS, Http2Peer, PING, POST, data, frame, headers, ping } from '../peers/http2_peer.mjs';

const CALL = [...POST, ['content-type', 'application/grpc'], ['te', 'trailers']];
const BEGUN = [[':status', '200'], ['content-type', 'application/grpc']];
const DONE = [['grpc-status', '0']];
const END = { end: true };

async function start(t, script) {
    const origin = await rawHttp2Origin(t, script);
    return startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true}]\nworkers: 1\n${through(origin, { service: 'protocol: http2' })}`);
}

test('a client may send a PING for each DATA frame that it gets', async (t) => {
    const ROUNDS = 1000;
    const gateway = await start(t, async (peer) => {
        const { stream } = await peer.until(({ type }) => type === HEADERS);
        peer.send(headers(stream, BEGUN));
        for (let got = await peer.until(({ type }) => type === DATA); got.payload.length > 0; got = await peer.until(({ type }) => type === DATA)) {
            peer.send(data(stream, 'answer'));
        }
        peer.send(headers(stream, DONE, END));
    });
    const client = await Http2Peer.connect(t, gateway);
    client.send(headers(1, CALL));
    for (let i = 0; i < ROUNDS; i++) {
        client.send(data(1, 'question'));
        const got = await client.until(({ type }) => type === DATA);
        assert.ok(got, `round ${i}: ${JSON.stringify(client.goaway)}`);
        client.send(ping());
    }
    client.send(data(1, '', END));
    assert.ok(await client.until(({ type, flags }) => type === HEADERS && (flags & END_STREAM) !== 0));
    assert.equal(client.goaway, undefined);
});

test('PINGs for nothing still end the connection beside such a call', async (t) => {
    const gateway = await start(t, async (peer) => {
        const { stream } = await peer.until(({ type }) => type === HEADERS);
        peer.send(headers(stream, BEGUN));
        await peer.closed();
    });
    const client = await Http2Peer.connect(t, gateway);
    client.send(headers(1, CALL), ...Array.from({ length: 1000 }, () => ping()));
    assert.equal(await client.error(), 'ENHANCE_YOUR_CALM');
});

// Client and gateway write both frames at once.
test('a call without a message ends with a DATA frame at its origin, as its client sent it', async (t) => {
    let ended;
    const gateway = await start(t, async (peer) => {
        ended = await peer.until(({ type, flags }) => (type === HEADERS || type === DATA) && (flags & END_STREAM) !== 0);
        peer.send(headers(ended.stream, [...BEGUN, ...DONE], END));
    });
    const client = await Http2Peer.connect(t, gateway);
    client.send(headers(1, CALL), data(1, '', END));
    assert.equal((await client.answered(1)).body.length, 0);
    assert.deepEqual([ended.type, ended.payload.length], [DATA, 0]);
});

// Three PINGs without HEADERS or DATA in between, each within five minutes of the one before, and grpc-go,
// grpc-java and gRPC's C core end the connection: "too_many_pings".
test('an origin that is silent for long is asked once, until it sends something', async (t) => {
    let asked = 0;
    let first;
    const heard = new Promise((resolve) => (first = resolve));
    let origin;
    const gateway = await start(t, async (peer) => {
        origin = peer;
        peer.patience = patient(60_000);
        for (let got = await peer.read(); got !== undefined; got = await peer.read()) {
            if (got.type === PING && (got.flags & ACK) === 0) {
                asked++;
                peer.send(frame(PING, ACK, 0, got.payload));
                first();
            } else if (got.type === HEADERS) {
                peer.send(headers(got.stream, BEGUN));
            }
        }
    });
    const client = await Http2Peer.connect(t, gateway);
    client.send(headers(1, CALL));
    await within('the first PING', heard, patient(30_000));
    await pause(12_000); // earlier there is nothing to see: PING_AFTER_MS is 10 s
    assert.equal(asked, 1);
    origin.send(data(1, 'late'));
    assert.ok(await client.until(({ type }) => type === DATA));
});
