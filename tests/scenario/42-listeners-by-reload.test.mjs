// SPDX-License-Identifier: BSD-2-Clause
// Listeners that a reload adds, keeps and removes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import { connect, connectLoose, head } from './lib/raw-client.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';
import { echoWebSockets, openWebSocket } from './lib/websocket.mjs';

const GET = head('GET / HTTP/1.1', 'Host: a');

function listening(listeners, more = '') {
    const list = listeners.map((each) => (typeof each === 'string' ? `{address: "${each}"}` : each.row));
    return `listeners: [${list.join(', ')}]
routes: [{name: all, respond: {status: 200, body: hello}}]
timeouts: {drain: 1s}
${more}`;
}

// Where the listener that came with the last reload listens.
async function addressOf(gateway, configured) {
    const pattern = new RegExp(`listening on \\S+:([0-9]+) \\(${configured.replace(/[[\]]/g, '\\$&')}\\)`);
    return { host: configured.startsWith('[') ? '::1' : configured.split(':')[0], port: Number((await gateway.said(pattern))[1]) };
}

// They are told within some hundred milliseconds and not in one moment, each with an answer.
async function askUntilLast(client, request = GET) {
    let answer;
    await until('an answer that is the last', async () => {
        answer = await client.ask(request);
        assert.equal(answer.status, 200);
        return answer.get('connection')?.toLowerCase() === 'close';
    });
    return answer;
}

async function isRefused(where) {
    return connectLoose(where).then((each) => each.destroy()).then(() => false, () => true);
}

test('a new one accepts, on all workers', async (t) => {
    const gateway = await startGateway(t, listening(['127.0.0.1:0'], 'workers: 2'));
    await gateway.reload(listening(['127.0.0.1:0', '127.0.0.2:0'], 'workers: 2'));
    const where = await addressOf(gateway, '127.0.0.2:0');
    for (let i = 0; i < 20; i++) {
        const client = await connectLoose(where);
        assert.equal((await client.ask(GET)).text, 'hello');
        client.destroy();
    }
    assert.equal((await (await connect(t, gateway)).ask(GET)).text, 'hello');
});

test('routes that are limited to the new one, and its name in the log', async (t) => {
    const gateway = await startGateway(t, listening(['127.0.0.1:0']));
    const old = await connect(t, gateway);
    await old.ask(GET);
    await gateway.reload(`listeners: [{address: "127.0.0.2:0"}, {address: "127.0.0.1:0"}]
routes:
  - {name: second, match: {listener: "127.0.0.2:0"}, respond: {body: second}}
  - {name: first, match: {listener: "127.0.0.1:0"}, respond: {body: first}}
`);
    const client = await connect(t, await addressOf(gateway, '127.0.0.2:0'));
    assert.equal((await client.ask(GET)).text, 'second');
    assert.equal((await old.ask(GET)).text, 'first', 'its index is another one now');
    const entries = await gateway.logged(3);
    assert.deepEqual(entries.map((each) => each['turnpike.listener']), ['127.0.0.1:0', '127.0.0.2:0', '127.0.0.1:0']);
});

test('one that is gone accepts no more; its connections are told soon', async (t) => {
    const gateway = await startGateway(t, listening(['127.0.0.1:0', '127.0.0.2:0']));
    const [stays, goes] = gateway.listeners;
    const kept = await connect(t, stays);
    const client = await connect(t, goes);
    assert.equal((await kept.ask(GET)).text, 'hello');
    assert.equal((await client.ask(GET)).text, 'hello');
    assert.match(await gateway.reload(listening(['127.0.0.1:0'])), /listeners: 1 removed \(127\.0\.0\.2:0\), 1 kept/);
    assert.ok(await isRefused(goes.connectOptions));
    assert.equal((await askUntilLast(client)).text, 'hello');
    await client.expectClose();
    const still = await kept.ask(GET);
    assert.notEqual(still.get('connection')?.toLowerCase(), 'close');
});

test('its idle connections are closed over the drain time', async (t) => {
    const gateway = await startGateway(t, listening(['127.0.0.1:0', '127.0.0.2:0']));
    const [stays, goes] = gateway.listeners;
    const kept = await connect(t, stays);
    const leaving = await Promise.all(Array.from({ length: 10 }, () => connect(t, goes)));
    for (const client of [kept, ...leaving]) {
        await client.ask(GET);
    }
    await gateway.reload(listening(['127.0.0.1:0']));
    await Promise.all(leaving.map((client) => client.expectClose()));
    assert.equal((await kept.ask(GET)).text, 'hello');
});

