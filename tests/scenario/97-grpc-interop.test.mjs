// SPDX-License-Identifier: BSD-2-Clause
// The cases of gRPC's public interoperability suite with a real library at both ends, straight to
// the server (so that a case which fails is not taken for the gateway's doing), and through the
// gateway, plain and with TLS on both sides.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import { Answers, available, grpc, grpcClient, grpcServer, testing, unary } from './lib/grpc.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { authority, certificateList } from './lib/tls.mjs';
import { pause, until } from './lib/wait.mjs';

const skip = available ? false : 'there is no npm';
const REQUESTS = [27182, 8, 1828, 45904];
const ANSWERS = [31415, 9, 2653, 58979];
const payload = (size) => ({ type: 0, body: Buffer.alloc(size) });
const wants = (...sizes) => ({ response_parameters: sizes.map((size) => ({ size })) });
const SPECIAL = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';

const cases = {
    async empty_unary({ client }) {
        const { error, response } = await unary(client, 'EmptyCall', {});
        assert.ifError(error);
        assert.deepEqual(response, {});
    },
    async large_unary({ client }) {
        const { error, response } = await unary(client, 'UnaryCall', { response_size: 314159, payload: payload(271828) });
        assert.ifError(error);
        assert.ok(response.payload.body.equals(Buffer.alloc(314159)));
    },
    async client_streaming({ client }) {
        const response = await new Promise((resolve, reject) => {
            const call = client.StreamingInputCall((error, answer) => (error ? reject(error) : resolve(answer)));
            for (const size of REQUESTS) {
                call.write({ payload: payload(size) });
            }
            call.end();
        });
        assert.equal(response.aggregated_payload_size, 74922);
    },
    async server_streaming({ client }) {
        const answers = new Answers(client.StreamingOutputCall(wants(...ANSWERS)));
        for (const size of ANSWERS) {
            assert.equal((await answers.next()).payload.body.length, size);
        }
        await answers.ended(0);
        assert.equal(answers.count, 4);
    },
    // Each message waits for the answer to the one before it: none may be held back.
    async ping_pong({ client }) {
        const call = client.FullDuplexCall();
        const answers = new Answers(call);
        for (let i = 0; i < 4; i++) {
            call.write({ ...wants(ANSWERS[i]), payload: payload(REQUESTS[i]) });
            assert.equal((await answers.next()).payload.body.length, ANSWERS[i]);
        }
        call.end();
        await answers.ended(0);
    },
    async empty_stream({ client }) {
        const call = client.FullDuplexCall();
        const answers = new Answers(call);
        call.end();
        await answers.ended(0);
        assert.equal(answers.count, 0);
    },
    async cancel_after_begin({ client, server }) {
        const before = server.calls.length;
        const status = await new Promise((resolve) => {
            const call = client.StreamingInputCall(() => {});
            call.on('status', resolve);
            call.write({ payload: payload(1) });
            until('the call to be there', () => server.calls.length > before).then(() => call.cancel());
        });
        assert.equal(status.code, grpc.status.CANCELLED);
        await until('the server to hear of it', () => server.calls[before].cancelled);
    },
    async cancel_after_first_response({ client, server }) {
        const before = server.calls.length;
        const call = client.FullDuplexCall();
        const answers = new Answers(call);
        call.write({ ...wants(31415), payload: payload(27182) });
        assert.equal((await answers.next()).payload.body.length, 31415);
        call.cancel();
        await answers.ended(grpc.status.CANCELLED);
        await until('the server to hear of it', () => server.calls[before].cancelled);
    },
    async timeout_on_sleeping_server({ client }) {
        const call = client.FullDuplexCall(new grpc.Metadata(), { deadline: Date.now() + 1 });
        const answers = new Answers(call);
        call.write({ payload: payload(27182) });
        await answers.ended(grpc.status.DEADLINE_EXCEEDED);
    },
    async status_code_and_message({ client }) {
        const request = { response_status: { code: 2, message: 'test status message' } };
        const { error } = await unary(client, 'UnaryCall', request);
        assert.deepEqual([error.code, error.details], [2, 'test status message']);
        const call = client.FullDuplexCall();
        const answers = new Answers(call);
        call.write(request);
        call.end();
        await answers.ended(2, 'test status message');
    },
    async special_status_message({ client }) {
        const { error } = await unary(client, 'UnaryCall', { response_status: { code: 2, message: SPECIAL } });
        assert.deepEqual([error.code, error.details], [2, SPECIAL]);
    },
    async unimplemented_method({ client }) {
        const { error } = await unary(client, 'UnimplementedCall', {});
        assert.equal(error.code, grpc.status.UNIMPLEMENTED);
    },
    async unimplemented_service({ other }) {
        const { error } = await unary(other, 'UnimplementedCall', {});
        assert.equal(error.code, grpc.status.UNIMPLEMENTED);
    },
    async custom_metadata({ client }) {
        const metadata = new grpc.Metadata();
        const last = Buffer.from([0xab, 0xab, 0xab]);
        metadata.set('x-grpc-test-echo-initial', 'test_initial_metadata_value');
        metadata.set('x-grpc-test-echo-trailing-bin', last);
        const assertEchoed = (first, status) => {
            assert.deepEqual(first.get('x-grpc-test-echo-initial'), ['test_initial_metadata_value']);
            assert.deepEqual(status.metadata.get('x-grpc-test-echo-trailing-bin'), [last]);
        };
        const once = await unary(client, 'UnaryCall', { response_size: 314159, payload: payload(271828) }, { metadata });
        assert.ifError(once.error);
        assertEchoed(once.metadata, once.status);
        const call = client.FullDuplexCall(metadata);
        const answers = new Answers(call);
        call.write({ ...wants(314159), payload: payload(271828) });
        assert.equal((await answers.next()).payload.body.length, 314159);
        call.end();
        assertEchoed(answers.metadata, await answers.ended(0));
    },
};

