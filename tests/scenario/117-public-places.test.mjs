// SPDX-License-Identifier: BSD-2-Clause
// rewrite_location: what an answer says of its origin is turned to the place that the client knows,
// with a real nginx, and with TLS at the gateway.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { nginxOrigin } from './lib/nginx-origin.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { authority, certificateList, secureRequest } from './lib/tls.mjs';

test('a folder without its slash at nginx leads to the public place', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['a.example'] });
    const origin = await nginxOrigin(t, { files: { 'folder/index.html': 'here' } });
    const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}]
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: site, match: {path_prefix: /site/}, service: app, rewrite: {path_prefix: /}, rewrite_location: true}]
`);
    const ask = (path) => secureRequest(gateway, { ca: ca.cert, path, headers: { Host: 'a.example:8443' } });
    const answer = await ask('/site/folder');
    assert.equal(answer.status, 301);
    assert.equal(answer.headers.location, 'https://a.example:8443/site/folder/');
    assert.equal((await ask('/site/folder/')).body, 'here');
});

test('Location, Content-Location and cookies; only with the option, and only of this origin', async (t) => {
    const origin = await httpOrigin(t, {
        handler: (asked, answer, record) => {
            answer.writeHead(201, { Location: record.headers['x-say'], 'Content-Location': record.headers['x-say'], 'Set-Cookie': ['a=b; Path=/t/x', 'c=d; Path=/'] });
            answer.end();
        },
    });
    const gateway = await startGateway(t, `
trusted_proxies: [127.0.0.2/32]
listeners: [{address: "127.0.0.1:0"}]
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: api, match: {path_prefix: /api/}, service: app, rewrite: {path_prefix: /t/}, rewrite_location: true, request_headers: {set: {Host: inner.example}}}
  - {name: off, service: app}
`);
    const ask = async (path, place) => (await request(gateway, { path, headers: { host: 'shop.example:81', 'x-say': place } })).headers;
    for (const [place, wanted] of [
        [`http://${origin.address}/t/y`, 'http://shop.example:81/api/y'],
        ['http://inner.example/t/y', 'http://shop.example:81/api/y'],
        ['/t/y', '/api/y'],
        ['http://elsewhere.example/t/y', 'http://elsewhere.example/t/y'],
    ]) {
        const headers = await ask('/api/x', place);
        assert.equal(headers.location, wanted);
        assert.equal(headers['content-location'], wanted);
        assert.deepEqual(headers['set-cookie'], ['a=b; Path=/api/x', 'c=d; Path=/']);
    }
    const untouched = `http://${origin.address}/t/y`;
    assert.equal((await ask('/other', untouched)).location, untouched);
});

test('it has no effect on a route that does not forward, and the loader says so', async (t) => {
    const result = await runGateway(t, 'listeners: [{address: "127.0.0.1:0"}]\nroutes: [{respond: {}, rewrite_location: true}]\n', { args: (name) => ['-c', name, '-t'] });
    assert.match(result.stderr, /'rewrite_location' has no effect/);
});
