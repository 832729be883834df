// SPDX-License-Identifier: BSD-2-Clause
// Few descriptors and many clients: those that find no place wait in the kernel until others are
// done, and every request is answered.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connectLoose, head } from './lib/raw-client.mjs';
import { patient, pause, until } from './lib/wait.mjs';

const CLIENTS = 500;
const REQUESTS = 3;
const GET = head('GET /kept HTTP/1.1', 'Host: a');

const once = (gateway, agent, path) => new Promise((resolve, reject) => {
    const request = http.get({ ...gateway.connectOptions, path, agent, timeout: patient(120_000) }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode));
        answer.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', (error) => reject(Object.assign(error, { reused: request.reusedSocket })));
});

// As browsers do it: what meets the end of a kept connection is asked again on another one.
async function ask(gateway, agent, path) {
    for (;;) {
        try {
            return await once(gateway, agent, path);
        } catch (error) {
            if (!error.reused || error.code !== 'ECONNRESET') {
                return `${error.code ?? error.message}`;
            }
        }
    }
}

async function client(gateway, name) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const statuses = [];
    for (let i = 0; i < REQUESTS; i++) {
        statuses.push(await ask(gateway, agent, `/${name}/${i}`));
    }
    agent.destroy();
    return statuses;
}

function count(statuses) {
    const counts = {};
    for (const status of statuses) {
        counts[status] = (counts[status] ?? 0) + 1;
    }
    return counts;
}

// One connection that is kept for four requests.
async function isKept(gateway) {
    const client = await connectLoose(gateway);
    try {
        for (let i = 0; i < 4; i++) {
            const answer = await client.ask(GET);
            if (answer.status !== 200 || answer.all('connection').includes('close')) {
                return false;
            }
        }
        return true;
    } catch {
        return false;
    } finally {
        client.destroy();
    }
}

for (const [most, workers] of [[64, 1], [64, 2], [256, 2]]) {
    test(`${CLIENTS} clients, ${most} descriptors, ${workers} workers`, async (t) => {
        const origin = await httpOrigin(t, { handler: (_, answer) => pause(5).then(() => answer.end('ok')) });
        const gateway = await startGateway(t, `workers: ${workers}\n${through(origin)}`, { wrap: ['prlimit', `--nofile=${most}:${most}`] });
        const all = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(gateway, i)));
        assert.deepEqual(count(all.flat()), { 200: CLIENTS * REQUESTS });
        await until('connections to be kept again', async () => {
            await pause(200);
            return isKept(gateway);
        }, patient(60_000));
    });
}

test('too few descriptors to start are told with the remedy', async (t) => {
    for (const most of [10, 16, 24]) {
        const { code, stderr } = await runGateway(t, `workers: 2\nlisteners: [{address: "127.0.0.1:0"}]\n${through({ address: '127.0.0.1:1' })}`, { wrap: ['prlimit', `--nofile=${most}:${most}`] });
        assert.equal(code, 1, `${most}`);
        assert.match(stderr, new RegExp(`may open ${most} file descriptors and needs at least \\d+ with workers: 2; raise the limit`));
    }
});
