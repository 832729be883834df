// SPDX-License-Identifier: BSD-2-Clause
// A collector of traces: takes OTLP over HTTP in JSON, and is stricter about it than others. What is
// checked is from the OTLP specification ("JSON Protobuf Encoding"), trace.proto, and the semantic
// conventions for HTTP spans. A batch that is not as it should be fails the test.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { defer } from './cleanup.mjs';
import { patient, until, within } from './wait.mjs';

const SERVER = 2;
const CLIENT = 3;
const VALUES = { stringValue: 'string', boolValue: 'boolean', intValue: 'string', doubleValue: 'number' };

function assertKeys(object, allowed, what) {
    for (const key of Object.keys(object)) {
        assert.ok(allowed.includes(key), `${what} has an unknown field ${key}`);
    }
}

function attributesOf(list, what) {
    const attributes = {};
    assert.ok(Array.isArray(list), `${what}: attributes are a list`);
    for (const each of list) {
        assertKeys(each, ['key', 'value'], what);
        assert.ok(typeof each.key === 'string' && each.key !== '', `${what}: a key`);
        assert.ok(!(each.key in attributes), `${what}: ${each.key} twice`);
        const [type, ...more] = Object.keys(each.value);
        assert.equal(more.length, 0, `${what}: ${each.key} has one type`);
        assert.equal(typeof each.value[type], VALUES[type], `${what}: ${each.key}: ${JSON.stringify(each.value)}`);
        if (type === 'intValue') {
            assert.match(each.value[type], /^-?[0-9]+$/, each.key);
        }
        attributes[each.key] = type === 'intValue' ? Number(each.value[type]) : each.value[type];
    }
    return attributes;
}

function assertIds(each, what) {
    assert.match(each.traceId, /^(?!0{32})[0-9a-f]{32}$/, what);
    assert.match(each.spanId, /^(?!0{16})[0-9a-f]{16}$/, what);
}

// What the conventions require of a span of each kind.
function assertConventions(span) {
    const { attributes, kind } = span;
    const what = JSON.stringify(span);
    const number = (key) => assert.ok(attributes[key] === undefined || Number.isInteger(attributes[key]), `${key}: ${what}`);
    assert.match(attributes['http.request.method'], /^(GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|_OTHER)$/, what);
    assert.equal(attributes['http.request.method'] === '_OTHER', 'http.request.method_original' in attributes, what);
    number('http.response.status_code');
    number('server.port');
    number('network.peer.port');
    if (kind === SERVER) {
        assert.equal(typeof attributes['url.path'], 'string', what);
        assert.match(attributes['url.scheme'], /^https?$/, what);
        assert.ok(!('url.full' in attributes), what);
    } else {
        assert.equal(typeof attributes['server.address'], 'string', what);
        assert.match(attributes['url.full'], /^https?:\/\/[^?]+$/, what);
        assert.match(span.parentSpanId ?? '', /^[0-9a-f]{16}$/, what);
    }
    const failed = span.status.code === 2;
    assert.equal(failed, 'error.type' in attributes, what);
    const status = attributes['http.response.status_code'];
    if (status !== undefined && status >= (kind === SERVER ? 500 : 400)) {
        assert.ok(failed, what);
    }
    const method = attributes['http.request.method'] === '_OTHER' ? 'HTTP' : attributes['http.request.method'];
    const route = attributes['http.route'];
    assert.equal(span.name, kind === SERVER && route !== undefined ? `${method} ${route}` : method, what);
}

