// SPDX-License-Identifier: BSD-2-Clause
// Origins over HTTP/2 that refuse, leave, break and flood: what they say they did not process goes on
// elsewhere, all else has today's verdicts; a malformed answer fails alone and is named.
import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { ask, connectHttp2, open } from './lib/http2.mjs';
import { connect } from './lib/raw-client.mjs';
import { rawHttp2Origin } from './lib/raw-http2-origin.mjs';
import { patient, pause, until, within } from './lib/wait.mjs';
import * as h2 from '../peers/http2_peer.mjs';

const { data, frame, headers, hpackInteger, literal, number32, ping, reset, settings, windowUpdate } = h2;
const PLAIN = 'listeners: [{address: "127.0.0.1:0", h2c: true}]\nworkers: 1';
const H2 = { service: 'protocol: http2' };
const OK = [[':status', '200']];
const END = { end: true };
const goaway = (last, code = 0) => frame(h2.GOAWAY, 0, 0, Buffer.concat([number32(last), number32(code)]));

const ok = (stream, body = 'ok') => Buffer.concat([headers(stream, OK), data(stream, body, END)]);

async function answerAll(peer) {
    for (let id = await peer.request(); id !== undefined; id = await peer.request()) {
        peer.send(ok(id));
    }
}

async function through1(t, script, options) {
    const origin = await rawHttp2Origin(t, script, options);
    const gateway = await startGateway(t, `${PLAIN}\n${through(origin, H2)}`);
    return { origin, gateway };
}

const post = (gateway) => request(gateway, { method: 'POST', body: 'once' });

test('a POST whose stream is refused goes to the same origin once more', async (t) => {
    const { gateway } = await through1(t, async (peer, number) => {
        const id = await peer.request();
        peer.send(number === 0 ? reset(id, 7) : ok(id));
        await answerAll(peer);
    });
    assert.equal((await post(gateway)).body, 'ok');
    const [entry] = await gateway.logged(1);
    assert.deepEqual(entry['turnpike.attempts'].map(({ delivery, protocol }) => [delivery, protocol]),
        [['not-processed', '2'], ['answered', '2']]);
});

test('a POST above the last stream of a GOAWAY goes over a new connection', async (t) => {
    const { origin, gateway } = await through1(t, async (peer, number) => {
        const id = await peer.request();
        peer.send(number === 0 ? goaway(0) : ok(id));
        await answerAll(peer);
    });
    assert.equal((await post(gateway)).body, 'ok');
    assert.equal(origin.wires.length, 2);
});

test('streams up to the last of a GOAWAY are answered, new ones go over a new connection', async (t) => {
    const held = [];
    const { origin, gateway } = await through1(t, async (peer, number) => {
        const id = await peer.request();
        if (number === 0) {
            peer.send(goaway(2 ** 31 - 1), goaway(id));
            held.push(() => peer.send(ok(id, 'old')));
        } else {
            peer.send(ok(id, 'new'));
        }
        await answerAll(peer);
    });
    const client = await connectHttp2(t, gateway);
    const first = open(client);
    await until('the first to arrive', () => held.length === 1);
    assert.equal((await ask(client)).body, 'new');
    held[0]();
    assert.equal((await first.answer).body, 'old');
    assert.equal(origin.wires.length, 2);
});

test('a POST on a connection that breaks may have been processed, and is not repeated', async (t) => {
    const { origin, gateway } = await through1(t, async (peer) => {
        await peer.request();
        peer.wire.socket.destroy();
    });
    const answer = await post(gateway);
    assert.equal(answer.status, 502, answer.body);
    assert.equal(JSON.parse(answer.body).delivery, 'maybe');
    assert.equal(origin.wires.length, 1);
});

