// SPDX-License-Identifier: BSD-2-Clause
// What Node's http server makes of some bytes: the requests it saw whole, and whether it found
// anything wrong. It is fed through a stream in memory, and then told that no more will come.
import http from 'node:http';
import { Duplex } from 'node:stream';
import { within } from './wait.mjs';

export function createNodeParser() {
    const server = http.createServer({ insecureHTTPParser: false, requireHostHeader: false, maxHeaderSize: 32 * 1024, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
    server.keepAliveTimeout = 0;
    server.on('request', (request, response) => {
        const record = { method: request.method, target: request.url, body: '', isWhole: false, isLast: isLast(request) };
        request.socket.seen.push(record);
        request.on('data', (bytes) => (record.body += bytes.toString('latin1')));
        request.on('end', () => {
            record.isWhole = true;
            response.end('ok');
        });
        request.on('error', () => {});
    });
    server.on('clientError', (error, socket) => {
        socket.problem ??= error.code ?? error.message;
        setImmediate(() => socket.destroy()); // requests that were whole before still end
    });
    return (bytes) => feed(server, bytes);
}

// RFC 9112 section 9.3: nothing behind this request is a request.
function isLast(request) {
    const options = (request.headers.connection ?? '').toLowerCase().split(',').map((each) => each.trim());
    return options.includes('close') || (request.httpVersion === '1.0' && !options.includes('keep-alive'));
}

async function feed(server, bytes) {
    const socket = new Duplex({
        read() {},
        write(_, __, done) {
            done();
        },
    });
    socket.seen = [];
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    server.emit('connection', socket);
    socket.push(Buffer.from(bytes, 'latin1'));
    socket.push(null);
    await within('Node to be done', closed);
    const requests = [];
    for (const request of socket.seen) {
        if (!request.isWhole) {
            return { requests, problem: socket.problem ?? 'incomplete' };
        }
        requests.push({ method: request.method, target: request.target, body: request.body });
        if (request.isLast) {
            return { requests, problem: null };
        }
    }
    return { requests, problem: socket.problem ?? null };
}
