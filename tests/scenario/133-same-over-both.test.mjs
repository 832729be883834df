// SPDX-License-Identifier: BSD-2-Clause
// Differential: the same request over HTTP/1.1 and over HTTP/2 reaches the origin the same, whatever the
// origin speaks. TURNPIKE_CASES and TURNPIKE_SEED choose other cases.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import { ask, connectHttp2 } from './lib/http2.mjs';
import { http2Origin } from './lib/http2-origin.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { Random } from './lib/random.mjs';
import { within } from './lib/wait.mjs';

const CASES = Number(process.env.TURNPIKE_CASES ?? 600);
const SEED = Number(process.env.TURNPIKE_SEED ?? 19);
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'];
const PATHS = ['/', '/a', '/a/b/', '/%41', '/a%2Fb', '/a//b', '/a;b=c', '/~a!$&\'()*+,=:@', '/a.b', '/%e2%98%83', '/a%20b'];
const QUERIES = ['', '?', '?a', '?a=b&c=d', '?a=%26', '?a=b?c', '?/../', '?a[]=1'];
const VALUES = ['a', '', 'b  c', '"q, r"', 'a, b', 'a:b;c', 'x'.repeat(300), '\xe9', '{"a":1}', '=?utf-8?', '*/*', 'a\tb'];
// Fields that a gateway has reason to look at, beside others.
const NAMES = ['X-One', 'X-Two', 'Accept', 'Accept-Encoding', 'User-Agent', 'Authorization', 'Range', 'If-None-Match', 'Cache-Control', 'Via',
    'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Real-IP', 'Forwarded', 'X-Request-Id', 'Traceparent', 'Content-Type', 'Max-Forwards', 'Priority'];
// Of these Node sends several lines.
const MANY = ['X-One', 'X-Two', 'Accept', 'Via', 'X-Forwarded-For', 'Forwarded'];

function generate(random) {
    const headers = {};
    for (let i = random.below(6); i > 0; i--) {
        const value = random.pick(VALUES);
        const name = random.pick(NAMES);
        headers[name] = MANY.includes(name) && random.chance(30) ? [value || 'y', random.pick(VALUES) || 'z'] : value;
    }
    if (random.chance(30)) {
        headers.Cookie = Array.from({ length: 1 + random.below(4) }, (_, i) => `c${i}=${random.below(1000)}`);
    }
    if (random.chance(10)) {
        headers.TE = 'trailers';
    }
    const method = random.pick(METHODS);
    const body = method === 'GET' || method === 'HEAD' || random.chance(30)
        ? undefined
        : Buffer.alloc(random.pick([0, 1, 100, 5000, 70_000]), random.pick(['a', '\0', '\r\n']));
    const known = body !== undefined && random.chance(50);
    if (known) {
        headers['Content-Length'] = String(body.length);
    }
    return { method, path: random.pick(PATHS) + random.pick(QUERIES), headers, body, known };
}

function overHttp1(gateway, agent, { method, path, headers, body, known }) {
    return within('an answer over HTTP/1.1', new Promise((resolve, reject) => {
        const request = http.request({ ...gateway.connectOptions, agent, method, path, headers: {
            Host: 'a.example',
            ...headers,
            ...(headers.Cookie && { Cookie: headers.Cookie.join('; ') }),
            ...(headers.TE && { Connection: 'keep-alive, TE' }),
            ...(body && !known && { 'Transfer-Encoding': 'chunked' }),
        } });
        request.on('error', reject);
        request.on('response', (answer) => {
            answer.resume();
            answer.on('end', () => resolve(answer.statusCode));
        });
        if (!body) {
            request.removeHeader('Transfer-Encoding');
            request.useChunkedEncodingByDefault = false;
        }
        request.end(body);
    }));
}

async function overHttp2(session, { method, path, headers, body }) {
    const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const answer = await ask(session, { ':method': method, ':path': path, ':authority': 'a.example', ...lower }, { body });
    return answer.status;
}

// What is told of the way itself, or differs with each request.
const OWN = ['connection', 'via', 'x-request-id', 'traceparent', 'host', ':method', ':path', ':authority', ':scheme'];

// Only what the body is says how it is framed: its length, if the client told that.
function described({ method, path, headers, body, authority, framing }) {
    const fields = Object.entries(headers).filter(([name]) => !OWN.includes(name) && name !== 'transfer-encoding');
    return { method, path, authority, body, framing, fields: Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

async function originOf(t, version) {
    if (version === 1) {
        const origin = await httpOrigin(t, {
            handler: async (request, response, record) => {
                const body = await record.body();
                origin.seen = described({ method: request.method, path: request.url, headers: request.headers, body: body.length,
                    authority: request.headers.host, framing: request.headers['transfer-encoding'] });
                response.end();
            },
        });
        return origin;
    }
    const origin = await http2Origin(t, {
        handler: async (stream, headers, record) => {
            const body = await record.body();
            origin.seen = described({ method: headers[':method'], path: headers[':path'], headers, body: body.length, authority: headers[':authority'] });
            stream.respond({ ':status': 200 }, { endStream: true });
        },
    });
    return origin;
}

for (const version of [1, 2]) {
    test(`requests over HTTP/1.1 and HTTP/2 reach an origin of HTTP/${version} the same`, async (t) => {
        const origin = await originOf(t, version);
        const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true}]
workers: 1
services: {app: {origins: ["${origin.address}"]${version === 2 ? ', protocol: http2' : ''}}}
routes: [{name: all, service: app}]`);
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        t.after(() => agent.destroy());
        const session = await connectHttp2(t, gateway);
        const random = new Random(SEED);
        let passed = 0;

        for (let i = 0; i < CASES; i++) {
            const each = generate(random);
            const seen = [];
            const statuses = [];
            for (const send of [() => overHttp1(gateway, agent, each), () => overHttp2(session, each)]) {
                origin.seen = undefined;
                statuses.push(await send());
                seen.push(origin.seen);
            }
            const what = `case ${i} of seed ${SEED}: ${JSON.stringify({ ...each, body: each.body?.length })}`;
            assert.equal(statuses[0], statuses[1], what);
            assert.deepEqual(seen[0], seen[1], what);
            passed += seen[0] !== undefined;
        }
        assert.ok(passed > CASES * 0.8, `only ${passed} of ${CASES} reached the origin`);
    });
}