async function playAll(t, port, server, options = {}) {
    const client = grpcClient(t, port, options);
    const other = grpcClient(t, port, { ...options, service: testing.UnimplementedService });
    for (const [name, play] of Object.entries(cases)) {
        await t.test(name, () => play({ client, other, server }));
    }
}

test('straight to the server', { skip }, async (t) => {
    const server = await grpcServer(t);
    await playAll(t, server.port, server);
});

test('through the gateway, plain', { skip }, async (t) => {
    const server = await grpcServer(t);
    const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", h2c: true}]
services: {app: {origins: ["${server.address}"], protocol: http2}}
routes: [{name: all, service: app}]`);
    await playAll(t, gateway.port, server);
});

test('through the gateway, with TLS on both sides', { skip }, async (t) => {
    const ca = await authority(t);
    const certificate = await ca.issue({ names: ['a.example', 'IP:127.0.0.1'] });
    const server = await grpcServer(t, { certificate });
    const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", http2: true, tls: {certificates: ${certificateList(certificate)}}}]
services: {app: {origins: ["${server.address}"], protocol: http2, tls: {ca: ${ca.cert}}}}
routes: [{name: all, service: app}]`);
    await playAll(t, gateway.port, server, { ca: ca.cert });
});

test('a stream may be quiet for longer than any other exchange', { skip }, async (t) => {
    const server = await grpcServer(t);
    const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", h2c: true}]
timeouts: {body_idle: 200ms, send_idle: 200ms, first_byte: 200ms, response_idle: 200ms, stream_idle: 1h}
services: {app: {origins: ["${server.address}"], protocol: http2}}
routes: [{name: all, service: app}]`);
    const call = grpcClient(t, gateway.port).FullDuplexCall();
    const answers = new Answers(call);
    for (const size of ANSWERS.slice(0, 2)) {
        call.write(wants(size));
        assert.equal((await answers.next()).payload.body.length, size);
        await pause(1500);
    }
    call.end();
    await answers.ended(0);
});

// One probe tells nothing of the next: each test waits for what the gateway says.
const PROBE = 'interval: 20ms, healthy: 1, unhealthy: 1';

test('probes ask grpc.health.v1', { skip }, async (t) => {
    const ca = await authority(t);
    const certificate = await ca.issue({ names: ['a.example', 'IP:127.0.0.1'] });
    for (const secure of [false, true]) {
        await t.test(secure ? 'with TLS' : 'plain', async (t) => {
            const states = { '': 'SERVING', orders: 'SERVING', reports: 'NOT_SERVING' };
            const server = await grpcServer(t, { states, certificate: secure ? certificate : undefined });
            const gateway = await startGateway(t, `
services:
  app:
    origins: ["${server.address}"]
    protocol: http2
    ${secure ? `tls: {ca: ${ca.cert}}` : ''}
    health: {when_all_down: fail, probe: {type: grpc, grpc_service: orders, ${PROBE}}}
routes: [{name: all, service: app}]
listeners: [{address: "127.0.0.1:0", h2c: true}]`);
            const client = grpcClient(t, gateway.port);
            await until('a call to go through', async () => (await unary(client, 'EmptyCall', {})).error === null);
            states.orders = 'NOT_SERVING';
            await gateway.said(/: down, by the probe of service app: it says that it is NOT_SERVING/);
            const { error } = await unary(client, 'EmptyCall', {});
            assert.equal(error.code, grpc.status.UNAVAILABLE);
            states.orders = 'SERVING';
            await gateway.said(/: up again, by the probe of service app/);
            await until('a call to go through', async () => (await unary(client, 'EmptyCall', {})).error === null);
        });
    }
});

test('what a probe of type grpc takes for bad', { skip }, async (t) => {
    const origins = [
        [await grpcServer(t), '', 'it answered grpc-status 12 \\(UNIMPLEMENTED\\)'],
        [await grpcServer(t, { states: {} }), 'else', 'it says that it is SERVICE_UNKNOWN'],
        [await httpOrigin(t), '', 'it (does not speak HTTP/2|closed the connection before it answered)'],
    ];
    for (const [origin, service, why] of origins) {
        const gateway = await startGateway(t, `
services: {app: {origins: ["${origin.address}"], protocol: http2, health: {probe: {type: grpc, grpc_service: "${service}", ${PROBE}}}}}
routes: [{name: all, service: app}]`);
        await gateway.said(new RegExp(`: down, by the probe of service app: ${why}`));
    }
});

// A server that is unavailable and one that is well; calls come to each in turn.
async function withOneUnavailable(t, route, service = '') {
    const ill = await grpcServer(t, { unavailable: true });
    const well = await grpcServer(t);
    const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", h2c: true}]
workers: 1
services: {app: {origins: ["${ill.address}", "${well.address}"], protocol: http2, health: {consecutive_failures: off, failed_share: off}${service}}}
routes: [{name: all, service: app${route}}]`);
    const client = grpcClient(t, gateway.port);
    return { ill, well, gateway, client };
}

