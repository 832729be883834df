// SPDX-License-Identifier: BSD-2-Clause
// An origin is killed at each point of a request. No POST runs twice, anywhere; what is sent again
// is what doc/RETRIES.md says; the answer and the log tell what is known of the delivery.
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { defer } from './lib/cleanup.mjs';
import { through } from './lib/configs.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { authority } from './lib/tls.mjs';
import { until, within } from './lib/wait.mjs';

const MORTAL = path.join(path.dirname(fileURLToPath(import.meta.url)), 'lib', 'mortal_origin.py');

async function mortalOrigin(t, point, certificate) {
    const executed = path.join(temporaryFolder(t), 'executed');
    const secret = certificate ? [certificate.cert, certificate.key] : [];
    const child = spawn('python3', [MORTAL, point, executed, ...secret], { stdio: ['ignore', 'pipe', 'inherit'] });
    const said = [];
    readline.createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
    defer(t, () => child.kill('SIGKILL'));
    const port = await until('the origin to listen', () => said[0]?.split(' ')[1]);
    return {
        address: `127.0.0.1:${port}`,
        get executions() {
            return fs.existsSync(executed) ? fs.readFileSync(executed, 'utf8').split('\n').length - 1 : 0;
        },
        async killOnceThere() {
            await until(`the origin to be at ${point}`, () => said.includes(`at ${point}`));
            const gone = new Promise((resolve) => child.once('exit', resolve));
            child.kill('SIGKILL');
            await within('the origin to die', gone);
        },
    };
}

// The other origin of the service: answers, and counts what it carries out.
async function soundOrigin(t, certificate) {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.request(3_600_000);
            wire.ok('sound');
        }
    }, { certificate });
    return origin;
}

const POST = head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 20') + 'x'.repeat(20);
const GET = head('GET / HTTP/1.1', 'Host: a');

// Asks once, with the first origin dying at `point`; the second one is sound.
async function die(t, point, request, { certificate, ...options } = {}) {
    const mortal = await mortalOrigin(t, point, certificate);
    const sound = await soundOrigin(t, certificate);
    const gateway = await startGateway(t, through([mortal, sound], options));
    const client = await connect(t, gateway);
    client.send(request);
    await mortal.killOnceThere();
    return { mortal, sound, gateway, client };
}

async function lastEntry(gateway) {
    const entries = await gateway.logged(1);
    return entries.at(-1);
}

const POSTS = [
    { point: 'accept', delivery: 'maybe', executed: 0 },
    { point: 'read', delivery: 'maybe', executed: 0 },
    { point: 'head', delivery: 'maybe', executed: 0 },
    { point: 'body', delivery: 'maybe', executed: 0 },
    { point: 'after-body', delivery: 'maybe', executed: 1 },
    { point: 'answer-head', delivery: 'answered', executed: 1, error: 'http_response_incomplete' },
];

// The same again with a body that streams in chunks, and over TLS, where one more thing can break.
const CHUNKED = head('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked') +
    `a\r\n${'x'.repeat(10)}\r\n`.repeat(2) + '0\r\n\r\n';
const STREAMS = { more: 'limits: {request_buffer: 0B}' };

async function overTls(t) {
    const ca = await authority(t);
    return { certificate: await ca.issue({ names: ['IP:127.0.0.1'] }), service: `tls: {ca: ${ca.cert}}` };
}

async function diesUnrepeated(t, { point, delivery, executed, error }, request, options) {
    const { mortal, sound, gateway, client } = await die(t, point, request, options);
    const problem = assertOwnError(await client.answer(), 502, error ?? 'connection_terminated');
    assert.equal(problem.delivery, delivery);
    assert.equal(mortal.executions, executed);
    assert.equal(sound.requests.length, 0);
    const [attempt, ...more] = (await lastEntry(gateway))['turnpike.attempts'];
    assert.deepEqual([attempt.delivery, attempt.origin, more], [delivery, mortal.address, []]);
}

for (const row of POSTS) {
    test(`POST in chunks, origin killed at ${row.point}: ${row.delivery}`, async (t) => {
        await diesUnrepeated(t, row, CHUNKED, STREAMS);
    });
    if (row.point !== 'accept') {
        test(`POST over TLS, origin killed at ${row.point}: ${row.delivery}`, async (t) => {
            await diesUnrepeated(t, row, POST, await overTls(t));
        });
        test(`POST over TLS in chunks, origin killed at ${row.point}: ${row.delivery}`, async (t) => {
            await diesUnrepeated(t, row, CHUNKED, { ...STREAMS, ...await overTls(t) });
        });
    }
}

for (const point of ['accept', 'handshake']) {
    for (const [what, request, options] of [['POST', POST, {}], ['POST in chunks', CHUNKED, STREAMS]]) {
        test(`${what} over TLS, origin killed at ${point}: not-sent, and goes to the other origin`, async (t) => {
            const { mortal, sound, gateway, client } = await die(t, point, request, { ...options, ...await overTls(t) });
            assert.equal((await client.answer()).text, 'sound');
            assert.equal(sound.requests.length, 1);
            assert.equal(sound.requests[0].body.toString(), 'x'.repeat(20));
            assert.deepEqual(
                (await lastEntry(gateway))['turnpike.attempts'].map(({ origin, delivery }) => [origin, delivery]),
                [[mortal.address, 'not-sent'], [sound.address, 'answered']],
            );
        });
    }
}

