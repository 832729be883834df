// SPDX-License-Identifier: BSD-2-Clause
// Bodies of random sizes in random pieces with random pauses, echoed while they come, many at a
// time: what is lost, doubled or stuck when buffers fill and empty in odd orders shows here.
// TURNPIKE_SEED chooses other ones.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { isInstrumented, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { PatternCheck, patternAt } from './lib/pattern.mjs';
import { Random } from './lib/random.mjs';
import { drained, patient, within } from './lib/wait.mjs';

const SEED = Number(process.env.TURNPIKE_SEED ?? 4711);
const EXCHANGES = isInstrumented ? 200 : 600;
const LANES = 12;

function turn() {
    return new Promise((resolve) => setImmediate(resolve));
}

async function writeRandomly(stream, size, random) {
    for (let sent = 0; sent < size && !stream.destroyed;) {
        const piece = patternAt(sent, Math.min(size - sent, 1 + random.below(random.pick([20, 3000, 60_000]))));
        sent += piece.length;
        if (!stream.write(Buffer.from(piece)) && random.chance(70)) {
            await drained(stream);
        }
        if (random.chance(30)) {
            await turn();
        }
    }
    stream.end();
}

function randomSize(random) {
    return random.below(random.pick([10, 5000, 17_000, 40_000, 70_000, 400_000, 3_000_000]));
}

// Sends a body and reads its echo, reading slowly now and then.
function exchange(gateway, agent, random) {
    const size = randomSize(random);
    const headers = random.chance(50) ? { 'Content-Length': size } : { 'Transfer-Encoding': 'chunked' };
    headers['X-Size'] = size;
    const done = new Promise((resolve, reject) => {
        const asked = http.request({ ...gateway.connectOptions, agent, method: 'POST', path: `/${size}`, headers });
        asked.on('error', reject);
        asked.on('response', async (answer) => {
            const check = new PatternCheck();
            try {
                for await (const bytes of answer) {
                    check.add(bytes);
                    if (random.chance(10)) {
                        await turn();
                    }
                }
                resolve({ status: answer.statusCode, size, check });
            } catch (error) {
                reject(error);
            }
        });
        writeRandomly(asked, size, random).catch(reject);
    });
    return within(`the echo of ${size} bytes`, done, patient(20_000));
}

for (const workers of [1, 2]) {
    test(`${EXCHANGES} random echoes, ${workers} workers, seed ${SEED}`, async (t) => {
        const random = new Random(SEED + workers);
        const origin = await httpOrigin(t, {
            handler: async (asked, answer) => {
                if (random.chance(50)) {
                    answer.setHeader('Content-Length', asked.headers['x-size']);
                }
                for await (const bytes of asked) {
                    if (!answer.write(bytes) && random.chance(80)) {
                        await drained(answer);
                    }
                    if (random.chance(10)) {
                        await turn();
                    }
                }
                answer.end();
            },
        });
        const gateway = await startGateway(t, `workers: ${workers}\n${through(origin)}`);
        const agent = new http.Agent({ keepAlive: true, maxSockets: LANES });
        t.after(() => agent.destroy());
        let left = EXCHANGES;
        await Promise.all(Array.from({ length: LANES }, async () => {
            while (left-- > 0) {
                const { status, size, check } = await exchange(gateway, agent, random);
                assert.equal(status, 200);
                assert.equal(check.wrongAt, -1);
                assert.equal(check.count, size);
            }
        }));
        if (!isInstrumented) {
            assert.ok(gateway.memory().most < 24 * 1024 * 1024, `${gateway.memory().most} bytes`);
        }
    });
}
