// SPDX-License-Identifier: BSD-2-Clause
// The time for a whole exchange, and what becomes of a request whose client has left.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { pause, until, within } from './lib/wait.mjs';

const GET = head('GET / HTTP/1.1', 'Host: a');
const POST = head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 4') + 'body';
const TRUSTING = { more: 'trusted_proxies: [127.0.0.1]' };

// Resets, and comes back once the gateway has let go of the connection.
async function leave(gateway, client) {
    const before = gateway.descriptors();
    client.reset();
    await until('the connection to be let go', () => gateway.descriptors() < before);
}

// An origin that reads and does not answer until it is told to.
async function slowOrigin(t) {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request(3_600_000);
    });
    return origin;
}

test('the time for the whole exchange runs out: 504, and what is known of the delivery', async (t) => {
    const origin = await slowOrigin(t);
    const gateway = await startGateway(t, through(origin, { route: 'timeouts: {total: 200ms}' }));
    const client = await connect(t, gateway);
    const problem = assertOwnError(await client.ask(POST), 504, 'http_response_timeout');
    assert.equal(problem.delivery, 'maybe');
    const [wire] = origin.wires;
    await wire.closed();
    const rest = Number(origin.requests[0].get('x-request-timeout-ms'));
    assert.ok(rest > 0 && rest <= 200, `${rest} ms passed on`);
});

test('it ends a begun answer, visibly', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n' + 'x'.repeat(50000));
    });
    const gateway = await startGateway(t, through(origin, { route: 'timeouts: {total: 300ms}' }));
    const client = await connect(t, gateway);
    client.send(GET);
    await client.closed();
    assert.ok(client.everything.length < 100000);
    const [entry] = await gateway.logged(1);
    assert.equal(entry['turnpike.outcome'], 'closed-by-timeout');
    assert.equal(entry['error.type'], 'http_response_timeout');
});

test('a trusted client may ask for less time, and never gets more', async (t) => {
    const origin = await slowOrigin(t);
    const gateway = await startGateway(t, through(origin, { route: 'timeouts: {total: 400ms}', ...TRUSTING }));
    for (const [wish, most] of [['150', 150], ['60000', 400], ['soon', 400]]) {
        const client = await connect(t, gateway);
        const answer = await client.ask(head('GET / HTTP/1.1', 'Host: a', `X-Request-Timeout-Ms: ${wish}`));
        assertOwnError(answer, 504, 'http_response_timeout');
        const told = origin.requests.at(-1).all('x-request-timeout-ms');
        assert.equal(told.length, 1);
        assert.ok(Number(told[0]) <= most, `${told[0]} of ${wish}`);
    }
});

test('an untrusted client\'s wish means nothing, and does not go on in any spelling', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    const answer = await client.ask(head('GET / HTTP/1.1', 'Host: a', 'X-Request-Timeout-Ms: 0', 'X_Request_Timeout_Ms: 0'));
    assert.equal(answer.status, 200);
    assert.doesNotMatch(origin.requests[0].raw, /timeout.ms/i);
});

test('with too little time left nothing is sent', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin, { more: 'trusted_proxies: [127.0.0.1]\ndeadline: {min_remaining: 100ms, header: X-Rest}' }));
    const client = await connect(t, gateway);
    const problem = assertOwnError(
        await client.ask(head('POST / HTTP/1.1', 'Host: a', 'X-Rest: 50', 'Content-Length: 0')), 504, 'http_response_timeout');
    assert.equal(problem.delivery, 'not-sent');
    assert.equal(origin.heads.length, 0);
    assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a', 'X-Rest: 5000'))).status, 200);
    assert.ok(Number(origin.requests[0].get('x-rest')) <= 5000);
});

test('a request body that is too slow for the whole exchange is answered 408', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin, { route: 'timeouts: {total: 200ms}' }));
    const client = await connect(t, gateway);
    client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 4') + 'bo');
    assert.equal(assertOwnError(await client.answer(), 408).delivery, 'not-sent');
    assert.equal(origin.heads.length, 0);
});

