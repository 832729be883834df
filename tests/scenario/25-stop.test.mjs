// SPDX-License-Identifier: BSD-2-Clause
// SIGTERM and SIGINT finish what is in flight; a second one ends at once.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, connectLoose, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { until, within } from './lib/wait.mjs';

const GET = head('GET / HTTP/1.1', 'Host: a');

// A connection that has said nothing reaches the gateway after a second only.
async function silentClient(t, gateway) {
    const before = gateway.descriptors();
    const client = await connect(t, gateway);
    await until('the connection to be accepted', () => gateway.descriptors() > before);
    return client;
}

async function inFlight(t, more = '') {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
    });
    const gateway = await startGateway(t, through(origin, { more }));
    const client = await connect(t, gateway);
    client.send(GET);
    await until('the origin to have it', () => origin.requests.length === 1);
    return { origin, gateway, client };
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT']) {
    test(`${signal} lets a request finish, with Connection: close`, async (t) => {
        const { origin, gateway, client } = await inFlight(t);
        const idle = await silentClient(t, gateway);
        gateway.signal(signal);
        await idle.expectClose();
        await until('the listener to be closed', () => connectLoose(gateway).then((each) => each.destroy()).then(() => false, () => true));
        assert.equal(gateway.exit, null);
        origin.wires[0].ok('finished');
        const answer = await client.answer();
        assert.equal(answer.text, 'finished');
        assert.equal(answer.get('connection')?.toLowerCase(), 'close');
        await client.expectClose();
        await within('the exit', gateway.exited);
        assert.equal(gateway.exit.code, 0, gateway.stderr);
    });
}

test('an answer on its way is finished, byte for byte', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234');
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(head('GET / HTTP/1.1', 'Host: a'));
    await until('the origin to have it', () => origin.requests.length === 1);
    const idle = await silentClient(t, gateway);
    gateway.signal('SIGTERM');
    await idle.closed();
    origin.wires[0].send('56789');
    assert.equal((await client.answer()).text, '0123456789');
    await client.expectClose();
    await within('the exit', gateway.exited);
    assert.equal(gateway.exit.code, 0);
});

test('a request whose body is still coming is finished', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(`${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 10')}01234`);
    const idle = await connect(t, gateway);
    assert.equal((await idle.ask(GET)).status, 200);
    gateway.signal('SIGTERM');
    await idle.closed();
    client.send('56789');
    const answer = await client.answer();
    assert.equal(answer.status, 200);
    assert.equal(answer.get('connection')?.toLowerCase(), 'close');
    await within('the exit', gateway.exited);
    assert.equal(gateway.exit.code, 0);
});

test('timeouts.drain cuts what does not finish', async (t) => {
    const { gateway, client } = await inFlight(t, 'timeouts: {drain: 200ms}');
    gateway.expectsExit = true; // it could not finish, and its exit code says so
    const start = Date.now();
    gateway.signal('SIGTERM');
    await client.closed();
    await within('the exit', gateway.exited);
    assert.ok(Date.now() - start >= 150);
    assert.equal(gateway.exit.signal, null);
    assert.ok([0, 2].includes(gateway.exit.code), `${gateway.exit.code}`);
    assert.equal(gateway.entries().at(-1)['turnpike.outcome'], 'cut-by-stop');
});

test('a second signal ends at once', async (t) => {
    const { gateway, client } = await inFlight(t);
    const idle = await silentClient(t, gateway);
    gateway.signal('SIGTERM');
    await idle.closed();
    assert.equal(gateway.exit, null);
    gateway.expectsExit = true;
    const start = Date.now();
    gateway.signal('SIGTERM');
    await within('the exit', gateway.exited);
    assert.ok(Date.now() - start < 2000);
    await client.closed();
});

test('with all kinds of idle connections it stops at once', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `workers: 2\n${through(origin)}`);
    for (let i = 0; i < 50; i++) {
        const client = await connect(t, gateway);
        if (i % 2 === 0) {
            await client.ask(GET);
        }
    }
    const start = Date.now();
    await gateway.stop();
    assert.ok(Date.now() - start < 2000);
});

// Listening goes on for a grace of 300 ms, which a busy machine may sleep through: three tries.
test('a client that connected before the stop and speaks just after it is answered', async (t) => {
    const statuses = [];
    for (let i = 0; i < 3 && !statuses.includes(400); i++) {
        const { gateway } = await inFlight(t);
        gateway.expectsExit = true; // what is in flight never ends
        const client = await connect(t, gateway);
        gateway.signal('SIGTERM');
        await gateway.said(/stopping/);
        client.send(head('GET /%00 HTTP/1.1', 'Host: a'));
        statuses.push(await client.answer().then((answer) => answer.status, (error) => error.message));
        gateway.signal('SIGTERM');
        await within('the exit', gateway.exited);
    }
    assert.equal(statuses.at(-1), 400, statuses.join());
});

test('under load no request is lost that was begun', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `workers: 2\n${through(origin)}`);
    let answered = 0;
    const lanes = Array.from({ length: 8 }, async () => {
        const client = await connect(t, gateway);
        for (;;) {
            client.send(GET);
            const answer = await client.answer().catch((error) => {
                // Only a connection closed without a single byte of an answer is fair.
                assert.equal(client.held.length, 0, error.message);
                return null;
            });
            if (!answer) {
                return;
            }
            assert.equal(answer.status, 200);
            answered++;
            if (answer.get('connection')?.toLowerCase() === 'close') {
                await client.expectClose();
                return;
            }
        }
    });
    await until('some traffic', () => answered > 200);
    gateway.signal('SIGTERM');
    await Promise.all(lanes);
    await within('the exit', gateway.exited);
    assert.equal(gateway.exit.code, 0, gateway.stderr);
    assert.equal(origin.requests.length, answered, 'each request that reached the origin was answered');
});
