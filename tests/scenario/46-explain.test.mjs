// SPDX-License-Identifier: BSD-2-Clause
// What would become of a request, and why: by a file, and by the gateway that runs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { adminIn, ctl, ctlLines } from './lib/control.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';

const RULES = `
services:
  old: {origins: ["127.0.0.1:1"]}
  new: {origins: ["127.0.0.1:2", "127.0.0.1:3"]}
routes:
  - {name: rest, respond: {status: 404}}
  - {name: v1, match: {host: pay.example.com, path_prefix: /v1/}, service: old, timeouts: {first_byte: 5s}}
  - {name: charge, match: {host: pay.example.com, path: /v1/charge, method: POST}, service: new}
`;

// { facts: {name: text}, tables: {name: [[cell]]} } of what is printed for people.
function printed(text) {
    const facts = {};
    const tables = {};
    let table = null;
    for (const line of text.split('\n')) {
        const cells = line.trim().split(/ {2,}/);
        if (/^[a-z ]+:$/.test(line)) {
            table = tables[line.slice(0, -1)] = [];
        } else if (table && line !== '') {
            table.push(cells);
        } else if (line !== '') {
            facts[cells[0]] = cells[1];
        }
    }
    return { facts, tables };
}

async function explainFile(t, yaml, ...words) {
    const result = await runGateway(t, `listeners: [{address: "127.0.0.1:0"}]\n${yaml}`, { args: (file) => ['-c', file, '--explain', ...words] });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stderr, '');
    return printed(result.stdout);
}

test('a file is asked which route wins, and why the others lose', async (t) => {
    const { facts, tables } = await explainFile(t, RULES, 'GET https://pay.example.com/v1/charge');
    assert.equal(facts.route, 'v1');
    assert.equal(facts.service, 'old');
    assert.match(facts.timeouts, /first_byte=5s/);
    assert.deepEqual(tables.routes.slice(1), [
        ['v1', 'wins', 'all of its match holds'],
        ['rest', 'loses', 'the winner names the host itself'],
        ['charge', 'loses', 'method GET is not among its methods'],
    ]);
});

test('a user has an arm and a bucket, a request without one the next turn', async (t) => {
    const yaml = RULES.replace('service: old,', 'split: {old: 60%, new: 40%}, sticky: [{cookie: uid}, client_address],');
    const url = 'GET http://pay.example.com/v1/';
    assert.equal((await explainFile(t, yaml, url)).facts['arm by'], 'turn');
    for (const words of [['-H', 'Cookie: uid=7'], ['--client', '192.0.2.7']]) {
        const { facts } = await explainFile(t, yaml, url, ...words);
        assert.equal(facts['arm by'], 'user');
        assert.equal(facts.arm, parseFloat(facts.bucket) < 40 ? 'new' : 'old');
        assert.deepEqual((await explainFile(t, yaml, url, ...words)).facts, facts, 'the same each time');
    }
});

test('header lines are part of the question, and a question that is none is refused', async (t) => {
    const yaml = 'routes:\n  - {name: blue, match: {headers: {X-Tenant: blue}}, respond: {}}\n';
    assert.equal((await explainFile(t, yaml, 'GET /', '-H', 'Host: a', '-H', 'X-Tenant: blue')).facts.route, 'blue');
    assert.match((await explainFile(t, yaml, 'GET /', '-H', 'Host: a')).facts.route, /^none/);
    const result = await runGateway(t, `listeners: [{address: "127.0.0.1:0"}]\n${yaml}`, { args: (file) => ['-c', file, '--explain', 'GET'] });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /METHOD URL/);
});

test('the running gateway is asked through turnpikectl, and knows its origins', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, (folder) => `
services:
  app: {origins: ["${origin.address}"]}
routes:
  - {name: all, service: app}
${adminIn(folder)}`);
    const ask = async () => printed((await ctlLines(gateway, 'explain', 'GET http://a/')).join('\n'));
    assert.deepEqual((await ask()).tables.origins[1], ['app', origin.address, '1', 'false', 'serves']);
    await ctlLines(gateway, 'drain', origin.address);
    assert.equal((await ask()).tables.origins[1].at(-1), 'drained');
    const refused = await ctl(gateway, 'explain', 'GET http://a/../..');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /climbs above its root/);
});

test('after a reload it explains by what runs then', async (t) => {
    const gateway = await startGateway(t, (folder) => `routes:\n  - {name: first, respond: {}}\n${adminIn(folder)}`);
    const file = `${gateway.folder}/turnpike.yaml`;
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('name: first', 'name: second'));
    await ctlLines(gateway, 'reload');
    assert.equal((await request(gateway, {})).status, 200);
    assert.equal(printed((await ctlLines(gateway, 'explain', 'GET http://a/')).join('\n')).facts.route, 'second');
});