// Its beginning is more than limits.request_buffer, so that the origin has it already.
test('the same of a large body, most of which the origin has', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin, { route: 'timeouts: {total: 300ms}' }));
    const client = await connect(t, gateway);
    client.send(head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 100000') + 'x'.repeat(99999));
    const problem = assertOwnError(await client.answer(), 408);
    assert.match(problem.detail, /before the client had sent/);
    assert.equal(problem.delivery, 'maybe');
    assert.equal(origin.heads.length, 1);
});

test('a POST that was sent is let finish when its client leaves, and the log tells how it went', async (t) => {
    const origin = await slowOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(POST);
    const wire = await origin.wire(0);
    await until('the request to be there', () => origin.requests.length === 1);
    await leave(gateway, client);
    assert.equal(wire.ended, null, 'the origin is not left');
    wire.send('HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\npaid');
    const [entry] = await gateway.logged(1);
    assert.equal(entry['turnpike.outcome'], 'client-gone');
    assert.equal(entry['http.response.status_code'], undefined);
    assert.equal(entry['http.request.method'], 'POST');
    assert.equal(entry['url.path'], '/');
    const [attempt] = entry['turnpike.attempts'];
    assert.equal(attempt.status, 201);
    assert.equal(attempt.delivery, 'answered');
});

test('a POST on a pooled connection is let finish, too', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.ok('first');
        await wire.request(3_600_000);
    });
    const gateway = await startGateway(t, through(origin, { route: 'reuse: any' }));
    assert.equal((await (await connect(t, gateway)).ask(GET)).text, 'first');
    const client = await connect(t, gateway);
    client.send(POST);
    await until('the request to be there', () => origin.requests.length === 2);
    assert.equal(origin.wires.length, 1, 'on the same connection');
    await leave(gateway, client);
    const [wire] = origin.wires;
    assert.equal(wire.ended, null, 'the origin is not left');
    wire.send('HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\npaid');
    const entries = await gateway.logged(2);
    assert.equal(entries[1]['turnpike.attempts'][0].reused, true);
    assert.equal(entries[1]['turnpike.attempts'][0].status, 201);
    assert.ok(entries[1]['turnpike.attempts'][0].sent_us > 0, 'when it was sent is told');
});

test('its failure is told too', async (t) => {
    const origin = await slowOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(POST);
    await until('the request to be there', () => origin.requests.length === 1);
    const [wire] = origin.wires;
    await leave(gateway, client);
    wire.end();
    const [entry] = await gateway.logged(1);
    assert.equal(entry['turnpike.outcome'], 'client-gone');
    assert.equal(entry['error.type'], 'connection_terminated');
    assert.equal(entry['turnpike.attempts'][0].delivery, 'maybe');
    assert.equal(entry['turnpike.attempts'][0].error, 'connection_terminated');
});

test('a GET is cancelled when its client leaves, and so is a POST that was not sent in full', async (t) => {
    for (const request of [GET, head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 100000') + 'x'.repeat(50000)]) {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.requestHead();
        });
        const gateway = await startGateway(t, through(origin));
        const client = await connect(t, gateway);
        client.send(request);
        const wire = await origin.wire(0);
        await until('the head to be there', () => origin.heads.length === 1);
        client.reset();
        await wire.closed();
        const [entry] = await gateway.logged(1);
        assert.equal(entry['turnpike.outcome'], 'client-gone');
        assert.equal(entry['turnpike.attempts'][0].delivery, 'maybe');
    }
});

// Ends its side only; back when the origin has the head.
async function halfClose(t, gateway, origin, request) {
    const before = origin.heads.length;
    const client = await connect(t, gateway);
    client.send(request);
    await until('the origin to be asked', () => origin.heads.length > before);
    client.end();
    return client;
}

