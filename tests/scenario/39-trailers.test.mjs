// SPDX-License-Identifier: BSD-2-Clause
// The fields behind a chunked body: what of them reaches the other side, and that it is what was
// sent, whatever the client sends behind them while its request waits.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const CHUNKED = ['Host: a', 'Transfer-Encoding: chunked'];
const get = (target) => head(`GET ${target} HTTP/1.1`, 'Host: a');

// A request for another host, hidden in the body of one that is sent behind the trailers.
const HIDDEN = head('GET /hidden HTTP/1.1', 'Host: victim', 'X-Forwarded-For: 10.9.8.7');
const SUM = 's'.repeat(300);

const END = `0\r\nX-Sum: ${SUM}\r\n\r\n`;
const behind = (size) => {
    const body = HIDDEN.repeat(Math.ceil(size / HIDDEN.length));
    return head('POST /next HTTP/1.1', 'Host: a', `Content-Length: ${body.length}`) + body;
};

// Everything that the gateway has read so far has been dealt with.
async function aTurn(t, gateway) {
    const bystander = await connect(t, gateway);
    await bystander.ask(get('/%00'));
    bystander.destroy();
}

// The answers that are due, or what an origin found wrong with the bytes it got.
async function answers(client, count, origins) {
    let left = count;
    const fault = () => origins.flatMap((each) => each.failures).find((each) => each.code === 'ERR_ASSERTION');
    const wait = (async () => {
        while (left > 0) {
            assert.equal((await client.answer()).status, 200);
            left--;
        }
    })();
    wait.catch(() => {});
    await until('the answers', () => left === 0 || fault());
    if (fault()) {
        throw fault();
    }
}

function assertAsSent(origins, targets) {
    const requests = origins.flatMap((each) => each.requests);
    assert.deepEqual(requests.map((each) => each.target).sort(), targets.sort());
    for (const each of requests.filter((request) => request.target === '/trailers')) {
        assert.equal(each.text, 'abcdef');
        assert.deepEqual(each.trailers, [['X-Sum', SUM]]);
    }
}

test('trailers of a request that waits stay what they are while more is read behind it', async (t) => {
    await t.test('for a connection, at the limit of connections', async (t) => {
        let letGo = false;
        const origin = await rawOrigin(t, async (wire) => {
            for (;;) {
                if ((await wire.request(60_000)).target === '/first') {
                    await until('it to be let go', () => letGo);
                }
                wire.ok();
            }
        });
        const gateway = await startGateway(t, through(origin, { service: 'pool: {max_connections: 1, max_pending: 10, pending_timeout: 20s}' }));
        const first = await connect(t, gateway);
        const client = await connect(t, gateway);
        first.send(get('/first'));
        await until('the first at the origin', () => origin.requests.length === 1);
        client.send(head('POST /trailers HTTP/1.1', ...CHUNKED) + '3\r\nabc\r\n');
        await aTurn(t, gateway);
        client.send(`3\r\ndef\r\n${END}`);
        await aTurn(t, gateway);
        client.send(behind(1000));
        await aTurn(t, gateway);
        letGo = true;
        await answers(client, 2, [origin]);
        assertAsSent([origin], ['/first', '/trailers', '/next']);
    });

    await t.test('for another try', async (t) => {
        let letGo = false;
        let tries = 0;
        const script = async (wire) => {
            for (;;) {
                if ((await wire.request(60_000)).target === '/trailers' && ++tries === 1) {
                    await until('it to be let go', () => letGo);
                    wire.end();
                    return;
                }
                wire.ok();
            }
        };
        const origins = [await rawOrigin(t, script), await rawOrigin(t, script)];
        const gateway = await startGateway(t, through(origins));
        const client = await connect(t, gateway);
        client.send(head('PUT /trailers HTTP/1.1', ...CHUNKED) + '3\r\nabc\r\n');
        await aTurn(t, gateway);
        client.send(`3\r\ndef\r\n${END}`);
        await until('the first try at an origin', () => tries === 1);
        client.send(behind(1000));
        await aTurn(t, gateway);
        letGo = true;
        await answers(client, 2, origins);
        assertAsSent(origins, ['/trailers', '/trailers', '/next']);
    });

    await t.test('for its connection to come, where one turn reads a full buffer and what is behind it', async (t) => {
        const origin = await rawOrigin(t);
        const gateway = await startGateway(t, (folder) => `listeners: [{address: "unix:${folder}/in"}, {address: "127.0.0.1:0"}]\n${through(origin)}`);
        const client = await connect(t, gateway);
        client.send(head('POST /trailers HTTP/1.1', ...CHUNKED) + '6\r\nabcdef\r\n');
        await aTurn(t, { connectOptions: gateway.listeners[1].connectOptions });
        client.send(END + behind(60_000)); // more than the 52 KiB that one read takes
        await answers(client, 2, [origin]);
        assertAsSent([origin], ['/trailers', '/next']);
    });
});

