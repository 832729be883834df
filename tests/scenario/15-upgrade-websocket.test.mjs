// SPDX-License-Identifier: BSD-2-Clause
// Upgrade tunnels: WebSocket by hand, both ways, early bytes, refusals, and what is no upgrade.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { answerAll, rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const UPGRADE = ['Host: a', 'Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Key: ${KEY}`, 'Sec-WebSocket-Version: 13'];

function acceptOf(key) {
    return crypto.createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

// A text frame of a client (RFC 6455 section 5.2), masked.
function frame(text) {
    const payload = Buffer.from(text);
    const mask = crypto.randomBytes(4);
    const masked = payload.map((byte, i) => byte ^ mask[i % 4]);
    return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, masked]);
}

// Takes one short frame off a wire.
async function takeFrame(wire) {
    const [first, second] = await wire.take(2);
    assert.equal(first, 0x81);
    const mask = second & 0x80 ? Buffer.from(await wire.take(4)) : Buffer.alloc(4);
    const payload = await wire.take(second & 0x7f);
    return Buffer.from(payload.map((byte, i) => byte ^ mask[i % 4])).toString();
}

function unmasked(text) {
    return Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);
}

async function websocketOrigin(t) {
    return rawOrigin(t, async (wire) => {
        const asked = await wire.request();
        wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
            `Sec-WebSocket-Accept: ${acceptOf(asked.get('sec-websocket-key'))}\r\n\r\n`);
        for (;;) {
            const text = await takeFrame(wire).catch(() => null);
            if (text === null) {
                wire.end();
                return;
            }
            wire.send(unmasked(text));
        }
    });
}

test('a WebSocket', async (t) => {
    const origin = await websocketOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const open = async () => {
        const client = await connect(t, gateway);
        client.send(head('GET /chat HTTP/1.1', ...UPGRADE));
        const answer = await client.answer();
        assert.equal(answer.status, 101);
        assert.equal(answer.get('sec-websocket-accept'), acceptOf(KEY));
        assert.equal(answer.get('upgrade')?.toLowerCase(), 'websocket');
        assert.match(answer.get('connection') ?? '', /upgrade/i);
        return client;
    };

    await t.test('is opened, and the origin sees the whole handshake', async () => {
        await open();
        const seen = origin.requests[0];
        assert.equal(seen.get('upgrade'), 'websocket');
        assert.match(seen.get('connection'), /^upgrade$/i);
        assert.equal(seen.get('sec-websocket-key'), KEY);
        assert.equal(seen.get('sec-websocket-version'), '13');
    });

    await t.test('echoes', async () => {
        const client = await open();
        for (const text of ['hello', 'a', 'x'.repeat(120)]) {
            client.send(frame(text));
            assert.equal(await takeFrame(client), text);
        }
    });

    await t.test('carries a frame sent with the handshake', async () => {
        const client = await connect(t, gateway);
        client.send(Buffer.concat([Buffer.from(head('GET /chat HTTP/1.1', ...UPGRADE)), frame('early')]));
        assert.equal((await client.answer()).status, 101);
        assert.equal(await takeFrame(client), 'early');
    });

    await t.test('carries many frames at once', async () => {
        const client = await open();
        client.send(Buffer.concat(Array.from({ length: 1000 }, (_, i) => frame(`frame ${i}`))));
        for (let i = 0; i < 1000; i++) {
            assert.equal(await takeFrame(client), `frame ${i}`);
        }
    });

    await t.test('ends when the client ends', async () => {
        const client = await open();
        const wire = origin.wires.at(-1);
        client.end();
        await wire.closed();
        await client.expectClose();
    });

    await t.test('ends when the origin ends', async () => {
        const client = await open();
        origin.wires.at(-1).end();
        await client.closed();
    });

    await t.test('is one line of the access log when it is over', async () => {
        const client = await open();
        client.send(frame('logged'));
        await takeFrame(client);
        client.end();
        const entries = await gateway.logged((all) => all.length >= 3);
        for (const entry of entries) {
            assert.equal(entry['http.response.status_code'], 101);
            assert.match(entry['turnpike.outcome'], /tunnel/);
        }
    });
});

test('a tunnel of bytes that are no frames, 8 MiB each way at once', async (t) => {
    const size = 8 * 1024 * 1024;
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.keepsLog = false;
        wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n');
        wire.socket.removeAllListeners('data');
        wire.socket.pipe(wire.socket);
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(head('GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: bytes'));
    assert.equal((await client.answer()).status, 101);
    client.keepsLog = false;
    client.socket.removeAllListeners('data');
    const sent = crypto.createHash('sha256');
    const came = crypto.createHash('sha256');
    let count = 0;
    client.socket.on('data', (bytes) => {
        came.update(bytes);
        count += bytes.length;
    });
    for (let i = 0; i < 8; i++) {
        const piece = crypto.randomBytes(size / 8);
        sent.update(piece);
        client.socket.write(piece);
    }
    await until('everything back', () => count >= size);
    assert.equal(came.digest('hex'), sent.digest('hex'));
});

test('an origin that refuses an upgrade', async (t) => {
    const origin = await httpOrigin(t, { name: 'no upgrade' });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    const answer = await client.ask(head('GET / HTTP/1.1', ...UPGRADE));
    assert.equal(answer.status, 200);
    assert.equal(answer.text, 'no upgrade');
    assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a'))).status, 200);
});

test('what is no upgrade', async (t) => {
    const origin = await rawOrigin(t, answerAll);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);

    await t.test('Upgrade that Connection does not name is dropped', async () => {
        await client.ask(head('GET / HTTP/1.1', 'Host: a', 'Upgrade: websocket'));
        assert.equal(origin.requests.at(-1).get('upgrade'), undefined);
    });

    await t.test('Upgrade in HTTP/1.0 is dropped (RFC 9110 section 7.8)', async () => {
        const older = await connect(t, gateway);
        await older.ask(head('GET / HTTP/1.0', ...UPGRADE));
        assert.equal(origin.requests.at(-1).get('upgrade'), undefined);
    });

    await t.test('h2c is never offered to the origin', async () => {
        const other = await connect(t, gateway);
        const answer = await other.ask(head('GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'));
        assert.equal(answer.status, 200);
        assert.equal(origin.requests.at(-1).get('upgrade'), undefined);
        assert.equal(origin.requests.at(-1).get('http2-settings'), undefined);
    });
});

test('a 101 that was not asked for is 502', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    const answer = await client.ask(head('GET / HTTP/1.1', 'Host: a'));
    assert.equal(answer.status, 502);
    await origin.wires[0].closed();
});

test('a 101 to what was not asked for, or to nothing, is 502', async (t) => {
    for (const lines of ['Upgrade: chat\r\n', 'Upgrade:\r\n', 'Upgrade: websocket2\r\n', '']) {
        const origin = await rawOrigin(t, async (wire) => {
            await wire.request();
            wire.send(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${lines}\r\n`);
        });
        const gateway = await startGateway(t, through(origin));
        const client = await connect(t, gateway);
        const answer = await client.ask(head('GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: foo, websocket'));
        assert.equal(answer.status, 502, lines);
        assert.match(answer.get('proxy-status'), /error=http_upgrade_failed/);
        await origin.wires[0].closed();
    }
});

test('a 101 to one of several protocols, in any case, goes on', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n');
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: foo', 'Upgrade: websocket'))).status, 101);
});
