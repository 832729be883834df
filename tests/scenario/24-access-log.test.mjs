// SPDX-License-Identifier: BSD-2-Clause
// One JSON line an exchange: what is in it, what never is, and where it goes.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { until } from './lib/wait.mjs';

test('the line of an exchange', async (t) => {
    const origin = await httpOrigin(t, { name: 'hello' });
    const gateway = await startGateway(t, `
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: ping, match: {path: /ping}, respond: {status: 200, body: pong}}
  - {name: main, match: {path_prefix: /}, service: app}
`);
    const client = await connect(t, gateway);
    const before = Date.now();
    const wire = `${head('POST /shop/cart?item=4711 HTTP/1.1', 'Host: Pay.Example:81', 'Content-Length: 5', 'X-Request-Id: rid-1')}12345`;
    const answer = await client.ask(wire);
    await client.ask(head('GET /ping HTTP/1.1', 'Host: a'));
    await client.ask(head('GET /again HTTP/1.1', 'Host: a'));
    const [first, second, third] = await gateway.logged(3);

    await t.test('names request and answer', () => {
        assert.equal(first['http.request.method'], 'POST');
        assert.equal(first['url.path'], '/shop/cart');
        assert.equal(first['url.scheme'], undefined, 'http');
        assert.equal(first['http.response.status_code'], 200);
        assert.equal(first['network.protocol.version'], undefined, '1.1');
        assert.equal(first['client.address'], '127.0.0.1');
        assert.equal(first['client.port'], client.socket.localPort);
        assert.match(first['server.address'], /^pay\.example$/i);
        assert.match(first['turnpike.request_id'], /^[0-9a-f-]{36}$/);
        assert.equal(first['turnpike.client_request_id'], 'rid-1');
        assert.equal(second['turnpike.client_request_id'], undefined);
    });

    await t.test('names the way it took', () => {
        assert.equal(first['turnpike.listener'], '127.0.0.1:0');
        assert.equal(first['turnpike.route'], 'main');
        assert.equal(first['turnpike.service'], 'app');
        assert.equal(first['turnpike.origin'], origin.address);
        assert.equal(first['turnpike.outcome'], 'answered');
        assert.equal(first['turnpike.attempts'].length, 1);
        assert.equal(first['turnpike.attempts'][0].origin, origin.address);
        assert.equal(first['turnpike.attempts'][0].delivery, 'answered');
        assert.equal(first['turnpike.attempts'][0].reused, undefined);
        assert.equal(third['turnpike.attempts'][0].reused, true);
        assert.equal(second['turnpike.attempts'], undefined);
        assert.equal(second['turnpike.route'], 'ping');
        assert.equal(second['turnpike.outcome'], 'answered-here');
        assert.equal(second['turnpike.origin'], undefined);
    });

    await t.test('has the time, and phases in microseconds in their order', () => {
        assert.ok(Math.abs(Date.parse(first.timestamp) - before) < 5000, first.timestamp);
        const attempt = first['turnpike.attempts'][0];
        const phases = [attempt.connected_us, attempt.sent_us, attempt.first_byte_us, first['turnpike.total_us']];
        assert.ok(phases.every((each) => Number.isInteger(each)), JSON.stringify(first));
        for (let i = 1; i < phases.length; i++) {
            assert.ok(phases[i] >= phases[i - 1], JSON.stringify(phases));
        }
        assert.ok(first['turnpike.total_us'] < 5_000_000);
    });

    await t.test('counts bytes', () => {
        assert.equal(first['http.request.size'], wire.length);
        assert.equal(first['http.response.size'], answer.raw.length + answer.body.length + chunkOverhead(answer));
    });

    await t.test('names the worker, but the first', () => {
        assert.equal(first['turnpike.worker'], undefined);
    });
});

function chunkOverhead(answer) {
    if (answer.framing !== 'chunked') {
        return 0;
    }
    return answer.chunks.reduce((sum, size) => sum + size.toString(16).length + 4, 5);
}

