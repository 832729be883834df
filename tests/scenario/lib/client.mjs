// SPDX-License-Identifier: BSD-2-Clause
// An ordinary client, built on Node's http client: one request, one answer.
import http from 'node:http';
import { DEADLINE_MS, within } from './wait.mjs';

// options: method, path, headers, body, agent. Without an agent each request has a connection of
// its own, which closes after it.
export function request(gateway, { path = '/', method = 'GET', headers = {}, body, agent, socketPath } = {}) {
    const asked = new Promise((resolve, reject) => {
        const where = socketPath ? { socketPath } : gateway.connectOptions;
        const sent = http.request({ ...where, path, method, headers, agent: agent ?? false }, (answer) => {
            const parts = [];
            answer.on('data', (part) => parts.push(part));
            answer.on('error', reject);
            answer.on('end', () => {
                const bytes = Buffer.concat(parts);
                resolve({
                    status: answer.statusCode,
                    reason: answer.statusMessage,
                    headers: answer.headers,
                    rawHeaders: answer.rawHeaders,
                    trailers: answer.trailers,
                    bytes,
                    body: bytes.toString('latin1'),
                });
            });
        });
        sent.on('error', reject);
        sent.end(body);
    });
    return within(`an answer to ${method} ${path}`, asked, DEADLINE_MS);
}

// Keeps its connections; destroy it at the end of the test.
export function keepAliveAgent(connections = 1) {
    return new http.Agent({ keepAlive: true, maxSockets: connections });
}

// Asks `count` times in turn over `connections` connections; returns how often each body came.
export async function tally(gateway, count, options = {}) {
    const agent = keepAliveAgent(options.connections ?? 1);
    const seen = {};
    try {
        const lane = async (share) => {
            for (let i = 0; i < share; i++) {
                const answer = await request(gateway, { ...options, agent });
                seen[answer.body] = (seen[answer.body] ?? 0) + 1;
            }
        };
        const lanes = options.connections ?? 1;
        const shares = Array.from({ length: lanes }, (_, i) => Math.floor(count / lanes) + (i < count % lanes ? 1 : 0));
        await Promise.all(shares.map(lane));
    } finally {
        agent.destroy();
    }
    return seen;
}