test('one bad connection fails its own streams, each with its own verdict', async (t) => {
    const { gateway } = await through1(t, async (peer, number) => {
        if (number > 0) {
            await answerAll(peer);
            return;
        }
        const one = await peer.request();
        const two = await peer.request();
        peer.send(headers(one, OK), data(one, 'half'));
        await peer.request();
        peer.send(ok(two, 'whole'));
        await peer.lives();
        peer.wire.socket.destroy();
    });
    const client = await connectHttp2(t, gateway);
    const begun = open(client, { ':path': '/1' });
    const whole = open(client, { ':path': '/2' });
    await begun.begun;
    const unheard = open(client, { ':path': '/3' }, { body: 'x' });
    assert.equal((await whole.answer).body, 'whole');
    await assert.rejects(begun.answer);
    const answer = await unheard.answer;
    assert.equal(answer.status, 502);
    assert.equal(JSON.parse(answer.body).delivery, 'maybe');
    assert.equal((await request(gateway)).body, 'ok');
});

const MALFORMED = {
    'no :status': [(id) => headers(id, [['a', 'b']], END), /:status/],
    'a :status of two digits': [(id) => headers(id, [[':status', '20']], END), /:status/],
    'a second :status': [(id) => headers(id, [...OK, ...OK], END), /pseudo/],
    'a :status of 101': [(id) => headers(id, [[':status', '101']]), /:status/],
    'a request\'s pseudo field': [(id) => headers(id, [...OK, [':path', '/']], END), /pseudo/],
    'a name in upper case': [(id) => headers(id, [...OK, ['X-Some', 'b']], END), /upper case/],
    'a name with a space': [(id) => headers(id, [...OK, ['x some', 'b']], END), /forbidden character/],
    'an empty name': [(id) => headers(id, [...OK, ['', 'b']], END), /without a name/],
    'CR LF in a value': [(id) => headers(id, [...OK, ['a', 'b\r\nset-cookie: c']], END), /control character/],
    'NUL in a value': [(id) => headers(id, [...OK, ['a', 'b\0']], END), /control character/],
    'a space before a value': [(id) => headers(id, [...OK, ['a', ' b']], END), /white space/],
    'Connection': [(id) => headers(id, [...OK, ['connection', 'close']], END), /connection/],
    'Transfer-Encoding': [(id) => headers(id, [...OK, ['transfer-encoding', 'chunked']], END), /connection/],
    'two lengths': [(id) => headers(id, [...OK, ['content-length', '1'], ['content-length', '2']]), /Content-Length/i],
    'a length and no body': [(id) => headers(id, [...OK, ['content-length', '3']], END), /Content-Length/],
    'an interim answer that ends the stream': [(id) => headers(id, [[':status', '103']], END), /interim/],
};

for (const [what, [piece, fault]] of Object.entries(MALFORMED)) {
    test(`an answer with ${what} is a 502 that names it, and others go on`, async (t) => {
        const { origin, gateway } = await through1(t, async (peer) => {
            const bad = await peer.request();
            peer.send(piece(bad));
            await answerAll(peer);
        });
        const answer = await post(gateway);
        assert.equal(answer.status, 502, answer.body);
        const [entry] = await gateway.logged(1);
        assert.match(JSON.stringify(entry), fault);
        assert.equal((await post(gateway)).body, 'ok');
        assert.equal(origin.wires.length, 1);
    });
}

test('a body that is shorter or longer than its length says is broken off', async (t) => {
    const { gateway } = await through1(t, async (peer) => {
        for (const body of ['ab', 'abcd']) {
            const id = await peer.request();
            peer.send(headers(id, [...OK, ['content-length', '3']]), data(id, body, END));
        }
        await answerAll(peer);
    });
    for (let i = 0; i < 2; i++) {
        const answer = await request(gateway).catch(() => ({ status: 'broken' }));
        assert.notEqual(answer.status, 200);
    }
    assert.equal((await request(gateway)).body, 'ok');
});

