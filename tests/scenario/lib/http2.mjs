// SPDX-License-Identifier: BSD-2-Clause
// Clients that speak HTTP/2 by Node's own module; the connection ends with the test.
import http2 from 'node:http2';
import { defer } from './cleanup.mjs';
import { until, within } from './wait.mjs';

// A connection to the gateway's listener `at`: by ALPN where `ca` is given, else by prior knowledge.
export async function connectHttp2(t, gateway, { at = 0, ca, settings, ...options } = {}) {
    const { port } = gateway.listeners[at];
    const session = http2.connect(`${ca ? 'https' : 'http'}://127.0.0.1:${port}`, { ca, settings, ...options });
    session.goaways = [];
    session.on('goaway', (code, last) => session.goaways.push({ code, last }));
    session.on('error', (error) => (session.failure = error));
    session.ended = new Promise((resolve) => session.once('close', resolve));
    defer(t, () => session.destroy());
    await within('an HTTP/2 connection', new Promise((resolve, reject) => {
        session.once('connect', resolve);
        session.once('error', reject);
    }));
    return session;
}

// A stream whose answer collects itself: .answer resolves to { status, headers, body, trailers,
// interim } or rejects with what ended it (.code says the reset's).
export function open(session, headers = {}, { body, trailers, endStream, paused = false } = {}) {
    const method = headers[':method'] ?? (body === undefined ? 'GET' : 'POST');
    const stream = session.request({ ':method': method, ':path': '/', ...headers },
        { endStream: endStream ?? body === undefined, waitForTrailers: trailers !== undefined });
    const seen = { interim: [], parts: [], trailers: {} };
    stream.on('headers', (fields) => seen.interim.push(fields));
    stream.on('trailers', (fields) => (seen.trailers = { ...fields }));
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.begun = new Promise((resolve) => stream.once('response', (fields) => {
        seen.headers = { ...fields };
        seen.status = fields[':status'];
        resolve(seen);
    }));
    stream.seen = seen;
    if (!paused) {
        stream.on('data', (part) => seen.parts.push(part));
    }
    stream.answer = new Promise((resolve, reject) => {
        stream.once('error', reject);
        stream.once('close', () => {
            if (stream.rstCode !== 0 || seen.status === undefined) {
                reject(Object.assign(new Error(`reset with ${stream.rstCode}`), { rst: stream.rstCode }));
                return;
            }
            resolve({ ...seen, body: Buffer.concat(seen.parts).toString('latin1') });
        });
    });
    stream.answer.catch(() => {});
    if (body !== undefined) {
        stream.end(body);
    }
    return stream;
}

export function ask(session, headers, options) {
    return within('an answer over HTTP/2', open(session, headers, options).answer);
}

export function closed(stream) {
    return until('a stream to be closed', () => stream.closed && stream.destroyed);
}
