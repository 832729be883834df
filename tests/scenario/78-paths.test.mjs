// SPDX-License-Identifier: BSD-2-Clause
// The path guard before real origins: what could reach a guarded path is refused, what is only
// unusual passes, and dot segments and needless escapes are gone by the time they see a path.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { adminIn, ctlLines, metricsOf, valueOf } from './lib/control.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { nginx, node, pythonFiles, pythonWsgi } from './lib/path-origins.mjs';
import { guarded, HOSTILE, spellingsThatReach, UNUSUAL } from './lib/paths.mjs';
import { connect, head } from './lib/raw-client.mjs';

test('there are enough spellings, and none twice', () => {
    assert.ok(new Set(HOSTILE).size === HOSTILE.length && HOSTILE.length >= 60, `${HOSTILE.length}`);
    assert.ok(new Set(UNUSUAL).size === UNUSUAL.length && UNUSUAL.length >= 40, `${UNUSUAL.length}`);
});

for (const [name, start] of Object.entries({ nginx, node, pythonFiles, pythonWsgi })) {
    test(`no spelling of a guarded path reaches it: ${name}`, async (t) => {
        assert.deepEqual(await spellingsThatReach(t, await start(t)), []);
    });
}

test('unusual paths are not refused, and pass as they came', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, guarded(origin.address));
    const client = await connect(t, gateway);
    const changed = { '//pub/x.txt': '/pub/x.txt', '/adm%69nistrator-guide/%2F': '/administrator-guide/%2F' };
    for (const target of UNUSUAL) {
        const answer = await client.ask(head(`GET ${target} HTTP/1.1`, 'Host: a'));
        assert.equal(answer.status, 200, target);
        assert.equal(origin.requests.at(-1).url, changed[target] ?? target);
    }
});

test('what the route was chosen by is what goes on', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, guarded(origin.address));
    for (const [target, wanted] of [
        ['/admin/../pub/x', '/pub/x'],
        ['/%61dmin/../pub?x=/../y', '/pub?x=/../y'],
        ['/x/./y//z/%2e%2e/w', '/x/y/w'],
        ['/x//y/%7Ez', '/x//y/~z'],
    ]) {
        const client = await connect(t, gateway);
        assert.equal((await client.ask(head(`GET ${target} HTTP/1.1`, 'Host: a'))).status, 200, target);
        assert.equal(origin.requests.at(-1).url, wanted);
    }
});

test('the same on a connection that is tried again, with a body that is gathered', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, guarded(`127.0.0.1:1", "${origin.address}`));
    for (let i = 0; i < 4; i++) {
        const client = await connect(t, gateway);
        const answer = await client.ask(head('PUT /a/../pub/%7Ex?q HTTP/1.1', 'Host: a', 'Content-Length: 3') + 'abc');
        assert.equal(answer.status, 200);
        assert.equal(origin.requests.at(-1).url, '/pub/~x?q');
    }
});

test('a refusal is 400, counted by its cause and logged; off lets it pass', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, (folder) => `
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: admin, match: {path_prefix: /admin}, respond: {status: 403}}
  - {name: store, match: {path_prefix: /store/}, service: app, path_guard: off}
  - {name: api, match: {path_prefix: /api/}, service: app, rewrite: {path_prefix: /tenant-a/}}
  - {name: rest, service: app}
${adminIn(folder)}`);
    const answer = await request(gateway, { path: '/x%2f..%2fadmin' });
    assert.equal(answer.status, 400);
    assert.match(answer.headers['proxy-status'], /error=http_request_denied; details=".*path_guard/);
    assert.equal((await request(gateway, { path: '/api/x%2f..%2f..%2fapi%2fy' })).status, 400);
    assert.equal(origin.requests.length, 0);
    assert.equal((await request(gateway, { path: '/store/x%2f..%2f..%2fadmin' })).status, 200);
    assert.equal(origin.requests.at(-1).url, '/store/x%2f..%2f..%2fadmin');
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_path_guard_other_route_total'), 1);
    assert.equal(valueOf(metrics, 'turnpike_path_guard_outside_prefix_total'), 1);
    const lines = await gateway.logged(3);
    assert.equal(lines[0]['error.type'], 'http_request_denied');
    assert.match(lines[0]['turnpike.detail'], /another route \(path_guard\)/);
    assert.match(lines[1]['turnpike.detail'], /outside of the rewritten prefix/);
});

test('explain shows the readings, from a file and from what runs', async (t) => {
    const yaml = guarded('127.0.0.1:1');
    const question = 'GET http://a/pub/..%2fadmin/x';
    const wanted = /^refused +the path can be read as that of another route .*\n[^]*^\/admin\/x +decoded, dots removed +admin +differs$/m;
    const file = await runGateway(t, `listeners: [{address: "127.0.0.1:0"}]\n${yaml}`, { args: (name) => ['-c', name, '--explain', question] });
    assert.match(file.stdout, wanted);
    const gateway = await startGateway(t, (folder) => yaml + adminIn(folder));
    assert.match((await ctlLines(gateway, 'explain', question)).join('\n'), wanted);
    assert.match((await ctlLines(gateway, 'explain', 'GET http://a/x/../pub//y')).join('\n'), /^forwarded +\/pub\/y$/m);
});

test('a rewrite takes the normal form and never leaves its prefix', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, `
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: api, match: {path_prefix: /api2}, service: app, rewrite: {path_prefix: /tenant-a}}
  - {name: root, match: {path_prefix: /root/}, service: app, rewrite: {path_prefix: /}}
`);
    for (const [target, wanted] of [
        ['/api2/../api2/secret', '/tenant-a/secret'],
        ['/api2/x/../../api2', '/tenant-a'],
        ['/root//evil/x', '/evil/x'],
        ['/root//', '/'],
        ['/root/a%2Fb;v=1?q', '/a%2Fb;v=1?q'],
        ['/api2/..%2fsecret', 400],
        ['/api2/x/..;/..;/api2/secret', 400],
        ['/api2/..\\..\\api2', 400],
        ['/root/%2Fevil/x', 400],
    ]) {
        const client = await connect(t, gateway);
        const answer = await client.ask(head(`GET ${target} HTTP/1.1`, 'Host: a'));
        assert.equal(answer.status === 200 ? origin.requests.at(-1).url : answer.status, wanted, target);
    }
});

test('a file whose paths or prefixes could not hold is refused', async (t) => {
    const check = (route) => runGateway(t, `
listeners: [{address: "127.0.0.1:0"}]
services: {app: {origins: ["127.0.0.1:1"]}}
routes: [{${route}, service: app}]
`, { args: (name) => ['-c', name, '-t'] });
    assert.match((await check('match: {path: "/a%2Fb"}')).stderr, /holds '%2F', which origins read in several ways/);
    assert.equal((await check('match: {path: "/a%2Fb"}, path_guard: off')).code, 0);
    assert.match((await check('match: {path_prefix: /a/}, rewrite: {path_prefix: /b/../c/}')).stderr, /must be in normal form/);
});