// Well below the five seconds that it took once.
const AT_ONCE = 2000;

test('a client that leaves by FIN is noticed at once', async (t) => {
    const answers = {
        'before the answer': () => {},
        'in an event stream': (wire) => wire.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:ok\r\n'),
        'in an answer of known length': (wire) => wire.send('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome'),
    };
    for (const [when, answer] of Object.entries(answers)) {
        await t.test(when, async (t) => {
            const origin = await rawOrigin(t, async (wire) => {
                await wire.requestHead();
                answer(wire);
            });
            const gateway = await startGateway(t, through(origin));
            const client = await halfClose(t, gateway, origin, GET);
            await within('the origin to be left', origin.wires[0].closed(), AT_ONCE);
            await client.closed();
            const [entry] = await gateway.logged(1);
            assert.equal(entry['turnpike.outcome'], 'client-gone');
        });
    }
});

test('not so where its listener says half_close', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.requestHead();
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na');
        await pause(300); // longer than a connection is left unwatched
        wire.send('b');
        await pause(300);
        wire.send('c');
    });
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", half_close: true}]\n${through(origin)}`);
    const client = await halfClose(t, gateway, origin, GET);
    assert.equal((await client.answer()).text, 'abc');
    assert.equal((await gateway.logged(1))[0]['turnpike.outcome'], 'answered');
});

test('nor where the request may change something, or others wait behind it', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.request(3_600_000);
            await pause(300);
            wire.ok('done');
        }
    });
    const gateway = await startGateway(t, through(origin));
    const poster = await halfClose(t, gateway, origin, POST);
    assert.equal((await poster.answer()).text, 'done');
    const pipeliner = await connect(t, gateway);
    pipeliner.send(GET + GET + GET).end();
    for (let i = 0; i < 3; i++) {
        assert.equal((await pipeliner.answer()).text, 'done');
    }
});

// The reset may be met by a write before it is met by a read, which then sees a mere end.
for (const [method, bytes] of [['GET', GET], ['POST', POST]]) {
    test(`an answer without end to a ${method} ends with its client`, async (t) => {
        const piece = Buffer.alloc(65536, 'x');
        const origin = await rawOrigin(t, async (wire) => {
            await wire.requestHead();
            wire.send('HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n');
            const go = () => {
                while (!wire.ended && !wire.socket.destroyed && wire.socket.write(piece));
            };
            wire.socket.on('drain', go);
            go();
        });
        const gateway = await startGateway(t, through(origin));
        for (let i = 0; i < 12; i++) {
            const client = await connect(t, gateway);
            client.keepsLog = false;
            client.send(bytes);
            await client.take(500_000 + i * 100_000);
            const wire = await origin.wire(i);
            client.reset();
            await wire.closed();
        }
        const outcomes = (await gateway.logged(12)).map((entry) => entry['turnpike.outcome']);
        assert.deepEqual([...new Set(outcomes)], ['client-gone']);
    });
}

test('the process waits for such a request, up to the drain deadline', async (t) => {
    for (const answers of [true, false]) {
        const origin = await slowOrigin(t);
        const gateway = await startGateway(t, `timeouts: {drain: ${answers ? '10s' : '300ms'}}\n${through(origin)}`);
        const client = await connect(t, gateway);
        client.send(POST);
        await until('the request to be there', () => origin.requests.length === 1);
        await leave(gateway, client);
        gateway.expectsExit = true;
        gateway.signal('SIGTERM');
        if (answers) {
            origin.wires[0].ok('paid');
        }
        await within('the gateway to stop', gateway.exited);
        const entry = gateway.entries().at(-1);
        assert.equal(entry['turnpike.outcome'], answers ? 'client-gone' : 'closed-by-stop');
        assert.equal(entry['turnpike.attempts'][0].delivery, answers ? 'answered' : 'maybe');
    }
});
