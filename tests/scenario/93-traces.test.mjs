// SPDX-License-Identifier: BSD-2-Clause
// Traces: which one a request joins, what its origin is told, the spans of an exchange and of its
// attempts, and a collector that is slow, gone, or wants them later.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { keepAliveAgent, request } from './lib/client.mjs';
import { collector, isClient, isServer } from './lib/collector.mjs';
import { adminIn, ask } from './lib/control.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { authority } from './lib/tls.mjs';
import { patient, until } from './lib/wait.mjs';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const PARENT = `00-${TRACE}-${SPAN}-01`;
const CONTEXT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-0([01])$/;

function tracing(to, more = '') {
    return `tracing: {to: "${to.url}", ${more}}`;
}

async function gone(t) {
    const origin = await httpOrigin(t);
    await origin.close();
    return origin;
}

// A number that /metrics shows.
async function metric(gateway, name) {
    const page = (await ask(gateway, '/metrics')).body;
    return Number(new RegExp(`^${name} ([0-9]+)$`, 'm').exec(page)?.[1]);
}

test('the tree of a POST that was sent again', async (t) => {
    const to = await collector(t);
    const sound = await httpOrigin(t, { name: 'sound' });
    const dead = await gone(t);
    const gateway = await startGateway(t, `
${tracing(to, 'sample: 100%')}
via: edge-1
services: {pay: {origins: ["${dead.address}", "${sound.address}"]}}
routes: [{name: pay, match: {path_prefix: /v1/}, service: pay, rewrite: {path_prefix: /api/}}]
`);
    let posts = 0;
    for (; sound.requests.length < 4; posts++) { // both origins come first in some of them
        assert.equal((await request(gateway, { method: 'POST', path: '/v1/pay?card=4111111111111111', body: 'x' })).status, 200);
    }
    const entries = await gateway.logged(posts);
    const tried = entries.reduce((sum, entry) => sum + entry['turnpike.attempts'].length, 0);
    assert.ok(tried > posts, 'one POST at least was sent twice');
    const spans = await to.has(posts + tried);
    for (const entry of entries) {
        const tree = spans.filter((span) => span.traceId === entry.trace_id);
        const [root] = tree.filter(isServer);
        const attempts = tree.filter(isClient).sort((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)));
        assert.equal(tree.length, 1 + entry['turnpike.attempts'].length);
        assert.equal(root.spanId, entry.span_id);
        assert.equal(entry.trace_flags, '01');
        assert.equal(root.parentSpanId, undefined);
        assert.equal(root.name, 'POST /v1/*');
        assert.equal(root.resource['service.name'], 'edge-1');
        assert.equal(root.attributes['url.path'], '/v1/pay');
        assert.equal(root.attributes['http.response.status_code'], 200);
        assert.equal(root.attributes['turnpike.route'], 'pay');
        assert.equal(root.attributes['turnpike.service'], 'pay');
        assert.equal(root.attributes['turnpike.origin'], sound.address);
        assert.equal(root.attributes['turnpike.attempts'], attempts.length);
        assert.equal(root.attributes['turnpike.request_id'], entry['turnpike.request_id']);
        assert.equal(root.status.code, undefined);
        attempts.forEach((attempt, i) => {
            const isLast = i === attempts.length - 1;
            const origin = isLast ? sound : dead;
            assert.equal(attempt.parentSpanId, root.spanId);
            assert.equal(attempt.attributes['http.request.resend_count'], i > 0 ? i : undefined);
            assert.equal(attempt.attributes['server.address'], '127.0.0.1');
            assert.equal(attempt.attributes['server.port'], origin.port);
            assert.equal(attempt.attributes['url.full'], `http://${origin.address}/api/pay`);
            assert.equal(attempt.attributes['turnpike.route'], 'pay');
            assert.equal(attempt.attributes['turnpike.service'], 'pay');
            assert.equal(attempt.attributes['turnpike.origin'], origin.address);
            assert.equal(attempt.attributes['turnpike.delivery'], isLast ? 'answered' : 'not-sent');
            assert.equal(attempt.attributes['error.type'], isLast ? undefined : 'connection_refused');
            assert.ok(BigInt(attempt.startTimeUnixNano) >= BigInt(root.startTimeUnixNano));
            assert.ok(BigInt(attempt.endTimeUnixNano) <= BigInt(root.endTimeUnixNano));
        });
        // The origin's own spans hang below the attempt that reached it.
        const told = sound.requests.map((each) => CONTEXT.exec(each.headers.traceparent)).find((each) => each[1] === root.traceId);
        assert.equal(told[2], attempts.at(-1).spanId);
        assert.equal(told[3], '1');
    }
    assert.ok(!to.raw.includes('4111'), 'no query value in a span');
});

