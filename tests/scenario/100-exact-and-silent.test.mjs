// SPDX-License-Identifier: BSD-2-Clause
// What is told is exact: counters are what clients counted, with reloads in between (TURNPIKE_COUNT=1000000
// for many). And it is silent about secrets: card numbers and credentials, wherever a client puts them,
// are in no log, metric, span or page.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { keepAliveAgent, request } from './lib/client.mjs';
import { collector } from './lib/collector.mjs';
import { adminIn, ask, metricsOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { patient, until } from './lib/wait.mjs';

const COUNT = Number(process.env.TURNPIKE_COUNT ?? 3000);
const LANES = 8;

test('counters are what the clients counted', async (t) => {
    const origin = await httpOrigin(t);
    const yaml = (folder, more) => `workers: 2
${adminIn(folder)}
access_log: "off"
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: app, match: {path: /app}, service: app}
  - {name: here, match: {path: /here}, respond: {status: ${more}}}
`;
    const gateway = await startGateway(t, (folder) => yaml(folder, 418));
    const counted = {};
    const paths = ['/app', '/here', '/none'];
    let left = COUNT;
    const lane = async () => {
        const agent = keepAliveAgent();
        while (left-- > 0) {
            const path = paths[left % paths.length];
            const { status } = await request(gateway, { path, agent });
            const key = `${{ '/app': 'app', '/here': 'here', '/none': '' }[path]} ${Math.floor(status / 100)}xx`;
            counted[key] = (counted[key] ?? 0) + 1;
        }
        agent.destroy();
    };
    const lanes = Promise.all(Array.from({ length: LANES }, lane));
    for (let i = 0; i < 5 && left > 0; i++) {
        assert.match(await gateway.reload(yaml(gateway.folder, i % 2 === 0 ? 200 : 418)), new RegExp(`generation ${i + 2}:`));
    }
    await lanes;
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
`);
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
    // A core file would have what is under way: none is written unless core_dumps says so.
    assert.match(fs.readFileSync(`/proc/${gateway.pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
});
