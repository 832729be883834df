// SPDX-License-Identifier: BSD-2-Clause
// Which route a request takes: host, path, method, headers, query, listener; the normal form of
// a path decides; what of it goes on is told by 78-paths.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { request } from './lib/client.mjs';

const respond = (name, match) => `  - {name: ${name}, match: {${match}}, respond: {status: 200, body: ${name}}}`;

async function asker(t, gateway) {
    const client = await connect(t, gateway);
    return async (target, { host = 'a', method = 'GET', fields = [] } = {}) => {
        const answer = await client.ask(head(`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...fields));
        return answer.status === 200 ? answer.text : answer.status;
    };
}

test('paths', async (t) => {
    const gateway = await startGateway(t, `routes:
${respond('short', 'path_prefix: /v1/')}
${respond('long', 'path_prefix: /v1/deep/')}
${respond('exact', 'path: /v1/deep/one')}
${respond('plain', 'path: /plain')}
${respond('escaped', 'path: "/caf%C3%A9"')}
`);
    const ask = await asker(t, gateway);
    for (const [target, wanted] of [
        ['/v1/', 'short'],
        ['/v1/x', 'short'],
        ['/v1/deep', 'short'],
        ['/v1/deep/', 'long'],
        ['/v1/deep/two', 'long'],
        ['/v1/deep/one', 'exact'],
        ['/v1/deep/one?x=/plain', 'exact'],
        ['/v1/deep/one/more', 'long'],
        ['/v1', 404],
        ['/plain', 'plain'],
        ['/plain?', 'plain'],
        ['/plain/', 404],
        ['/Plain', 404],
        ['/plai', 404],
        ['//plain', 'plain'],
        ['/./plain', 'plain'],
        ['/x/../plain', 'plain'],
        ['/%70lain', 'plain'],
        ['/%2e/plain', 'plain'],
        ['/v1/deep/%2e%2E/x', 'short'],
        ['/v1/deep%2Fone', 400], // an origin may read it as /v1/deep/one, which is another route's
        ['/v1/x%2Fone', 'short'],
        ['/v1/../v1/deep//one', 'exact'],
        ['/caf%c3%a9', 'escaped'],
        ['/..', 400],
        ['/v1/../../plain', 400],
        ['/%2e%2e/plain', 400],
        ['/%00', 400],
        ['/%zz', 400],
        ['/%4', 400],
    ]) {
        await t.test(`${target} takes ${wanted}`, async () => {
            const once = await asker(t, gateway);
            assert.equal(await once(target), wanted);
        });
    }
    await t.test('the longest match wins whatever the order in the file', async () => {
        assert.equal(await ask('/v1/deep/zzz'), 'long');
    });
});

test('hosts', async (t) => {
    const gateway = await startGateway(t, `routes:
${respond('exact', 'host: pay.example.com')}
${respond('suffix', 'host: "*.example.com"')}
${respond('deeper', 'host: "*.eu.example.com"')}
${respond('several', 'host: [one.test, two.test]')}
${respond('any', 'path_prefix: /')}
`);
    const ask = await asker(t, gateway);
    for (const [host, wanted] of [
        ['pay.example.com', 'exact'],
        ['PAY.Example.COM', 'exact'],
        ['pay.example.com:8443', 'exact'],
        ['pay.example.com.', 'exact'],
        ['x.example.com', 'suffix'],
        ['a.b.example.com', 'suffix'],
        ['a.eu.example.com', 'deeper'],
        ['example.com', 'any'],
        ['notexample.com', 'any'],
        ['xpay.example.com', 'suffix'],
        ['one.test', 'several'],
        ['two.test', 'several'],
        ['three.test', 'any'],
        ['[::1]:80', 'any'],
    ]) {
        await t.test(`${host} takes ${wanted}`, async () => {
            assert.equal(await ask('/', { host }), wanted);
        });
    }
    await t.test('absolute-form decides before Host', async () => {
        assert.equal(await ask('http://pay.example.com/', { host: 'three.test' }), 'exact');
    });
});

test('methods, headers and query', async (t) => {
    const gateway = await startGateway(t, `routes:
${respond('writes', 'path: /m, method: [POST, PUT]')}
${respond('reads', 'path: /m, method: GET')}
${respond('beta', 'path: /h, headers: {X-Channel: beta}')}
${respond('traced', 'path: /h, headers: {X-Trace: true}')}
${respond('stable', 'path: /h')}
${respond('debug', 'path: /q, query: {debug: "1"}')}
${respond('quiet', 'path: /q')}
`);
    const ask = await asker(t, gateway);
    for (const [target, options, wanted] of [
        ['/m', { method: 'GET' }, 'reads'],
        ['/m', { method: 'POST', fields: ['Content-Length: 0'] }, 'writes'],
        ['/m', { method: 'PUT', fields: ['Content-Length: 0'] }, 'writes'],
        ['/m', { method: 'DELETE' }, 404],
        ['/h', {}, 'stable'],
        ['/h', { fields: ['x-channel: beta'] }, 'beta'],
        ['/h', { fields: ['X-Channel: gamma'] }, 'stable'],
        ['/h', { fields: ['X-Trace: anything'] }, 'traced'],
        ['/q', {}, 'quiet'],
        ['/q?debug=1', {}, 'debug'],
        ['/q?a=b&debug=1', {}, 'debug'],
        ['/q?debug=10', {}, 'quiet'],
        ['/q?xdebug=1', {}, 'quiet'],
        ['/q?debug', {}, 'quiet'],
    ]) {
        await t.test(`${JSON.stringify([target, options])} takes ${wanted}`, async () => {
            const answer = await ask(target, options);
            assert.ok(answer === wanted || (wanted === 404 && answer === 405), `${answer}`);
        });
    }
});

test('listeners', async (t) => {
    const gateway = await startGateway(t, `
listeners:
  - address: 127.0.0.1:0
  - address: 127.0.0.2:0
routes:
${respond('second', 'listener: "127.0.0.2:0"')}
${respond('first', 'listener: "127.0.0.1:0"')}
`);
    assert.equal((await request(gateway.listeners[0])).body, 'first');
    assert.equal((await request(gateway.listeners[1])).body, 'second');
});

test('prefix rewrite', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, `
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: api, match: {path_prefix: /api/}, service: app, rewrite: {path_prefix: /internal/v2/}}
  - {name: root, match: {path_prefix: /strip/}, service: app, rewrite: {path_prefix: /}}
`);
    const client = await connect(t, gateway);
    for (const [target, wanted] of [
        ['/api/users?id=1', '/internal/v2/users?id=1'],
        ['/api/', '/internal/v2/'],
        ['/api/a%2Fb', '/internal/v2/a%2Fb'],
        ['/strip/x/y', '/x/y'],
        ['/strip/', '/'],
    ]) {
        await t.test(`${target} becomes ${wanted}`, async () => {
            await client.ask(head(`GET ${target} HTTP/1.1`, 'Host: a'));
            assert.equal(origin.requests.at(-1).url, wanted);
        });
    }
    await t.test('a path that reaches the prefix in normal form only still lands below the new one', async () => {
        const answer = await client.ask(head('GET /x/../api/users HTTP/1.1', 'Host: a'));
        assert.equal(answer.status, 200);
        assert.equal(origin.requests.at(-1).url, '/internal/v2/users');
    });
});