test('whose parent is believed', async (t) => {
    const to = await collector(t);
    const origin = await httpOrigin(t);
    const rest = `
services: {app: {origins: ["${origin.address}"]}}
routes: [{match: {path_prefix: /}, service: app}]
`;
    const gateway = await startGateway(t, `${tracing(to, 'sample: 0%')}\ntrusted_proxies: [127.0.0.1/32]${rest}`);
    const told = async (headers) => {
        assert.equal((await request(gateway, { headers })).status, 200);
        const { headers: got } = origin.requests.at(-1);
        return { context: CONTEXT.exec(got.traceparent), state: got.tracestate };
    };

    await t.test('a trusted one: same trace, sampled as it says', async () => {
        const sampled = await told({ traceparent: PARENT, tracestate: 'a=1,b=2' });
        assert.equal(sampled.context[1], TRACE);
        assert.notEqual(sampled.context[2], SPAN);
        assert.equal(sampled.context[3], '1');
        assert.equal(sampled.state, 'a=1,b=2');
        const spans = await to.has(2);
        assert.equal(spans.find(isServer).parentSpanId, SPAN);
        assert.equal(spans.find(isServer).traceId, TRACE);
        const unsampled = await told({ traceparent: `00-${TRACE}-${SPAN}-00` });
        assert.equal(unsampled.context[1], TRACE);
        assert.equal(unsampled.context[3], '0');
    });

    await t.test('none, or none that is well-formed: a new trace, by the share', async () => {
        for (const traceparent of [undefined, 'x', `ff-${TRACE}-${SPAN}-01`, [PARENT, PARENT]]) {
            const { context, state } = await told({ ...(traceparent && { traceparent }), tracestate: 'a=1' });
            assert.notEqual(context[1], TRACE);
            assert.equal(context[3], '0');
            assert.equal(state, undefined);
        }
    });

    await t.test("a stranger's: a new trace with a link to it", async () => {
        assert.match(await gateway.reload(`${tracing(to, 'sample: 100%')}${rest}`), /generation 2/);
        const { context, state } = await told({ traceparent: PARENT, tracestate: 'a=1' });
        assert.notEqual(context[1], TRACE);
        assert.equal(context[3], '1');
        assert.equal(state, undefined);
        const root = (await to.has(4)).filter(isServer).at(-1);
        assert.equal(root.traceId, context[1]);
        assert.equal(root.parentSpanId, undefined);
        assert.deepEqual(root.links, [{ traceId: TRACE, spanId: SPAN, flags: 0x301 }]);
    });

    await t.test("a stranger's where any is believed", async () => {
        assert.match(await gateway.reload(`${tracing(to, 'sample: 0%, parents: any')}${rest}`), /generation 3/);
        assert.equal((await told({ traceparent: PARENT })).context[1], TRACE);
    });

    await t.test('off: fields pass untouched, and the log has no trace', async () => {
        assert.match(await gateway.reload(rest), /generation 4/);
        assert.equal((await request(gateway, { headers: { traceparent: 'X', tracestate: 'a=1' } })).status, 200);
        assert.equal(origin.requests.at(-1).headers.traceparent, 'X');
        assert.equal(origin.requests.at(-1).headers.tracestate, 'a=1');
        const entries = await gateway.logged((all) => all.length === origin.requests.length);
        assert.equal(entries.at(-1).trace_id, undefined);
        assert.ok(entries.slice(0, -1).every((entry) => /^[0-9a-f]{32}$/.test(entry.trace_id)));
    });
});

