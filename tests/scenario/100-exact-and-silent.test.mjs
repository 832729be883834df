// SPDX-License-Identifier: BSD-2-Clause
// What is told is exact: counters are what clients counted, with reloads in between (TURNPIKE_COUNT=1000000
// for many: h2load of package nghttp2-client counts then, since Node takes minutes). And it is silent about secrets: card numbers and credentials, wherever a client puts them,
// are in no log, metric, span or page.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import test from 'node:test';
import { promisify } from 'node:util';
import { keepAliveAgent, request } from './lib/client.mjs';
import { collector } from './lib/collector.mjs';
import { adminIn, ask, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect } from './lib/raw-client.mjs';
import { patient, until, within } from './lib/wait.mjs';

const COUNT = Number(process.env.TURNPIKE_COUNT ?? 3000);
const LANES = 8;
const MANY = COUNT > 50_000;
const PATHS = { '/app': 'app', '/here': 'here', '/none': '' }; // and the routes that take them

// How many answers of which status classes came to COUNT requests, by route.
async function countedByNode(gateway) {
    const counted = {};
    const paths = Object.keys(PATHS);
    let left = COUNT;
    const lane = async () => {
        const agent = keepAliveAgent();
        while (left-- > 0) {
            const path = paths[left % paths.length];
            const { status } = await request(gateway, { path, agent });
            const key = `${PATHS[path]} ${Math.floor(status / 100)}xx`;
            counted[key] = (counted[key] ?? 0) + 1;
        }
        agent.destroy();
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return counted;
}

async function countedByH2load(gateway) {
    const counted = {};
    const load = async ([path, route], i) => {
        const count = Math.floor(COUNT / 3) + (i < COUNT % 3 ? 1 : 0);
        const url = `http://127.0.0.1:${gateway.connectOptions.port}${path}`;
        const { stdout } = await promisify(execFile)('h2load', ['--h1', '-n', String(count), '-c', String(LANES), url], { maxBuffer: 1 << 24 });
        const [, succeeded, failed] = new RegExp(`requests: ${count} total, ${count} started, ${count} done, ([0-9]+) succeeded, ([0-9]+) failed, 0 errored`).exec(stdout) ?? assert.fail(stdout);
        assert.equal(Number(succeeded) + Number(failed), count);
        for (const [status, number] of [['2xx', succeeded], ['4xx', failed]]) { // its line of classes leaves 418 out
            if (number !== '0') {
                counted[`${route} ${status}`] = Number(number);
            }
        }
    };
    await Promise.all(Object.entries(PATHS).map(load));
    return counted;
}

test('counters are what the clients counted', async (t) => {
    const origin = await httpOrigin(t);
    const yaml = (folder, more) => `workers: 2
${adminIn(folder)}
access_log: "off"
limits: {requests_per_connection: none}
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: app, match: {path: /app}, service: app}
  - {name: here, match: {path: /here}, respond: {status: ${more}}}
`;
    const gateway = await startGateway(t, (folder) => yaml(folder, 418));
    const loading = (MANY ? countedByH2load : countedByNode)(gateway);
    let over = false;
    const ended = loading.finally(() => { over = true; });
    ended.catch(() => {}); // it is awaited below
    let reloads = 0;
    while (!over && (MANY || reloads < 5)) {
        assert.match(await gateway.reload(yaml(gateway.folder, reloads % 2 === 0 ? 200 : 418)), new RegExp(`generation ${reloads + 2}:`));
        reloads++;
    }
    const counted = await ended;
    t.diagnostic(`${COUNT} requests, ${reloads} reloads`);
    await until('the last exchanges to be counted', async () => {
        const family = (await metricsOf(gateway)).get('turnpike_route_exchanges_total');
        const told = {};
        for (const { labels, value } of family.samples) {
            if (value > 0) {
                told[`${labels.route} ${labels.status}`] = value;
            }
        }
        const sum = Object.values(told).reduce((a, b) => a + b, 0);
        if (sum < COUNT) {
            return false;
        }
        assert.deepEqual(told, counted);
        assert.equal(sum, COUNT);
        return true;
    }, patient(30_000));
});

test('no secret is told by anything', async (t) => {
    const CARD = '4111111111111111';
    const SECRET = 'hush-7f3a9c';
    const to = await collector(t);
    const origin = await httpOrigin(t, {
        handler: async (asked, response, record) => {
            await record.body();
            response.writeHead(200, { 'Set-Cookie': `s=${SECRET}`, 'X-Card': CARD }).end(`${CARD} ${SECRET}`);
        },
    });
    const gateway = await startGateway(t, (folder) => `
${adminIn(folder)}
tracing: {to: "${to.url}", sample: 100%}
access_log: {to: ${folder}/access.log, fields: [user_agent.original, http.request.header.referer, turnpike.query_keys, http.response.header.x-card]}
services: {app: {origins: ["${origin.address}"]}, gone: {origins: ["127.0.0.1:1"]}}
routes: [{match: {path_prefix: /gone}, service: gone}, {match: {path_prefix: /v1}, service: app}]
`, { wrap: ['sh', '-c', 'ulimit -c unlimited 2>/dev/null; exec "$@"', 'sh'] });
    let asked = 0;
    for (const place of ['/v1', '/gone', '/none']) {
        for (const method of ['GET', 'POST']) {
            await request(gateway, {
                method,
                path: `${place}/${CARD}?token=${SECRET}&card=${CARD}&${SECRET}`,
                headers: {
                    Authorization: `Bearer ${SECRET}`, Cookie: `session=${SECRET}; card=${CARD}`, 'X-Card': CARD, 'X-Secret': SECRET,
                    Referer: `https://a.example/${CARD}?token=${SECRET}`, 'User-Agent': `a ${CARD}`, 'X-Request-Id': CARD,
                    'Idempotency-Key': `${SECRET}-${CARD}`, tracestate: `a=${SECRET}`,
                },
                ...(method === 'POST' && { body: `${CARD} ${SECRET}` }),
            });
            asked++;
        }
    }
    await gateway.logged(asked);
    await to.has(asked + 4);
    const told = { log: fs.readFileSync(gateway.accessLogFile, 'latin1'), stderr: gateway.stderr, spans: to.raw };
    for (const page of ['/metrics', '/', '/status', '/routes', '/origins', '/connections', '/config']) {
        told[page] = (await ask(gateway, page)).body;
    }
    for (const [where, text] of Object.entries(told)) {
        assert.ok(text.length > 0 && !text.includes(CARD) && !text.includes(SECRET), `${where}: ${text.slice(0, 2000)}`);
    }
    assert.ok(told.log.includes('411111*1111') && told.spans.includes('411111*1111'));
    // A core file would have what is under way: none is written unless core_dumps says so, with requests
    // under way and a limit that would allow one.
    assert.match(fs.readFileSync(`/proc/${gateway.pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
    const client = await connect(t, gateway);
    client.send(`POST /v1/${CARD} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nCookie: ${SECRET}\r\n\r\n${CARD}`);
    await until('the request to be under way', async () =>
        valueOf(await metricsOf(gateway), 'turnpike_exchanges_started_total') > asked, patient(30_000));
    gateway.expectsExit = true;
    gateway.signal('SIGABRT');
    await within('the gateway to be gone', gateway.exited);
    const files = fs.readdirSync(gateway.folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
    assert.ok(files.length > 1);
    for (const file of files) {
        const text = fs.readFileSync(`${file.parentPath ?? file.path}/${file.name}`, 'latin1');
        assert.ok(!text.includes(CARD) && !text.includes(SECRET), file.name);
    }
});
