// SPDX-License-Identifier: BSD-2-Clause
// An origin built on Node's own http2 server, plain or with a certificate; it records what it was asked.
import fs from 'node:fs';
import http2 from 'node:http2';
import { defer } from './cleanup.mjs';
import { within } from './wait.mjs';

async function bytesOf(stream) {
    const parts = [];
    for await (const part of stream) {
        parts.push(part);
    }
    return Buffer.concat(parts);
}

// Without a handler every request is read to its end and answered with 200 and its body, or "h2". With
// one it is called with (stream, headers, record); record.body() reads the request's body.
export async function http2Origin(t, { handler, certificate, settings, port = 0, options = {} } = {}) {
    const origin = { requests: [], sessions: [], resets: [] };
    const secret = certificate && { cert: fs.readFileSync(certificate.cert), key: fs.readFileSync(certificate.key) };
    const server = certificate
        ? http2.createSecureServer({ ...secret, settings, ...options })
        : http2.createServer({ settings, ...options });
    server.on('session', (session) => {
        session.number = origin.sessions.length;
        origin.sessions.push(session);
        session.on('error', () => {});
        session.on('close', () => (session.isOver = true));
    });
    server.on('sessionError', () => {});
    server.on('tlsClientError', () => {});
    const serve = async (stream, headers) => {
        const record = {
            headers,
            session: stream.session.number,
            trailers: undefined,
            body: () => (record.bodyPromise ??= bytesOf(stream)),
        };
        stream.on('error', () => {});
        stream.on('close', () => {
            if (stream.rstCode !== 0) {
                origin.resets.push({ path: headers[':path'], code: stream.rstCode });
            }
        });
        stream.on('trailers', (fields) => (record.trailers = { ...fields }));
        origin.requests.push(record);
        if (handler) {
            await handler(stream, headers, record);
            return;
        }
        const body = await record.body();
        stream.respond({ ':status': 200, 'content-type': 'text/plain' });
        stream.end(body.length > 0 ? body : 'h2');
    };
    server.on('stream', (stream, headers) => {
        serve(stream, headers).catch((error) => {
            if (!stream.destroyed) {
                origin.failure ??= error;
                stream.destroy();
            }
        });
    });
    server.listen(port, '127.0.0.1');
    await within('an HTTP/2 origin to listen', new Promise((resolve, reject) => {
        server.once('listening', resolve);
        server.once('error', reject);
    }));
    origin.server = server;
    origin.port = server.address().port;
    origin.address = `127.0.0.1:${origin.port}`;
    origin.close = () => new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of origin.sessions) {
            session.destroy();
        }
    });
    defer(t, () => origin.close());
    return origin;
}