test('answers of the gateway itself', async (t) => {
    const to = await collector(t);
    const dead = await gone(t);
    const gateway = await startGateway(t, `
${tracing(to, 'sample: 100%')}
services: {app: {origins: ["${dead.address}"]}}
routes:
  - {name: ping, match: {path: /ping}, respond: {body: pong}}
  - {name: app, match: {path_prefix: /app}, service: app}
`);
    await request(gateway, { path: '/ping' });
    const problem = JSON.parse((await request(gateway, { path: '/app/4111111111111111?a=b', headers: { 'X-Request-Id': 'r' } })).body);
    await request(gateway, { path: '/none' });
    const client = await connect(t, gateway);
    await client.ask(head('BREW /ping HTTP/1.1', 'Host: pay.example:8443'));
    await client.ask('no-request\r\n\r\n'); // has no span: neither method nor path is known
    await gateway.logged(5);
    await gateway.stop();
    const spans = await to.has(5);
    assert.equal(spans.length, 5);
    const of = (path) => spans.filter((span) => isServer(span) && span.attributes['url.path'] === path);
    const [ping, brew] = of('/ping');
    assert.equal(ping.name, 'GET /ping');
    assert.equal(brew.name, 'HTTP /ping');
    assert.equal(brew.attributes['http.request.method_original'], 'BREW');
    assert.equal(brew.attributes['server.address'], 'pay.example');
    assert.equal(brew.attributes['server.port'], 8443);
    const [none] = of('/none');
    assert.equal(none.name, 'GET');
    assert.equal(none.attributes['http.response.status_code'], 404);
    assert.equal(none.status.code, undefined, "a client's mistake is not the server's");
    const [failed] = of('/app/411111*1111');
    assert.equal(failed.traceId, problem.trace_id);
    assert.equal(failed.attributes['error.type'], 'connection_refused');
    assert.equal(failed.attributes['http.response.status_code'], 502);
    assert.equal(failed.status.code, 2);
    assert.ok(spans.filter(isClient).every((span) => span.traceId === problem.trace_id));
    assert.ok(!to.raw.includes('4111111111111111'));
});

test('a collector that takes nothing holds up no request; what is dropped is counted', async (t) => {
    const to = await collector(t, { answer: () => {} });
    const gateway = await startGateway(t, (folder) => `
${adminIn(folder)}
${tracing(to, 'sample: 100%, timeout: 100ms')}
routes: [{match: {path_prefix: /}, respond: {body: pong}}]
`);
    const agent = keepAliveAgent();
    defer(t, () => agent.destroy());
    const padding = 'x'.repeat(900);
    const ROUNDS = 4000; // some 7 MB of spans, for a ring of 4 MiB
    for (let i = 0; i < ROUNDS; i++) {
        assert.equal((await request(gateway, { path: `/${padding}`, agent })).status, 200);
    }
    await until('spans to be dropped', async () => (await metric(gateway, 'turnpike_spans_dropped_total')) > 0, patient(60_000));
    assert.ok((await metric(gateway, 'turnpike_span_posts_failed_total')) > 0);
    assert.match(gateway.stderr, /tracing: http:\S+ takes no spans: no answer/);
    to.answer = (response) => response.end('{}');
    await gateway.said(/takes spans again/, patient(60_000));
    to.spans.length = 0;
    await until('all to be told or counted', async () =>
        (await metric(gateway, 'turnpike_spans_exported_total')) + (await metric(gateway, 'turnpike_spans_dropped_total')) === ROUNDS, patient(60_000));
});

test('a collector that comes later gets what waits; one that says 503 is asked again, one that says 400 is not', async (t) => {
    const holder = net.createServer().listen({ host: '127.0.0.1', port: 0 });
    await new Promise((resolve) => holder.once('listening', resolve));
    const { port } = holder.address();
    await new Promise((resolve) => holder.close(resolve));
    const gateway = await startGateway(t, (folder) => `
${adminIn(folder)}
tracing: {to: "http://localhost:${port}/v1/traces", sample: 100%}
routes: [{match: {path_prefix: /}, respond: {body: pong}}]
`);
    await request(gateway);
    await gateway.said(/takes no spans: cannot connect: Connection refused/);
    const to = await collector(t, { port, host: 'localhost' });
    await to.has(1);
    assert.equal(to.spans.length, 1);

    to.answer = (response) => response.writeHead(503, { 'Retry-After': '1' }).end();
    const before = to.posts;
    await request(gateway);
    await until('a first try', () => to.posts > before);
    to.answer = (response) => response.end('{}');
    await to.has(2);

    to.answer = (response) => response.writeHead(400).end();
    await request(gateway);
    await until('the span to be dropped', async () => (await metric(gateway, 'turnpike_spans_dropped_total')) === 1);
    assert.equal(await metric(gateway, 'turnpike_spans_exported_total'), 2);
});

