// SPDX-License-Identifier: BSD-2-Clause
// h2load with 8 connections of 32 POST streams each, under fifty SIGHUP and one SIGUSR2: all are answered, and
// the origin is asked as often as h2load asked. h2load begins no stream after a GOAWAY and takes no new
// connection then: it also shows that a connection with streams under way is not asked to leave at once.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import test from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { http2Origin } from './lib/http2-origin.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { until } from './lib/wait.mjs';

const LANES = 8;
const STREAMS = 32;
const COUNT = 4096; // of one run
const RELOADS = 50;

class Load {
    constructor(t, gateway) {
        this.asked = 0;
        this.runs = 0;
        this.file = `${temporaryFolder(t)}/body`;
        fs.writeFileSync(this.file, 'x'.repeat(500));
        this.url = `http://127.0.0.1:${gateway.port}/`;
    }

    async run() {
        const { stdout } = await promisify(execFile)('h2load', ['-n', `${COUNT}`, '-c', `${LANES}`, '-m', `${STREAMS}`, '-d', this.file, this.url]);

        assert.match(stdout, new RegExp(`${COUNT} total, ${COUNT} started, ${COUNT} done, ${COUNT} succeeded, 0 failed, 0 errored, 0 timeout`));
        this.asked += COUNT;
        this.runs++;
    }
}

// Runs follow each other until what is done beside them is over.
async function beside(load, origin, work) {
    let over = false;
    const before = origin.requests.length;
    const runs = (async () => {
        do {
            await load.run();
        } while (!over);
    })();

    await Promise.race([runs, until('the load to begin', () => origin.requests.length > before)]);
    await Promise.race([runs, work()]);
    over = true;
    await runs;
}

async function play(t, origin, service) {
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true}]
workers: 2
services: {origins: ${service}}
routes: [{name: all, service: origins}]
`);
    const load = new Load(t, gateway);

    await beside(load, origin, async () => {
        for (let i = 0; i < RELOADS; i++) {
            assert.match(await gateway.reload(), /info reload/);
        }
    });
    await beside(load, origin, () => gateway.upgrade());
    assert.equal(origin.requests.length, load.asked);
    t.diagnostic(`${load.asked} requests in ${load.runs} runs`);
}

test('an origin over HTTP/1', async (t) => {
    const origin = await httpOrigin(t);
    await play(t, origin, `{origins: ["${origin.address}"]}`);
});

test('an origin over HTTP/2', async (t) => {
    const origin = await http2Origin(t);
    await play(t, origin, `{protocol: http2, origins: ["${origin.address}"]}`);
});
