// SPDX-License-Identifier: BSD-2-Clause
// POST streams without end over some HTTP/2 connections: each has a number of its own, and is repeated
// only where the gateway says that it was not processed. Origins note the numbers, so that at the end
// none is missing and none came twice.
import assert from 'node:assert/strict';
import { connectHttp2, open } from './http2.mjs';
import { patient, until, within } from './wait.mjs';

export class Http2Load {
    constructor(t, gateway, { lanes = 8, streams = 32 } = {}) {
        this.t = t;
        this.gateway = gateway;
        this.next = 0;
        this.answered = 0;
        this.connections = 0;
        this.over = false;
        this.all = Promise.all(Array.from({ length: lanes }, () => this.#lane(streams)));
        this.all.catch(() => {});
    }

    // An origin notes what it is asked in `seen`, and answers with the number.
    static note(seen, body) {
        const id = body.toString('latin1').slice(0, 8);
        seen.set(id, (seen.get(id) ?? 0) + 1);
        return id;
    }

    async #lane(streams) {
        const lane = { session: undefined };
        await Promise.all(Array.from({ length: streams }, () => this.#work(lane)));
    }

    async #work(lane) {
        while (!this.over) {
            const id = String(this.next++).padStart(8, '0');
            const answer = await this.#ask(lane, id);
            assert.equal(answer.status, 200, answer.body);
            assert.equal(answer.body, id);
            this.answered++;
        }
    }

    #fresh() {
        this.connections++;
        return connectHttp2(this.t, this.gateway);
    }

    async #connection(lane) {
        lane.session ??= this.#fresh();
        const here = await lane.session;
        if ((here.closed || here.destroyed || here.goaways.length > 0) && (await lane.session) === here) {
            lane.session = this.#fresh();
        }
        return lane.session;
    }

    async #ask(lane, id) {
        for (;;) {
            try {
                const stream = open(await this.#connection(lane), { ':method': 'POST' }, { body: `${id}${'x'.repeat(500)}` });
                return await within(`an answer to ${id}`, stream.answer, patient(60000));
            } catch (error) {
                // Never sent, or refused unprocessed: it goes on a new connection.
                const unprocessed = error.rst === 7 || /REFUSED_STREAM|GOAWAY_SESSION|INVALID_SESSION/.test(`${error.code} ${error.message}`);
                assert.ok(unprocessed, `${id}: ${error.code} ${error.message}`);
            }
        }
    }

    // Waits for so many more answers, or until something else holds.
    more(count, what = () => true) {
        const wanted = this.answered + count;
        return Promise.race([this.all, until(`${count} answers more`, () => this.answered >= wanted && what(), patient(60000))]);
    }

    // No more is asked; each was answered once, and came once to an origin.
    async end(seen) {
        this.over = true;
        await this.all;
        assert.equal(this.answered, this.next);
        assert.equal(seen.size, this.next);
        assert.deepEqual([...seen].filter(([, times]) => times !== 1), []);
    }
}