const FLOODS = {
    SETTINGS: () => settings([[4, 65535]]),
    PING: () => ping(),
    'unknown frames': () => frame(0x42, 0, 0, Buffer.from('x')),
    'empty DATA': (id) => data(id),
    'WINDOW_UPDATE': () => windowUpdate(0, 1),
    PRIORITY: (id) => frame(h2.PRIORITY, 0, id, Buffer.from([0, 0, 0, 0, 1])),
};

for (const [what, piece] of Object.entries(FLOODS)) {
    test(`a flood of ${what} ends that connection`, async (t) => {
        const { origin, gateway } = await through1(t, async (peer, number) => {
            const id = await peer.request();
            if (number > 0) {
                peer.send(ok(id));
                await answerAll(peer);
                return;
            }
            peer.send(headers(id, OK));
            for (let i = 0; i < 400 && !peer.wire.ended; i++) {
                peer.send(...Array.from({ length: 50 }, () => piece(id)));
                await new Promise((resolve) => setImmediate(resolve));
            }
        });
        await request(gateway).catch(() => {});
        await until('the connection to end', () => origin.wires[0].ended);
        assert.equal((await request(gateway)).body, 'ok');
    });
}

test('heads that are too large, bombs and endless CONTINUATION are refused', async (t) => {
    const large = literal(['x-large', 'x'.repeat(15_000)]);
    const { gateway } = await through1(t, async (peer, number) => {
        const id = await peer.request();
        if (number === 0) {
            peer.send(headers(id, OK, { endHeaders: false }));
            for (let i = 0; i < 100; i++) {
                peer.send(frame(h2.CONTINUATION, 0, id, large));
            }
            return;
        }
        await answerAll(peer);
        peer.send(ok(id));
    });
    const answer = await post(gateway);
    assert.equal(answer.status, 502, answer.body);
});

test('a push is refused', async (t) => {
    const { origin, gateway } = await through1(t, async (peer, number) => {
        const id = await peer.request();
        if (number === 0) {
            peer.send(frame(h2.PUSH_PROMISE, 4, id, Buffer.concat([number32(2), literal([':method', 'GET'])])));
            await peer.closed();
            return;
        }
        peer.send(ok(id));
        await answerAll(peer);
    });
    assert.equal((await request(gateway)).status, 502);
    await until('the connection to end', () => origin.peers[0].ended);
    assert.equal(origin.peers[0].goaway.code, 'PROTOCOL_ERROR');
});

test('an origin that allows no stream is waited for, and not dialed again and again', async (t) => {
    let opened;
    const { origin, gateway } = await through1(t, async (peer) => {
        opened = () => peer.send(settings([[3, 10]]));
        await answerAll(peer);
    }, { first: settings([[3, 0]]) });
    const asked = request(gateway);
    await until('a connection', () => opened !== undefined);
    opened();
    assert.equal((await asked).body, 'ok');
    assert.equal(origin.wires.length, 1);
});

test('a connection that ends without a request on it is no endless circle', async (t) => {
    const { origin, gateway } = await through1(t, async (peer) => {
        peer.send(goaway(0, 11));
        peer.wire.socket.end();
    });
    const answer = await request(gateway);
    assert.equal(answer.status, 502, answer.body);
    assert.ok(origin.wires.length < 5, `${origin.wires.length} connections`);
});

test('a POST does not go over a connection that has fallen silent', async (t) => {
    const { origin, gateway } = await through1(t, async (peer, number) => {
        peer.send(ok(await peer.request()));
        if (number > 0) {
            await answerAll(peer); // the first one answers nothing any more, not even a PING
        }
    });

    assert.equal((await post(gateway)).body, 'ok');
    await pause(5500); // the gateway asks after 5 s of silence; earlier there is nothing to see
    assert.equal((await post(gateway)).body, 'ok');
    assert.equal(origin.wires.length, 2);
});

