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
    const anybody = (await explainFile(t, yaml, url)).facts;
    assert.match(anybody.arm, /depends on the client's address: say --client IP/);
    const inTurn = yaml.replace(', client_address', '');
    assert.equal((await explainFile(t, inTurn, url)).facts['arm by'], 'turn');
    for (const words of [['-H', 'Cookie: uid=7'], ['--client', '192.0.2.7']]) {
        const { facts } = await explainFile(t, yaml, url, ...words);
        assert.equal(facts['arm by'], 'user');
        assert.equal(facts['found in'], words[0] === '-H' ? 'cookie uid' : 'client_address');
        assert.equal(facts.arm, parseFloat(facts.bucket) < 40 ? 'new' : 'old');
        assert.deepEqual((await explainFile(t, yaml, url, ...words)).facts, facts, 'the same each time');
    }
});

test('origins are those of the arm, with its balance; of all arms while it is not known', async (t) => {
    const yaml = RULES.replace('service: old,', 'split: {old: 60%, new: 40%}, override: {header: X-Arm},')
        .replace('new: {', 'new: {balance: least_requests, ');
    const url = 'POST http://pay.example.com/v1/';
    const { facts, tables } = await explainFile(t, yaml, url, '-H', 'X-Arm: new');
    assert.equal(facts.arm, 'new');
    assert.equal(facts['found in'], 'header x-arm');
    assert.equal(facts.balance, 'least_requests');
    assert.match(facts.timeouts, / total=none$/);
    assert.equal(facts['retried when'], 'not-sent=yes not-processed=yes unread=no: policy maybe=no: policy');
    assert.deepEqual(tables.origins.slice(1).map(([service]) => service), ['new', 'new']);
    const turn = await explainFile(t, yaml, url);
    assert.equal(turn.facts.balance, undefined);
    assert.deepEqual(turn.tables.origins.slice(1).map(([service]) => service), ['old', 'new', 'new']);
});

test('a listener that redirects to https asks no route; one that is not there is an error', async (t) => {
    const yaml = 'routes: [{name: all, respond: {}}]\n';
    const file = (more) => `listeners: [{address: "127.0.0.1:1234"${more}}]\n${yaml}`;
    const run = (text, ...words) => runGateway(t, text, { args: (name) => ['-c', name, '--explain', 'GET http://a/', ...words] });
    assert.match((await run(file(', redirect_to_https: true'))).stdout, /^redirect +to https:\/\/ by the listener/m);
    const refused = await run(file(''), '--listener', '127.0.0.1:4321');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /no listener of this address\n.*as in the file/);
});

test('the arm that an idempotency key is pinned to is told, and no pin is made', async (t) => {
    const origins = [await httpOrigin(t, { name: 'old' }), await httpOrigin(t, { name: 'new' })];
    const gateway = await startGateway(t, (folder) => `
services: {old: {origins: ["${origins[0].address}"]}, new: {origins: ["${origins[1].address}"]}}
routes:
  - {name: pay, split: {old: 100%, new: 0%}}
${adminIn(folder)}`);
    const key = (name) => ({ method: 'POST', headers: { 'Idempotency-Key': name }, body: 'x' });
    const explained = async (name) => printed((await ctlLines(gateway, 'explain', 'POST http://a/', '-H', `Idempotency-Key: ${name}`)).join('\n')).facts;
    assert.equal((await request(gateway, key('k'))).body, 'old');
    assert.equal((await explained('l')).arm, 'old');
    await ctlLines(gateway, 'weight', 'pay', 'new=100');
    assert.deepEqual([(await explained('k')).arm, (await explained('k'))['arm by']], ['old', 'pin']);
    assert.deepEqual([(await explained('l')).arm, (await explained('l'))['arm by']], ['new', 'key']);
    assert.equal((await request(gateway, key('k'))).body, 'old');
    assert.equal((await request(gateway, key('l'))).body, 'new');
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
    await ctlLines(gateway, 'drain', origin.address, '--force');
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
