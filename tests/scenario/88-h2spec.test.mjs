// SPDX-License-Identifier: BSD-2-Clause
// The cases that h2spec publishes for servers, each as a test under its own name: what it sends, and
// what RFC 9113 and RFC 7541 want to come of it. Written anew from the list.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import * as h2 from '../peers/http2_peer.mjs';

const { Http2Peer, GET, POST, frame, headers, data, settings, reset, windowUpdate, ping, block, literal, hpackInteger, hpackText, number32 } = h2;
const CONFIG = 'listeners: [{address: "127.0.0.1:0", h2c: true, limits: {http2_streams: 8}}]\nlimits: {request_buffer: 1MiB}\nroutes: [{name: ok, respond: {body: "hello, h2spec"}}]\n';
const END = { end: true };
const SIXTEEN_K = 16384;

let gateway;

test.before(async () => {
    // One gateway for all; each case has a connection of its own.
    const t = { after: (end) => (gateway.finish = end) };
    gateway = {};
    const started = await startGateway(t, CONFIG);
    started.finish = gateway.finish;
    gateway = started;
});
test.after(() => gateway.finish());

const answers = (...frames) => async (peer) => {
    peer.send(...frames);
    assert.equal((await peer.answered(1)).status, 200);
};
const answersOn = (stream, ...frames) => async (peer) => {
    peer.send(...frames);
    assert.equal((await peer.answered(stream)).status, 200);
};
// Any of these: 'PROTOCOL_ERROR' ends the connection, 'stream PROTOCOL_ERROR' the stream. What ends a
// connection may always be told by closing it (RFC 9113 section 5.4.1).
const fails = (codes, ...frames) => async (peer) => {
    peer.send(...frames);
    const got = await peer.error();
    assert.ok([codes].flat().includes(got), `${got} instead of ${codes}`);
    if (!got.startsWith('stream ')) {
        await peer.closed();
    }
};
const lives = (...frames) => async (peer) => {
    peer.send(...frames);
    assert.ok(await peer.lives());
};
// First all of an answer, then what must not follow it.
const then = (first, next) => async (peer) => {
    await first(peer);
    await next(peer);
};
const either = (...codes) => codes.flatMap((code) => [code, `stream ${code}`]);
const priority = (stream, on, weight = 15, exclusive = false) =>
    frame(h2.PRIORITY, 0, stream, Buffer.concat([number32((exclusive ? 0x80000000 : 0) + on), Buffer.from([weight])]));
const get = headers(1, GET, END);
const open = headers(1, POST);
const without = (name) => GET.filter(([field]) => field !== name);
const malformed = (fields, options = END) => fails(either('PROTOCOL_ERROR'), headers(1, fields, options));
const huffmanA = Buffer.from([0x81, 0x1f]); // "a", coded, with its length
const DUMMY = [['x-dummy', 'y'.repeat(100)]];
const padded = (type, flags, payload, pad = 8) => frame(type, flags | h2.PADDED, 1, Buffer.concat([Buffer.from([pad]), payload, Buffer.alloc(pad)]));

