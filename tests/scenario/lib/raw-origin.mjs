// SPDX-License-Identifier: BSD-2-Clause
// An origin that follows a script: for each connection the script is called with a wire and the
// number of the connection (from 0), and says what is read and sent.
//
//     const origin = await rawOrigin(t, async (wire, number) => {
//         await wire.request();
//         wire.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel').end();
//     });
//
// When the script ends the connection stays as it is (a stall) until the test is over.
import fs from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { defer } from './cleanup.mjs';
import { readRequest, readRequestBody, readRequestHead } from './http-message.mjs';
import { until, within } from './wait.mjs';
import { Wire } from './wire.mjs';

class OriginWire extends Wire {
    constructor(socket, origin) {
        super(socket);
        this.origin = origin;
    }

    // The next request, body and all; it is recorded.
    async request(deadline) {
        const request = await this.requestHead(deadline);
        return this.requestBody(request, deadline);
    }

    async requestHead(deadline) {
        const request = await readRequestHead(this, deadline);
        request.connection = this.number;
        this.origin.heads.push(request);
        return request;
    }

    async requestBody(request, deadline) {
        await readRequestBody(this, request, deadline);
        this.origin.requests.push(request);
        return request;
    }

    // A plain answer.
    ok(body = 'ok', ...fields) {
        const lines = ['HTTP/1.1 200 OK', `Content-Length: ${Buffer.byteLength(body, 'latin1')}`, ...fields];
        return this.send(`${lines.join('\r\n')}\r\n\r\n${body}`);
    }
}

// The script of a test is often over before the gateway's next request.
const NO_DEADLINE = 3_600_000;

// A script that answers every request of every connection with 200.
export async function answerAll(wire) {
    for (;;) {
        await wire.request(NO_DEADLINE);
        wire.ok('ok');
    }
}

// `where` is given to listen(): { path } for a Unix socket, { host } for another address. With
// { certificate } (of lib/tls.mjs) it speaks TLS.
export async function rawOrigin(t, script = answerAll, where = {}) {
    const origin = { heads: [], requests: [], wires: [], failures: [] };
    const { certificate } = where;
    const secret = certificate && { cert: fs.readFileSync(certificate.cert), key: fs.readFileSync(certificate.key) };
    const server = (certificate ? tls : net).createServer({ allowHalfOpen: true, ...secret }, (socket) => {
        const wire = new OriginWire(socket, origin);
        wire.number = origin.wires.length;
        origin.wires.push(wire);
        Promise.resolve(script(wire, wire.number)).catch((error) => origin.failures.push(error));
    });
    const listening = new Promise((resolve, reject) => {
        server.once('listening', resolve);
        server.once('error', reject);
    });
    server.listen(where.path ? { path: where.path } : { host: '127.0.0.1', port: 0, ...where });
    await within('a raw origin to listen', listening);
    origin.server = server;
    origin.port = where.path ? undefined : server.address().port;
    origin.address = where.path ? `unix:${where.path}` : `${where.host?.includes(':') ? `[${where.host}]` : (where.host ?? '127.0.0.1')}:${origin.port}`;
    origin.wire = (number) => until(`origin connection ${number}`, () => origin.wires[number]);
    origin.close = () => {
        for (const wire of origin.wires) {
            wire.destroy();
        }
        return new Promise((resolve) => server.close(resolve));
    };
    // A script that fails because its connection ended is no news; one that found the gateway's
    // bytes to be wrong is.
    defer(t, async () => {
        await origin.close();
        const wrong = origin.failures.find((error) => error.code === 'ERR_ASSERTION');
        if (wrong) {
            throw wrong;
        }
    });
    return origin;
}

// An origin that answers a request only when the test says so: origin.answer() answers the oldest.
export async function heldOrigin(t) {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            const asked = await wire.request();
            origin.pending.push(() => wire.ok(asked.target));
        }
    });
    origin.pending = [];
    origin.answer = async () => (await until('a request to answer', () => origin.pending.shift()))();
    return origin;
}
