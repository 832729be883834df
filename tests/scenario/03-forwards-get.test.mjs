// SPDX-License-Identifier: BSD-2-Clause
// A GET goes to the origin as it came, and the answer comes back as the origin gave it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';

test('a GET is forwarded and answered', async (t) => {
    const origin = await httpOrigin(t, { name: 'hello' });
    const gateway = await startGateway(t, through(origin));
    const answer = await request(gateway, { path: '/some/path?with=query' });
    assert.equal(answer.status, 200);
    assert.equal(answer.body, 'hello');
    assert.equal(origin.requests.length, 1);
    assert.equal(origin.requests[0].method, 'GET');
    assert.equal(origin.requests[0].url, '/some/path?with=query');
});

test('what the origin sees', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    const seen = async (...lines) => {
        const answer = await client.ask(head(...lines));
        assert.equal(answer.status, 200, answer.raw);
        return origin.requests.at(-1);
    };

    for (const target of ['/', '/?', '/?a=b&c', '/a//b', '/%c3%a4', '/a;p=1/b', "/~!$&'()*+,;=:@"]) {
        await t.test(`the target ${target} as it came`, async () => {
            const request = await seen(`GET ${target} HTTP/1.1`, 'Host: a');
            assert.equal(request.startLine, `GET ${target} HTTP/1.1`);
        });
    }

    for (const [target, normal] of [['/a//b/../c/./d', '/a/c/d'], ['/%7Euser/%2e%2e/%c3%a4?%7e', '/%C3%A4?%7e'], ['/%7Euser/b', '/~user/b']]) {
        await t.test(`the target ${target} without dot segments and needless escapes`, async () => {
            const request = await seen(`GET ${target} HTTP/1.1`, 'Host: a');
            assert.equal(request.startLine, `GET ${normal} HTTP/1.1`);
        });
    }

    await t.test('the Host as it came', async () => {
        const request = await seen('GET / HTTP/1.1', 'Host: Shop.Example:8080');
        assert.deepEqual(request.all('host'), ['Shop.Example:8080']);
    });

    await t.test('other fields in their order, several of one name too', async () => {
        const request = await seen('GET / HTTP/1.1', 'Host: a', 'X-One: 1', 'Accept: text/html', 'X-Two: 2', 'x-one: 3', 'X-Empty:');
        const own = request.fields.filter(([name]) => /^(x-one|accept|x-two|x-empty)$/i.test(name));
        assert.deepEqual(own, [['X-One', '1'], ['Accept', 'text/html'], ['X-Two', '2'], ['x-one', '3'], ['X-Empty', '']]);
    });

    await t.test('bytes above 127 in a value', async () => {
        const request = await seen('GET / HTTP/1.1', 'Host: a', 'X-Latin: gr\xfc\xdfe \xc3\xa4');
        assert.equal(request.get('x-latin'), 'gr\xfc\xdfe \xc3\xa4');
    });

    await t.test('no field of the connection between client and gateway', async () => {
        const request = await seen('GET / HTTP/1.1', 'Host: a', 'Connection: keep-alive, X-Private', 'X-Private: 1',
            'Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive', 'TE: trailers', 'X-Public: 1');
        for (const name of ['x-private', 'keep-alive', 'proxy-connection', 'proxy-authorization']) {
            assert.equal(request.get(name), undefined, name);
        }
        assert.equal(request.get('x-public'), '1');
        assert.doesNotMatch(request.get('connection') ?? '', /private/i);
    });

    await t.test('no field that CGI would take for one of ours', async () => {
        const request = await seen('GET / HTTP/1.1', 'Host: a', 'Client_Cert: :Zm9yZ2Vk:', 'X_Forwarded_For: 10.0.0.1',
            'x_forwarded-proto: https', 'X_Other: 1');
        assert.deepEqual(request.fields.filter(([name]) => name.includes('_')), [['X_Other', '1']]);
    });

    await t.test('HTTP/1.1, whatever the client speaks', async () => {
        const older = await connect(t, gateway);
        await older.ask(head('GET /old HTTP/1.0', 'Host: a'));
        assert.equal(origin.requests.at(-1).startLine, 'GET /old HTTP/1.1');
    });

    await t.test('absolute-form as origin-form, its authority before Host', async () => {
        const request = await seen('GET http://real.example/x?y HTTP/1.1', 'Host: other.example');
        assert.equal(request.startLine, 'GET /x?y HTTP/1.1');
        assert.deepEqual(request.all('host'), ['real.example']);
    });
});

test('what the client gets', async (t) => {
    let reply;
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.request();
            wire.send(reply);
        }
    });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    const got = (text) => {
        reply = text;
        return client.ask(head('GET / HTTP/1.1', 'Host: a'));
    };

    await t.test('status, fields in order and body of the origin', async () => {
        const answer = await got('HTTP/1.1 222 Fine, thanks\r\nX-A: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nx-a: 2\r\nContent-Length: 3\r\n\r\nabc');
        assert.equal(answer.status, 222);
        assert.equal(answer.text, 'abc');
        assert.deepEqual(answer.all('set-cookie'), ['a=1', 'b=2']);
        assert.deepEqual(answer.fields.filter(([name]) => /^x-a$/i.test(name)), [['X-A', '1'], ['x-a', '2']]);
    });

    await t.test('an answer with length 0', async () => {
        const answer = await got('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
        assert.equal(answer.status, 404);
        assert.equal(answer.text, '');
        assert.equal(answer.get('proxy-status'), undefined, 'the 404 is the origin\'s, not ours');
    });

    await t.test('an answer without a reason', async () => {
        assert.equal((await got('HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok')).text, 'ok');
    });

    await t.test('no field of the connection between gateway and origin', async () => {
        const answer = await got('HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=3\r\nContent-Length: 0\r\n\r\n');
        assert.equal(answer.get('x-hop'), undefined);
        assert.equal(answer.get('keep-alive'), undefined);
        assert.doesNotMatch(answer.get('connection') ?? '', /hop/i);
    });

    await t.test('an answer cut into single bytes', async () => {
        const pieces = await rawOrigin(t, async (wire) => {
            await wire.request();
            await wire.sendInPieces('HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 10\r\n\r\n0123456789');
        });
        const slow = await startGateway(t, through(pieces));
        assert.equal((await request(slow)).body, '0123456789');
    });

    await t.test('the answer to a request cut into single bytes', async () => {
        reply = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
        await client.sendInPieces(head('GET /pieces HTTP/1.1', 'Host: a', 'X-A: 1'));
        assert.equal((await client.answer()).text, 'ok');
        assert.equal(origin.requests.at(-1).target, '/pieces');
    });
});