function checkedSpan(span) {
    const what = JSON.stringify(span);
    assertKeys(span, ['traceId', 'spanId', 'parentSpanId', 'flags', 'kind', 'name', 'startTimeUnixNano', 'endTimeUnixNano', 'links', 'attributes', 'status'], what);
    assertIds(span, what);
    assert.ok(span.parentSpanId === undefined || /^(?!0{16})[0-9a-f]{16}$/.test(span.parentSpanId), what);
    assert.ok(Number.isInteger(span.flags) && (span.flags & 1) === 1 && (span.flags & 0x100) !== 0, what);
    assert.ok(span.kind === SERVER || span.kind === CLIENT, what);
    assert.equal((span.flags & 0x200) !== 0, span.kind === SERVER, what);
    assert.ok(typeof span.name === 'string' && span.name !== '', what);
    for (const time of ['startTimeUnixNano', 'endTimeUnixNano']) {
        assert.match(span[time], /^[0-9]{19}$/, what);
    }
    assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano), what);
    assert.ok(Math.abs(Number(BigInt(span.startTimeUnixNano) / 1000000n) - Date.now()) < 600_000, what);
    assertKeys(span.status, ['code', 'message'], what);
    assert.ok([undefined, 1, 2].includes(span.status.code), what);
    for (const link of span.links ?? []) {
        assertKeys(link, ['traceId', 'spanId', 'flags', 'attributes'], what);
        assertIds(link, what);
    }
    const checked = { ...span, attributes: attributesOf(span.attributes, what) };
    assertConventions(checked);
    return checked;
}

function spansOf(text) {
    const batch = JSON.parse(text);
    const spans = [];
    assertKeys(batch, ['resourceSpans'], 'the batch');
    for (const resource of batch.resourceSpans) {
        assertKeys(resource, ['resource', 'scopeSpans'], 'a resource');
        const described = attributesOf(resource.resource.attributes, 'the resource');
        assert.equal(typeof described['service.name'], 'string');
        for (const scope of resource.scopeSpans) {
            assertKeys(scope, ['scope', 'spans'], 'a scope');
            assert.equal(scope.scope.name, 'turnpike');
            assert.ok(scope.spans.length > 0, 'no empty batch');
            spans.push(...scope.spans.map((span) => ({ ...checkedSpan(span), resource: described })));
        }
    }
    return spans;
}

// answer: what it says to a batch that is in order; it may also never answer. certificate: of one that
// speaks TLS (lib/tls.mjs).
export async function collector(t, { answer = (response) => response.end('{}'), host = '127.0.0.1', port = 0, certificate } = {}) {
    const self = { spans: [], raw: '', posts: 0, failure: null, sockets: new Set(), answer, names: [] };
    const take = async (request, response) => {
        const parts = [];
        for await (const part of request) {
            parts.push(part);
        }
        try {
            const text = Buffer.concat(parts).toString();
            assert.equal(request.method, 'POST');
            assert.equal(request.url, '/v1/traces');
            assert.equal(request.headers['content-type'], 'application/json');
            assert.equal(request.headers.host, `${host}:${server.address().port}`);
            const spans = spansOf(text);
            self.raw += text;
            self.posts++;
            self.answer(response, spans);
            if (!response.writableEnded || response.statusCode === 200) {
                self.spans.push(...spans);
            }
        } catch (error) {
            self.failure ??= error;
            response.writeHead(400).end();
        }
    };
    const server = certificate
        ? https.createServer({ cert: fs.readFileSync(certificate.cert), key: fs.readFileSync(certificate.key) }, take)
        : http.createServer(take);
    server.on('secureConnection', (socket) => self.names.push(socket.servername));
    server.on('connection', (socket) => {
        self.sockets.add(socket);
        socket.on('close', () => self.sockets.delete(socket));
        socket.on('error', () => {});
    });
    const listening = new Promise((resolve, reject) => {
        server.once('listening', resolve);
        server.once('error', reject);
    });
    server.listen({ host: '127.0.0.1', port });
    await within('the collector to listen', listening);
    self.port = server.address().port;
    self.url = `${certificate ? 'https' : 'http'}://${host}:${self.port}/v1/traces`;
    self.close = () => new Promise((resolve) => {
        server.close(() => resolve());
        self.sockets.forEach((socket) => socket.destroy());
    });
    // Waits for so many spans, and returns all.
    self.has = async (count) => {
        await until(() => `the collector to have ${count} spans, it has ${self.spans.length}`, () => self.failure || self.spans.length >= count, patient(30_000));
        assert.equal(self.failure, null, self.failure?.message);
        return self.spans;
    };
    defer(t, async () => {
        await self.close();
        assert.equal(self.failure, null, self.failure?.message);
    });
    return self;
}

export const isServer = (span) => span.kind === SERVER;
export const isClient = (span) => span.kind === CLIENT;
