// SPDX-License-Identifier: BSD-2-Clause
// Workers share the work: 16 long connections on 2 workers, neither carries more than 60%.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connectLoose, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { patient, until } from './lib/wait.mjs';

const PONG = 'workers: 2\nroutes: [{name: ping, match: {path_prefix: /ping}, respond: {status: 200, body: pong}}]';
const CLIENTS = 16;
const REQUESTS = 40;

async function openMany(t, gateway, count) {
    const clients = [];
    defer(t, () => clients.forEach((each) => each.destroy()));
    for (let i = 0; i < count; i++) {
        clients.push(await connectLoose(gateway));
    }
    return clients;
}

// Each client asks in turn; all go on at the same time.
async function askMany(clients, target, times = REQUESTS) {
    await Promise.all(clients.map(async (client) => {
        for (let i = 0; i < times; i++) {
            assert.equal((await client.ask(head(`GET ${target} HTTP/1.1`, 'Host: a'))).text, 'pong');
        }
    }));
}

// Absent: the first.
const workerOf = (entry) => entry['turnpike.worker'] ?? 0;

async function sharesOf(gateway, target, count) {
    const entries = await gateway.logged((all) => all.filter((each) => each['url.path'] === target).length >= count);
    const shares = [0, 0];
    for (const entry of entries.filter((each) => each['url.path'] === target)) {
        shares[workerOf(entry)]++;
    }
    return shares;
}

const mostOf = (shares) => Math.max(...shares) / (shares[0] + shares[1]);
const isEven = (shares) => mostOf(shares) <= 0.6;

function assertEven(shares) {
    assert.ok(isEven(shares), `one worker carried ${(100 * mostOf(shares)).toFixed(0)}%: ${shares}`);
}

test('16 long connections on 2 workers', async (t) => {
    const gateway = await startGateway(t, PONG);
    for (let round = 1; round <= 5; round++) {
        await t.test(`round ${round}: neither carries more than 60%`, async (t) => {
            const clients = await openMany(t, gateway, CLIENTS);
            await askMany(clients, `/ping/${round}`);
            assertEven(await sharesOf(gateway, `/ping/${round}`, CLIENTS * REQUESTS));
        });
    }
});

test('16 connections that come at the same moment', async (t) => {
    const gateway = await startGateway(t, PONG);
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connectLoose(gateway)));
    defer(t, () => clients.forEach((each) => each.destroy()));
    await askMany(clients, '/ping/together');
    assertEven(await sharesOf(gateway, '/ping/together', CLIENTS * REQUESTS));
});

test('when all that stay are on one worker, idle ones move', async (t) => {
    const gateway = await startGateway(t, PONG);
    const clients = await openMany(t, gateway, 3 * CLIENTS);
    const workers = [];
    for (const [i, client] of clients.entries()) {
        await client.ask(head(`GET /ping/who/${i} HTTP/1.1`, 'Host: a'));
    }
    const entries = await gateway.logged(clients.length);
    for (const entry of entries) {
        workers[Number(entry['url.path'].split('/').pop())] = workerOf(entry);
    }
    const stay = clients.filter((_, i) => workers[i] === 0).slice(0, CLIENTS);
    let rounds = 0;
    assert.equal(stay.length, CLIENTS);
    clients.filter((each) => !stay.includes(each)).forEach((each) => each.destroy());
    // One moves at a time, and not at once: how many rounds that takes is the machine's affair.
    await until('the load to be even', async () => {
        const target = `/ping/after/${rounds++}`;
        await askMany(stay, target, 20);
        return isEven(await sharesOf(gateway, target, CLIENTS * 20));
    }, patient(20000));
});

test('new connections go to the worker that has clearly fewer', async (t) => {
    const origin = await rawOrigin(t, (wire) => wire.requestHead());
    const gateway = await startGateway(t, `${PONG.replace('[', '[{name: hold, match: {path: /hold}, service: app}, ')}
services: {app: {origins: ["${origin.address}"]}}`);
    const clients = await openMany(t, gateway, 60);
    const workers = [];
    for (const [i, client] of clients.entries()) {
        await client.ask(head(`GET /ping/who/${i} HTTP/1.1`, 'Host: a'));
    }
    for (const entry of await gateway.logged(clients.length)) {
        workers[Number(entry['url.path'].split('/').pop())] = workerOf(entry);
    }
    // Busy ones cannot be moved, so that worker 0 keeps what it has.
    const stay = clients.filter((_, i) => workers[i] === 0);
    stay.forEach((each) => each.send(head('GET /hold HTTP/1.1', 'Host: a')));
    await until('all of them to be under way', () => origin.heads.length === stay.length);
    const descriptors = gateway.descriptors();
    clients.filter((each) => !stay.includes(each)).forEach((each) => each.destroy());
    await until('the others to be gone', () => gateway.descriptors() === descriptors - (clients.length - stay.length));
    for (let i = 0; i < 12; i++) {
        const [fresh] = await openMany(t, gateway, 1);
        await fresh.ask(head('GET /ping/fresh HTTP/1.1', 'Host: a'));
        fresh.destroy();
    }
    assert.deepEqual(await sharesOf(gateway, '/ping/fresh', 12), [0, 12]);
    stay.forEach((each) => each.destroy());
});

test('workers are threads of one process, one for each CPU unless set', async (t) => {
    const gateway = await startGateway(t, `workers: auto\nroutes: [{name: all, respond: {status: 200, body: ok}}]`);
    const allowed = fs.readFileSync('/proc/self/status', 'utf8').match(/^Cpus_allowed_list:\s+(.*)$/m)[1];
    const count = allowed.split(',').reduce((sum, range) => {
        const [from, to = from] = range.split('-').map(Number);
        return sum + to - from + 1;
    }, 0);
    assert.equal(gateway.workers, count);
});