const CASES = {
    'generic/1 starts with a client connection preface': lives(),
    'generic/2.1 PRIORITY on an idle stream': answers(priority(1, 0), get),
    'generic/2.2 WINDOW_UPDATE on a half-closed (remote) stream': answers(get, windowUpdate(1, 100)),
    'generic/2.3 PRIORITY on a half-closed (remote) stream': answers(get, priority(1, 0)),
    'generic/2.4 RST_STREAM on a half-closed (remote) stream': lives(get, reset(1)),
    'generic/2.5 PRIORITY on a closed stream': then(answers(get), lives(priority(1, 0))),
    'generic/3.1.1 a DATA frame': answers(open, data(1, 'test', END)),
    'generic/3.1.2 several DATA frames': answers(open, data(1, 'test'), data(1, 'test', END)),
    'generic/3.1.3 DATA with padding': answers(open, padded(h2.DATA, h2.END_STREAM, Buffer.from('test'))),
    'generic/3.2.1 a HEADERS frame': answers(get),
    'generic/3.2.2 HEADERS with padding': answers(padded(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, block(GET))),
    'generic/3.2.3 HEADERS with priority': answers(headers(1, GET, { end: true, flags: h2.WITH_PRIORITY, before: Buffer.from([0, 0, 0, 0, 15]) })),
    'generic/3.3.1 PRIORITY with weight 1': answers(priority(1, 0, 0), get),
    'generic/3.3.2 PRIORITY with weight 256': answers(priority(1, 0, 255), get),
    'generic/3.3.3 PRIORITY with a dependency': answers(priority(1, 3), get),
    'generic/3.3.4 PRIORITY that is exclusive': answers(priority(1, 3, 15, true), get),
    'generic/3.3.5 PRIORITY of an idle stream, then HEADERS of a lower one': answers(priority(3, 0), get),
    'generic/3.4.1 RST_STREAM': lives(open, reset(1)),
    'generic/3.5.1 SETTINGS': async (peer) => {
        peer.send(settings([[3, 100]]));
        assert.ok(await peer.until(({ type, flags }) => type === h2.SETTINGS && flags === h2.ACK));
    },
    'generic/3.7.1 PING': lives(),
    'generic/3.8.1 GOAWAY': async (peer) => {
        peer.send(frame(h2.GOAWAY, 0, 0, Buffer.alloc(8)));
        assert.ok(await peer.lives() || [undefined, 'NO_ERROR'].includes(peer.goaway?.code));
    },
    'generic/3.9.1 WINDOW_UPDATE with stream 0': answers(windowUpdate(0, 1), get),
    'generic/3.9.2 WINDOW_UPDATE with stream 1': answers(open, windowUpdate(1, 1), data(1, '', END)),
    'generic/3.10.1 a CONTINUATION frame': answers(headers(1, GET, { end: true, endHeaders: false }), frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY))),
    'generic/3.10.2 several CONTINUATION frames': answers(headers(1, GET, { end: true, endHeaders: false }), frame(h2.CONTINUATION, 0, 1, block(DUMMY)), frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY))),
    'generic/4.1 a GET request': answers(get),
    'generic/4.2 a HEAD request': answers(headers(1, [[':method', 'HEAD'], ...GET.slice(1)], END)),
    'generic/4.3 a POST request': answers(open, data(1, 'test', END)),
    'generic/4.4 a POST request with trailers': answers(headers(1, [...POST, ['trailer', 'x-test']]), data(1, 'test'), headers(1, [['x-test', 'ok']], END)),
    'generic/5.1 an indexed field': answers(headers(1, [Buffer.from([0x82, 0x86, 0x84]), [':authority', 'a.test']], END)),
    'generic/5.2 a literal with indexing, indexed name': answers(headers(1, [...GET, Buffer.concat([Buffer.from([0x7a]), hpackText('me')])], END)),
    'generic/5.3 the same, Huffman coded': answers(headers(1, [...GET, Buffer.concat([Buffer.from([0x7a]), huffmanA])], END)),
    'generic/5.4 a literal with indexing, new name': answers(headers(1, [...GET, literal(['x-test', 'y'], 0x40)], END)),
    'generic/5.5 the same, Huffman coded': answers(headers(1, [...GET, Buffer.concat([Buffer.from([0x40]), huffmanA, huffmanA])], END)),
    'generic/5.6 a literal without indexing, indexed name': answers(headers(1, [...GET, Buffer.concat([Buffer.from([0x0f, 0x2b]), hpackText('me')])], END)),
    'generic/5.7 the same, Huffman coded': answers(headers(1, [...GET, Buffer.concat([Buffer.from([0x0f, 0x2b]), huffmanA])], END)),
    'generic/5.8 a literal without indexing, new name': answers(headers(1, [...GET, ['x-test', 'y']], END)),
    'generic/5.9 the same, Huffman coded': answers(headers(1, [...GET, Buffer.concat([Buffer.from([0]), huffmanA, huffmanA])], END)),
    'generic/5.10 a literal never indexed, indexed name': answers(headers(1, [...GET, Buffer.concat([Buffer.from([0x1f, 0x2b]), hpackText('me')])], END)),
    'generic/5.11 the same, Huffman coded': answers(headers(1, [...GET, Buffer.concat([Buffer.from([0x1f, 0x2b]), huffmanA])], END)),
    'generic/5.12 a literal never indexed, new name': answers(headers(1, [...GET, literal(['x-test', 'y'], 0x10)], END)),
    'generic/5.13 the same, Huffman coded': answers(headers(1, [...GET, Buffer.concat([Buffer.from([0x10]), huffmanA, huffmanA])], END)),
    'generic/5.14 an update of the table size': answers(headers(1, [hpackInteger(128, 5, 0x20), ...GET], END)),
    'generic/5.15 several updates of the table size': answers(headers(1, [hpackInteger(128, 5, 0x20), hpackInteger(4096, 5, 0x20), ...GET], END)),

    'hpack/2.3.3.1 an indexed field with an invalid index': fails('COMPRESSION_ERROR', headers(1, [...GET, hpackInteger(70, 7, 0x80)], END)),
    'hpack/2.3.3.2 a literal with an invalid index': fails('COMPRESSION_ERROR', headers(1, [...GET, Buffer.concat([hpackInteger(70, 6, 0x40), hpackText('x')])], END)),
    'hpack/4.2.1 an update of the table size at the end of a block': fails('COMPRESSION_ERROR', headers(1, [...GET, hpackInteger(1, 5, 0x20)], END)),
    'hpack/5.2.1 Huffman padding longer than 7 bits': fails('COMPRESSION_ERROR', headers(1, [...GET, Buffer.concat([Buffer.from([0]), hpackText('x-test'), Buffer.from([0x82, 0x1f, 0xff])])], END)),
    'hpack/5.2.2 Huffman padding of zeros': fails('COMPRESSION_ERROR', headers(1, [...GET, Buffer.concat([Buffer.from([0]), hpackText('x-test'), Buffer.from([0x81, 0x18])])], END)),
    'hpack/5.2.3 the Huffman code EOS': fails('COMPRESSION_ERROR', headers(1, [...GET, Buffer.concat([Buffer.from([0]), hpackText('x-test'), Buffer.from([0x84, 0xff, 0xff, 0xff, 0xfc])])], END)),
    'hpack/6.1.1 an indexed field with index 0': fails('COMPRESSION_ERROR', headers(1, [...GET, Buffer.from([0x80])], END)),
    'hpack/6.3.1 a table size above SETTINGS_HEADER_TABLE_SIZE': fails('COMPRESSION_ERROR', headers(1, [hpackInteger(4097, 5, 0x20), ...GET], END)),

    'http2/3.5.1 a client connection preface': lives(),
    'http2/3.5.2 an invalid preface': { preface: 'INVALID CONNECTION PREFACE\r\n\r\n', first: Buffer.alloc(0), run: async (peer) => {
        assert.equal(await peer.error(), 'PROTOCOL_ERROR'); // and nothing of HTTP/1
        await peer.closed();
    } },
    'http2/4.1.1 a frame of an unknown type': lives(frame(0x16, 0, 0, Buffer.alloc(8))),
    'http2/4.1.2 a frame with an undefined flag': async (peer) => {
        peer.send(frame(h2.PING, 0x16, 0, Buffer.from('12345678')));
        assert.ok(await peer.until(({ type, flags }) => type === h2.PING && flags === h2.ACK));
    },
    'http2/4.1.3 a frame with the reserved bit set': async (peer) => {
        peer.send(frame(h2.PING, 0, 0x80000000, Buffer.from('12345678')));
        assert.ok(await peer.until(({ type, flags }) => type === h2.PING && flags === h2.ACK));
    },
    'http2/4.2.1 DATA of 2^14 bytes': answers(open, data(1, Buffer.alloc(SIXTEEN_K), END)),
    'http2/4.2.2 DATA larger than SETTINGS_MAX_FRAME_SIZE': fails(either('FRAME_SIZE_ERROR'), open, data(1, Buffer.alloc(SIXTEEN_K + 1), END)),
    'http2/4.2.3 HEADERS larger than SETTINGS_MAX_FRAME_SIZE': fails('FRAME_SIZE_ERROR', headers(1, [...GET, ...Array.from({ length: 5 }, () => ['x-large', 'y'.repeat(4000)])], END)),
    'http2/4.3.1 an invalid header block fragment': fails('COMPRESSION_ERROR', frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, 1, Buffer.from([0x00, 0x00]))),
    'http2/4.3.2 PRIORITY within a header block': fails('PROTOCOL_ERROR', headers(1, GET, { end: true, endHeaders: false }), priority(1, 0), frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY))),
    'http2/4.3.3 HEADERS of another stream within a header block': fails('PROTOCOL_ERROR', headers(1, GET, { end: true, endHeaders: false }), headers(3, GET, END)),
    'http2/5.1.1 idle: DATA': fails('PROTOCOL_ERROR', data(1, 'test', END)),
    'http2/5.1.2 idle: RST_STREAM': fails('PROTOCOL_ERROR', reset(1)),
    'http2/5.1.3 idle: WINDOW_UPDATE': fails('PROTOCOL_ERROR', windowUpdate(1, 100)),
    'http2/5.1.4 idle: CONTINUATION': fails('PROTOCOL_ERROR', frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY))),
    'http2/5.1.5 half-closed (remote): DATA': fails([...either('STREAM_CLOSED')], get, data(1, 'test', END)),
    'http2/5.1.6 half-closed (remote): HEADERS': fails([...either('STREAM_CLOSED')], get, headers(1, GET, END)),
    'http2/5.1.7 half-closed (remote): CONTINUATION': fails([...either('STREAM_CLOSED'), 'PROTOCOL_ERROR'], get, frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY))),
    'http2/5.1.8 closed: DATA after RST_STREAM': fails([...either('STREAM_CLOSED')], open, reset(1), data(1, 'test', END)),
    'http2/5.1.9 closed: HEADERS after RST_STREAM': fails([...either('STREAM_CLOSED')], open, reset(1), headers(1, GET, END)),
    'http2/5.1.10 closed: CONTINUATION after RST_STREAM': fails([...either('STREAM_CLOSED'), 'PROTOCOL_ERROR'], open, reset(1), frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY))),
    'http2/5.1.11 closed: DATA': then(answers(get), fails([...either('STREAM_CLOSED')], data(1, 'test', END))),
    'http2/5.1.12 closed: HEADERS': then(answers(get), fails([...either('STREAM_CLOSED')], headers(1, GET, END))),
    'http2/5.1.13 closed: CONTINUATION': then(answers(get), fails([...either('STREAM_CLOSED'), 'PROTOCOL_ERROR'], frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY)))),
    'http2/5.1.1.1 an even stream identifier': fails('PROTOCOL_ERROR', headers(2, GET, END)),
    'http2/5.1.1.2 a smaller stream identifier than before': fails([...either('STREAM_CLOSED'), 'PROTOCOL_ERROR'], headers(5, GET, END), headers(3, GET, END)),
    'http2/5.1.2.1 more streams than SETTINGS_MAX_CONCURRENT_STREAMS': fails(['stream PROTOCOL_ERROR', 'stream REFUSED_STREAM'], ...Array.from({ length: 9 }, (_, i) => headers(2 * i + 1, POST))),
    // RFC 9113 has done away with dependencies: such a frame means nothing, as long as it is whole.
    'http2/5.3.1.1 HEADERS that depend on themselves': async (peer) => {
        peer.send(headers(1, GET, { end: true, flags: h2.WITH_PRIORITY, before: Buffer.from([0, 0, 0, 1, 15]) }));
        const got = await peer.until(({ type, stream }) => stream === 1 || type === h2.GOAWAY);
        assert.ok(got === undefined || [h2.HEADERS, h2.RST_STREAM, h2.GOAWAY].includes(got.type));
    },
    'http2/5.3.1.2 PRIORITY that depends on itself': fails('PROTOCOL_ERROR', priority(1, 1)),
    'http2/5.3.1.2 the same in pieces': async (peer) => {
        const whole = priority(0x123457, 0x123457);
        for (const at of whole.keys()) {
            peer.send(whole.subarray(at, at + 1));
            await new Promise(setImmediate);
        }
        assert.equal(await peer.error(), 'PROTOCOL_ERROR');
    },
    'http2/5.3.1.2 PRIORITY that depends on a stream that looks alike': answers(priority(0x123457, 0x123456), priority(0x123457, 0x57), priority(1, 0x01000000), get),
    'http2/6.5.3.1 several values of SETTINGS_INITIAL_WINDOW_SIZE': async (peer) => {
        peer.send(settings([[4, 100], [4, 1]]), get);
        const first = await peer.until(({ type }) => type === h2.DATA);
        assert.equal(first.payload.length, 1);
    },
    'http2/6.5.3.2 SETTINGS are acknowledged': async (peer) => {
        peer.send(settings());
        assert.ok(await peer.until(({ type, flags }) => type === h2.SETTINGS && flags === h2.ACK));
    },
    'http2/6.7.1 PING is answered with its payload': lives(),
    'http2/6.7.2 PING with ACK is not answered': async (peer) => {
        peer.send(ping('invalid!', h2.ACK), ping('a valid!'));
        const got = await peer.until(({ type }) => type === h2.PING);
        assert.equal(got.payload.toString(), 'a valid!');
    },
    'http2/6.7.3 PING on a stream': fails('PROTOCOL_ERROR', frame(h2.PING, 0, 1, Buffer.alloc(8))),
    'http2/6.7.4 PING of another length than 8': fails('FRAME_SIZE_ERROR', frame(h2.PING, 0, 0, Buffer.alloc(6))),
    'http2/6.8.1 GOAWAY on a stream': fails('PROTOCOL_ERROR', frame(h2.GOAWAY, 0, 1, Buffer.alloc(8))),
    'http2/6.9.1 WINDOW_UPDATE with an increment of 0': fails('PROTOCOL_ERROR', windowUpdate(0, 0)),
    'http2/6.9.2 the same on a stream': fails(either('PROTOCOL_ERROR'), open, windowUpdate(1, 0)),
    'http2/6.9.3 WINDOW_UPDATE of another length than 4': fails('FRAME_SIZE_ERROR', frame(h2.WINDOW_UPDATE, 0, 0, Buffer.alloc(3))),
    'http2/6.9.1.1 a window of 1, then HEADERS': async (peer) => {
        peer.send(settings([[4, 1]]), get);
        assert.equal((await peer.until(({ type }) => type === h2.DATA)).payload.length, 1);
    },
    'http2/6.9.1.2 a connection window above 2^31-1': fails('FLOW_CONTROL_ERROR', windowUpdate(0, 2 ** 31 - 1), windowUpdate(0, 2 ** 31 - 1)),
    'http2/6.9.1.3 a stream window above 2^31-1': fails(either('FLOW_CONTROL_ERROR'), open, windowUpdate(1, 2 ** 31 - 1), windowUpdate(1, 2 ** 31 - 1)),
    'http2/6.9.2.1 SETTINGS_INITIAL_WINDOW_SIZE changes after HEADERS': async (peer) => {
        peer.send(settings([[4, 0]]), get);
        await peer.until(({ type }) => type === h2.HEADERS);
        peer.send(settings([[4, 1]]));
        assert.equal((await peer.until(({ type }) => type === h2.DATA)).payload.length, 1);
    },
    'http2/6.9.2.2 a window that becomes negative': async (peer) => {
        peer.send(settings([[4, 3]]), get);
        assert.equal((await peer.until(({ type }) => type === h2.DATA)).payload.length, 3);
        peer.send(settings([[4, 2]]), windowUpdate(1, 2));
        assert.equal((await peer.until(({ type }) => type === h2.DATA)).payload.length, 1);
    },
    'http2/6.9.2.3 a window above the maximum by SETTINGS': fails('FLOW_CONTROL_ERROR', settings([[4, 2 ** 31]])),
    'http2/6.10.1 several CONTINUATION frames after HEADERS': answers(headers(1, GET, { end: true, endHeaders: false }), frame(h2.CONTINUATION, 0, 1, block(DUMMY)), frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY))),
    'http2/6.10.2 CONTINUATION, then another frame': fails('PROTOCOL_ERROR', headers(1, POST, { endHeaders: false }), frame(h2.CONTINUATION, 0, 1, block(DUMMY)), data(1, 'test', END)),
    'http2/6.10.3 CONTINUATION on stream 0': fails('PROTOCOL_ERROR', headers(1, GET, { end: true, endHeaders: false }), frame(h2.CONTINUATION, h2.END_HEADERS, 0, block(DUMMY))),
    'http2/6.10.4 CONTINUATION after HEADERS with END_HEADERS': fails('PROTOCOL_ERROR', open, frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY))),
    'http2/6.10.5 CONTINUATION after CONTINUATION with END_HEADERS': fails('PROTOCOL_ERROR', headers(1, POST, { endHeaders: false }), frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY)), frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY))),
    'http2/6.10.6 CONTINUATION after DATA': fails('PROTOCOL_ERROR', open, data(1, 'test'), frame(h2.CONTINUATION, h2.END_HEADERS, 1, block(DUMMY))),
    'http2/7.1 GOAWAY with an unknown code': async (peer) => {
        peer.send(frame(h2.GOAWAY, 0, 0, Buffer.concat([number32(0), number32(0xff)])));
        assert.ok(await peer.lives() || [undefined, 'NO_ERROR'].includes(peer.goaway?.code));
    },
    'http2/7.2 RST_STREAM with an unknown code': lives(open, reset(1, 0xff)),
    'http2/8.1.1 a second HEADERS frame without END_STREAM': fails(either('PROTOCOL_ERROR'), open, headers(1, [['x-test', 'ok']])),
    'http2/8.1.2.1 a name in upper case': malformed([...GET, ['X-TEST', 'ok']]),
    'http2/8.1.2.1.1 an unknown pseudo field': malformed([...GET, [':test', 'ok']]),
    'http2/8.1.2.1.2 a pseudo field of responses': malformed([...GET, [':status', '200']]),
    'http2/8.1.2.1.3 a pseudo field in trailers': fails(either('PROTOCOL_ERROR'), open, headers(1, [[':method', 'GET']], END)),
    'http2/8.1.2.1.4 a pseudo field behind another field': malformed([...without(':path'), ['x-test', 'ok'], [':path', '/']]),
    'http2/8.1.2.2.1 a field of the connection': malformed([...GET, ['connection', 'keep-alive']]),
    'http2/8.1.2.2.2 TE other than trailers': malformed([...GET, ['te', 'trailers, deflate']]),
    'http2/8.1.2.3.1 :path is empty': malformed([...without(':path'), [':path', '']]),
    'http2/8.1.2.3.2 :method is missing': malformed(without(':method')),
    'http2/8.1.2.3.3 :scheme is missing': malformed(without(':scheme')),
    'http2/8.1.2.3.4 :path is missing': malformed(without(':path')),
    'http2/8.1.2.3.5 :method twice': malformed([...GET, [':method', 'GET']]),
    'http2/8.1.2.3.6 :scheme twice': malformed([...GET, [':scheme', 'http']]),
    'http2/8.1.2.3.7 :path twice': malformed([...GET, [':path', '/']]),
    'http2/8.1.2.6.1 Content-Length that differs from DATA': fails(either('PROTOCOL_ERROR'), headers(1, [...POST, ['content-length', '1']]), data(1, 'test', END)),
    'http2/8.1.2.6.2 the same with several DATA frames': fails(either('PROTOCOL_ERROR'), headers(1, [...POST, ['content-length', '1']]), data(1, 'test'), data(1, 'test', END)),
    'http2/8.2.1 PUSH_PROMISE': fails('PROTOCOL_ERROR', get, frame(h2.PUSH_PROMISE, h2.END_HEADERS, 1, Buffer.concat([number32(3), block(GET)]))),

    // What RFC 9113 wants beside what that list has.
    '3.4 a first frame that is not SETTINGS': { first: ping(), run: fails('PROTOCOL_ERROR') },
    '4.2 GOAWAY that is too short': fails('FRAME_SIZE_ERROR', frame(h2.GOAWAY, 0, 0, Buffer.alloc(7))),
    '4.2 HEADERS shorter than their priority': fails(['FRAME_SIZE_ERROR', 'PROTOCOL_ERROR'], frame(h2.HEADERS, h2.END_HEADERS | h2.WITH_PRIORITY, 1, Buffer.alloc(4))),
    '5.5 an unknown frame within a field block': fails('PROTOCOL_ERROR', headers(1, GET, { end: true, endHeaders: false }), frame(0x42, 0, 1, Buffer.alloc(1))),
    '6.1 DATA on stream 0': fails('PROTOCOL_ERROR', data(0, 'x')),
    '6.1 padding as long as the payload': fails('PROTOCOL_ERROR', open, frame(h2.DATA, h2.PADDED, 1, Buffer.from([5, 0, 0, 0, 0]))),
    '6.2 the same of HEADERS': fails('PROTOCOL_ERROR', frame(h2.HEADERS, h2.END_HEADERS | h2.PADDED, 1, Buffer.from([5, 0, 0, 0, 0]))),
    '6.2 HEADERS on stream 0': fails('PROTOCOL_ERROR', headers(0, GET, END)),
    '6.3 PRIORITY on stream 0': fails('PROTOCOL_ERROR', priority(0, 1)),
    '6.3 PRIORITY of 4 bytes': fails(either('FRAME_SIZE_ERROR'), frame(h2.PRIORITY, 0, 1, Buffer.alloc(4))),
    '6.4 RST_STREAM on stream 0': fails('PROTOCOL_ERROR', reset(0)),
    '6.4 RST_STREAM of 3 bytes': fails('FRAME_SIZE_ERROR', open, frame(h2.RST_STREAM, 0, 1, Buffer.alloc(3))),
    '6.5 ACK with a payload': fails('FRAME_SIZE_ERROR', frame(h2.SETTINGS, h2.ACK, 0, Buffer.alloc(6))),
    '6.5 SETTINGS on a stream': fails('PROTOCOL_ERROR', frame(h2.SETTINGS, 0, 1)),
    '6.5 SETTINGS of 5 bytes': fails('FRAME_SIZE_ERROR', frame(h2.SETTINGS, 0, 0, Buffer.alloc(5))),
    '6.5.2 SETTINGS_ENABLE_PUSH of 2': fails('PROTOCOL_ERROR', settings([[2, 2]])),
    '6.5.2 SETTINGS_MAX_FRAME_SIZE of 16383': fails('PROTOCOL_ERROR', settings([[5, 16383]])),
    '6.5.2 SETTINGS_MAX_FRAME_SIZE of 2^24': fails('PROTOCOL_ERROR', settings([[5, 1 << 24]])),
    '6.5.2 an unknown setting': answers(settings([[0xf0f0, 7]]), get),
    '6.9, 5.1 WINDOW_UPDATE and RST_STREAM on a closed stream': then(answers(get), lives(windowUpdate(1, 1), reset(1))),
    '6.9.2 SETTINGS that overflow the window of a stream': fails('FLOW_CONTROL_ERROR', open, windowUpdate(1, 2 ** 31 - 1 - 65535), settings([[4, 65536]])),
    '6.9.2 the same, byte by byte': async (peer) => {
        peer.send(open, windowUpdate(1, 2 ** 31 - 1 - 65535));
        for (const byte of settings([[4, 65536]])) {
            peer.send(Buffer.from([byte]));
            await new Promise(setImmediate);
        }
        assert.equal(await peer.error(), 'FLOW_CONTROL_ERROR');
    },
    '6.9.2 SETTINGS that fill the window of a stream': lives(open, windowUpdate(1, 2 ** 31 - 1 - 65536), settings([[4, 65536]])),
};

for (const [name, what] of Object.entries(CASES)) {
    test(name, async (t) => {
        const { run, ...options } = typeof what === 'function' ? { run: what } : what;
        const peer = await Http2Peer.connect(t, gateway, options);
        await run(peer);
    });
}

test('the gateway still answers', async (t) => {
    const peer = await Http2Peer.connect(t, gateway);
    await answersOn(1, get)(peer);
});
