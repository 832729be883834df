// SPDX-License-Identifier: BSD-2-Clause
// Streams of an RPC may be quiet for long: idle times and minimum rates of plain requests do not cut
// them, timeouts.stream_idle and the deadline do.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connectHttp2, open } from './lib/http2.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { until, within } from './lib/wait.mjs';

const PLAIN = 'listeners: [{address: "127.0.0.1:0", h2c: true}]';
const STRICT = 'body_idle: 300ms, first_byte: 300ms, response_idle: 300ms, send_idle: 300ms, request_buffer: 10ms';
const RATES = 'min_rates: {request_body: 1MiB, response: 1MiB, window: 300ms}';

// Answers each part of a request when the test says so.
async function echoes(t) {
    const calls = [];
    const origin = await httpOrigin(t, {
        handler: async (request, response) => {
            const call = { request, response, parts: [], type: request.headers['content-type'] };
            calls.push(call);
            for await (const part of request) {
                call.parts.push(part.toString());
            }
            response.end();
        },
    });
    return { origin, calls };
}

// A request without a word, beside the one under test, until the gateway has cut it: so much time
// has passed at least, however long it took.
async function plainOneIsCut(session, gateway) {
    const stream = open(session, { ':method': 'POST', 'content-type': 'text/plain' }, { endStream: false });

    assert.equal((await within('a plain stream to be cut', stream.answer)).status, 408);
}

for (const type of ['application/grpc', 'application/grpc+proto', 'application/grpc-web', 'application/connect+json']) {
    test(`a quiet stream of ${type} is not cut where plain ones are`, async (t) => {
        const { origin, calls } = await echoes(t);
        const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { more: `timeouts: {${STRICT}}\n${RATES}` })}`);
        const session = await connectHttp2(t, gateway);
        const stream = open(session, { ':method': 'POST', 'content-type': type }, { endStream: false });

        await plainOneIsCut(session, gateway);
        await plainOneIsCut(session, gateway);
        stream.write('one');
        await until('the origin to hear of it', () => calls.find((call) => call.type === type)?.parts.join('') === 'one');
        const call = calls.find((each) => each.type === type);
        await plainOneIsCut(session, gateway);
        call.response.writeHead(200, { 'Content-Type': type });
        call.response.write('two');
        await until('the answer to begin', () => Buffer.concat(stream.seen.parts).toString() === 'two');
        await plainOneIsCut(session, gateway);
        await plainOneIsCut(session, gateway);
        stream.end('three');
        assert.equal((await within('the end', stream.answer)).status, 200);
        assert.equal(call.parts.join(''), 'onethree');
    });
}

test('nor is one over HTTP/1.1', async (t) => {
    const { origin, calls } = await echoes(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { more: `timeouts: {${STRICT}}\n${RATES}` })}`);
    const client = await connect(t, gateway);
    const session = await connectHttp2(t, gateway);

    client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Type: application/grpc-web+proto', 'Content-Length: 6'));
    client.send('one');
    await plainOneIsCut(session, gateway);
    await plainOneIsCut(session, gateway);
    client.send('two');
    assert.equal((await client.answer()).status, 200);
    assert.equal(calls.find((call) => call.type.startsWith('application')).parts.join(''), 'onetwo');
});

for (const quiet of ['client', 'origin']) {
    test(`stream_idle ends a stream whose ${quiet} says nothing`, async (t) => {
        const { origin, calls } = await echoes(t);
        const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { more: 'timeouts: {stream_idle: 300ms, request_buffer: 10ms}' })}`);
        const session = await connectHttp2(t, gateway);
        const stream = open(session, { ':method': 'POST', 'content-type': 'application/grpc' }, { endStream: false });

        stream.write('one');
        if (quiet === 'origin') {
            await until('the origin to be asked', () => calls.length === 1);
            calls[0].response.writeHead(200);
            calls[0].response.write('two');
            await within('the answer to begin', stream.begun);
            stream.end();
            calls[0].response.end = () => {}; // it never comes to its end
        }
        await within('its end', stream.answer.catch(() => {}));
        const [entry] = await gateway.logged(1);
        assert.equal(quiet === 'origin' ? entry['turnpike.outcome'] : entry['turnpike.closed_by'], quiet === 'origin' ? 'closed-by-timeout' : 'body-idle');
    });
}

test('a deadline ends a quiet stream', async (t) => {
    const { origin } = await echoes(t);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { more: 'timeouts: {total: 300ms, request_buffer: 10ms}' })}`);
    const session = await connectHttp2(t, gateway);
    const stream = open(session, { ':method': 'POST', 'content-type': 'application/grpc' }, { endStream: false });

    stream.write('one');
    assert.equal((await within('its end', stream.answer)).headers['grpc-status'], '4');
});