test('requests on a connection that answers no PING fail, those elsewhere go on', async (t) => {
    const { origin, gateway } = await through1(t, async (peer, number) => {
        if (number > 0) {
            await answerAll(peer);
            return;
        }
        const id = await peer.request();
        peer.send(headers(id, OK), data(id, 'begun'));
    });
    const client = await connectHttp2(t, gateway);
    const stream = open(client);

    await stream.begun;
    await assert.rejects(within('the end of a stream', stream.answer, patient(60_000)));
    assert.equal((await request(gateway)).body, 'ok');
    assert.equal(origin.wires.length, 2);
});

// What an origin sends, and the code that it hears: of the connection, or "stream" and its own.
const unfinished = (id) => headers(id, OK, { endHeaders: false });
const WRONG = {
    '4.2 DATA that is too large': [(id) => [headers(id, OK), data(id, Buffer.alloc(16385))], 'FRAME_SIZE_ERROR'],
    '4.3 a field block that cannot be read': [(id) => [frame(h2.HEADERS, h2.END_HEADERS, id, Buffer.from([0, 0]))], 'COMPRESSION_ERROR'],
    '4.3 PING within a field block': [(id) => [unfinished(id), ping()], 'PROTOCOL_ERROR'],
    '4.3 an unknown frame within a field block': [(id) => [unfinished(id), frame(0x42, 0, id)], 'PROTOCOL_ERROR'],
    '5.1 DATA on an idle stream': [(id) => [data(id + 2, 'x')], 'PROTOCOL_ERROR'],
    '5.1 RST_STREAM on an idle stream': [(id) => [reset(id + 2)], 'PROTOCOL_ERROR'],
    '5.1 WINDOW_UPDATE on an idle stream': [(id) => [windowUpdate(id + 2, 1)], 'PROTOCOL_ERROR'],
    '5.1.1 HEADERS on a stream of its own': [() => [headers(2, OK)], 'PROTOCOL_ERROR'],
    '6.1 DATA on stream 0': [() => [data(0, 'x')], 'PROTOCOL_ERROR'],
    '6.1 padding as long as the payload': [(id) => [headers(id, OK), frame(h2.DATA, h2.PADDED, id, Buffer.from([5, 0, 0, 0, 0]))], 'PROTOCOL_ERROR'],
    '6.2 HEADERS on stream 0': [() => [headers(0, OK)], 'PROTOCOL_ERROR'],
    '6.2 the padding of HEADERS': [(id) => [frame(h2.HEADERS, h2.END_HEADERS | h2.PADDED, id, Buffer.from([5, 0, 0, 0, 0]))], 'PROTOCOL_ERROR'],
    '6.3 PRIORITY on stream 0': [() => [frame(h2.PRIORITY, 0, 0, Buffer.alloc(5))], 'PROTOCOL_ERROR'],
    '6.4 RST_STREAM on stream 0': [() => [reset(0)], 'PROTOCOL_ERROR'],
    '6.4 RST_STREAM of 3 bytes': [(id) => [frame(h2.RST_STREAM, 0, id, Buffer.alloc(3))], 'FRAME_SIZE_ERROR'],
    '6.5 ACK with a payload': [() => [frame(h2.SETTINGS, h2.ACK, 0, Buffer.alloc(6))], 'FRAME_SIZE_ERROR'],
    '6.5 SETTINGS on a stream': [(id) => [frame(h2.SETTINGS, 0, id)], 'PROTOCOL_ERROR'],
    '6.5 SETTINGS of 5 bytes': [() => [frame(h2.SETTINGS, 0, 0, Buffer.alloc(5))], 'FRAME_SIZE_ERROR'],
    '6.5.2 pushes allowed by a server': [() => [settings([[2, 1]])], 'PROTOCOL_ERROR'],
    '6.5.2 SETTINGS_ENABLE_PUSH of 2': [() => [settings([[2, 2]])], 'PROTOCOL_ERROR'],
    '6.5.2 SETTINGS_MAX_FRAME_SIZE of 16383': [() => [settings([[5, 16383]])], 'PROTOCOL_ERROR'],
    '6.5.2 a window of 2^31': [() => [settings([[4, 2 ** 31]])], 'FLOW_CONTROL_ERROR'],
    '6.7 PING on a stream': [(id) => [frame(h2.PING, 0, id, Buffer.alloc(8))], 'PROTOCOL_ERROR'],
    '6.7 PING of 6 bytes': [() => [ping('123456')], 'FRAME_SIZE_ERROR'],
    '6.8 GOAWAY on a stream': [(id) => [frame(h2.GOAWAY, 0, id, Buffer.alloc(8))], 'PROTOCOL_ERROR'],
    '6.9 WINDOW_UPDATE of 0': [() => [windowUpdate(0, 0)], 'PROTOCOL_ERROR'],
    '6.9 WINDOW_UPDATE of 3 bytes': [() => [frame(h2.WINDOW_UPDATE, 0, 0, Buffer.alloc(3))], 'FRAME_SIZE_ERROR'],
    '6.9.1 a connection window above 2^31-1': [() => [windowUpdate(0, 2 ** 31 - 1)], 'FLOW_CONTROL_ERROR'],
    '6.9.2 SETTINGS that overflow the window of a stream': [(id) => [windowUpdate(id, 2 ** 31 - 1 - 65535), settings([[4, 70_000]])], 'FLOW_CONTROL_ERROR'],
    '6.10 CONTINUATION without HEADERS': [(id) => [frame(h2.CONTINUATION, h2.END_HEADERS, id, h2.block(OK))], 'PROTOCOL_ERROR'],
    '8.1 HEADERS in the middle without END_STREAM': [(id) => [headers(id, OK), data(id, 'a'), headers(id, [['x', 'y']])], 'stream PROTOCOL_ERROR'],
    '8.1.1 a :status of 101': [(id) => [headers(id, [[':status', '101']])], 'stream PROTOCOL_ERROR'],
    '8.1.1 two lengths': [(id) => [headers(id, [...OK, ['content-length', '1'], ['content-length', '2']])], 'stream PROTOCOL_ERROR'],
};

