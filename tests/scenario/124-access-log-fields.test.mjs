// SPDX-License-Identifier: BSD-2-Clause
// access_log as a group: fields that lines have besides the usual ones, what of them is kept out, and
// which exchanges have a line.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { keepAliveAgent, request } from './lib/client.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { authority, certificateList, secureRequest } from './lib/tls.mjs';

const CARD = '4111111111111111';

test('fields of request, answer and connection', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['a.example'] });
    const merchant = await ca.issue({ names: ['merchant.example'], client: true });
    const origin = await httpOrigin(t, { handler: (_, response) => response.writeHead(200, { 'X-Cache': `hit ${CARD}` }).end('x') });
    const gateway = await startGateway(t, (folder) => `
listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}, client_auth: {mode: optional, ca: ${ca.cert}}}}]
access_log:
  to: ${folder}/access.log
  fields: [user_agent.original, http.request.header.referer, http.request.header.X-Tenant, http.response.header.x-cache,
    tls.client.server_name, tls.client.subject, turnpike.handshake_ms, turnpike.query_keys]
services: {app: {origins: ["${origin.address}"]}}
routes: [{match: {path: /ping}, respond: {body: pong}}, {match: {path_prefix: /}, service: app}]
`);
    const ask = (options) => secureRequest(gateway, { ca: ca.cert, ...options });
    await ask({
        path: `/a?card=${CARD}&token=secret&bare&=x&${CARD}=y`,
        headers: { 'User-Agent': 'shop "1"/é', Referer: `https://shop.example/cart?token=secret#${CARD}`, 'X-Tenant': `${CARD} ${'x'.repeat(600)}` },
        cert: fs.readFileSync(merchant.cert),
        key: fs.readFileSync(merchant.key),
    });
    await ask({ path: '/ping' });
    const [full, bare] = await gateway.logged(2);
    assert.equal(full['user_agent.original'], 'shop "1"/\u00e9');
    assert.equal(full['http.request.header.referer'], 'https://shop.example/cart');
    assert.equal(full['http.request.header.X-Tenant'].length, 512);
    assert.match(full['http.request.header.X-Tenant'], /^411111\*1111 x+$/);
    assert.equal(full['http.response.header.x-cache'], 'hit 411111*1111');
    assert.equal(full['tls.client.server_name'], 'a.example');
    assert.match(full['tls.client.subject'], /merchant\.example/);
    assert.ok(Number.isInteger(full['turnpike.handshake_ms']));
    assert.equal(full['turnpike.query_keys'], 'card,token,411111*1111');
    assert.equal(full['http.response.status_code'], 200);
    for (const field of ['http.request.header.referer', 'http.response.header.x-cache', 'tls.client.subject', 'turnpike.query_keys']) {
        assert.equal(bare[field], undefined, field);
    }
    const text = fs.readFileSync(gateway.accessLogFile, 'latin1');
    assert.ok(!text.includes(CARD) && !text.includes('secret'), text);
});

test('errors have a line whatever the sample; a reload changes fields and sample', async (t) => {
    const dead = await httpOrigin(t);
    await dead.close();
    const rest = `
services: {app: {origins: ["${dead.address}"]}}
routes: [{match: {path: /ping}, respond: {body: pong}}, {match: {path: /app}, service: app}]
`;
    let file;
    const gateway = await startGateway(t, (folder) => {
        file = `${folder}/access.log`;
        return `access_log: {to: ${file}, sample: 0%}\n${rest}`;
    });
    const agent = keepAliveAgent();
    t.after(() => agent.destroy());
    for (let i = 0; i < 100; i++) {
        await request(gateway, { path: '/ping', agent });
    }
    await request(gateway, { path: '/app', agent });
    await request(gateway, { path: '/none', agent });
    assert.deepEqual((await gateway.logged(2)).map((entry) => entry['http.response.status_code']), [502, 404]);

    assert.match(await gateway.reload(`access_log: {to: ${file}, sample: 50%, fields: user_agent.original}\n${rest}`), /generation 2: (?!.*next start)/);
    for (let i = 0; i < 400; i++) {
        await request(gateway, { path: '/ping', headers: { 'User-Agent': 'u' }, agent });
    }
    await request(gateway, { path: '/none', agent });
    const pings = (await gateway.logged((all) => all.filter((entry) => entry['http.response.status_code'] === 404).length === 2))
        .filter((entry) => entry['http.response.status_code'] === 200);
    assert.ok(pings.length > 100 && pings.length < 300, `${pings.length} of 400`); // ten deviations
    assert.ok(pings.every((entry) => entry['user_agent.original'] === 'u'));

    // The short form says the same: nothing has to wait for a start.
    assert.match(await gateway.reload(`access_log: ${file}\n${rest}`), /generation 3: (?!.*next start)/);
    assert.match(await gateway.reload(`access_log: "off"\n${rest}`), /only from the next start on: access_log\.to/);
});

test('what is no field, or holds credentials, is refused', async (t) => {
    const wrong = async (log) => {
        const { code, stderr } = await runGateway(t, `
listeners: [{address: "127.0.0.1:0"}]
access_log: ${log}
routes: [{respond: {body: pong}}]
`, { args: (file) => ['-t', '-c', file] });
        assert.equal(code, 1, log);
        return stderr;
    };
    assert.match(await wrong('{fields: [useragent]}'), /which is no field; write user_agent\.original/);
    assert.match(await wrong('{fields: ["http.request.header.a b"]}'), /which is no field/);
    for (const secret of ['request.header.Authorization', 'request.header.cookie', 'response.header.Set-Cookie', 'request.header.set_cookie']) {
        assert.match(await wrong(`{fields: [http.${secret}]}`), /holds credentials/);
    }
    assert.match(await wrong('{to: relative/path}'), /'access_log.to' expects off, stderr, syslog or an absolute path/);
    assert.match(await wrong('{sample: 101%}'), /access_log.sample/);
    assert.match(await wrong('{file: /x}'), /unknown option 'access_log.file'/);
});