test('what is under way on it is finished, and WebSockets stay', async (t) => {
    const origin = await httpOrigin(t);
    echoWebSockets(origin.server);
    const slow = await rawOrigin(t, async (wire) => {
        await wire.request();
    });
    const config = (listeners) => `listeners: [${listeners.map((each) => `{address: "${each}"}`).join(', ')}]
services: {chat: {origins: ["127.0.0.1:${origin.port}"]}, slow: {origins: ["${slow.address}"]}}
routes: [{name: slow, match: {path: /slow}, service: slow}, {name: chat, service: chat}]
timeouts: {drain: 100ms}
`;
    const gateway = await startGateway(t, config(['127.0.0.1:0', '127.0.0.2:0']));
    const goes = gateway.listeners[1];
    const socket = await openWebSocket(t, goes);
    const client = await connect(t, goes);
    client.send(head('GET /slow HTTP/1.1', 'Host: a'));
    await until('the origin to have it', () => slow.requests.length === 1);
    const idle = await connect(t, goes);
    await idle.ask(head('GET /chat HTTP/1.1', 'Host: a'));
    await gateway.reload(config(['127.0.0.1:0']));
    await idle.expectClose();
    assert.equal(await socket.echo('still there'), 'still there');
    slow.wires[0].ok('late');
    const answer = await client.answer();
    assert.equal(answer.text, 'late');
    assert.equal(answer.get('connection')?.toLowerCase(), 'close');
    const entries = await gateway.logged((all) => all.some((each) => each['url.path'] === '/slow'));
    assert.equal(entries.find((each) => each['url.path'] === '/slow')['turnpike.listener'], '127.0.0.2:0');
});

test('one that cannot be opened changes nothing', async (t) => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    t.after(() => taken.close());
    await new Promise((resolve) => taken.once('listening', resolve));
    const gateway = await startGateway(t, listening(['127.0.0.1:0']));
    const more = [`127.0.0.1:${taken.address().port}`, '127.0.0.1:0'];
    assert.match(await gateway.reload(listening(['127.0.0.3:0', ...more])), /reload failed/);
    await gateway.said(new RegExp(`cannot listen on 127\\.0\\.0\\.1:${taken.address().port}: `));
    assert.equal((await (await connect(t, gateway)).ask(GET)).text, 'hello');
    assert.match(await gateway.reload(listening(['127.0.0.1:0'])), /generation 2: listeners: 1 kept/);
});

test('Unix sockets come, change their mode, and go', async (t) => {
    const gateway = await startGateway(t, listening(['127.0.0.1:0']));
    const file = `${gateway.folder}/socket`;
    const local = (mode) => ({ row: `{address: "unix:${file}", mode: "${mode}"}` });
    await gateway.reload(listening([local('0600')]));
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    const client = await connect(t, { path: file });
    assert.equal((await client.ask(GET)).text, 'hello');
    await gateway.reload(listening([local('0666')]));
    assert.equal(fs.statSync(file).mode & 0o777, 0o666);
    assert.equal((await client.ask(GET)).text, 'hello');
    await gateway.reload(listening(['127.0.0.1:0']));
    assert.ok(!fs.existsSync(file));
});

test('the same listener goes and comes back many times', async (t) => {
    const both = listening(['127.0.0.1:0', '127.0.0.2:0'], 'workers: 2');
    const gateway = await startGateway(t, both);
    const kept = await connect(t, gateway);
    for (let i = 0; i < 10; i++) {
        await gateway.reload(listening(['127.0.0.1:0'], 'workers: 2'));
        await gateway.reload(both);
        const lines = [...gateway.stderr.matchAll(/listening on 127\.0\.0\.2:([0-9]+) /g)];
        const client = await connectLoose({ host: '127.0.0.2', port: Number(lines.at(-1)[1]) });
        assert.equal((await client.ask(GET)).text, 'hello');
        client.destroy();
        assert.equal((await kept.ask(GET)).text, 'hello');
    }
});
