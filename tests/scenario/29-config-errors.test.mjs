// SPDX-License-Identifier: BSD-2-Clause
// A bad file starts nothing: exit code 1, every error in one run, each with its place.
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from './lib/folder.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { linuxOnly } from './lib/linux-only.mjs';

const GOOD = `listeners:
  - address: 127.0.0.1:0
services:
  app: {origins: ["127.0.0.1:9000"]}
routes:
  - name: all
    service: app
`;

// Runs it both ways (-t and a start) and checks that both refuse.
async function refused(t, yaml) {
    const checked = await runGateway(t, yaml, { args: (file) => ['-t', '-c', file] });
    const started = await runGateway(t, yaml);
    assert.equal(checked.code, 1, `-t: ${checked.stderr}${checked.stdout}`);
    assert.equal(started.code, 1, started.stderr);
    assert.doesNotMatch(started.stderr, /listening on/);
    return { text: checked.stderr + checked.stdout, file: checked.file };
}

test('a good file is good', async (t) => {
    const result = await runGateway(t, GOOD, { args: (file) => ['-t', '-c', file] });
    assert.equal(result.code, 0, result.stderr);
});

test('an error has file, line, column, the source line and a caret', async (t) => {
    const { text, file } = await refused(t, GOOD.replace('    service: app', '    servise: app'));
    const lines = text.split('\n');
    const at = lines.findIndex((line) => line.includes('servise') && line.includes(':7:5:'));
    assert.ok(at >= 0, text);
    assert.ok(lines[at].startsWith(`${file}:7:5: `) || lines[at].startsWith(`${path.basename(file)}:7:5: `), lines[at]);
    const source = lines.findIndex((line, i) => i > at && line.endsWith('    servise: app'));
    assert.ok(source > at, text);
    const shift = lines[source].indexOf('servise');
    assert.equal(lines[source + 1].indexOf('^'), shift, text);
});

test('the nearest known name is offered', async (t) => {
    const { text } = await refused(t, GOOD.replace('    service: app', '    servise: app'));
    assert.match(text, /"?service"?/);
    const service = await refused(t, GOOD.replace('service: app', 'service: ap'));
    assert.match(service.text, /ap.*app/s);
});

test('all errors in one run, in order', async (t) => {
    const { text } = await refused(t, `workers: many
listeners:
  - address: 127.0.0.1:99999
    colour: red
services:
  app: {origins: ["127.0.0.1:9000"], balance: fair}
routes:
  - name: all
    service: nowhere
timeouts: {head: 5 parsecs}
`);
    const lines = [...text.matchAll(/turnpike\.yaml:([0-9]+):([0-9]+): /g)].map((match) => Number(match[1]));
    assert.deepEqual([...new Set(lines)], [1, 3, 4, 6, 9, 10]);
});

