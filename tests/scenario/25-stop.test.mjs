// SPDX-License-Identifier: BSD-2-Clause
// SIGTERM and SIGINT finish what is in flight; a second one ends at once.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { adminIn, ask } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, connectLoose, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { pause, until, within } from './lib/wait.mjs';

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

test('no thread but the main one takes signals, while serving and while stopping', async (t) => {
    const { origin, gateway, client } = await inFlight(t);
    const folder = `/proc/${gateway.pid}/task`;
    const ours = [1, 2, 3, 10, 12, 15].reduce((set, each) => set | 1n << BigInt(each - 1), 0n);
    const others = () => fs.readdirSync(folder).filter((each) => Number(each) !== gateway.pid);
    const check = () => {
        for (const each of others()) {
            const status = fs.readFileSync(`${folder}/${each}/status`, 'utf8');
            assert.equal(BigInt(`0x${/^SigBlk:\s+(\w+)$/m.exec(status)[1]}`) & ours, ours, status);
        }
    };
    const serving = others().length;
    check();
    gateway.signal('SIGTERM');
    await until('the thread that waits for the workers', () => others().length > serving);
    check();
    origin.wires[0].ok('finished');
    assert.equal((await client.answer()).text, 'finished');
    await within('the exit', gateway.exited);
});

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
    assert.equal(gateway.entries().at(-1)['turnpike.outcome'], 'closed-by-stop');
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

// One connection with one request, and how long it took to be answered, refused, or neither.
async function knock(gateway, target = '/ping') {
    const from = Date.now();
    let client;
    try {
        client = await connectLoose(gateway);
        const answer = await client.ask(head(`GET ${target} HTTP/1.1`, 'Host: a'));
        return { came: answer.status, ms: Date.now() - from };
    } catch (error) {
        return { came: client ? `after connecting: ${error.message}` : error.code, ms: Date.now() - from };
    } finally {
        client?.destroy();
    }
}

async function knockFor(gateway, count, everyMs) {
    const knocks = [];
    for (let i = 0; i < count; i++) {
        knocks.push(knock(gateway));
        await pause(everyMs);
    }
    return Promise.all(knocks);
}

function countBy(knocks) {
    return knocks.reduce((counts, { came }) => ({ ...counts, [came]: (counts[came] ?? 0) + 1 }), {});
}

const PING = 'routes:\n  - {name: ping, match: {path: /ping}, respond: {status: 200, body: pong}}\n';

async function twoWorkersWithOneBusy(t, more = () => '') {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
    });
    const gateway = await startGateway(t, (folder) => `workers: 2\n${through(origin).replace('routes:\n', PING)}${more(folder)}`);
    const client = await connect(t, gateway);
    client.send(GET);
    await until('the origin to have it', () => origin.requests.length === 1);
    return { origin, gateway, client };
}

async function finish({ origin, gateway, client }) {
    origin.wires[0].ok('finished');
    assert.equal((await client.answer()).text, 'finished');
    await within('the exit', gateway.exited);
    assert.equal(gateway.exit.code, 0, gateway.stderr);
}

test('while one request keeps the process, new connections are answered or refused at once', async (t) => {
    const parts = await twoWorkersWithOneBusy(t);
    parts.gateway.signal('SIGTERM');
    const knocks = await knockFor(parts.gateway, 40, 50);
    const counts = countBy(knocks);
    assert.deepEqual(Object.keys(counts).filter((each) => !['200', 'ECONNREFUSED'].includes(each)), [], JSON.stringify(counts));
    assert.ok(counts.ECONNREFUSED > 0, JSON.stringify(counts));
    assert.ok(Math.max(...knocks.map(({ ms }) => ms)) < 1500, JSON.stringify(knocks));
    await finish(parts);
});

test('a client that connected before the stop and says nothing is closed', async (t) => {
    const parts = await twoWorkersWithOneBusy(t);
    const silent = [];
    for (let i = 0; i < 8; i++) {
        silent.push(await connect(t, parts.gateway)); // the kernel holds them back for a second
    }
    parts.gateway.signal('SIGTERM');
    await Promise.all(silent.map((each) => each.closed()));
    assert.equal(parts.gateway.exit, null);
    await finish(parts);
});

test('timeouts.lame_duck: /health says so, and clients are served until it is over', async (t) => {
    const parts = await twoWorkersWithOneBusy(t, (folder) => `timeouts: {lame_duck: 1500ms}\n${adminIn(folder)}\n`);
    const { gateway } = parts;
    assert.equal((await ask(gateway, '/health')).status, 200);
    const kept = await connect(t, gateway);
    gateway.signal('SIGTERM');
    await gateway.said(/stopping in 1 s/);
    assert.equal((await ask(gateway, '/health')).status, 503);
    const counts = countBy(await knockFor(gateway, 20, 50));
    assert.deepEqual(counts, { 200: 20 });
    const answer = await kept.ask(head('GET /ping HTTP/1.1', 'Host: a'));
    assert.equal(answer.get('connection'), undefined, 'its connection is kept as ever');
    assert.doesNotMatch(gateway.stderr, /answering what is under way/);
    await gateway.said(/answering what is under way/);
    await until('the listener to be closed', () => connectLoose(gateway).then((each) => each.destroy()).then(() => false, () => true));
    await finish(parts);
});

test('a second SIGTERM ends timeouts.lame_duck, a third one everything', async (t) => {
    const { gateway, client } = await twoWorkersWithOneBusy(t, () => 'timeouts: {lame_duck: 1h}\n');
    gateway.expectsExit = true;
    gateway.signal('SIGTERM');
    await gateway.said(/stopping in 3600 s/);
    assert.equal((await knock(gateway)).came, 200);
    gateway.signal('SIGTERM');
    await gateway.said(/answering what is under way/);
    assert.equal(gateway.exit, null);
    gateway.signal('SIGTERM');
    await within('the exit', gateway.exited);
    await client.closed();
});

test('with nothing under way the stop takes no time', async (t) => {
    const gateway = await startGateway(t, `workers: 2\n${PING}`);
    assert.equal((await knock(gateway)).came, 200);
    const from = Date.now();
    await gateway.stop();
    assert.ok(Date.now() - from < 1000);
});
