// SPDX-License-Identifier: BSD-2-Clause
// One line each: from HTTP to HTTPS, and HTTPS from then on.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { authority, certificateList, secureRequest } from './lib/tls.mjs';

test('a listener sends everything to https', async (t) => {
    const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", redirect_to_https: true}]
routes: [{name: r, match: {host: nobody.example}, respond: {body: x}}]
`);
    const to = async (path, headers, method) => {
        const answer = await request(gateway, { path, headers, method });
        assert.equal(answer.status, 308);
        return answer.headers.location;
    };
    assert.equal(await to('/a/b?c=d', { Host: 'shop.example:8080' }), 'https://shop.example/a/b?c=d');
    assert.equal(await to('/', { Host: 'shop.example' }, 'POST'), 'https://shop.example/');
    assert.equal(await to('/?', { Host: '[::1]:80' }), 'https://[::1]/?');
});

test('every answer over TLS carries the one policy', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue();
    const origin = await httpOrigin(t, {
        handler: (asked, answer) => {
            answer.setHeader('Strict-Transport-Security', 'max-age=1');
            answer.end('x');
        },
    });
    const policy = 'max-age=31536000; includeSubDomains';
    const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", hsts: "${policy}", tls: {certificates: ${certificateList(own)}}}, {address: "127.0.0.1:0"}]
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: app, match: {path_prefix: /app}, service: app}, {name: own, match: {path: /own}, respond: {body: x}}]
`);
    for (const path of ['/app', '/own', '/nowhere']) {
        const answer = await secureRequest(gateway, { ca: ca.cert, path });
        assert.equal(answer.headers['strict-transport-security'], policy, path);
    }
    const plain = await request({ connectOptions: gateway.listeners[1].connectOptions }, { path: '/own' });
    assert.equal(plain.headers['strict-transport-security'], undefined);
});

test('where they make no sense they are refused', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue();
    const tls = `tls: {certificates: ${certificateList(own)}}`;
    for (const [listener, said] of [['hsts: max-age=1', /'hsts' is for listeners that speak TLS/], [`hsts: always, ${tls}`, /max-age=SECONDS/], [`redirect_to_https: true, ${tls}`, /do not speak TLS themselves/]]) {
        const { code, stderr } = await runGateway(t, `access_log: off\nlisteners: [{address: "127.0.0.1:0", ${listener}}]\nroutes: [{name: r, respond: {body: x}}]\n`, { args: (file) => ['-t', '-c', file] });
        assert.equal(code, 1);
        assert.match(stderr, said);
    }
});