for (const [name, yaml, pattern] of [
    ['a duplicate key', `${GOOD}workers: 1\nworkers: 2\n`, /:9:1: .*workers/],
    ['an unknown key at the top', `${GOOD}wrkers: 1\n`, /:8:1: .*wrkers/],
    ['a renamed option', `${GOOD}limits: {gather_bytes: 8KiB}\n`, /:8:10: 'limits\.gather_bytes' was renamed: write 'limits\.request_buffer'/],
    ['an alias', 'listeners: &l\n  - address: 127.0.0.1:0\nroutes: *l\n', /alias|anchor/i],
    ['nesting without end', `listeners: ${'['.repeat(200)}${']'.repeat(200)}\n`, /deep|nest/i],
    ['broken YAML', 'listeners: [\n', /:[0-9]+:[0-9]+: /],
    ['a tab for indentation', 'listeners:\n\t- address: 127.0.0.1:0\n', /:2:1: line 2 uses a tab for indentation; use spaces/],
    ['a bracket that is not closed', GOOD.replace('app: {origins: ["127.0.0.1:9000"]}', 'app: {origins: ["127.0.0.1:9000"]'), /:4:8: the '\{' that opens here is not closed/],
    ['a variable', GOOD.replace('127.0.0.1:0', '${LISTEN}'), /:2:14: variables such as \$\{NAME\} are not supported: /],
    ['a regular expression', GOOD.replace('    service: app', '    match: {path: "^/api/(.*)$"}\n    service: app'), /:7:19: .*regular expressions are not supported: use match\.path/],
    ['a network with host bits', `${GOOD}trusted_proxies: [10.0.0.1/8]\n`, /:8:19: .*write 10\.0\.0\.0\/8 for the network, or 10\.0\.0\.1 for that one address/],
    ['an empty file', '', /listeners/],
    ['no listeners', GOOD.replace(/listeners:\n.*\n/, ''), /listeners/],
    ['no routes', GOOD.replace(/routes:[\s\S]*/, ''), /routes/],
    ['a number that is none', `${GOOD}workers: 1x\n`, /:8:10: /],
    ['a number out of range', `${GOOD}workers: 100000\n`, /:8:10: .*256/],
    ['a time without a unit', `${GOOD}timeouts: {head: 5}\n`, /:8:18: /],
    ['a size with a wrong unit', `${GOOD}limits: {head_bytes: 5 apples}\n`, /:8:22: /],
    ['a split that is not 100%', GOOD.replace('service: app', 'split: {app: 95%}'), /100/],
    ['a split to an unknown service', GOOD.replace('service: app', 'split: {app: 95%, other: 5%}'), /other/],
    ['two actions in a route', GOOD.replace('    service: app', '    service: app\n    respond: {status: 200}'), /respond|service/],
    ['no action in a route', GOOD.replace('    service: app\n', ''), /service|respond/],
    ['two routes of one name', `${GOOD}  - name: all\n    service: app\n`, /all/],
    ['a service without origins', GOOD.replace('origins: ["127.0.0.1:9000"]', 'origins: []'), /origin/],
    ['an address without a port', GOOD.replace('127.0.0.1:0', '127.0.0.1'), /:2:14: .*address/],
    ['a bad header name', GOOD.replace('    service: app', '    service: app\n    request_headers: {set: {"X A": 1}}'), /X A/],
    ['a header value with a line break', GOOD.replace('    service: app', '    service: app\n    request_headers: {set: {X-A: "a\\r\\nb"}}'), /:8:/],
    ['an edit of a framing field', GOOD.replace('    service: app', '    service: app\n    request_headers: {set: {Content-Length: 5}}'), /Content-Length/i],
    ['a bad network', `${GOOD}trusted_proxies: [10.0.0.0/33]\n`, /:8:/],
    ['a path that is not in normal form', GOOD.replace('    service: app', '    match: {path: /a/../b}\n    service: app'), /:7:/],
    ['bytes that are no UTF-8', Buffer.from(`${GOOD}via: "\xff"\n`, 'latin1'), /:8:|UTF-8/i],
]) {
    test(`${name} is refused`, async (t) => {
        const { text } = await refused(t, yaml);
        assert.match(text, pattern);
    });
}

test('a file that is not there', async (t) => {
    const missing = path.join(temporaryFolder(t), 'missing.yaml');
    const result = await runGateway(t, '', { args: () => ['-c', missing] });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /missing\.yaml/);
});

test('an unknown argument explains how it is used', async (t) => {
    const result = await runGateway(t, '', { args: () => ['--nonsense'] });
    assert.ok(result.code !== 0);
    assert.match(result.stderr + result.stdout, /-c/);
});

// What is told of a good file, line by line; the exit code stays 0.
async function warned(t, yaml, options = {}) {
    const { code, stderr, stdout } = await runGateway(t, yaml, { args: (file) => ['-t', '-c', file], ...options });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /is good/);
    return stderr;
}

