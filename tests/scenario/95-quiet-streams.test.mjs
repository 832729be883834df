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
import { pause, until, within } from './lib/wait.mjs';

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
            if (request.url !== '/held') {
                response.end();
            }
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

// An upload that drips is cut for those in line: by then a quiet stream would have been, too.
for (const [name, type, answersFirst] of [['an RPC', 'application/grpc', false], ['a two-way stream', 'text/plain', true]]) {
    for (const limit of ['pool: {max_connections: 4, pending_timeout: 60s}', 'limits: {max_concurrent_requests: 4}', 'concurrency: 4']) {
        test(`${name} keeps its place while others wait for ${limit}`, async (t) => {
            const { origin, calls } = await echoes(t);
            const gateway = await startGateway(t, `${PLAIN}\n${through(origin, { service: limit, more: 'timeouts: {request_buffer: 10ms, body_idle: 10m}' })}`);
            const session = await connectHttp2(t, gateway);
            const quiet = open(session, { ':method': 'POST', 'content-type': type }, { endStream: false });

            quiet.write('one');
            await until('the stream to be at its origin', () => calls[0]?.parts.join('') === 'one');
            if (answersFirst) {
                calls[0].response.writeHead(200);
                calls[0].response.write('two');
                await within('its answer to begin', quiet.begun);
            }
            const dripping = open(session, { ':method': 'POST', 'content-type': 'text/plain', ':path': '/drip' }, { endStream: false });
            dripping.write('drop');
            await until('the upload to be at its origin', () => calls.length === 2);
            const others = Array.from({ length: 6 }, () => open(session, { ':path': '/held' }));
            assert.equal((await within('the upload to be cut', dripping.answer)).status, 408);
            await pause(500); // another one may be cut each 100 ms
            quiet.end('three');
            await until('the rest of the stream', () => calls[0].parts.join('') === 'onethree');
            assert.equal((await within('the end of the stream', quiet.answer)).status, 200);
            others.forEach((other) => other.close(8));
        });
    }
}