async function codesOf(client, count, method = 'EmptyCall') {
    const codes = [];
    for (let i = 0; i < count; i++) {
        codes.push((await unary(client, method, {})).status.code);
    }
    return codes;
}

test('calls that are UNAVAILABLE go to another server where retry.grpc_unavailable says so', { skip }, async (t) => {
    const { ill, well, gateway, client } = await withOneUnavailable(t, ', retry: {grpc_unavailable: true}', ', retry_budget: {percent: 100}');

    assert.deepEqual(await codesOf(client, 20), Array(20).fill(grpc.status.OK));
    assert.equal(well.calls.length, 20);
    assert.ok(ill.calls.length > 0);
    const twice = (await gateway.logged(20)).filter((entry) => entry['turnpike.attempts']?.length === 2);
    assert.equal(twice.length, ill.calls.length);
    for (const entry of twice) {
        assert.equal(entry['rpc.grpc.status_code'], 0);
        assert.deepEqual(entry['turnpike.attempts'].map(({ origin, delivery, error }) => [origin, delivery, error]),
            [[ill.address, 'not-processed', 'destination_unavailable'], [well.address, 'answered', undefined]]);
    }
});

test('they are passed on without it, with a message before, with a pushback, and without budget', { skip }, async (t) => {
    const half = [0, 14];
    for (const [what, route, service, more] of [
        ['without it', '', ''],
        ['a message before', ', retry: {grpc_unavailable: true}', '', { first: true }],
        ['a pushback', ', retry: {grpc_unavailable: true}', '', { pushback: '50' }],
        ['without budget', ', retry: {grpc_unavailable: true}', ', retry_budget: {percent: 0, min_per_second: 0}'],
        ['never', ', retry: {grpc_unavailable: true, non_idempotent: never}', ''],
    ]) {
        await t.test(what, async (t) => {
            const { ill, well, client } = await withOneUnavailable(t, route, service);
            Object.assign(ill.unavailable, more);
            const codes = await codesOf(client, 10);
            assert.deepEqual([...new Set(codes)].sort((a, b) => a - b), half);
            assert.equal(codes.filter((code) => code === 14).length, 5);
            assert.deepEqual([ill.calls.length, well.calls.length], [5, 5]);
        });
    }
});

test('a call is repeated once, and its client hears UNAVAILABLE when no server is well', { skip }, async (t) => {
    const { ill, well, client } = await withOneUnavailable(t, ', retry: {grpc_unavailable: true}', ', retry_budget: {percent: 100}');

    well.unavailable = {};
    assert.deepEqual(await codesOf(client, 10), Array(10).fill(grpc.status.UNAVAILABLE));
    assert.deepEqual([ill.calls.length, well.calls.length], [10, 10]);
    // The second attempt fails without an answer: the call has not run anywhere.
    well.close();
    assert.deepEqual([...new Set(await codesOf(client, 10))], [grpc.status.UNAVAILABLE]);
});
