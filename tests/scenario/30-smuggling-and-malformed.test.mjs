// SPDX-License-Identifier: BSD-2-Clause
// Raw requests from tables (raw/*.mjs), each naming its RFC section. Every one is either refused
// with a status, and then the connection closes and no origin hears of it; or accepted, and then
// the origin sees it in exactly one form and the connection stays in step.
//
// A row: name, rfc, send (bytes), and one or both of
//   refuse: status or list   the answer is one of these
//   sees: [{line, fields, lacks, has, once, body}]   what the origin gets, in order
// Both without `after` means that either is right. after: n  the first n are accepted, the next
// is refused. closes: the connection ends behind the answers. partly: the origin may have begun
// to read the refused request, and never gets the end of it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import { assertOwnError } from './lib/proxy-status.mjs';
import { connectLoose, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { through } from './lib/configs.mjs';
import connections from './raw/connections.mjs';
import fields from './raw/fields.mjs';
import framing from './raw/framing.mjs';
import requestLine from './raw/request-line.mjs';

const TABLES = { requestLine, fields, framing, connections };
const NO_DEADLINE = 3_600_000;

// Answers every request, to HEAD without a body.
async function answerEach(wire) {
    for (;;) {
        const asked = await wire.request(NO_DEADLINE);
        wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${asked.method === 'HEAD' ? '' : 'ok'}`);
    }
}

function assertSeen(request, wanted) {
    assert.equal(request.startLine, wanted.line);
    for (const [name, value] of Object.entries(wanted.fields ?? {})) {
        assert.deepEqual(request.all(name), [value], name);
    }
    for (const name of wanted.lacks ?? []) {
        assert.deepEqual(request.all(name), [], name);
    }
    for (const name of wanted.has ?? []) {
        assert.equal(request.all(name).length > 0, true, name);
    }
    for (const name of [...(wanted.once ?? []), 'host']) {
        assert.equal(request.all(name).length, 1, `${name} once`);
    }
    if (wanted.body !== undefined) {
        assert.equal(request.text, wanted.body);
    }
}

function assertNothingSmuggled(origin, from) {
    for (const request of origin.heads.slice(from)) {
        assert.ok(!request.target.includes('smuggled'), `the origin saw ${JSON.stringify(request.raw)}`);
    }
}

// Reads answers until one is no 200 (100 is skipped) or `most` have come.
async function answersOf(client, most, methods) {
    const answers = [];
    while (answers.length < most) {
        const answer = await client.answer({ method: methods[answers.length] });
        if (answer.status === 100) {
            continue;
        }
        answers.push(answer);
        if (answer.status !== 200) {
            break;
        }
    }
    return answers;
}

async function assertRefused(row, client, origin, before, answers) {
    const accepted = row.after ?? 0;
    assert.equal(answers.length, accepted + 1, 'answers');
    const last = answers.at(-1);
    assert.ok([row.refuse].flat().includes(last.status), `${last.startLine}: ${last.text}`);
    assertOwnError(last, last.status);
    await client.closed();
    assert.equal(client.held.toString('latin1'), '', 'nothing behind the refusal');
    assert.equal(origin.requests.length, before.requests + accepted, 'requests at the origin');
    if (!row.partly) {
        assert.equal(origin.heads.length, before.heads + accepted, 'request heads at the origin');
    }
}

async function assertAccepted(row, client, origin, before) {
    const came = origin.requests.slice(before.requests);
    assert.deepEqual(came.map((each) => each.startLine), row.sees.map((each) => each.line));
    row.sees.forEach((wanted, i) => assertSeen(came[i], wanted));
    if (row.closes) {
        await client.expectClose();
    } else {
        const next = await client.ask(head('GET /in-step HTTP/1.1', 'Host: a'));
        assert.equal(next.status, 200, `in step: ${next.text}`);
        assert.equal(origin.requests.at(-1).target, '/in-step');
        assert.equal(origin.requests.length, before.requests + row.sees.length + 1);
    }
}

async function run(row, gateway, origin) {
    const before = { heads: origin.heads.length, requests: origin.requests.length };
    const client = await connectLoose(gateway);
    try {
        client.send(row.send);
        const sees = row.sees ?? [];
        const most = row.after !== undefined ? row.after + 1 : Math.max(sees.length, 1);
        const answers = await answersOf(client, most, sees.map((each) => each.line.split(' ')[0]));
        if (row.refuse && (row.after !== undefined || !row.sees || answers.at(-1).status !== 200)) {
            await assertRefused(row, client, origin, before, answers);
        } else {
            assert.deepEqual(answers.map((each) => each.status), sees.map(() => 200), answers.at(-1)?.text);
            await assertAccepted(row, client, origin, before);
        }
        assertNothingSmuggled(origin, before.heads);
    } finally {
        client.destroy();
    }
}

for (const [family, rows] of Object.entries(TABLES)) {
    test(`raw requests: ${family}`, async (t) => {
        const origin = await rawOrigin(t, answerEach);
        const gateway = await startGateway(t, through(origin, {
            more: 'limits: {body_bytes: 200kB}\ntimeouts: {head: 500ms, body_idle: 500ms}',
        }));
        for (const row of rows) {
            await t.test(`${row.name} [${row.rfc}]`, () => run(row, gateway, origin));
        }
        await t.test('the origin has seen nothing but well-formed requests', async () => {
            const wrong = origin.failures.find((error) => error.code === 'ERR_ASSERTION');
            assert.equal(wrong, undefined);
            assertNothingSmuggled(origin, 0);
        });
    });
}

test('the tables', async (t) => {
    const rows = Object.values(TABLES).flat();
    await t.test('hold at least 250 requests', () => assert.ok(rows.length >= 250, `${rows.length}`));
    await t.test('name an RFC section each, and an outcome', () => {
        for (const row of rows) {
            assert.match(row.rfc, /^RFC [0-9]{4} section [0-9.]+$/, row.name);
            assert.ok(row.refuse || row.sees, row.name);
        }
    });
    await t.test('name no request twice', () => {
        const names = rows.map((row) => row.name);
        assert.deepEqual(names.filter((name, i) => names.indexOf(name) !== i), []);
    });
});