for (const { point, delivery, executed, error } of POSTS) {
    test(`POST, origin killed at ${point}: not sent again, and the client is told ${delivery}`, async (t) => {
        const { mortal, sound, gateway, client } = await die(t, point, POST);
        const problem = assertOwnError(await client.answer(), 502, error ?? 'connection_terminated');
        assert.equal(problem.delivery, delivery);
        assert.equal(mortal.executions, executed);
        assert.equal(sound.requests.length, 0);
        const entry = await lastEntry(gateway);
        assert.equal(entry['turnpike.attempts'].length, 1);
        const [attempt] = entry['turnpike.attempts'];
        assert.equal(attempt.delivery, delivery);
        assert.equal(attempt.origin, mortal.address);
        assert.equal(attempt.error, error ?? 'connection_terminated');
        assert.ok(attempt.bytes_sent > 20);
        assert.ok(attempt.bytes_acked <= attempt.bytes_sent);
    });
}

test('POST, origin killed in the body of its answer: the client sees that it breaks off', async (t) => {
    const { mortal, sound, client } = await die(t, 'answer-body', POST);
    await client.closed();
    const told = client.everything;
    assert.ok(!/\r\n\r\n1234567890/.test(told));
    assert.ok(told === '' || /^HTTP\/1.1 (200|502) /.test(told));
    assert.equal(mortal.executions, 1);
    assert.equal(sound.requests.length, 0);
});

for (const point of ['accept', 'read', 'head', 'after-body']) {
    test(`GET, origin killed at ${point}: sent once more, to the other origin`, async (t) => {
        const { mortal, sound, gateway, client } = await die(t, point, GET);
        const answer = await client.answer();
        assert.equal(answer.status, 200);
        assert.equal(answer.text, 'sound');
        assert.equal(sound.requests.length, 1);
        const entry = await lastEntry(gateway);
        assert.deepEqual(
            entry['turnpike.attempts'].map(({ origin, delivery }) => [origin, delivery]),
            [[mortal.address, 'maybe'], [sound.address, 'answered']],
        );
    });
}

test('GET, origin killed in the head of its answer: not sent again', async (t) => {
    const { sound, client } = await die(t, 'answer-head', GET);
    assert.equal(assertOwnError(await client.answer(), 502).delivery, 'answered');
    assert.equal(sound.requests.length, 0);
});

test('retry.idempotent: false keeps a GET from being sent again', async (t) => {
    const { sound, client } = await die(t, 'after-body', GET, { route: 'retry: {idempotent: false}' });
    assert.equal(assertOwnError(await client.answer(), 502).delivery, 'maybe');
    assert.equal(sound.requests.length, 0);
});

test('retry.non_idempotent: with_key sends a POST again that carries a key, and no other', async (t) => {
    const keyed = head('POST / HTTP/1.1', 'Host: a', 'Idempotency-Key: "k-1"', 'Content-Length: 2') + 'ok';
    const route = { route: 'retry: {non_idempotent: with_key}' };
    const first = await die(t, 'read', keyed, route);
    assert.equal((await first.client.answer()).text, 'sound');
    assert.equal(first.sound.requests.length, 1);
    const second = await die(t, 'read', POST, route);
    assert.equal(assertOwnError(await second.client.answer(), 502).delivery, 'maybe');
    assert.equal(second.sound.requests.length, 0);
});

test('a refused connection is not-sent: a POST goes to the other origin, unless it must not', async (t) => {
    for (const [route, status] of [['', 200], ['retry: {non_idempotent: never}', 502]]) {
        const dead = await rawOrigin(t);
        await dead.close();
        const sound = await soundOrigin(t);
        const gateway = await startGateway(t, through([dead, sound], { route }));
        const client = await connect(t, gateway);
        const answer = await client.ask(POST);
        assert.equal(answer.status, status);
        const entry = await lastEntry(gateway);
        assert.equal(entry['turnpike.attempts'][0].delivery, 'not-sent');
        assert.equal(entry['turnpike.attempts'][0].bytes_sent, 0);
        assert.equal(sound.requests.length, status === 200 ? 1 : 0);
        if (status === 502) {
            assert.equal(assertOwnError(answer, 502, 'connection_refused').delivery, 'not-sent');
        }
    }
});

test('an answer to what no origin was asked says not-sent', async (t) => {
    const gateway = await startGateway(t, 'routes: [{match: {path: /there}, respond: {status: 200}}]');
    const client = await connect(t, gateway);
    assert.equal(assertOwnError(await client.ask(GET), 404, 'destination_not_found').delivery, 'not-sent');
});

test('a program that carries a request out and resets the connection is a maybe', async (t) => {
    // The kernel may not have acknowledged what the program has read: a reset proves nothing.
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.ok('first');
        await wire.request();
        wire.reset();
    });
    const gateway = await startGateway(t, through(origin, { route: 'reuse: any, retry: {non_idempotent: unread}' }));
    const client = await connect(t, gateway);
    assert.equal((await client.ask(POST)).text, 'first');
    assert.equal(assertOwnError(await client.ask(POST), 502).delivery, 'maybe');
    assert.equal(origin.requests.length, 2);
});
