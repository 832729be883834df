// SPDX-License-Identifier: BSD-2-Clause
// WebSocket (RFC 6455) as far as an echo takes it: whole text frames of less than 64 KiB.
//
//     echoWebSockets(origin.server);               // a Node http server
//     const socket = await openWebSocket(t, gateway, '/echo');
//     assert.equal(await socket.echo('hello'), 'hello');
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { head } from './http-message.mjs';
import { connect } from './raw-client.mjs';
import { DEADLINE_MS, until, within } from './wait.mjs';
import { Wire } from './wire.mjs';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // section 1.3
const TEXT = 0x81; // a whole message of text
const CLOSE = 0x88;
const MASKED = 0x80;
const NO_DEADLINE = 3_600_000;

export function acceptOf(key) {
    return crypto.createHash('sha1').update(key + GUID).digest('base64');
}

// Section 5.2; what a client sends has to be masked.
function frame(kind, payload, isMasked) {
    const flag = isMasked ? MASKED : 0;
    const size = payload.length < 126
        ? [flag | payload.length]
        : [flag | 126, payload.length >> 8, payload.length & 0xff];
    if (!isMasked) {
        return Buffer.concat([Buffer.from([kind, ...size]), payload]);
    }
    const mask = crypto.randomBytes(4);
    return Buffer.concat([Buffer.from([kind, ...size]), mask, payload.map((byte, i) => byte ^ mask[i % 4])]);
}

async function takeFrame(wire, deadline) {
    const [kind, second] = await wire.take(2, deadline);
    let size = second & 0x7f;
    assert.notEqual(size, 127, 'a frame of 64 KiB or more');
    if (size === 126) {
        size = (await wire.take(2, deadline)).readUInt16BE();
    }
    const mask = second & MASKED ? Buffer.from(await wire.take(4, deadline)) : Buffer.alloc(4);
    const payload = (await wire.take(size, deadline)).map((byte, i) => byte ^ mask[i % 4]);
    return { kind, payload };
}

async function echoFrames(wire) {
    for (;;) {
        const { kind, payload } = await takeFrame(wire, NO_DEADLINE);
        wire.send(frame(kind, payload, false));
        if (kind === CLOSE) {
            wire.end();
            return;
        }
    }
}

// Makes a Node http server accept every WebSocket and send back each frame.
export function echoWebSockets(server) {
    server.on('upgrade', (request, socket, early) => {
        socket.unshift(early);
        const wire = new Wire(socket);
        wire.keepsLog = false;
        wire.send(head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket',
            `Sec-WebSocket-Accept: ${acceptOf(request.headers['sec-websocket-key'])}`));
        echoFrames(wire).catch(() => wire.destroy()); // the other side is gone
    });
}

// The same on a stream of an HTTP/2 server, which has answered it.
export function echoStream(stream) {
    const wire = new Wire(stream);
    wire.keepsLog = false;
    echoFrames(wire).catch(() => wire.destroy());
}

export async function openWebSocket(t, gateway, path = '/', ...more) {
    const key = crypto.randomBytes(16).toString('base64');
    const wire = await connect(t, gateway);
    wire.keepsLog = false;
    const answer = await wire.ask(head(`GET ${path} HTTP/1.1`, 'Host: a', 'Connection: Upgrade', 'Upgrade: websocket',
        `Sec-WebSocket-Key: ${key}`, 'Sec-WebSocket-Version: 13', ...more));
    assert.equal(answer.status, 101);
    assert.equal(answer.get('sec-websocket-accept'), acceptOf(key));
    return socketOn(wire);
}

// The same as a stream of an HTTP/2 connection (RFC 8441).
export async function openWebSocketHttp2(session, path = '/', more = {}) {
    await until('the gateway to say that it knows :protocol', () => session.remoteSettings.enableConnectProtocol);
    const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': path, 'sec-websocket-version': '13', ...more }, { endStream: false });
    const wire = new Wire(stream);
    wire.keepsLog = false;
    const headers = await within('an answer', new Promise((resolve, reject) => {
        stream.once('response', resolve);
        stream.once('error', reject);
    }));
    return Object.assign(socketOn(wire), { stream, headers });
}

function socketOn(wire) {
    return {
        wire,
        async echo(text, deadline = DEADLINE_MS) {
            wire.send(frame(TEXT, Buffer.from(text), true));
            const { kind, payload } = await takeFrame(wire, deadline);
            assert.equal(kind, TEXT);
            return payload.toString();
        },
        async close() {
            wire.send(frame(CLOSE, Buffer.alloc(0), true));
            assert.equal((await takeFrame(wire)).kind, CLOSE);
            wire.end();
            await wire.closed();
        },
    };
}
