// SPDX-License-Identifier: BSD-2-Clause
// Large bodies of random bytes both ways at once, through all four pairs of protocols, with a length and
// without, many at a time, where client or origin reads slowly. Both sides compare what came with the
// hash of what was sent: what is lost, doubled, out of order or another request's shows there, in
// whatever pieces it went. TURNPIKE_SEED chooses other ones.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { isInstrumented, startGateway } from './lib/gateway.mjs';
import { http2Origin } from './lib/http2-origin.mjs';
import { connectHttp2 } from './lib/http2.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { Random } from './lib/random.mjs';
import { drained, patient, until, within } from './lib/wait.mjs';

const SEED = Number(process.env.TURNPIKE_SEED ?? 1904);
const AT_ONCE = 12;
const EXCHANGES = isInstrumented ? 36 : 60;
const LARGEST = 8_000_000;
const POOL = crypto.createHash('shake256', { outputLength: LARGEST + 1_000_000 }).update(String(SEED)).digest();
const DEADLINE = patient(240_000);

// Where a body is cut out of the pool follows from its size and its place, so that no two are alike.
const bodyOf = (place, size) => POOL.subarray(place, place + size);
const hashOf = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

function sizeOf(random) {
    return 100_000 + random.below(random.pick([1, 60_000, 60_000, 500_000, 500_000, 2_000_000]));
}

function turns(count) {
    return new Promise((resolve) => {
        const next = () => (count-- > 0 ? setImmediate(next) : resolve());
        next();
    });
}

// The hash of what comes. A slow reader stops after each piece for some turns, and once for longer: all
// buffers on the way are full then.
async function readAll(stream, slow) {
    const hash = crypto.createHash('sha256');
    let length = 0;
    for await (const piece of stream) {
        hash.update(piece);
        const before = length;
        length += piece.length;
        if (slow) {
            await turns(before < 70_000 && length >= 70_000 ? 300 : 3);
        }
    }
    return { length, hash: hash.digest('hex') };
}

// In pieces, as the stream takes them; some senders pause.
async function writeAll(stream, bytes, random) {
    for (let at = 0; at < bytes.length && !stream.destroyed;) {
        const piece = bytes.subarray(at, at + 1 + random.below(random.pick([3000, 40_000, 300_000])));
        at += piece.length;
        if (!stream.write(piece)) {
            await drained(stream);
        }
        if (random.chance(5)) {
            await turns(2);
        }
    }
}

function planOf(random, id, largest) {
    const size = largest ? LARGEST : sizeOf(random);
    return {
        id,
        up: { place: random.below(900_000), size, known: random.chance(50) },
        down: { place: random.below(900_000), size: sizeOf(random), known: random.chance(40) },
        slowOrigin: random.chance(35),
        slowClient: random.chance(35),
        seed: random.below(2 ** 31),
    };
}

const fieldsOf = (plan) => ({ 'x-plan': JSON.stringify(plan), te: 'trailers' });

// What the origin's handlers share. Returns the answer's fields once the request is read to its end.
async function judgeRequest(origin, request, plan) {
    const got = await readAll(request, plan.slowOrigin);
    const right = hashOf(bodyOf(plan.up.place, plan.up.size));
    if (got.hash !== right) {
        origin.wrong.push(`${plan.id}: ${got.length} of ${plan.up.size} bytes, with another hash`);
    }
    const fields = { 'x-got': got.hash };
    return plan.down.known ? { ...fields, 'content-length': plan.down.size } : { ...fields, trailer: 'x-after' };
}

const originsOf = {
    http1: (t) => httpOrigin(t, {
        handler: async (request, response) => {
            const plan = JSON.parse(request.headers['x-plan']);
            const fields = await judgeRequest(originsOf.http1.current, request, plan);
            response.writeHead(200, fields);
            await writeAll(response, bodyOf(plan.down.place, plan.down.size), new Random(plan.seed));
            if (!plan.down.known) {
                response.addTrailers({ 'x-after': plan.id });
            }
            response.end();
        },
    }),
    http2: (t) => http2Origin(t, {
        handler: async (stream, headers) => {
            const plan = JSON.parse(headers['x-plan']);
            const fields = await judgeRequest(originsOf.http2.current, stream, plan);
            stream.respond({ ':status': 200, ...fields }, { waitForTrailers: !plan.down.known });
            stream.on('wantTrailers', () => stream.sendTrailers({ 'x-after': plan.id }));
            await writeAll(stream, bodyOf(plan.down.place, plan.down.size), new Random(plan.seed));
            stream.end();
        },
    }),
};