for (const [what, [pieces, wanted]] of Object.entries(WRONG)) {
    test(`an origin hears what is wrong: ${what}`, async (t) => {
        let code;
        const { gateway } = await through1(t, async (peer) => {
            const id = await peer.request();
            peer.send(...pieces(id));
            code ??= await peer.error();
        });
        await post(gateway).catch(() => {}); // an answer may have begun
        await until('its code', () => code);
        assert.equal(code, wanted);
    });
}

test('an origin whose first frame is not SETTINGS hears so (section 3.4)', async (t) => {
    let code;
    const { gateway } = await through1(t, async (peer) => {
        code ??= await peer.error();
    }, { first: ping() });
    assert.equal((await post(gateway)).status, 502);
    await until('its code', () => code);
    assert.equal(code, 'PROTOCOL_ERROR');
});

test('SETTINGS of an origin are acknowledged, unknown frames and settings mean nothing (sections 3.4, 5.5, 6.5.2)', async (t) => {
    const { origin, gateway } = await through1(t, async (peer) => {
        assert.ok(await peer.until(({ type, flags }) => type === h2.SETTINGS && flags === h2.ACK));
        peer.send(frame(0x42, 0, 0, Buffer.from('x')), settings([[0xf0f0, 7]]));
        await answerAll(peer);
    });
    assert.equal((await post(gateway)).body, 'ok');
    assert.equal((await post(gateway)).body, 'ok');
    assert.equal(origin.wires.length, 1);
});