test('a client that leaves is logged as gone', async (t) => {
    const origin = await httpOrigin(t, { handler: () => new Promise(() => {}) });
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    client.send(head('GET / HTTP/1.1', 'Host: a'));
    await until('the origin to have it', () => origin.requests.length === 1);
    client.reset();
    const [entry] = await gateway.logged(1);
    assert.equal(entry['turnpike.outcome'], 'client-gone');
});

test('no secret is ever logged, in whatever way an exchange ends', async (t) => {
    const origin = await httpOrigin(t, {
        handler: async (asked, answer, record) => {
            if (asked.url.startsWith('/break')) {
                asked.socket.destroy();
                return;
            }
            await record.body();
            answer.setHeader('Set-Cookie', 'session=SECRET-setcookie');
            answer.setHeader('X-Token', 'SECRET-answerheader');
            answer.end('SECRET-answerbody');
        },
    });
    const gateway = await startGateway(t, `
limits: {body_bytes: 1kB}
timeouts: {head: 150ms}
services: {app: {origins: ["${origin.address}"]}, dead: {origins: ["127.0.0.1:1"]}}
routes:
  - {name: dead, match: {path: /dead}, service: dead}
  - {name: moved, match: {path: /moved}, redirect: {status: 302, to: "/x?{query}"}}
  - {name: main, match: {path_prefix: /}, service: app}
`);
    const secrets = ['Host: a', 'Authorization: Bearer SECRET-authorization', 'Proxy-Authorization: Basic SECRET-proxy',
        'Cookie: session=SECRET-cookie', 'X-Api-Key: SECRET-key', 'Referer: http://a/?token=SECRET-referer'];
    const body = 'card=SECRET-body';
    for (const target of ['/ok', '/dead', '/break', '/moved', '/none']) {
        const client = await connect(t, gateway);
        await client.ask(`${head(`POST ${target}?token=SECRET-query&x=SECRET-query2 HTTP/1.1`, ...secrets, `Content-Length: ${body.length}`)}${body}`);
    }
    for (const bytes of [
        head('GET /bad?t=SECRET-query HTTP/1.1', ...secrets, 'Bad Name: SECRET-name'),
        head('GET /bad?t=SECRET-query HTTP/9.1', ...secrets),
        head(`GET /?${'SECRET-long'.repeat(2000)} HTTP/1.1`, ...secrets),
        `${head('POST /large?t=SECRET-query HTTP/1.1', ...secrets, 'Content-Length: 5000')}SECRET-largebody`,
        `GET /slow?t=SECRET-query HTTP/1.1\r\n${secrets.join('\r\n')}`,
        'SECRET-garbage\r\n\r\n',
        head('GET http://user:SECRET-userinfo@a/ HTTP/1.1', ...secrets),
    ]) {
        const client = await connect(t, gateway);
        const answer = await client.ask(bytes);
        assert.ok(answer.status >= 400);
        assert.ok(!answer.text.includes('SECRET'), answer.text);
    }
    await gateway.logged((entries) => entries.filter((each) => each['http.response.status_code'] >= 400).length >= 5);
    await gateway.stop();
    const log = fs.readFileSync(gateway.accessLogFile, 'utf8');
    assert.doesNotMatch(log, /SECRET/);
    assert.doesNotMatch(gateway.stderr, /SECRET/);
});

test('whatever a client sends, each line is one JSON object', async (t) => {
    const gateway = await startGateway(t, 'routes: [{name: all, respond: {status: 200, body: ok}}]');
    const client = await connect(t, gateway);
    for (const fields of [['X-Request-Id: a"b\\c'], ['X-Request-Id: \xff\xfe'], ['X-Request-Id: </script>']]) {
        await client.ask(head('GET /a%22b%0a%5c HTTP/1.1', 'Host: a', ...fields));
    }
    await client.ask(head(`GET /${'long/'.repeat(1000)} HTTP/1.1`, 'Host: a'));
    const entries = await gateway.logged(4);
    assert.ok(entries.every((each) => each['http.response.status_code'] === 200));
});