const FOR_HEADS_ONLY = [
    'X_Forwarded_For: 10.9.8.7', 'x-forwarded_proto: https', 'X-Forwarded-Port: 443', 'Client_Cert: :AAAA:', 'Via: 1.1 other',
    'X-Request-Id: mine', 'X_Request_Id: mine', 'traceparent: 00-1-2-01', 'tracestate: a=b', 'Range: bytes=0-1', 'Content-Encoding: gzip',
    'Content_Length: 3', 'Cache-Control: no-store',
];
const asText = (lines) => lines.map((line) => `${line}\r\n`).join('');

test('the rules for the fields of a head hold for trailers', async (t) => {
    const edits = (name) => `${name}: {remove: [X-Secret], set: {X-User: "us"}}`;
    const ends = { trailers: '' };
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.request(60_000);
            wire.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${ends.head ?? ''}\r\n2\r\nok\r\n0\r\n${ends.trailers}\r\n`);
        }
    });
    const gateway = await startGateway(t, through(origin, { route: `${edits('request_headers')}, ${edits('response_headers')}` }));
    const client = await connect(t, gateway);
    const ask = (trailers, ...fields) => client.ask(head('POST / HTTP/1.1', ...CHUNKED, ...fields) + `2\r\nhi\r\n0\r\n${asText(trailers)}\r\n`);

    await t.test('in requests', async () => {
        await ask([...FOR_HEADS_ONLY, 'Idempotency_Key: 1', 'X-Request-Timeout-Ms: 1', 'X-Secret: 1', 'x_secret: 2', 'X_User: me', 'X-Sum: 1'], 'Connection: X-Hop');
        assert.deepEqual(origin.requests.at(-1).trailers, [['X-Sum', '1']]);
    });

    await t.test('and what its Connection names', async () => {
        await ask(['X-Hop: 1', 'X-Sum: 2'], 'Connection: X-Hop');
        assert.deepEqual(origin.requests.at(-1).trailers, [['X-Sum', '2']]);
    });

    await t.test('without any left the body has a length', async () => {
        await ask(['Via: 1.1 other']);
        assert.equal(origin.requests.at(-1).framing, 'length');
    });

    await t.test('in answers', async () => {
        ends.trailers = asText([...FOR_HEADS_ONLY, 'X-Secret: 1', 'X_Secret: 2', 'X-User: me', 'X-Sum: 3']);
        assert.deepEqual((await ask([])).trailers, [['X-Sum', '3']]);
    });

    await t.test('in answers, what may not be a trailer at all is left out (RFC 9110 section 6.5.1)', async () => {
        ends.trailers = asText(['Content-Type: text/plain', 'Content-Length: 7', 'Transfer-Encoding: chunked', 'Set-Cookie: a=b', 'Location: /', 'Host: b', 'X-Sum: 4']);
        const answer = await ask([]);
        assert.equal(answer.text, 'ok');
        assert.deepEqual(answer.trailers, [['X-Sum', '4']]);
    });

    await t.test('and none of an answer whose Connection names fields', async () => {
        Object.assign(ends, { head: 'Connection: X-Hop\r\n', trailers: asText(['X-Hop: 1']) });
        assert.deepEqual((await ask([])).trailers, []);
        ends.head = '';
    });
});

test('the size of trailers', async (t) => {
    const large = Array.from({ length: 60 }, (_, i) => [`X-Large-${i}`, `${i}`.repeat(200)]);
    const lines = (fields) => asText(fields.map(([name, value]) => `${name}: ${value}`));
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            const asked = await wire.request(60_000);
            wire.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${lines(asked.target === '/too-large' ? [['X', 'x'.repeat(33_000)]] : large)}\r\n`);
        }
    });
    const gateway = await startGateway(t, through(origin));

    await t.test('up to limits.head_bytes and limits.response_head_bytes they go on whole', async (t) => {
        const client = await connect(t, gateway);
        const answer = await client.ask(head('POST / HTTP/1.1', ...CHUNKED) + `2\r\nhi\r\n0\r\n${lines(large)}\r\n`);
        assert.deepEqual(origin.requests.at(-1).trailers, large);
        assert.deepEqual(answer.trailers, large);
    });

    await t.test('more of a request is refused', async (t) => {
        const client = await connect(t, gateway);
        const before = origin.requests.length;
        client.send(head('POST / HTTP/1.1', ...CHUNKED) + `2\r\nhi\r\n0\r\nX: ${'x'.repeat(33_000)}\r\n\r\n`);
        const answer = await client.answer();
        assertOwnError(answer, 431, 'http_request_error');
        assert.match(answer.json.detail, /trailer section/);
        await client.closed();
        assert.equal(origin.requests.length, before);
    });

    await t.test('more of an answer is an error of the origin', async (t) => {
        const client = await connect(t, gateway);
        assertOwnError(await client.ask(get('/too-large')), 502, 'http_response_trailer_section_size');
    });
});
