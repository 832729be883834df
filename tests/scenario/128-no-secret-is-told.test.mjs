// SPDX-License-Identifier: BSD-2-Clause
// Nothing tells a card number or a secret, however it is spelled, whatever fails, and wherever one looks: logs
// with a trace on, metrics, spans, turnpikectl, the live page, problem documents, the folder of state.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { collector } from './lib/collector.mjs';
import { adminIn, ask, ctl, ctlLines, metricsOf, valueOf } from './lib/control.mjs';
import { isInstrumented, startGateway } from './lib/gateway.mjs';
import { ask as askHttp2, connectHttp2, open } from './lib/http2.mjs';
import { skipLinuxOnly } from './lib/linux-only.mjs';
import { assertSilent, CARD, PATHS, SECRET, SPELLINGS } from './lib/marks.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { authority, certificateList, secureRequest } from './lib/tls.mjs';
import { patient, until, within } from './lib/wait.mjs';
import { hasBrowser, openBrowser } from './lib/webdriver.mjs';

// What turnpikectl reads, in words and as JSON.
const READING = [['status'], ['services'], ['routes'], ['connections', '--top', '50'], ['certs'], ['tls'], ['export'], ['metrics'], ['cache'],
    ['ramp', 'status'], ['reload', '--diff'], ['explain', 'GET http://a.example/v1/x']];

async function everythingRead(gateway) {
    const told = {};
    for (const words of READING) {
        for (const more of [[], ['--json']]) {
            const { stdout, stderr } = await ctl(gateway, ...more, ...words);
            told[`turnpikectl ${[...more, ...words].join(' ')}`] = stdout + stderr;
        }
    }
    told['turnpikectl --json top'] = (await ctl(gateway, '--json', 'top')).stdout;
    for (const page of ['/metrics', '/', '/v1/live', '/v1/connections?top=1000']) {
        told[page] = (await ask(gateway, page)).body;
    }
    told.openmetrics = (await ask(gateway, '/metrics', { headers: { accept: 'application/openmetrics-text' } })).body;
    assert.match(told.openmetrics, /trace_id=/);
    return told;
}

// The stream of the live page from its begin to its second update.
function liveStream(gateway) {
    return within('the live page', new Promise((resolve, reject) => {
        const sent = http.get({ socketPath: `${gateway.folder}/admin.sock`, path: '/live', agent: false }, (answer) => {
            let text = '';
            answer.setEncoding('utf8').on('error', reject).on('data', (part) => {
                text += part;
                if (text.split('event: update').length > 2) {
                    resolve(text);
                    sent.destroy();
                }
            });
        });
        sent.on('error', reject);
    }), patient(30_000));
}