test('warnings of the file leave the exit code at 0', async (t) => {
    assert.equal(await warned(t, `${GOOD}admin: {socket: off}\n`), '');
    const unused = GOOD.replace('services:', 'services:\n  spare: {origins: ["127.0.0.1:9001"]}');
    assert.match(await warned(t, unused), /turnpike\.yaml:4:3: no route uses the service 'spare'/);
    const loop = GOOD.replace('127.0.0.1:0', '0.0.0.0:19081').replace('127.0.0.1:9000', '127.0.0.1:19081');
    assert.match(await warned(t, loop), /turnpike\.yaml:4:3: the origin '127\.0\.0\.1:19081' .* is this gateway's own listener '0\.0\.0\.0:19081' \(line 2\)/);
    // What comes in by the other listener goes nowhere: no request can come back.
    const answers = `listeners: [{address: "127.0.0.1:19080"}, {address: "127.0.0.1:19081"}]
services: {app: {origins: ["127.0.0.1:19081"]}}
routes:
  - {name: front, match: {listener: "127.0.0.1:19080"}, service: app}
  - {name: answer, match: {listener: "127.0.0.1:19081"}, respond: {body: ok}}
admin: {socket: off}
`;
    assert.equal(await warned(t, answers), '');
    assert.match(await warned(t, answers.replace('name: front, match: {listener: "127.0.0.1:19080"}', 'name: front')), /own listener/);
    const star = GOOD.replace('    service: app', '    match: {path: /api/*}\n    service: app');
    assert.match(await warned(t, star), /turnpike\.yaml:7:19: .*stands for itself; use match\.path_prefix/);
});

test('options of a route without effect are warned of', async (t) => {
    const route = (more, service = '') => `listeners: [{address: "127.0.0.1:0"}]
services: {app: {origins: ["127.0.0.1:9000"]${service}}}
admin: {socket: off}
routes:
  - service: app
    ${more}
`;
    for (const [more, pattern] of [
        ['max_coalesced: 5', /:6:5: 'max_coalesced' has no effect without coalesce: true/],
        ['coalesce_timeout: 5s', /:6:5: 'coalesce_timeout' has no effect without coalesce: true/],
        ['cache: {ttl: 1s, max_bytes: 1MiB, max_answer: 2MiB}', /:6:[0-9]+: 'cache\.max_answer' is more than cache\.max_bytes/],
        ['rate_limits: [{name: each, key: certificate_subject, requests: 5}]', /:6:[0-9]+: the rate limit 'each' counts by certificate_subject, and no listener/],
        ['fair_by: client_address', /:6:5: 'fair_by' has no effect: no service of this route has concurrency: auto/],
        ['maintenance_pass: {X-Tester: ""}', /:6:5: 'maintenance_pass': the value of 'x-tester' is empty/],
    ]) {
        const told = await warned(t, route(more));
        assert.match(told, pattern);
        assert.equal(told.trim().split('\n').length, 1, told);
    }
    for (const more of ['coalesce: true\n    max_coalesced: 5\n    coalesce_timeout: 5s', 'cache: {ttl: 1s, max_bytes: 64KiB}', 'rate_limits: [{key: client_address, requests: 5}]', 'maintenance_pass: {X-Tester: true}']) {
        assert.equal(await warned(t, route(more)), '');
    }
    assert.equal(await warned(t, route('fair_by: client_address', ', concurrency: auto')), '');
});

test('-t looks at folders, ports and the state directory', async (t) => {
    const taken = net.createServer();
    await new Promise((done) => taken.listen(0, '127.0.0.1', done));
    t.after(() => taken.close());
    const { port } = taken.address();
    const ramp = `listeners:
  - address: 127.0.0.1:${port}
  - address: unix:/nowhere/sockets/t.sock
access_log: /nowhere/logs/access.log
pid_file: /nowhere/run/t.pid
state_directory: /nowhere/state
admin: {socket: /nowhere/admin/t.sock}
services:
  old: {origins: ["127.0.0.1:9000"]}
  new: {origins: ["127.0.0.1:9001"]}
routes:
  - name: all
    split: {old: 100%, new: 0%}
    ramp: {to: new, steps: [5%, 50%], hold: 1m}
`;
    const said = await warned(t, ramp);
    for (const pattern of [
        new RegExp(`turnpike\\.yaml:2:14: listener 127\\.0\\.0\\.1:${port}: another process listens there; a start would fail`),
        /turnpike\.yaml:3:14: listener \/nowhere\/sockets\/t\.sock: its folder is not there/,
        /turnpike\.yaml:4:13: access_log \/nowhere\/logs\/access\.log: its folder is not there/,
        /turnpike\.yaml:5:11: pid_file \/nowhere\/run\/t\.pid: its folder is not there/,
        /turnpike\.yaml:6:18: state directory \/nowhere\/state: .*there is a ramp/,
        /turnpike\.yaml:7:17: admin\.socket \/nowhere\/admin\/t\.sock: its folder is not there/,
    ]) {
        assert.match(said, pattern);
    }
});

test(...linuxOnly('-t beside the gateway that runs tells nothing of its ports'), async (t) => {
    const gateway = await startGateway(t, (folder) => `admin: {socket: ${folder}/admin.sock}\nroutes: [{name: r, respond: {body: x}}]\n`);
    const yaml = `listeners: [{address: "127.0.0.1:${gateway.port}"}]\naccess_log: off\nroutes: [{name: r, respond: {body: x}}]\n`;
    assert.match(await warned(t, `${yaml}admin: {socket: off}\n`), /another process listens there/);
    assert.doesNotMatch(await warned(t, `${yaml}admin: {socket: ${gateway.folder}/admin.sock}\n`), /listens there/);
});

test('a listener that cannot be opened is told with its place', async (t) => {
    const taken = net.createServer();
    await new Promise((done) => taken.listen(0, '127.0.0.1', done));
    t.after(() => taken.close());
    const { code, stderr } = await runGateway(t, GOOD.replace('127.0.0.1:0', `127.0.0.1:${taken.address().port}`));
    assert.equal(code, 1);
    assert.match(stderr, /turnpike\.yaml:2:14: cannot listen on 127\.0\.0\.1:[0-9]+: Address already in use/);
});
