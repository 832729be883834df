// SPDX-License-Identifier: BSD-2-Clause
// A client that sends exactly the HTTP/2 frames it is told, good or bad, and reads what comes back
// frame by frame. Of HPACK it writes literals without an index, so that a head is what it says.
//
//     const peer = await Http2Peer.connect(t, gateway);
//     peer.send(peer.headers(1, GET, { end: true }));
//     await peer.answered(1);
import assert from 'node:assert/strict';
import { connect } from '../scenario/lib/raw-client.mjs';

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;
export const PRIORITY_UPDATE = 16;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const WITH_PRIORITY = 32;

export const CODES = ['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED',
    'FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM', 'INADEQUATE_SECURITY',
    'HTTP_1_1_REQUIRED'];

export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export const GET = [[':method', 'GET'], [':scheme', 'http'], [':authority', 'a.test'], [':path', '/']];
export const POST = [[':method', 'POST'], ...GET.slice(1)];

export function number32(value) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value >>> 0);
    return bytes;
}

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream >>> 0, 5);
    return Buffer.concat([head, payload]);
}

// RFC 7541 section 5.1.
export function hpackInteger(value, prefix, first = 0) {
    const most = (1 << prefix) - 1;
    if (value < most) {
        return Buffer.from([first | value]);
    }
    const bytes = [first | most];
    let rest = value - most;
    while (rest >= 128) {
        bytes.push((rest % 128) | 128);
        rest = Math.floor(rest / 128);
    }
    return Buffer.from([...bytes, rest]);
}

export function hpackText(text) {
    const bytes = Buffer.from(text, 'latin1');
    return Buffer.concat([hpackInteger(bytes.length, 7), bytes]);
}

export function literal([name, value], first = 0) {
    return Buffer.concat([Buffer.from([first]), hpackText(name), hpackText(value)]);
}

export function block(fields) {
    return Buffer.concat(fields.map((field) => (Buffer.isBuffer(field) ? field : literal(field))));
}

export function headers(stream, fields, { end = false, endHeaders = true, flags = 0, before = Buffer.alloc(0), after = Buffer.alloc(0) } = {}) {
    const all = (end ? END_STREAM : 0) | (endHeaders ? END_HEADERS : 0) | flags;
    return frame(HEADERS, all, stream, Buffer.concat([before, block(fields), after]));
}

export function data(stream, bytes = '', { end = false } = {}) {
    return frame(DATA, end ? END_STREAM : 0, stream, Buffer.from(bytes));
}

export function settings(pairs = []) {
    return frame(SETTINGS, 0, 0, Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 255]), number32(value)]))));
}

export function reset(stream, code = 8) {
    return frame(RST_STREAM, 0, stream, number32(code));
}

export function windowUpdate(stream, increment) {
    return frame(WINDOW_UPDATE, 0, stream, number32(increment));
}

export function ping(bytes = '12345678', flags = 0) {
    return frame(PING, flags, 0, Buffer.from(bytes));
}

// Of a field section that begins with :status, maybe behind an update of the table's size (RFC 7541
// section 6.3).
function statusOf(section) {
    let at = 0;

    while ((section[at] & 0xe0) === 0x20) {
        if ((section[at++] & 0x1f) === 0x1f) {
            while (section[at++] & 0x80);
        }
    }
    return section[at] === 0x88 ? 200 : section[at];
}

const FLAGS = {
    [DATA]: END_STREAM | PADDED, [HEADERS]: END_STREAM | END_HEADERS | PADDED | WITH_PRIORITY, [PRIORITY]: 0, [RST_STREAM]: 0,
    [SETTINGS]: ACK, [PING]: ACK, [GOAWAY]: 0, [WINDOW_UPDATE]: 0, [CONTINUATION]: END_HEADERS,
};
const MOST_PAYLOAD = 16384; // nobody here allows more

// What RFC 9113 forbids the gateway to send, whatever it is sent.
class Manners {
    constructor() {
        this.closed = new Map(); // streams that it has ended or reset: by which frame
        this.section = undefined; // the stream of an unfinished field block
        this.last = 2 ** 31 - 1;
    }

    check({ type, flags, stream, payload }, length) {
        const what = `frame of type ${type}, flags ${flags}, on stream ${stream}`;
        assert.ok(type in FLAGS, `${what}: not to be sent (section 4.1, 8.4)`);
        assert.equal(flags & ~FLAGS[type], 0, `${what}: undefined flags (section 4.1)`);
        assert.ok(stream < 2 ** 31, `${what}: the reserved bit (section 4.1)`);
        assert.ok(length <= MOST_PAYLOAD, `${what}: ${length} bytes (section 4.2)`);
        assert.equal(type === CONTINUATION ? stream : undefined, this.section, `${what}: field blocks are contiguous (section 4.3)`);
        this.follow(type, flags, stream, what);
        if (type === GOAWAY) {
            const last = payload.readUInt32BE(0);
            assert.ok(last <= this.last, `${what}: its last stream rises to ${last} (section 6.8)`);
            this.last = last;
        }
        if (type === SETTINGS) {
            for (let at = 0; at < length; at += 6) {
                assert.ok(payload.readUInt16BE(at) !== 2 || payload.readUInt32BE(at + 2) === 0, `${what}: allows pushes (section 6.5.2)`);
            }
        }
    }