const clientsOf = {
    http1: async (t, gateway) => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });
        t.after(() => agent.destroy());
        return (plan) => new Promise((resolve, reject) => {
            const length = plan.up.known ? { 'content-length': plan.up.size } : { 'transfer-encoding': 'chunked' };
            const asked = http.request({ ...gateway.connectOptions, agent, method: 'POST', headers: { ...fieldsOf(plan), connection: 'te', ...length } });
            asked.on('error', reject);
            asked.on('response', (answer) => {
                readAll(answer, plan.slowClient).then((got) => resolve({
                    ...got, status: answer.statusCode, fields: answer.headers, trailers: answer.trailers,
                }), reject);
            });
            writeAll(asked, bodyOf(plan.up.place, plan.up.size), new Random(plan.seed)).then(() => asked.end(), reject);
        });
    },
    http2: async (t, gateway) => {
        const session = await connectHttp2(t, gateway);
        return (plan) => new Promise((resolve, reject) => {
            const length = plan.up.known ? { 'content-length': plan.up.size } : {};
            const stream = session.request({ ':method': 'POST', ':path': '/', ...fieldsOf(plan), ...length }, { endStream: false });
            let trailers = {};
            stream.on('error', reject);
            stream.on('trailers', (fields) => (trailers = fields));
            stream.on('response', (fields) => {
                readAll(stream, plan.slowClient).then((got) => resolve({ ...got, status: fields[':status'], fields, trailers }), reject);
            });
            writeAll(stream, bodyOf(plan.up.place, plan.up.size), new Random(plan.seed)).then(() => stream.end(), reject);
        });
    },
};

function check(plan, got) {
    const what = JSON.stringify(plan);
    assert.equal(got.status, 200, what);
    assert.equal(got.fields['x-got'], hashOf(bodyOf(plan.up.place, plan.up.size)), `upwards: ${what}`);
    assert.equal(got.length, plan.down.size, what);
    assert.equal(got.hash, hashOf(bodyOf(plan.down.place, plan.down.size)), `downwards: ${what}`);
    if (!plan.down.known) {
        assert.equal(got.trailers['x-after'], String(plan.id), `trailers: ${what}`);
    }
}

for (const [client, origin] of [['http1', 'http1'], ['http1', 'http2'], ['http2', 'http1'], ['http2', 'http2']]) {
    test(`${client} to ${origin}: bodies of up to ${LARGEST} bytes arrive as they were sent`, { timeout: 2 * DEADLINE }, async (t) => {
        const random = new Random(SEED + client.length * 7 + origin.charCodeAt(4) * 3 + client.charCodeAt(4));
        const there = await originsOf[origin](t);
        there.wrong = [];
        originsOf[origin].current = there;
        const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", h2c: true}]
workers: 1
min_rates: {request_body: none, response: none}
${through(there, { service: `protocol: ${origin}` })}`);
        const exchange = await clientsOf[client](t, gateway);
        let next = 0;
        const lane = async () => {
            while (next < EXCHANGES) {
                const id = next++;
                const plan = planOf(random, id, id === 5);
                check(plan, await within(() => `the answer to ${JSON.stringify(plan)}`, exchange(plan), DEADLINE));
            }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, lane));
        assert.deepEqual(there.wrong, []);
    });
}

// All buffers up to the client are full when the trailers come: they wait with the last of the body.
test('trailers of an HTTP/2 origin reach an HTTP/1 client that is behind', { timeout: 2 * DEADLINE }, async (t) => {
    let stuck = false;
    let gone = false;
    const origin = await http2Origin(t, {
        handler: async (stream) => {
            stream.on('close', () => (gone = true));
            stream.on('wantTrailers', () => stream.sendTrailers({ 'x-after': 'the last' }));
            stream.respond({ ':status': 200, trailer: 'x-after' }, { waitForTrailers: true });
            for (let at = 0; !stuck; at = (at + 16_000) % LARGEST) {
                if (!stream.write(bodyOf(at, 16_000))) {
                    stuck = await Promise.race([drained(stream).then(() => false), turns(2000).then(() => true)]);
                }
            }
            stream.end(bodyOf(0, 40_000));
        },
    });
    const gateway = await startGateway(t, `workers: 1\n${through(origin, { service: 'protocol: http2' })}`);
    const answer = await within('an answer to begin', new Promise((resolve, reject) => {
        http.get({ ...gateway.connectOptions, agent: false, headers: { te: 'trailers', connection: 'te, close' } }, resolve).on('error', reject);
    }));
    await until('the origin to be stuck', () => stuck, DEADLINE);
    await until('the origin to have sent all', () => gone || (answer.read(8000), false), DEADLINE);
    await readAll(answer, false);
    assert.deepEqual({ ...answer.trailers }, { 'x-after': 'the last' });
});