async function pageInBrowser(t, gateway) {
    const [, port] = await gateway.said(/metrics at \S+:([0-9]+) \(/);
    const browser = await openBrowser(t);
    await browser.go(`http://127.0.0.1:${port}/`);
    await until('the page to be live', async () => /live/.test(await browser.run("return document.getElementById('state').innerText")), patient(60_000));
    return browser.run('return document.documentElement.outerHTML + document.body.innerText + document.title');
}

const marked = (spelled) => ({
    Authorization: `Bearer ${SECRET}`, Cookie: `session=${SECRET}; card=${CARD}`, 'X-Card': spelled, [`X-${SECRET}`]: SECRET, 'Proxy-Authorization': `Basic ${SECRET}`,
    Referer: `https://joe:${SECRET}@a.example/${spelled.replaceAll(' ', '%20')}?token=${SECRET}`, 'User-Agent': `a ${spelled}`, 'X-Request-Id': `${'r'.repeat(60)}${spelled}`,
    'Idempotency-Key': `${SECRET}-${CARD}`, tracestate: `a=${SECRET}`, 'X-Long': `${'x'.repeat(500)} ${spelled}`,
});
const QUERY = `?token=${SECRET}&card=${CARD}&${SECRET}&password=${SECRET}`;

// Requests that fail before they have a route, and how.
const BROKEN = [
    [`GET /${CARD}${QUERY} HTTP/1.1`, `Host: joe:${SECRET}@a.example`],
    [`GET http://joe:${SECRET}@a.example/v1/${CARD} HTTP/1.1`, 'Host: a.example'],
    [`GET /v1/${CARD}#token=${SECRET} HTTP/1.1`, 'Host: a.example'],
    [`GET /v1/${CARD} ${SECRET} HTTP/1.1`, 'Host: a.example'],
    [`GET /v1/${CARD} HTTP/1.1`, 'Host: a.example', `X ${SECRET}: ${CARD}`],
    [`GET /v1/${CARD} HTTP/1.1`, 'Host: a.example', `X-Bad: ${SECRET}\0${CARD}`],
    [`GET /v1/${CARD} HTTP/1.1`, 'Host: a.example', `Content-Length: ${SECRET}`],
    [`GET /v1/${CARD} HTTP/1.1`, 'Host: a.example', `Transfer-Encoding: ${SECRET}`],
    [`${CARD} /v1/x HTTP/1.1`, `Host: ${CARD}.example`],
    [`GET /v1/x HTTP/1.1`, `Host: ${'h'.repeat(60)}.${'h'.repeat(60)}.${'h'.repeat(60)}.${CARD}.example`],
    [`CONNECT ${CARD}.example:443 HTTP/1.1`, `Host: ${CARD}.example:443`],
    [`GET /${SECRET} HTTP/9.9`, 'Host: a.example'],
    [`GET /v1/${'p'.repeat(1010)}${CARD} HTTP/1.1`, 'Host: a.example'],
    [`GET /long/${CARD}/${'p'.repeat(10_000)} HTTP/1.1`, 'Host: a.example'],
    [`GET /v1/${CARD} HTTP/1.1`, 'Host: a.example', `X-Large: ${SECRET.repeat(4000)}`],
    [`POST /small/${CARD} HTTP/1.1`, 'Host: a.example', 'Content-Length: 100000', `Cookie: ${SECRET}`],
    [`POST /v1/${CARD} HTTP/1.1`, 'Host: a.example', 'Transfer-Encoding: chunked', `Cookie: ${SECRET}`, '', `${SECRET}`],
];

// Answers of origins that are not as they should be.
const ODD_ANSWERS = [
    `HTTP/1.1 200 ${SECRET}\r\nContent-Length: ${SECRET}\r\n\r\n${CARD}`,
    `${SECRET} ${CARD}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\nX ${SECRET}: ${CARD}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: ${SECRET}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nSet-Cookie: a=${SECRET}\r\n\r\n${CARD}`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${SECRET}\r\n`,
];

async function failAll(t, gateway) {
    for (const lines of BROKEN) {
        const client = await connect(t, gateway);
        client.send(head(...lines));
        const { status, raw, body } = await client.answer();
        if (status >= 400) { // else it is the origin's
            assertSilent(`the answer to ${lines[0].slice(0, 50)}`, raw + body);
        }
        client.destroy();
    }
    for (let i = 0; i < ODD_ANSWERS.length; i++) {
        const client = await connect(t, gateway);
        client.send(head(`GET /odd/${i}/${CARD}${QUERY} HTTP/1.1`, 'Host: a.example', 'Connection: close'));
        await client.closed();
    }
    const leaving = await connect(t, gateway);
    leaving.send(head(`POST /v1/${CARD}${QUERY} HTTP/1.1`, 'Host: a.example', 'Content-Length: 100000', `Cookie: ${SECRET}`) + CARD + SECRET);
    leaving.destroy();
}

async function askOverHttp2(t, gateway, ca) {
    const session = await connectHttp2(t, gateway, { at: 1, ca: ca.pem, servername: `${CARD}.example`, checkServerIdentity: () => undefined });
    for (const spelled of PATHS) {
        const headers = Object.fromEntries(Object.entries(marked(spelled)).map(([name, value]) => [name.toLowerCase(), value]));
        for (const place of ['v1', 'gone', 'none', 'slow']) {
            await askHttp2(session, { ':path': `/${place}/${spelled}${QUERY}`, ...headers }, { body: `${CARD} ${SECRET}`, trailers: { [`x-${SECRET}`]: `${CARD} ${SECRET}` } });
        }
    }
    const cut = open(session, { ':path': `/slow/${CARD}${QUERY}`, ':method': 'POST', cookie: SECRET }, { endStream: false });
    cut.write(SECRET);
    cut.close(8);
}

test('no secret is told, however it is spelled and whatever fails', async (t) => {
    const to = await collector(t);
    const ca = await authority(t);
    const own = await ca.issue({ names: ['a.example'] });
    const origin = await httpOrigin(t, {
        handler: async (asked, response, record) => {
            await record.body();
            response.writeHead(200, { 'Set-Cookie': `s=${SECRET}`, 'X-Card': SPELLINGS[1], Trailer: 'X-End' });
            response.addTrailers({ 'X-End': SECRET });
            response.end(`${CARD} ${SECRET}`);
        },
    });
    const slow = await rawOrigin(t, async (wire) => { await wire.request(); });
    let odd = 0;
    const mistaken = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send(ODD_ANSWERS[odd++ % ODD_ANSWERS.length]).end();
    });
    const yaml = (folder, secret) => `workers: 1
${adminIn(folder, 'metrics: "127.0.0.1:0"')}
state_directory: ${folder}/state
listeners: [{address: "127.0.0.1:0"}, {address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}]
tracing: {to: "${to.url}", sample: 100%}
request_id: any
access_log:
  to: ${folder}/access.log
  fields: [user_agent.original, http.request.header.referer, http.request.header.x-long, http.response.header.x-card, tls.client.server_name, tls.client.subject,
    turnpike.handshake_ms, turnpike.query_keys]
services:
  app: {origins: ["${origin.address}"]}
  two: {origins: ["${origin.address}"]}
  gone: {origins: ["127.0.0.1:1"]}
  slow: {origins: ["${slow.address}"]}
  odd: {origins: ["${mistaken.address}"]}
routes:
  - {match: {path_prefix: /gone}, service: gone}
  - {match: {path_prefix: /slow}, service: slow, timeouts: {first_byte: 50ms}}
  - {match: {path_prefix: /odd}, service: odd, retry: {idempotent: false}}
  - {match: {path_prefix: /small}, service: app, body_bytes: 10B}
  - name: app
    match: {path_prefix: /v1}
    split: {app: 50%, two: 50%}
    sticky: {cookie: session}
    salt: ${secret}
    request_headers: {set: {Authorization: "Bearer ${secret}", X-Card: "${CARD}"}}
    maintenance_pass: {X-Tester: ${secret}}
    rate_limits: [{name: by-key, key: {header: X-Card}, requests: 100000, window: 1h}]
`;
    const gateway = await startGateway(t, (folder) => {
        fs.mkdirSync(`${folder}/state`);
        return yaml(folder, `${SECRET}-a`);
    });
    const configs = [gateway.file, `${gateway.folder}/state/last-good.yaml`];
    await ctlLines(gateway, 'trace', 'client=127.0.0.1', 'for=3600'); // the process log at debug
    for (const spelled of PATHS) {
        for (const place of ['/v1', '/gone', '/slow', '/none']) {
            const answer = await request(gateway, { method: 'POST', path: `${place}/${spelled}${QUERY}`, headers: { ...marked(spelled), Accept: 'text/html' }, body: `${CARD} ${SECRET}` });
            if (place !== '/v1') {
                assertSilent(`the answer to ${place}`, answer.body);
            }
        }
    }
    for (const spelled of SPELLINGS) {
        await request(gateway, { path: '/v1/x', headers: marked(spelled) });
    }
    await failAll(t, gateway);
    await askOverHttp2(t, gateway, ca);
    await assert.rejects(secureRequest({ connectOptions: gateway.listeners[1].connectOptions }, { ca: ca.cert, name: `${CARD}.example`, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }));
    assert.match((await ctlLines(gateway, 'diff', gateway.file)).join('\n'), /./);
    gateway.rewrite(yaml(gateway.folder, `${SECRET}-b`));
    const told = { diff: (await ctlLines(gateway, 'reload', '--diff')).join('\n'), reload: (await ctlLines(gateway, 'reload')).join('\n') };
    assert.match(told.diff, /not shown/);
    gateway.rewrite(`${yaml(gateway.folder, `${SECRET}-c`)}nonsense: 1\n`);
    told.refusal = (await ctl(gateway, 'reload')).stderr;
    gateway.rewrite(yaml(gateway.folder, `${SECRET}-b`));

    Object.assign(told, await everythingRead(gateway), { live: await liveStream(gateway) });
    if (hasBrowser) {
        told.page = await pageInBrowser(t, gateway);
    } else {
        t.diagnostic('without the page in a browser: needs chromium and chromedriver');
    }
    await gateway.stop();
    Object.assign(told, { stderr: gateway.stderr, spans: to.raw });
    assert.match(told.stderr, /debug trace /);
    assert.match(told.stderr, /TLS handshake of/);
    for (const file of fs.readdirSync(gateway.folder, { recursive: true, withFileTypes: true })) {
        const name = `${file.parentPath ?? file.path}/${file.name}`;
        if (file.isFile() && !configs.includes(name) && fs.statSync(name).size > 0) {
            told[name] = fs.readFileSync(name, 'latin1');
        }
    }
    assert.ok(Object.keys(told).some((name) => name.endsWith('/audit.log')), Object.keys(told).join(' '));
    for (const [where, text] of Object.entries(told)) {
        assertSilent(where, text);
    }
    assert.ok(told[gateway.accessLogFile].includes('411111*1111') && told.spans.includes('411111*1111') && told.stderr.includes('411111*1111'));
});

// The core file that a gateway leaves in its folder, where this machine writes cores there.
async function coreOf(gateway) {
    gateway.expectsExit = true;
    gateway.signal('SIGABRT');
    await within('the gateway to be gone', gateway.exited, patient(30_000));
    const [name] = fs.readdirSync(gateway.folder).filter((each) => /^core(\.[0-9]+)?$/.test(each));
    assert.ok(name, `a core file in ${fs.readdirSync(gateway.folder)}`);
    return fs.readFileSync(path.join(gateway.folder, name));
}

function countOf(bytes, mark) {
    let count = 0;
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) {
        count++;
    }
    return count;
}

const noCores = isInstrumented ? 'a sanitizer writes no core'
    : !/^core$/.test(fs.readFileSync('/proc/sys/kernel/core_pattern', 'latin1').trim()) ? 'cores go elsewhere here (kernel.core_pattern)' : false;

// What is under way when the core is written, by how it came, and how much of its 20,000 marks may be seen:
// what a copy left in registers; over TLS and HTTP/2 what the libraries hold, and heads of streams.
const UNDER_WAY = {
    'HTTP/1': { most: 100, begin: async (t, gateway) => {
        for (let i = 0; i < 20; i++) {
            const client = await connect(t, gateway);
            client.send(head(`POST /slow/${i}?token=${SECRET} HTTP/1.1`, 'Host: a.example', 'Content-Length: 100000', `Cookie: ${SECRET}`) + SECRET.repeat(1000));
        }
    } },
    'HTTP/2 and TLS': { most: 4000, begin: async (t, gateway, ca) => {
        const session = await connectHttp2(t, gateway, { at: 1, ca: ca.pem, servername: 'a.example', checkServerIdentity: () => undefined });
        for (let i = 0; i < 20; i++) {
            open(session, { ':path': `/slow/${i}?token=${SECRET}`, ':method': 'POST', cookie: SECRET }, { endStream: false }).write(SECRET.repeat(1000));
        }
    } },
};

for (const [kind, { most, begin }] of Object.entries(UNDER_WAY)) {
    const name = `a core file is without the buffers of ${kind}`;
    test(name, { skip: noCores || skipLinuxOnly(name) }, async (t) => {
        const ca = await authority(t);
        const own = await ca.issue({ names: ['a.example'] });
        const slow = await rawOrigin(t, async (wire) => { await wire.requestHead(); });
        const gateway = await startGateway(t, (folder) => `
${adminIn(folder)}
core_dumps: true
listeners: [{address: "127.0.0.1:0"}, {address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}]
services: {slow: {origins: ["${slow.address}"]}}
routes: [{name: slow, match: {path_prefix: /slow}, service: slow}]
`, { wrap: ['sh', '-c', 'ulimit -c unlimited; exec "$@"', 'sh'] });
        await begin(t, gateway, ca);
        await until('all to be under way', async () => valueOf(await metricsOf(gateway), 'turnpike_exchanges_started_total') === 20, patient(30_000));
        const core = await coreOf(gateway);
        assert.ok(countOf(core, 'turnpike') > 0);
        const count = countOf(core, SECRET);
        t.diagnostic(`${core.length} bytes, ${count} marks`);
        assert.ok(count <= most, `${count} marks`);
    });
}
