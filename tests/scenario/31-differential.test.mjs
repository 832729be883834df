// SPDX-License-Identifier: BSD-2-Clause
// Two readers of the same bytes: Node's HTTP parser and the gateway. Wherever they disagree
// about how many requests there are, or where one ends, the gateway must have refused.
// TURNPIKE_CASES and TURNPIKE_SEED choose other cases.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { generate } from './lib/generate.mjs';
import { createNodeParser } from './lib/node-parser.mjs';
import { Random } from './lib/random.mjs';
import { connectLoose } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';

const CASES = Number(process.env.TURNPIKE_CASES ?? 4000);
const SEED = Number(process.env.TURNPIKE_SEED ?? 20260);
const LANES = 16;
const NO_DEADLINE = 3_600_000;

async function answerEach(wire) {
    for (;;) {
        const asked = await wire.request(NO_DEADLINE);
        wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${asked.method === 'HEAD' ? '' : 'ok'}`);
    }
}

// Each lane has a listener and an origin of its own, so that what an origin sees belongs to the
// one case that is in its lane.
async function openLanes(t) {
    const folder = temporaryFolder(t);
    const names = Array.from({ length: LANES }, (_, i) => `lane${i}`);
    const origins = [];
    for (const name of names) {
        origins.push(await rawOrigin(t, answerEach, { path: path.join(folder, `${name}.origin`) }));
    }
    const gateway = await startGateway(t, `
access_log: off
timeouts: {head: 150ms, body_idle: 150ms, keepalive_idle: 150ms}
limits: {body_bytes: 64KiB}
listeners:
${names.map((name) => `  - address: unix:${folder}/${name}`).join('\n')}
services:
${names.map((name, i) => `  ${name}: {origins: ["${origins[i].address}"]}`).join('\n')}
routes:
${names.map((name) => `  - {name: ${name}, match: {listener: "unix:${folder}/${name}"}, service: ${name}}`).join('\n')}
`);
    return origins.map((origin, i) => ({ origin, listener: gateway.listeners[i] }));
}

// What the gateway makes of the bytes: the requests its origin saw, and whether it refused.
async function feedGateway({ origin, listener }, bytes) {
    const from = origin.requests.length;
    const client = await connectLoose(listener);
    client.send(bytes);
    await client.closed();
    const told = client.everything;
    client.destroy();
    const statuses = [...told.matchAll(/HTTP\/1\.1 ([0-9]{3}) [^\r\n]*\r\n/g)].map((match) => Number(match[1]));
    const requests = origin.requests.slice(from).map((each) => ({ method: each.method, target: each.target, body: each.text }));
    const answered = statuses.filter((status) => status === 200).length;
    return { requests, statuses, refused: statuses.at(-1) !== 200 || answered !== requests.length };
}

function isSame(one, other) {
    return one.method === other.method && one.target === other.target && one.body === other.body;
}

// Where Node refuses what the RFCs allow, the two cannot be compared further. It knows a list of
// methods only (RFC 9110 section 9.1: any token), and wants no tab behind a transfer coding or a
// length (RFC 9110 section 5.6.3: OWS may be one), nor space beside the semicolon of a chunk
// extension (RFC 9112 section 7.1.1: BWS), nor a minor version after 1 (RFC 9110 section 2.5: taken
// for the last that one knows).
function isNarrower(problem, request, bytes) {
    switch (problem) {
    case 'HPE_INVALID_VERSION':
        return / HTTP\/1\.[2-9]\r\n/.test(bytes);
    case 'HPE_INVALID_METHOD':
        return !http.METHODS.includes(request.method);
    case 'HPE_INVALID_TRANSFER_ENCODING':
        return /\ntransfer-encoding: *chunked[ \t]*\t[ \t]*\r\n/i.test(bytes);
    case 'HPE_INVALID_CONTENT_LENGTH':
        return /\ncontent-length: *[0-9]+[ \t]*\t[ \t]*\r\n/i.test(bytes);
    case 'HPE_STRICT':
    case 'HPE_INVALID_CHUNK_SIZE':
        return /\n[0-9a-f]+(?:[ \t]+;[ \t]*|;[ \t]+)[a-z]/i.test(bytes);
    default:
        return false;
    }
}

// What is wrong, in words; null when nothing is.
function disagreement(ours, theirs, bytes) {
    for (const [i, request] of ours.requests.entries()) {
        if (!theirs.requests[i]) {
            if (isNarrower(theirs.problem, request, bytes)) {
                return null;
            }
            return `request ${i} was accepted, Node saw no such request`;
        }
        if (!isSame(request, theirs.requests[i])) {
            return `request ${i} was accepted, Node saw another one`;
        }
    }
    if (!ours.refused && ours.requests.length < theirs.requests.length) {
        return `request ${ours.requests.length} was passed over, Node saw it`;
    }
    if (!ours.refused && theirs.problem) {
        return 'everything was accepted, Node found something wrong';
    }
    return null;
}

test(`${CASES} generated requests, seed ${SEED}`, async (t) => {
    const lanes = await openLanes(t);
    const askNode = createNodeParser();
    const random = new Random(SEED);
    const cases = Array.from({ length: CASES }, (_, i) => generate(random, i));
    const wrong = [];
    const count = { bothAccepted: 0, bothRefused: 0, onlyOursRefused: 0 };
    let next = 0;

    await Promise.all(lanes.map(async (lane) => {
        while (next < cases.length) {
            const number = next++;
            const theirs = await askNode(cases[number]);
            const ours = await feedGateway(lane, cases[number]);
            const problem = disagreement(ours, theirs, cases[number]);
            if (problem) {
                wrong.push({ number, problem, bytes: cases[number], ours, theirs });
            } else if (!ours.refused) {
                count.bothAccepted++;
            } else if (theirs.problem) {
                count.bothRefused++;
            } else {
                count.onlyOursRefused++;
            }
        }
    }));

    t.diagnostic(`accepted by both ${count.bothAccepted}, refused by both ${count.bothRefused}, refused by the gateway only ${count.onlyOursRefused}`);
    await t.test('they agree, or the gateway refused', () => {
        const shown = wrong.slice(0, 10).map((each) => JSON.stringify(each, null, 1)).join('\n');
        assert.equal(wrong.length, 0, shown);
    });
    await t.test('the cases are worth something: many accepted, many refused', () => {
        assert.ok(count.bothAccepted > CASES / 10, JSON.stringify(count));
        assert.ok(count.bothRefused > CASES / 10, JSON.stringify(count));
    });
    await t.test('what the gateway refuses and Node accepts is the smaller part', () => {
        assert.ok(count.onlyOursRefused < CASES / 3, JSON.stringify(count));
    });
    await t.test('the origins have seen nothing but well-formed requests', () => {
        for (const { origin } of lanes) {
            assert.equal(origin.failures.find((error) => error.code === 'ERR_ASSERTION'), undefined);
        }
    });
});