test('spans that the collector rejects of a batch that it took are dropped ones, and told once', async (t) => {
    const rejects = (count) => JSON.stringify({ partialSuccess: { rejectedSpans: count, errorMessage: 'a limit of spans' } });
    const answers = [
        (response) => response.end(rejects('1')),
        (response) => { // in chunks, of more than were sent
            response.write(' ');
            response.end(rejects(1000));
        },
        (response) => response.end('{"partialSuccess":{}}'),
    ];
    const to = await collector(t);
    const gateway = await startGateway(t, (folder) => `
${adminIn(folder)}
${tracing(to, 'sample: 100%')}
routes: [{match: {path_prefix: /}, respond: {body: pong}}]
`);
    const counted = () => Promise.all(['exported', 'dropped'].map((what) => metric(gateway, `turnpike_spans_${what}_total`)));
    for (const [i, answer] of answers.entries()) {
        to.answer = answer;
        await request(gateway);
        await until('the span to be counted', async () => {
            const [exported, dropped] = await counted();
            return exported + dropped === i + 1;
        }, patient(30_000));
    }
    assert.deepEqual(await counted(), [1, 2]);
    assert.equal(await metric(gateway, 'turnpike_span_posts_failed_total'), 0);
    await gateway.said(/warning tracing: http:\S+ rejected 1 of the spans that it was sent: a limit of spans$/m);
    assert.equal(gateway.stderr.match(/ rejected /g).length, 1);
});

test('the last spans leave before the process ends', async (t) => {
    const to = await collector(t);
    const gateway = await startGateway(t, `
${tracing(to, 'sample: 100%')}
routes: [{match: {path_prefix: /}, respond: {body: pong}}]
`);
    await request(gateway);
    await gateway.stop();
    assert.equal((await to.has(1)).length, 1);
});

test('a POST that outlives its client', async (t) => {
    const to = await collector(t);
    let answer;
    const origin = await httpOrigin(t, { handler: (asked, response) => {
        if (asked.method === 'POST') {
            answer = () => response.end('done');
        } else {
            response.end('other');
        }
    } });
    const gateway = await startGateway(t, `
${tracing(to, 'sample: 100%')}
services: {app: {origins: ["${origin.address}"]}}
routes: [{match: {path_prefix: /}, service: app}]
`);
    const client = await connect(t, gateway);
    client.send(`${head('POST /pay?a=b HTTP/1.1', 'Host: a', 'Content-Length: 1')}x`);
    await until('the origin to be asked', () => answer);
    client.destroy();
    const other = await connect(t, gateway); // reads into what the first client had
    await other.ask(head(`GET /${'y'.repeat(300)} HTTP/1.1`, 'Host: b'));
    answer();
    const spans = await to.has(4);
    const attempt = spans.find((span) => isClient(span) && span.attributes['http.request.method'] === 'POST');
    const root = spans.find((span) => span.spanId === attempt.parentSpanId);
    assert.equal(attempt.attributes['url.full'], `http://${origin.address}/pay`);
    assert.equal(attempt.attributes['http.response.status_code'], 200);
    assert.equal(root.attributes['url.path'], '/pay');
    assert.equal(root.attributes['turnpike.outcome'], 'client-gone');
});

