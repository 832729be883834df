// SPDX-License-Identifier: BSD-2-Clause
// What the gateway says about itself and the client: Via, X-Forwarded-*, Forwarded, X-Request-Id.
// What a client that is not trusted claims about others is not passed on.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { adminIn, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const CLAIMS = ['X-Forwarded-For: 203.0.113.7', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: shop.example',
    'Forwarded: for=203.0.113.7;proto=https'];

async function scene(t, more = '') {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            const asked = await wire.request();
            wire.ok('ok', ...(asked.target === '/via' ? ['Via: 1.1 inner'] : []));
        }
    });
    const gateway = await startGateway(t, through(origin, { more }));
    const client = await connect(t, gateway);
    const ask = async (...fields) => {
        const answer = await client.ask(head('GET / HTTP/1.1', 'Host: pay.example:8080', ...fields));
        return { answer, seen: origin.requests.at(-1) };
    };
    return { origin, gateway, client, ask };
}

test('a client that is not trusted', async (t) => {
    const { gateway, ask, client, origin } = await scene(t);

    await t.test('is named to the origin', async () => {
        const { seen } = await ask();
        assert.deepEqual(seen.all('x-forwarded-for'), ['127.0.0.1']);
        assert.deepEqual(seen.all('x-forwarded-proto'), ['http']);
        assert.deepEqual(seen.all('x-forwarded-host'), ['pay.example:8080']);
        assert.equal(seen.all('forwarded').length, 1);
        const forwarded = seen.get('forwarded');
        assert.match(forwarded, /(^|;)for="?127\.0\.0\.1/i);
        assert.match(forwarded, /(^|;)proto=http(;|$)/i);
        assert.match(forwarded, /(^|;)host="pay\.example:8080"/i);
    });

    await t.test('is not believed', async () => {
        const { seen } = await ask(...CLAIMS);
        assert.deepEqual(seen.all('x-forwarded-for'), ['127.0.0.1']);
        assert.deepEqual(seen.all('x-forwarded-proto'), ['http']);
        assert.deepEqual(seen.all('x-forwarded-host'), ['pay.example:8080']);
        assert.doesNotMatch(seen.raw, /203\.0\.113\.7/);
        assert.doesNotMatch(seen.raw, /shop\.example/);
    });

    await t.test('is the client of the access log', async () => {
        const entries = await gateway.logged(2);
        assert.ok(entries.every((each) => each['client.address'] === '127.0.0.1'), JSON.stringify(entries));
    });

    await t.test('Via is added both ways, behind what is there', async () => {
        const { seen, answer } = await ask('Via: 1.0 fred, 1.1 p.example');
        assert.equal(seen.get('via'), '1.0 fred, 1.1 p.example, 1.1 turnpike');
        assert.equal(answer.get('via'), '1.1 turnpike');
        const other = await client.ask(head('GET /via HTTP/1.1', 'Host: a'));
        assert.equal(other.get('via'), '1.1 inner, 1.1 turnpike');
    });

    await t.test('Via names the version that was spoken', async () => {
        const older = await connect(t, gateway);
        await older.ask(head('GET / HTTP/1.0', 'Host: a'));
        assert.match(origin.requests.at(-1).get('via'), /^1\.0 turnpike$/);
    });

    await t.test('X-Request-Id is made where there is none, and told to the client', async () => {
        const first = await ask();
        const second = await ask();
        assert.match(first.seen.get('x-request-id'), UUID7);
        assert.equal(first.answer.get('x-request-id'), first.seen.get('x-request-id'));
        assert.notEqual(first.seen.get('x-request-id'), second.seen.get('x-request-id'));
        const made = parseInt(first.seen.get('x-request-id').replace('-', '').slice(0, 12), 16);
        assert.ok(Math.abs(made - Date.now()) < 60_000, 'the time in the UUID (RFC 9562 section 5.7)');
    });

    await t.test('its X-Request-Id is told to the log only', async () => {
        const { seen, answer } = await ask('X-Request-Id: abc-123');
        assert.match(seen.get('x-request-id'), UUID7);
        assert.deepEqual(answer.all('x-request-id'), seen.all('x-request-id'));
        const entries = await gateway.logged(1);
        const entry = entries.find((each) => each['turnpike.client_request_id'] !== undefined) ??
            (await gateway.logged(entries.length + 1)).at(-1);
        assert.equal(entry['turnpike.client_request_id'], 'abc-123');
        assert.equal(entry['turnpike.request_id'], seen.get('x-request-id'));
    });

    await t.test('no other spelling of these passes, for an origin that reads names as CGI does', async () => {
        const { seen } = await ask('X_Forwarded_For: forged', 'X.Real.IP: forged', 'X-Real-IP: forged',
            'X-Forwarded-Port: forged', 'X-Forwarded-Email: forged', 'X_Request_Id: forged', 'Client_Cert: forged');
        assert.doesNotMatch(seen.raw, /forged/);
    });

    await t.test('cannot have Connection take away what the gateway goes by', async () => {
        const { seen } = await ask('Connection: Idempotency-Key, X-Hop, Cookie', 'Idempotency-Key: 1', 'X-Hop: 1', 'Cookie: a=b');
        assert.equal(seen.get('idempotency-key'), '1');
        assert.equal(seen.get('cookie'), 'a=b');
        assert.equal(seen.get('x-hop'), undefined);
    });
});

test('a trusted proxy', async (t) => {
    const { gateway, ask } = await scene(t, 'trusted_proxies: [127.0.0.0/8, "::1"]');

    await t.test('is believed, and added', async () => {
        const { seen } = await ask(...CLAIMS);
        assert.equal(seen.get('x-forwarded-for'), '203.0.113.7, 127.0.0.1');
        assert.equal(seen.get('x-forwarded-proto'), 'https');
        assert.equal(seen.get('x-forwarded-host'), 'shop.example');
        assert.match(seen.get('forwarded'), /^for=203\.0\.113\.7;proto=https, ?.*for="?127\.0\.0\.1/i);
    });

    await t.test('tells who the client is, for the log', async () => {
        await ask('X-Forwarded-For: 198.51.100.9, 203.0.113.7, 127.0.0.5');
        const entries = await gateway.logged(2);
        assert.equal(entries[0]['client.address'], '203.0.113.7');
        assert.equal(entries[1]['client.address'], '203.0.113.7', 'the last address that is not a trusted proxy');
    });

    await t.test('may tell it with a port, or as RFC 7239 has it', async () => {
        const told = [
            ['X-Forwarded-For: 203.0.113.8:4711', '203.0.113.8'],
            ['X-Forwarded-For: [2001:db8::8]:4711, 127.0.0.5:99', '2001:db8::8'],
            ['Forwarded: for=203.0.113.9;proto=https', '203.0.113.9'],
            ['Forwarded: for=198.51.100.1, for="203.0.113.9:80";by="a,;b";host=x, For=127.0.0.7', '203.0.113.9'],
            ['Forwarded: proto=http;for="[2001:db8::9]:4711"', '2001:db8::9'],
            ['Forwarded: for=203.0.113.9, for=_hidden, for=127.0.0.7', '127.0.0.7'],
            ['Forwarded: for=203.0.113.9, for=unknown', '127.0.0.1'],
        ];
        for (const [line] of told) {
            await ask(line);
        }
        // What its own client may have made up counts for nothing where the proxy writes the other.
        await ask('Forwarded: for=198.51.100.1', 'X-Forwarded-For: 203.0.113.7');
        const entries = (await gateway.logged(2 + told.length + 1)).slice(2);
        const names = entries.map((entry) => entry['client.address']);
        assert.deepEqual(names, [...told.map(([, name]) => name), '203.0.113.7']);
    });

    await t.test('is believed about the request\'s id', async () => {
        const { seen, answer } = await ask('X-Request-Id: abc-123');
        assert.deepEqual(seen.all('x-request-id'), ['abc-123']);
        assert.deepEqual(answer.all('x-request-id'), ['abc-123']);
    });

    await t.test('that claims nothing is the client', async () => {
        const { seen } = await ask();
        assert.equal(seen.get('x-forwarded-for'), '127.0.0.1');
        assert.equal(seen.get('x-forwarded-proto'), 'http');
    });

    await t.test('that sends nonsense does no harm', async () => {
        const { answer } = await ask('X-Forwarded-For: , unknown,,  "x', 'Forwarded: for=_hidden;;by="');
        assert.equal(answer.status, 200);
    });
});

// The client of a proxy that appends begins a quoted string that the proxy's element would then stand in.
test('a trusted proxy is not silenced by a quote that its client leaves open', async (t) => {
    const { gateway, ask } = await scene(t, 'trusted_proxies: [127.0.0.0/8, "::1"]');
    const told = [
        ['Forwarded: for="6.6.6.6, for=203.0.113.9', '203.0.113.9'],
        ['Forwarded: for=6.6.6.6;by="\\, for="[2001:db8::9]:4711";proto=http', '2001:db8::9'],
        ['Forwarded: for=6.6.6.6, for="6.6.6.7;by=x, for=203.0.113.9;by="a,b", for=127.0.0.7', '203.0.113.9'],
    ];
    for (const [line] of told) {
        const { seen } = await ask(line);
        assert.doesNotMatch(seen.get('forwarded'), /6\.6\.6/, 'the origin reads it from the left, maybe');
    }
    const entries = await gateway.logged(told.length);
    assert.deepEqual(entries.map((entry) => entry['client.address']), told.map(([, name]) => name));
});

test('request_id: any takes every client\'s id', async (t) => {
    const { ask } = await scene(t, 'request_id: any');
    const { seen, answer } = await ask('X-Request-Id: abc-123');
    assert.deepEqual(seen.all('x-request-id'), ['abc-123']);
    assert.deepEqual(answer.all('x-request-id'), ['abc-123']);
});

test('via: names the gateway', async (t) => {
    const { ask } = await scene(t, 'via: edge-1');
    const { seen, answer } = await ask();
    assert.equal(seen.get('via'), '1.1 edge-1');
    assert.equal(answer.get('via'), '1.1 edge-1');
});

test('a request that comes back again and again is refused', async (t) => {
    const gateway = await startGateway(t, (folder) => `${adminIn(folder)}
listeners: [{address: "127.0.0.1:0"}, {address: "unix:${folder}/self.sock"}]
services: {self: {origins: ["unix:${folder}/self.sock"]}}
routes: [{name: all, service: self}]
`);
    const client = await connect(t, gateway);
    const answer = await client.ask(head('GET /round HTTP/1.1', 'Host: a'));
    assert.equal(answer.status, 508);
    assert.match(answer.get('proxy-status'), /error=proxy_loop_detected/);
    const entries = await gateway.logged(10);
    assert.equal(entries.filter((entry) => entry['error.type'] === 'proxy_loop_detected').length, 1);
    assert.equal(valueOf(await metricsOf(gateway), 'turnpike_loops_refused_total'), 1);
});

test('gateways of one name in a row are no loop', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    const passed = Array(7).fill('1.1 turnpike').join(', ');
    assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a', `Via: ${passed}`, 'Via: 1.1 TURNPIKE (a comment)'))).status, 200);
    assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a', `Via: ${passed}, 1.0 turnpike, 1.1 other, 2 turnpike`))).status, 508);
});
