// SPDX-License-Identifier: BSD-2-Clause
// OpenMetrics where a scraper asks for it: by its grammar, and by Prometheus's own reader where that is
// installed (package python3-prometheus-client). Histograms name a trace for each bucket, of requests
// that the collector has spans of, and of no others.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { collector } from './lib/collector.mjs';
import { adminIn, ask, metricsOf, parseMetrics } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { parseOpenMetrics } from './lib/openmetrics.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { patient, until } from './lib/wait.mjs';

const OPEN = { headers: { accept: 'application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3' } };
const READER = 'import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as read; '
    + 'print(sum(1 for family in read(sys.stdin.read()) for sample in family.samples if sample.exemplar))';
const hasReader = spawnSync('python3', ['-c', 'import prometheus_client.openmetrics.parser']).status === 0;

const yaml = (to, origin, sample) => (folder) => `workers: 2
${adminIn(folder)}
tracing: {to: "${to.url}", sample: ${sample}}
trusted_proxies: [127.0.0.0/8]
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: odd, match: {path: /odd}, respond: {status: 204}}
  - {name: slow, match: {path: /slow}, service: app}
  - {name: all, service: app}
`;

async function openPage(gateway) {
    const answer = await ask(gateway, '/metrics', OPEN);
    assert.match(answer.headers['content-type'], /^application\/openmetrics-text; version=1\.0\.0; charset=utf-8$/);
    return answer.body;
}

const exemplarsOf = (families, name) => families.get(name).samples.filter((sample) => sample.exemplar);

async function counted(gateway, count) {
    await until(`${count} exchanges to be counted`, async () => {
        const { samples } = (await metricsOf(gateway)).get('turnpike_route_exchanges_total');
        return samples.reduce((sum, sample) => sum + sample.value, 0) >= count;
    }, patient(30_000));
}

test('each bucket names a trace that the collector has', async (t) => {
    const to = await collector(t);
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(to, origin, '100%'));
    for (const path of ['/', '/slow', '/odd', '/']) {
        await request(gateway, { path });
    }
    await counted(gateway, 4);
    const text = await openPage(gateway);
    const families = parseOpenMetrics(text);
    const traces = new Set((await to.has(4 + 3)).map((span) => span.traceId));
    const begun = Date.now() / 1000;
    for (const kind of ['route', 'listener', 'service']) {
        const found = exemplarsOf(families, `turnpike_${kind}_exchange_duration_seconds`);
        assert.ok(found.length > 0, kind);
        for (const { exemplar, value } of found) {
            assert.deepEqual(Object.keys(exemplar.labels), ['trace_id']);
            assert.ok(traces.has(exemplar.labels.trace_id), exemplar.labels.trace_id);
            assert.ok(value > 0 && Math.abs(exemplar.timestamp - begun) < 600, text);
        }
    }
    const names = new Set(exemplarsOf(families, 'turnpike_route_exchange_duration_seconds').map((sample) => sample.labels.route));
    assert.deepEqual([...names].sort(), ['all', 'odd', 'slow']);
    // The other format has none, and says the same else.
    const plain = parseMetrics((await ask(gateway, '/metrics')).body);
    assert.ok(!(await ask(gateway, '/metrics')).body.includes('trace_id'));
    assert.equal(families.size, plain.size);
    if (hasReader) {
        const read = spawnSync('python3', ['-c', READER], { input: text, encoding: 'utf8' });
        assert.equal(read.status, 0, read.stderr);
        assert.equal(Number(read.stdout), [...families.values()].flatMap((family) => family.samples).filter((sample) => sample.exemplar).length);
    }
});

test('a request that is not sampled is no exemplar', async (t) => {
    const to = await collector(t);
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(to, origin, '0%'));
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    await request(gateway, { path: '/' });
    await request(gateway, { path: '/', headers: { traceparent: `00-${'a'.repeat(32)}-00f067aa0ba902b7-00` } });
    await request(gateway, { path: '/slow', headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } });
    await counted(gateway, 3);
    const found = exemplarsOf(parseOpenMetrics(await openPage(gateway)), 'turnpike_route_exchange_duration_seconds');
    assert.deepEqual(found.map(({ labels, exemplar }) => [labels.route, exemplar.labels.trace_id]), [['slow', trace]]);
});

test('exemplars are kept over a reload', async (t) => {
    const to = await collector(t);
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(to, origin, '100%'));
    await request(gateway, { path: '/slow' });
    await counted(gateway, 1);
    const before = exemplarsOf(parseOpenMetrics(await openPage(gateway)), 'turnpike_route_exchange_duration_seconds');
    await gateway.reload(yaml(to, origin, '0%')(gateway.folder));
    await request(gateway, { path: '/' });
    await counted(gateway, 2);
    const after = exemplarsOf(parseOpenMetrics(await openPage(gateway)), 'turnpike_route_exchange_duration_seconds');
    assert.equal(before.length, 1);
    assert.deepEqual(after, before);
});
