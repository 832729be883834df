// SPDX-License-Identifier: BSD-2-Clause
// What its own answers do to an origin: ejected, tried, back.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { request, tally } from './lib/client.mjs';
import { startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { until } from './lib/wait.mjs';

const QUICK = 'ejection_time: 300ms, slow_start: none';

async function start(t, origins, health = '', { service = '', more = '' } = {}) {
    const list = origins.map((origin) => `{address: "${origin.address}"${origin.backup ? ', backup: true' : ''}}`).join(', ');
    return startGateway(t, `
services: {app: {origins: [${list}], health: {${health}}${service && `, ${service}`}}}
routes: [{name: all, service: app}]
${more}`);
}

// An origin with a mood: 'well', or a function that answers.
async function moody(t, name) {
    const origin = await httpOrigin(t, {
        name,
        handler: async (asked, answer, record) => {
            await record.body();
            if (origin.mood) {
                origin.mood(asked, answer);
            } else {
                answer.end(name);
            }
        },
    });
    return origin;
}

const answers503 = (_, answer) => {
    answer.statusCode = 503;
    answer.end();
};

// An address without a listener, until there is one.
async function deadOrigin(t, name) {
    const gone = await httpOrigin(t, { name });
    const { port, address } = gone;
    await gone.close();
    return {
        address,
        revive: () =>
            new Promise((resolve) => {
                const server = http.createServer((_, answer) => answer.end(name)).listen(port, '127.0.0.1', resolve);
                t.after(() => {
                    server.close();
                    server.closeAllConnections?.();
                });
            }),
    };
}

async function triedTwice(gateway, count) {
    const entries = await gateway.logged(count);
    return entries.filter((entry) => entry['turnpike.attempts']?.length === 2).length;
}

test('an origin that refuses connections is ejected, and no request notices', async (t) => {
    const dead = await deadOrigin(t, 'dead');
    const gateway = await start(t, [await httpOrigin(t, { name: 'a' }), dead], 'ejection_time: 1h, max_ejection_time: 1h');
    const seen = await tally(gateway, 40);
    assert.deepEqual(seen, { a: 40 });
    await gateway.said(/origin 127\S+: ejected for [0-9.]+ s: 5 attempts in a row failed, the last since the origin refused the connection/);
    assert.equal(await triedTwice(gateway, 40), 5, 'only until it was ejected');
});

// A rolling restart: the first one is back, but still ejected, when the second one goes.
test('when the last origin that serves goes, one that was ejected takes its place', async (t) => {
    const last = await httpOrigin(t, { name: 'last' });
    const ejected = await deadOrigin(t, 'ejected');
    const gateway = await start(t, [last, ejected], 'ejection_time: 1h, max_ejection_time: 1h');
    await tally(gateway, 20);
    await gateway.said(/: ejected for/);
    await ejected.revive();
    await last.close();
    for (let i = 0; i < 20; i++) {
        const answer = await request(gateway, { method: 'POST', body: 'pays' });
        assert.deepEqual([answer.status, String(answer.body)], [200, 'ejected'], `request ${i}`);
    }
    await gateway.said(/passed its half-open probe, gets requests again/);
    const entries = await gateway.logged(40);
    const retried = entries.slice(20).filter((entry) => entry['turnpike.attempts'].length === 2);
    assert.ok(retried.length <= 10, `${retried.length} of 20 had to be sent again`);
});

test('where all origins are down, they are not probed for each request', async (t) => {
    const gateway = await start(t, [await deadOrigin(t, 'one'), await deadOrigin(t, 'other')], 'ejection_time: 1h, max_ejection_time: 1h');
    for (let i = 0; i < 50; i++) {
        assert.equal((await request(gateway, {})).status, 502);
    }
    const stays = gateway.stderr.match(/stays ejected/g)?.length ?? 0;
    assert.ok(stays <= 10, `${stays} connect probes`);
});

test('what was ejected is tried, and comes back', async (t) => {
    const dead = await deadOrigin(t, 'dead');
    const gateway = await start(t, [await httpOrigin(t, { name: 'a' }), dead], QUICK);
    await tally(gateway, 20);
    await gateway.said(/: ejected for/);
    await dead.revive();
    await until('it to be back', async () => {
        await request(gateway);
        return /passed its half-open probe, gets requests again/.test(gateway.stderr);
    });
    const seen = await tally(gateway, 20);
    assert.deepEqual(seen, { a: 10, dead: 10 });
});

test('an origin that accepts no connection is not even tried', async (t) => {
    const dead = await deadOrigin(t, 'dead');
    const gateway = await start(t, [await httpOrigin(t, { name: 'a' }), dead], QUICK);
    await tally(gateway, 20);
    await gateway.said(/: ejected for/);
    const before = (await gateway.logged(20)).length;
    await until('it to be knocked at twice', async () => {
        await request(gateway);
        return gateway.stderr.match(/stays ejected, for [0-9.]+ s more: Connection refused/g)?.length === 2;
    });
    const after = (await gateway.logged(before + 2)).slice(before);
    assert.ok(after.every((entry) => entry['turnpike.attempts']?.length === 1), 'no request has noticed');
});

test('a failed trial ejects for longer', async (t) => {
    const ill = await moody(t, 'ill');
    ill.mood = answers503;
    const gateway = await start(t, [await httpOrigin(t, { name: 'a' }), ill], QUICK);
    await tally(gateway, 20);
    const first = Number((await gateway.said(/: ejected for ([0-9.]+) s/))[1]);
    const again = await until('the trial', async () => {
        await request(gateway);
        return /failed its half-open probe, ejected for ([0-9.]+) s/.exec(gateway.stderr);
    });
    assert.ok(first >= 0.3 && first <= 0.4, `${first}`);
    assert.ok(Number(again[1]) >= 0.6 && Number(again[1]) <= 0.8, again[1]);
});

test('statuses count as failures only where they are set to', async (t) => {
    const ill = await moody(t, 'ill');
    ill.mood = answers503;
    const counts = await start(t, [await moody(t, 'a'), ill], QUICK);
    await tally(counts, 20);
    await counts.said(/: ejected for .*the last since it answered 503/);
    const doesNot = await start(t, [await moody(t, 'a'), ill], `${QUICK}, failed_status: none`);
    const seen = await tally(doesNot, 40);
    assert.equal(seen.a, 20);
    assert.doesNotMatch(doesNot.stderr, /ejected/);
});

test('a share of failures ejects, too, and successes between them do not help', async (t) => {
    const ill = await moody(t, 'ill');
    let turn = 0;
    ill.mood = (asked, answer) => (turn++ % 3 === 0 ? answer.end('ill') : answers503(asked, answer));
    const gateway = await start(t, [await moody(t, 'a'), ill], 'ejection_time: 1h, max_ejection_time: 1h, window: 1h, min_attempts: 12');
    await tally(gateway, 60);
    await gateway.said(/ejected for .*: [89] of 1[2-4] attempts failed/);
});

test('the only origin of a service is never ejected', async (t) => {
    const ill = await moody(t, 'ill');
    ill.mood = answers503;
    const gateway = await start(t, [ill], QUICK);
    await tally(gateway, 20);
    assert.doesNotMatch(gateway.stderr, /ejected/);
    assert.equal(ill.requests.length, 20);
});

test('no more than the set share is ejected, and never the last', async (t) => {
    const origins = await Promise.all(['a', 'b', 'c', 'd'].map((name) => moody(t, name)));
    for (const origin of origins) {
        origin.mood = answers503;
    }
    const half = await start(t, origins, 'ejection_time: 1h, max_ejection_time: 1h');
    await tally(half, 100);
    assert.equal(half.stderr.match(/: ejected for/g).length, 2);
    const all = await start(t, origins, 'ejection_time: 1h, max_ejection_time: 1h, max_ejected_share: 100%');
    await tally(all, 100);
    assert.equal(all.stderr.match(/: ejected for/g).length, 3);
});

test('a POST is no trial while there are requests that may be repeated', async (t) => {
    const ill = await moody(t, 'ill');
    ill.mood = answers503;
    const gateway = await start(t, [await moody(t, 'a'), ill], 'ejection_time: 100ms, max_ejection_time: 100ms, slow_start: none');
    await tally(gateway, 20);
    await gateway.said(/: ejected for/);
    const before = ill.requests.length;
    let posts = 0;
    await until('a trial', async () => {
        posts++;
        await request(gateway, { method: 'POST', body: 'pay' });
        await request(gateway);
        return ill.requests.length > before;
    });
    assert.equal(ill.requests[before].method, 'GET', `after ${posts} POSTs`);
});

test('a slow origin is ejected beside faster ones', async (t) => {
    const slow = await moody(t, 'slow');
    slow.mood = (_, answer) => setTimeout(() => answer.end('slow'), 150);
    const gateway = await start(t, [await moody(t, 'a'), slow, await moody(t, 'b')],
        'ejection_time: 1h, max_ejection_time: 1h, slow: {factor: 3, min_time: 50ms}');
    await until('it to be found out', async () => {
        await tally(gateway, 30, { connections: 10 });
        return /: ejected for .*: it takes 0\.[0-9]+ s to answer, another/.test(gateway.stderr);
    });
    const before = slow.requests.length;
    assert.deepEqual(await tally(gateway, 20), { a: 10, b: 10 });
    assert.equal(slow.requests.length, before);
});

async function ejectedForSlowness(t, health) {
    const ill = await moody(t, 'ill');
    const well = await moody(t, 'well');
    const gateway = await start(t, [well, ill], `${QUICK}, slow: {factor: 3, min_time: 100ms}${health ?? ''}`);
    ill.mood = (_, answer) => setTimeout(() => answer.end('ill'), 400);
    await until('it to be found out', async () => {
        await tally(gateway, 40, { connections: 8 });
        return /: ejected for .*: it takes 0\.[0-9]+ s to answer, another/.test(gateway.stderr);
    });
    return { ill, well, gateway, met: ill.requests.length };
}

test('what was ejected for being slow fails its trial by being slow once', async (t) => {
    const { ill, gateway, met } = await ejectedForSlowness(t);
    await until('the trial', async () => {
        assert.equal((await request(gateway)).status, 200);
        return /failed its half-open probe, ejected for/.test(gateway.stderr);
    });
    assert.equal(ill.requests.length - met, 1);
});

test('a trial that goes on for too long is given up, and its client served elsewhere', async (t) => {
    const { ill, gateway, met } = await ejectedForSlowness(t);
    ill.mood = () => {}; // it never answers
    await until('the trial', async () => {
        assert.equal((await request(gateway)).body, 'well');
        return ill.requests.length > met;
    });
    await gateway.said(/failed its half-open probe, ejected for [0-9.]+ s: without an answer for 0\.[0-9]+ s/);
    const tried = await until('the line of the trial', async () =>
        (await gateway.logged(1)).find((entry) => entry['turnpike.attempts']?.length === 2));
    assert.deepEqual(
        tried['turnpike.attempts'].map(({ origin, delivery, error }) => [origin, delivery, error]),
        [[ill.address, 'maybe', 'http_response_timeout'], [tried['turnpike.attempts'][1].origin, 'answered', undefined]],
    );
});

test('a POST to a half-open origin is left where it is, however slow', async (t) => {
    const { ill, well, gateway, met } = await ejectedForSlowness(t);
    let posts = 0;
    await until('a POST to be tried, for want of anything else', async () => {
        posts++;
        const answer = await request(gateway, { method: 'POST', body: `pay ${posts}` });
        assert.equal(answer.status, 200);
        return ill.requests.length > met;
    });
    const counts = [ill, well].map(({ requests }) => requests.filter(({ method }) => method === 'POST').length);
    assert.deepEqual(counts, [1, posts - 1]);
});

test('a trial whose answer has begun is waited for', async (t) => {
    const { ill, gateway, met } = await ejectedForSlowness(t);
    ill.mood = (_, answer) => {
        answer.writeEarlyHints({ link: '</style.css>; rel=preload' });
        setTimeout(() => answer.end('ill'), 400);
    };
    const bodies = [];
    await until('the trial', async () => {
        const answer = await request(gateway);
        assert.equal(answer.status, 200);
        bodies.push(answer.body);
        return ill.requests.length > met;
    });
    assert.equal(bodies.at(-1), 'ill');
});

test('an origin that falls silent is ejected, and is back soon after it wakes up', async (t) => {
    const stalls = await moody(t, 'stalls');
    const gateway = await start(t, [await moody(t, 'a'), stalls], `${QUICK}, slow: {factor: 3, min_time: 100ms}`);
    await tally(gateway, 100, { connections: 5 });
    const held = [];
    stalls.mood = (_, answer) => held.push(answer);
    const asked = Promise.all(Array.from({ length: 40 }, () => request(gateway)));
    await gateway.said(/: ejected for .*[0-9]+ requests since its last answer/);
    assert.ok(held.length >= 10);
    stalls.mood = undefined;
    for (const answer of held) {
        answer.end('late');
    }
    const late = (await asked).filter((answer) => answer.body === 'late').length;
    assert.equal(late, held.length, 'what it had was not taken from it');
    await until('it to be back', async () => (await request(gateway)).body === 'stalls');
});

test('an origin that is back begins with a small share', async (t) => {
    const ill = await moody(t, 'ill');
    ill.mood = answers503;
    const gateway = await start(t, [await moody(t, 'a'), ill], 'ejection_time: 100ms, slow_start: 1h');
    await tally(gateway, 20);
    await gateway.said(/: ejected for/);
    ill.mood = undefined;
    await until('it to be back', async () => {
        await request(gateway);
        return /passed its half-open probe/.test(gateway.stderr);
    });
    const seen = await tally(gateway, 110);
    assert.equal(seen.ill, 10, 'a tenth of the weight of the other');
});

test('backup origins serve only while no other can', async (t) => {
    const first = await deadOrigin(t, 'first');
    const spare = await httpOrigin(t, { name: 'spare' });
    spare.backup = true;
    const gateway = await start(t, [first, spare], `${QUICK}, max_ejected_share: 100%`);
    assert.equal((await request(gateway)).status, 502, 'until it is ejected');
    await until('the backup to serve', async () => (await request(gateway)).body === 'spare');
    await first.revive();
    await until('the first to serve again', async () => (await request(gateway)).body === 'first');
    assert.deepEqual(await tally(gateway, 10), { first: 10 });
});

test('an ejection is known to all workers', async (t) => {
    const dead = await deadOrigin(t, 'dead');
    const gateway = await start(t, [await httpOrigin(t, { name: 'a' }), dead], 'ejection_time: 1h, max_ejection_time: 1h', { more: 'workers: 4' });
    await tally(gateway, 200, { connections: 20 });
    const tried = await triedTwice(gateway, 200);
    assert.equal(gateway.stderr.match(/: ejected for/g).length, 1);
    assert.ok(tried >= 5 && tried < 25, `${tried} tries, not five for each worker`);
});