    // Sections 5.1 and 6.10.
    follow(type, flags, stream, what) {
        const by = this.closed.get(stream);
        const goesOn = type === CONTINUATION || type === PRIORITY || (by === END_STREAM && (type === WINDOW_UPDATE || type === RST_STREAM));
        assert.ok(stream === 0 || by === undefined || goesOn, `${what}: behind the end of the stream (section 5.1)`);
        if (type === HEADERS || type === CONTINUATION) {
            this.section = (flags & END_HEADERS) === 0 ? stream : undefined;
        }
        if (type === RST_STREAM) {
            this.closed.set(stream, RST_STREAM);
        } else if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) {
            this.closed.set(stream, END_STREAM);
        }
    }
}

export class Http2Peer {
    constructor(wire) {
        this.manners = new Manners();
        this.wire = wire;
        this.frames = [];
        this.goaway = undefined;
        this.ended = undefined;
        this.patience = undefined; // milliseconds that the next frame may take; undefined: as long as usual
    }

    // Preface and empty SETTINGS first, unless told otherwise. `ca`: over TLS, of the name a.example.
    static async connect(t, gateway, { preface = PREFACE, first = settings(), at = 0, ca } = {}) {
        const secure = ca && { ca, servername: 'a.example', ALPNProtocols: ['h2'] };
        const wire = await connect(t, gateway.listeners ? gateway.listeners[at].connectOptions : gateway, { secure });
        const peer = new Http2Peer(wire);
        wire.keepsLog = false;
        wire.send(Buffer.concat([Buffer.from(preface, 'latin1'), first]));
        return peer;
    }

    send(...frames) {
        this.wire.send(Buffer.concat(frames));
    }

    // undefined at the end of the connection. A reset may cut a frame anywhere.
    async take(size) {
        try {
            return await this.wire.take(size, this.patience);
        } catch (error) {
            if (!this.wire.ended) {
                throw error;
            }
            this.ended = this.wire.ended;
            return undefined;
        }
    }

    // The next frame; undefined at the end of the connection.
    async read() {
        const head = await this.take(9);
        const payload = head && await this.take(head.readUIntBE(0, 3));
        if (payload === undefined) {
            return undefined;
        }
        const got = { type: head[3], flags: head[4], stream: head.readUInt32BE(5), payload };
        this.manners.check(got, payload.length);
        if (got.type === GOAWAY) {
            this.goaway = { last: payload.readUInt32BE(0), code: CODES[payload.readUInt32BE(4)] };
        }
        if (got.type === SETTINGS && (got.flags & ACK) === 0 && this.acks !== false) {
            this.wire.send(frame(SETTINGS, ACK, 0));
        }
        this.frames.push(got);
        return got;
    }

    // Reads on until a frame is what is looked for; undefined: the connection ended before.
    async until(wanted) {
        for (;;) {
            const got = await this.read();
            if (got === undefined || wanted(got)) {
                return got;
            }
        }
    }

    // The code of the reset or GOAWAY that comes next, 'closed' at the end of the connection.
    // A graceful GOAWAY is stepped over.
    async error(stream) {
        const got = await this.until(({ type, stream: of, payload }) =>
            (type === RST_STREAM && (stream === undefined || of === stream)) || (type === GOAWAY && payload.readUInt32BE(4) !== 0));
        if (got === undefined) {
            return 'closed';
        }
        return got.type === RST_STREAM ? `stream ${CODES[got.payload.readUInt32BE(0)]}` : CODES[got.payload.readUInt32BE(4)];
    }

    // All of a stream's answer: its first bytes of HPACK (0x88 is :status 200) and body.
    async answered(stream) {
        const answer = { body: Buffer.alloc(0) };
        for (;;) {
            const got = await this.read();
            if (got === undefined) {
                throw new Error(`the connection ended before stream ${stream} was answered; GOAWAY ${JSON.stringify(this.goaway)}`);
            }
            if (got.stream !== stream) {
                continue;
            }
            if (got.type === RST_STREAM) {
                throw new Error(`stream ${stream} was reset: ${CODES[got.payload.readUInt32BE(0)]}`);
            }
            if (got.type === HEADERS) {
                answer.status ??= statusOf(got.payload);
            }
            if (got.type === DATA) {
                answer.body = Buffer.concat([answer.body, got.payload]);
            }
            if ((got.type === HEADERS || got.type === DATA) && (got.flags & END_STREAM) !== 0) {
                return answer;
            }
        }
    }

    // It still answers: an acknowledged PING.
    async lives() {
        this.send(ping('alive?!!'));
        return (await this.until(({ type, flags, payload }) => type === PING && (flags & ACK) !== 0 && payload.equals(Buffer.from('alive?!!')))) !== undefined;
    }

    async closed() {
        await this.until(() => false);
        return this.goaway?.code ?? 'no GOAWAY';
    }
}
