// SPDX-License-Identifier: BSD-2-Clause
// Reloads while everybody is busy: POSTs on kept connections, new connections, a long download and
// WebSockets. Nothing is lost, nothing is closed.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import { connect, connectLoose, head } from './lib/raw-client.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';
import { echoWebSockets, openWebSocket } from './lib/websocket.mjs';

const RELOADS = 20;
const BODY = 'x'.repeat(300);
const POST = `${head('POST /app HTTP/1.1', 'Host: a', `Content-Length: ${BODY.length}`)}${BODY}`;

async function origins(t) {
    return Promise.all(['one', 'two', 'three'].map((name) => httpOrigin(t, { name })));
}

// Truly another one each time: routes come and go, origins move in and out, weights change.
function configuration(list, slow, turn) {
    const mine = list.slice(0, 2 + (turn % 2)).map((each) => `"127.0.0.1:${each.port}"`).join(', ');
    const extra = turn % 3 === 0 ? '' : `  - {name: extra-${turn % 5}, match: {path: /extra}, respond: {body: "${turn}"}}\n`;
    return `workers: 2
services:
  app: {origins: [${mine}], balance: ${turn % 2 ? 'round_robin' : 'least_requests'}}
  other: {origins: ["127.0.0.1:${list[2].port}"]}
  slow: {origins: ["${slow.address}"]}
routes:
${extra}  - {name: slow, match: {path: /slow}, service: slow}
  - {name: app, split: {app: ${60 + (turn % 30)}%, other: ${40 - (turn % 30)}%}}
`;
}

// A client that posts without pause; every answer must be 200, and the connection stays.
async function postUntil(gateway, isOver, counts) {
    const client = await connectLoose(gateway);
    client.keepsLog = false;
    while (!isOver()) {
        const answer = await client.ask(POST);
        assert.equal(answer.status, 200);
        assert.notEqual(answer.get('connection')?.toLowerCase(), 'close');
        counts.posts++;
    }
    client.destroy();
}

async function comeAndGoUntil(gateway, isOver, counts) {
    while (!isOver()) {
        const client = await connectLoose(gateway);
        assert.equal((await client.ask(head('GET /app HTTP/1.1', 'Host: a', 'Connection: close'))).status, 200);
        await client.expectClose();
        client.destroy();
        counts.short++;
    }
}

async function reloadWhileBusy(t, nextFile) {
    const list = await origins(t);
    list.forEach((each) => echoWebSockets(each.server));
    const slow = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
    });
    const gateway = await startGateway(t, configuration(list, slow, 0));
    const download = await connect(t, gateway);
    download.send(head('GET /slow HTTP/1.1', 'Host: a'));
    await until('the download to begin', () => slow.wires.length === 1);
    const sockets = await Promise.all([1, 2, 3].map(() => openWebSocket(t, gateway)));
    const counts = { posts: 0, short: 0 };
    let over = false;
    const lanes = Promise.all([
        ...Array.from({ length: 8 }, () => postUntil(gateway, () => over, counts)),
        ...Array.from({ length: 2 }, () => comeAndGoUntil(gateway, () => over, counts)),
    ]);
    lanes.catch(() => {}); // told below
    for (let turn = 1; turn <= RELOADS; turn++) {
        const before = counts.posts;
        await nextFile(gateway, turn, list, slow);
        for (const [i, socket] of sockets.entries()) {
            assert.equal(await socket.echo(`${turn} ${i}`), `${turn} ${i}`);
        }
        slow.wires[0].send('y'.repeat(100000 / RELOADS));
        await Promise.race([lanes, until('more posts', () => counts.posts > before + 8)]);
    }
    over = true;
    await lanes;
    assert.equal((await download.answer()).body.length, 100000);
    const entries = await gateway.logged((all) => all.length >= counts.posts + counts.short + 1);
    assert.ok(counts.short > 0);
    assert.deepEqual(entries.filter((each) => each['http.response.status_code'] >= 400), []);
    return gateway;
}

test('with routes, splits and origins changing', async (t) => {
    const gateway = await reloadWhileBusy(t, async (gateway, turn, list, slow) => {
        assert.match(await gateway.reload(configuration(list, slow, turn)), new RegExp(`generation ${turn + 1}`));
    });
    assert.equal(gateway.reloads().length, RELOADS);
});

test('with a bad file every other time', async (t) => {
    await reloadWhileBusy(t, async (gateway, turn, list, slow) => {
        const good = configuration(list, slow, turn);
        const line = await gateway.reload(turn % 2 ? `${good}what: is this\n` : good);
        assert.match(line, turn % 2 ? /failed/ : /generation/);
    });
});

test('many reloads leave no descriptors behind', async (t) => {
    const list = await origins(t);
    const slow = await rawOrigin(t);
    const gateway = await startGateway(t, configuration(list, slow, 0));
    await gateway.reload(configuration(list, slow, 1));
    const before = gateway.descriptors();
    for (let turn = 2; turn < 40; turn++) {
        await gateway.reload(configuration(list, slow, turn));
    }
    await until('descriptors as before', () => gateway.descriptors() <= before);
});