test('SIGUSR1 opens the file again', async (t) => {
    const gateway = await startGateway(t, 'routes: [{name: all, respond: {status: 200, body: ok}}]');
    const moved = path.join(gateway.folder, 'access.log.1');
    await request(gateway, { path: '/before' });
    await gateway.logged(1);
    fs.renameSync(gateway.accessLogFile, moved);
    await request(gateway, { path: '/still-the-old-file' });
    await gateway.logged(2, moved);
    gateway.signal('SIGUSR1');
    await until('a new file', async () => {
        await request(gateway, { path: '/after' });
        return fs.existsSync(gateway.accessLogFile) && gateway.entries().length > 0;
    });
    assert.ok(gateway.entries().every((each) => each['url.path'] === '/after'));
    assert.deepEqual(gateway.entries(moved).slice(0, 2).map((each) => each['url.path']), ['/before', '/still-the-old-file']);
});

test('a log that is a full pipe never holds up a request', async (t) => {
    const gateway = await startGateway(t, `
access_log: stderr
routes: [{name: all, respond: {status: 200, body: ok}}]
`);
    gateway.child.stderr.pause();
    const client = await connect(t, gateway);
    for (let i = 0; i < 40; i++) {
        client.send(head(`GET /${'x'.repeat(900)} HTTP/1.1`, 'Host: a').repeat(50));
        for (let k = 0; k < 50; k++) {
            assert.equal((await client.answer()).status, 200);
        }
    }
    gateway.child.stderr.resume();
});

test('a pipe without a reader is an error, not a start that never ends', async (t) => {
    const pipe = path.join(temporaryFolder(t), 'log');
    execFileSync('mkfifo', [pipe]);
    const config = `access_log: ${pipe}\nlisteners: [{address: "127.0.0.1:0"}]\nroutes: [{name: all, respond: {body: ok}}]\n`;
    const { code, stderr } = await runGateway(t, config);
    assert.equal(code, 1);
    assert.match(stderr, /cannot open the access log .*log: No such device or address/);
});

test('off writes nothing', async (t) => {
    const gateway = await startGateway(t, 'access_log: off\nroutes: [{name: all, respond: {status: 200, body: ok}}]');
    await request(gateway);
    await gateway.stop();
    assert.ok(!fs.existsSync(gateway.accessLogFile));
    assert.doesNotMatch(gateway.stderr, /"http\.request\.method"/);
});

test('stderr', async (t) => {
    const gateway = await startGateway(t, 'access_log: stderr\nroutes: [{name: all, respond: {status: 200, body: ok}}]');
    await request(gateway, { path: '/seen' });
    await gateway.said(/^\{.*"url\.path":"\/seen".*\}$/m);
});

test('what was logged before the stop is in the file after it', async (t) => {
    const gateway = await startGateway(t, 'routes: [{name: all, respond: {status: 200, body: ok}}]');
    const client = await connect(t, gateway);
    client.send(head('GET / HTTP/1.1', 'Host: a').repeat(200));
    for (let i = 0; i < 200; i++) {
        await client.answer();
    }
    await gateway.stop();
    assert.equal(gateway.entries().length, 200);
});

// glibc's syslog() speaks to /dev/log, in datagrams or, where that is a stream, in text that ends
// with a zero byte. Only where that socket is free to be had: never in the way of a real one.
const SYSLOG = '/dev/log';
const noSyslog = (fs.lstatSync(SYSLOG, { throwIfNoEntry: false }) && 'this machine has a syslog of its own')
    || (process.getuid() !== 0 && 'listening at /dev/log takes root');

test('syslog', { skip: noSyslog }, async (t) => {
    let heard = '';
    const syslog = net.createServer((from) => from.on('data', (bytes) => (heard += bytes)));
    await new Promise((resolve, reject) => syslog.once('error', reject).listen(SYSLOG, resolve));
    t.after(() => new Promise((resolve) => syslog.close(resolve)));
    const gateway = await startGateway(t, 'access_log: syslog\nroutes: [{name: all, respond: {status: 200, body: ok}}]');
    await request(gateway, { path: '/seen' });
    await until('syslog to hear of it', () => /turnpike.*\{.*"url\.path":"\/seen".*\}\0/.test(heard));
    await gateway.stop();
});
