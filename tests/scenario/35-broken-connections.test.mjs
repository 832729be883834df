// SPDX-License-Identifier: BSD-2-Clause
// Connections break at random moments on both sides. Whatever breaks: no answer is ever a wrong
// one, nothing stays behind (descriptors), each exchange has its line in the log, and the
// gateway goes on. Most worth its time under a sanitizer. TURNPIKE_SEED chooses other cases.
import assert from 'node:assert/strict';
import test from 'node:test';
import { isInstrumented, startGateway } from './lib/gateway.mjs';
import { Random } from './lib/random.mjs';
import { connectLoose, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { pause, until } from './lib/wait.mjs';

const SEED = Number(process.env.TURNPIKE_SEED ?? 1848);
const CASES = isInstrumented ? 400 : 1500;
const LANES = 24;
const NO_DEADLINE = 3_600_000;

// Answers some requests well and breaks others off in one of many ways.
function unreliable(random) {
    return async (wire) => {
        for (;;) {
            const asked = await wire.requestHead(NO_DEADLINE);
            const mood = random.below(14);
            if (mood === 0) {
                wire.reset();
                return;
            }
            if (mood === 1) {
                wire.end();
                return;
            }
            if (mood === 2) {
                wire.send('HTTP/1.1 200 OK\r\nContent-Le');
                wire.reset();
                return;
            }
            if (mood === 3) {
                wire.ok('early', `X-Id: ${asked.get('x-id')}`, 'Connection: close').end();
                return;
            }
            await wire.requestBody(asked, NO_DEADLINE);
            const mark = `<${asked.get('x-id')}>`;
            const body = mark + 'x'.repeat(random.below(random.pick([10, 3000, 300_000])));
            switch (mood) {
            case 4:
                wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length + 1}\r\n\r\n${body}`).end();
                return;
            case 5:
                wire.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n`);
                wire.reset();
                return;
            case 6:
                wire.send(`HTTP/1.1 200 OK\r\n\r\n${body}`).end();
                return;
            case 7:
                wire.ok(body).end();
                return;
            case 8:
                wire.send('garbage\r\n\r\n');
                return;
            case 9:
                wire.send(`HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
                break;
            case 10:
                await pause(random.below(20));
                wire.ok(body);
                break;
            default:
                wire.ok(body);
            }
        }
    };
}

// One client: a few requests, and perhaps it goes in the middle of something.
async function visit(gateway, random, id) {
    const client = await connectLoose(gateway);
    try {
        for (let i = 0; i < 1 + random.below(4); i++) {
            const name = `${id}.${i}`;
            const size = random.below(random.pick([1, 100, 20_000, 200_000]));
            const lines = [`${size > 0 ? 'POST' : 'GET'} / HTTP/1.1`, 'Host: a', `X-Id: ${name}`];
            let body = '';
            if (size > 0 && random.chance(50)) {
                lines.push(`Content-Length: ${size}`);
                body = 'b'.repeat(size);
            } else if (size > 0) {
                lines.push('Transfer-Encoding: chunked');
                body = `${size.toString(16)}\r\n${'b'.repeat(size)}\r\n0\r\n\r\n`;
            }
            const bytes = head(...lines) + body;
            if (random.chance(15)) {
                client.send(bytes.slice(0, random.below(bytes.length)));
                if (random.chance(50)) {
                    await pause(random.below(5));
                }
                if (random.chance(50)) {
                    client.end();
                }
                return;
            }
            client.send(bytes);
            if (random.chance(10)) {
                await pause(random.below(10));
                return;
            }
            let answer = await client.answer().catch(() => null);
            while (answer && answer.status < 200) {
                answer = await client.answer().catch(() => null);
            }
            if (!answer) {
                return;
            }
            if (answer.status === 200) {
                const isOwn = answer.text.startsWith(`<${name}>`) || answer.get('x-id') === name;
                assert.ok(isOwn, `the answer to ${name} was ${answer.text.slice(0, 40)}`);
            } else {
                assert.ok([502, 503, 504].includes(answer.status), answer.raw);
            }
            if (answer.get('connection')?.toLowerCase() === 'close') {
                return;
            }
        }
    } finally {
        client.destroy();
    }
}

test(`${CASES} visits, seed ${SEED}`, async (t) => {
    const random = new Random(SEED);
    const origin = await rawOrigin(t, unreliable(random));
    const second = await rawOrigin(t, unreliable(random));
    const gateway = await startGateway(t, `
workers: 2
timeouts: {head: 1s, body_idle: 1s, first_byte: 1s, response_idle: 1s}
services: {app: {origins: ["${origin.address}", "${second.address}"], pool: {max_connections: 10, max_idle: 4, pending_timeout: 1s}}}
routes:
  - {name: ping, match: {path: /ping}, respond: {status: 200, body: pong}}
  - {name: all, service: app}
`);
    const before = gateway.descriptors();
    let next = 0;
    await Promise.all(Array.from({ length: LANES }, async () => {
        while (next < CASES) {
            await visit(gateway, random, next++);
        }
    }));

    await t.test('it goes on', async () => {
        const client = await connectLoose(gateway);
        assert.equal((await client.ask(head('GET /ping HTTP/1.1', 'Host: a'))).text, 'pong');
        client.destroy();
    });
    await t.test('no descriptor is left behind', async () => {
        // Kept are at most 4 idle origin connections, of 2 workers, to 2 origins.
        await until('descriptors to be given back', () => gateway.descriptors() <= before + 16);
    });
    await t.test('each line of the log is whole, and each outcome has been there', async () => {
        const entries = await gateway.logged(CASES);
        const outcomes = new Set(entries.map((each) => each['turnpike.outcome']));
        for (const outcome of ['answered', 'answered-here', 'client-gone', 'origin-broke']) {
            assert.ok(outcomes.has(outcome), `${outcome} among ${[...outcomes]}`);
        }
    });
});