test('over TLS the collector must show a certificate that is trusted, with its name', async (t) => {
    const ca = await authority(t);
    const other = await authority(t, 'Another CA');
    const certificate = await ca.issue({ names: ['localhost'] });
    const to = await collector(t, { certificate, host: 'localhost' });
    const yaml = (folder, more) => `
${adminIn(folder)}
tracing: {${more}, sample: 100%}
routes: [{match: {path_prefix: /}, respond: {body: pong}}]
`;
    const secure = `to: "${to.url}", tls: {ca: ${ca.cert}}`;
    const gateway = await startGateway(t, (folder) => yaml(folder, secure));
    await request(gateway);
    await to.has(1);
    assert.deepEqual([...new Set(to.names)], ['localhost']);
    assert.equal(await metric(gateway, 'turnpike_span_posts_failed_total'), 0);

    // Refused, counted and told; requests are served, and spans wait until they may go.
    let taken = 1;
    for (const [wrong, why] of [
        [`to: "${to.url}", tls: {ca: ${other.cert}}`, /takes no spans: cannot connect: TLS: .*certificate/],
        [`to: "${to.url}"`, /takes no spans: cannot connect: TLS: .*certificate/],
        [`to: "${to.url.replace('localhost', '127.0.0.1')}", tls: {ca: ${ca.cert}}`, /takes no spans: cannot connect: TLS: IP address mismatch/],
    ]) {
        const from = gateway.stderr.length;
        const failed = await metric(gateway, 'turnpike_span_posts_failed_total');
        assert.match(await gateway.reload(yaml(gateway.folder, wrong)), /generation/);
        assert.equal((await request(gateway)).status, 200);
        await until('the refusal to be told', () => why.test(gateway.stderr.slice(from)), patient(30_000));
        assert.ok(await metric(gateway, 'turnpike_span_posts_failed_total') > failed);
        assert.equal(to.spans.length, taken);
        assert.match(await gateway.reload(yaml(gateway.folder, secure)), /generation/);
        await to.has(++taken);
        await until('the end of it to be told', () => /takes spans again/.test(gateway.stderr.slice(from)), patient(30_000));
    }
});

test('a collector that is slow in its handshake holds up no request, and no stop', async (t) => {
    const silent = net.createServer((socket) => socket.on('error', () => {})).listen({ host: '127.0.0.1', port: 0 });
    defer(t, () => silent.close());
    await new Promise((resolve) => silent.once('listening', resolve));
    const gateway = await startGateway(t, (folder) => `
${adminIn(folder)}
tracing: {to: "https://127.0.0.1:${silent.address().port}/v1/traces", sample: 100%, timeout: 100ms}
routes: [{match: {path_prefix: /}, respond: {body: pong}}]
`);
    const agent = keepAliveAgent();
    defer(t, () => agent.destroy());
    for (let i = 0; i < 500; i++) {
        assert.equal((await request(gateway, { agent })).status, 200);
    }
    await gateway.said(/takes no spans: no answer: Connection timed out/, patient(30_000));
    assert.equal((await request(gateway, { agent })).status, 200);
    await gateway.stop();
});

test('where spans cannot go is told by the check', async (t) => {
    const wrong = async (to) => {
        const { code, stderr } = await runGateway(t, `
listeners: [{address: "127.0.0.1:0"}]
tracing: {${to}}
routes: [{respond: {body: pong}}]
`, { args: (file) => ['-t', '-c', file] });
        assert.equal(code, 1, to);
        return stderr;
    };
    assert.match(await wrong('to: "http://127.0.0.1:4318/v1/traces", tls: {ca: /ca.crt}'), /'tracing.tls' is of no use: 'tracing.to' begins with http:/);
    assert.match(await wrong('to: "https://127.0.0.1:4318/v1/traces", tls: {ca: ca.crt}'), /'tracing.tls.ca' expects an absolute path/);
    assert.match(await wrong('to: "https://127.0.0.1:4318/v1/traces", tls: {ca: /no/such.crt}'), /collector https:\S+: .*\/no\/such.crt/);
    assert.match(await wrong('to: "127.0.0.1:4318"'), /expects a URL such as/);
    assert.match(await wrong('to: "http://127.0.0.1:4318"'), /expects a URL such as/);
    assert.match(await wrong('to: "http:///v1/traces"'), /expects a URL such as/);
    assert.match(await wrong('sample: 1%'), /'to' is missing/);
});