// Section 8.1: the client would not be told why.
test('a whole answer survives the RST_STREAM that asks for no more of the upload', async (t) => {
    const origin = await rawHttp2Origin(t, async (peer) => {
        const { stream } = await peer.until(({ type }) => type === h2.HEADERS);
        peer.send(headers(stream, [[':status', '413']]), data(stream, 'no', END), reset(stream, 0));
    });
    const gateway = await startGateway(t, `${PLAIN}\nlimits: {request_buffer: 0B}\n${through(origin, H2)}`);
    const client = await connectHttp2(t, gateway);
    const stream = client.request({ ':method': 'POST', ':path': '/', ':authority': 'a', 'content-length': '100000' });
    stream.on('error', () => {});
    stream.write(Buffer.alloc(100));
    const status = await new Promise((resolve) => stream.on('response', (got) => resolve(got[':status'])));
    let body = '';
    for await (const piece of stream) {
        body += piece;
    }
    assert.equal(status, 413);
    assert.equal(body, 'no');
});

// Sections 5.1 and 10.5.1: what is not wanted any more enters the table all the same.
test('the head of a stream that was given up updates the table of the compression', async (t) => {
    let first;
    const { gateway } = await through1(t, async (peer) => {
        first = (await peer.until(({ type }) => type === h2.HEADERS)).stream;
        await peer.until(({ type, stream }) => type === h2.RST_STREAM && stream === first);
        peer.send(headers(first, [...OK, literal(['x-a', 'b'], 0x40)]));
        const next = await peer.request();
        peer.send(headers(next, [...OK, hpackInteger(62, 7, 0x80)], END));
    });
    const client = await connectHttp2(t, gateway);
    const given = client.request({ ':path': '/', ':authority': 'a' });
    given.on('error', () => {});
    await until('it to be at the origin', () => first !== undefined);
    given.close(8);
    assert.equal((await ask(client)).headers['x-a'], 'b');
});

test('DATA behind the end of an answer, while the upload goes on, is an error (section 5.1)', async (t) => {
    let code;
    const origin = await rawHttp2Origin(t, async (peer) => {
        const { stream } = await peer.until(({ type }) => type === h2.HEADERS);
        peer.send(headers(stream, OK), data(stream, 'x', END), data(stream, 'y'));
        code ??= await peer.error();
    });
    const gateway = await startGateway(t, `${PLAIN}\nlimits: {request_buffer: 0B}\n${through(origin, H2)}`);
    const client = await connect(t, gateway);

    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n');
    client.send(Buffer.alloc(1000));
    await until('its code', () => code);
    assert.match(code, /STREAM_CLOSED$/);
});

// Section 8.3.1. Of :method GET, :scheme http and :path / the table has all; an authority would stand among them.
test('an origin gets no :authority that the client did not name', async (t) => {
    let block;
    const { gateway } = await through1(t, async (peer) => {
        const { stream, payload } = await peer.until(({ type }) => type === h2.HEADERS);
        block = payload;
        peer.send(ok(stream));
    });
    const client = await connect(t, gateway);

    client.send('GET / HTTP/1.0\r\n\r\n');
    assert.equal((await client.answer()).status, 200);
    assert.deepEqual([...block.subarray(0, 3)].sort(), [0x82, 0x84, 0x86]);
});

test('the head of an answer that is too large updates the table of the compression (section 10.5.1)', async (t) => {
    const { origin, gateway } = await through1(t, async (peer) => {
        const large = await peer.request();
        peer.send(headers(large, [...OK, literal(['x-a', 'b'], 0x40)], { endHeaders: false }));
        for (let i = 0; i < 3; i++) {
            peer.send(frame(h2.CONTINUATION, i === 2 ? h2.END_HEADERS : 0, large, literal([`x-${i}`, 'y'.repeat(14_000)])));
        }
        const next = await peer.request();
        peer.send(headers(next, [...OK, hpackInteger(62, 7, 0x80)], END));
    });
    assert.equal((await post(gateway)).status, 502);
    assert.equal((await post(gateway)).headers['x-a'], 'b');
    assert.equal(origin.wires.length, 1);
});
