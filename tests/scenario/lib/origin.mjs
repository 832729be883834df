// SPDX-License-Identifier: BSD-2-Clause
// An origin built on Node's own http server; it records what it was asked.
import http from 'node:http';
import { defer } from './cleanup.mjs';
import { within } from './wait.mjs';

async function bodyOf(request) {
    const parts = [];
    for await (const part of request) {
        parts.push(part);
    }
    return Buffer.concat(parts);
}

// Without a handler every request is read to its end and answered with 200 and the origin's name.
// With one it is called with (request, response, record); record.body() reads the request's body.
export async function httpOrigin(t, { name = 'origin', handler, path, host = '127.0.0.1', port = 0, options = {} } = {}) {
    const origin = { name, requests: [], connections: 0, open: new Set() };
    const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, ...options });
    server.keepAliveTimeout = 0;
    server.on('connection', (socket) => {
        socket.number = origin.connections++;
        origin.open.add(socket);
        socket.on('close', () => origin.open.delete(socket));
        socket.on('error', () => {});
    });
    const serve = async (request, response) => {
        const record = {
            method: request.method,
            url: request.url,
            version: request.httpVersion,
            headers: request.headers,
            rawHeaders: request.rawHeaders,
            connection: request.socket.number,
            all: (field) => valuesOf(request.rawHeaders, field),
            body: () => (record.bodyPromise ??= bodyOf(request)),
        };
        origin.requests.push(record);
        if (handler) {
            await handler(request, response, record);
            return;
        }
        record.text = (await record.body()).toString('latin1');
        record.trailers = request.trailers;
        response.setHeader('Content-Type', 'text/plain');
        response.end(name);
    };
    server.on('request', (request, response) => {
        serve(request, response).catch((error) => {
            origin.failure ??= error;
            request.socket.destroy();
        });
    });
    const listening = new Promise((resolve, reject) => {
        server.once('listening', resolve);
        server.once('error', reject);
    });
    server.listen(path ? { path } : { host, port });
    await within('an origin to listen', listening);
    origin.server = server;
    origin.port = path ? undefined : server.address().port;
    origin.address = path ? `unix:${path}` : `${host.includes(':') ? `[${host}]` : host}:${origin.port}`;
    origin.close = () =>
        new Promise((resolve) => {
            server.close(() => resolve());
            for (const socket of origin.open) {
                socket.destroy();
            }
        });
    defer(t, () => origin.close());
    return origin;
}

function valuesOf(rawHeaders, field) {
    const wanted = field.toLowerCase();
    return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1].toLowerCase() === wanted);
}
