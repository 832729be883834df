// SPDX-License-Identifier: BSD-2-Clause
// SIGUSR2 under 8 connections with 32 POST streams each: each request is answered once, none is lost
// and none reaches the origin twice.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connectHttp2, open } from './lib/http2.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { patient, until, within } from './lib/wait.mjs';

const LANES = 8;
const STREAMS = 32;
const BEFORE = 500; // answers before the upgrade

test('a binary upgrade loses no stream and repeats none', async (t) => {
    const seen = new Map();
    const origin = await httpOrigin(t, {
        handler: async (request, response, record) => {
            const id = (await record.body()).toString().slice(0, 8);
            seen.set(id, (seen.get(id) ?? 0) + 1);
            response.end(id);
        },
    });
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true}]\n${through(origin, { more: 'workers: 2' })}`);
    let next = 0;
    let answered = 0;
    let connections = 0;
    let over = false;

    const lane = async () => {
        let session;
        const fresh = async () => {
            connections++;
            return connectHttp2(t, gateway);
        };
        const connection = async () => {
            if (session === undefined) {
                session = fresh();
            }
            const here = await session;
            if ((here.closed || here.destroyed || here.goaways.length > 0) && (await session) === here) {
                session = fresh();
            }
            return session;
        };
        const ask = async (id) => {
            for (;;) {
                try {
                    const stream = open(await connection(), { ':method': 'POST' }, { body: `${id}${'x'.repeat(500)}` });
                    return await within(`an answer to ${id}`, stream.answer, patient(60000));
                } catch (error) {
                    // Never sent, or refused unprocessed: it goes on a new connection.
                    const unprocessed = error.rst === 7 || /REFUSED_STREAM|GOAWAY_SESSION|INVALID_SESSION/.test(`${error.code} ${error.message}`);
                    assert.ok(unprocessed, `${id}: ${error.code} ${error.message}`);
                }
            }
        };
        const worker = async () => {
            while (!over) {
                const id = String(next++).padStart(8, '0');
                const answer = await ask(id);
                assert.equal(answer.status, 200);
                assert.equal(answer.body, id);
                answered++;
            }
        };
        await Promise.all(Array.from({ length: STREAMS }, worker));
    };
    const all = Promise.all(Array.from({ length: LANES }, lane));

    await Promise.race([all, until('the load to run', () => answered > BEFORE, patient(60000))]);
    await gateway.upgrade();
    await Promise.race([all, until('all to move', () => connections >= 2 * LANES, patient(60000))]);
    over = true;
    await all;
    assert.equal(answered, next);
    assert.equal(seen.size, next);
    assert.deepEqual([...seen].filter(([, times]) => times !== 1), []);
});
