// SPDX-License-Identifier: BSD-2-Clause
// Reads one HTTP/1 message off a wire (lib/wire.mjs), strictly: what the gateway sends to either
// side must be beyond doubt, so a bare LF, a bare CR, a NUL or a doubtful length fails the test.
import assert from 'node:assert/strict';

const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/;
const CHUNK = /^([0-9A-Fa-f]{1,16})((?:;[^\r\n]*)?)$/;

// Lines of a head, each ended by CRLF, and the empty line.
export function head(...lines) {
    return lines.map((line) => `${line}\r\n`).join('') + '\r\n';
}

class Message {
    constructor(startLine, fields) {
        this.startLine = startLine;
        this.fields = fields; // [name, value] as they came, in order
        this.body = Buffer.alloc(0);
        this.trailers = [];
        this.framing = 'none';
        this.chunks = [];
    }

    // All values of a field.
    all(name) {
        const wanted = name.toLowerCase();
        return this.fields.filter(([each]) => each.toLowerCase() === wanted).map(([, value]) => value);
    }

    // The one value of a field (several are joined), or undefined.
    get(name) {
        const values = this.all(name);
        return values.length === 0 ? undefined : values.join(', ');
    }

    get text() {
        return this.body.toString('latin1');
    }

    get json() {
        return JSON.parse(this.body.toString('utf8'));
    }
}

function parseFields(lines) {
    return lines.map((line) => {
        const parts = FIELD.exec(line);
        assert.ok(parts, `not a field line: ${JSON.stringify(line)}`);
        return [parts[1], parts[2]];
    });
}

function checkedLines(bytes) {
    const text = bytes.toString('latin1');
    const lines = text.split('\r\n');
    for (const line of lines) {
        assert.ok(!/[\r\n\0]/.test(line), `bare CR, bare LF or NUL in ${JSON.stringify(line)}`);
    }
    return lines;
}

export function parseRequestHead(bytes) {
    const [start, ...rest] = checkedLines(bytes);
    const parts = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~\x80-\xff]+) HTTP\/(1\.[01])$/.exec(start);
    assert.ok(parts, `not a request line: ${JSON.stringify(start)}`);
    const message = new Message(start, parseFields(rest));
    message.method = parts[1];
    message.target = parts[2];
    message.version = parts[3];
    return message;
}

export function parseAnswerHead(bytes) {
    const [start, ...rest] = checkedLines(bytes);
    const parts = /^HTTP\/(1\.[01]) ([1-5][0-9][0-9]) ([^\r\n]*)$/.exec(start);
    assert.ok(parts, `not a status line: ${JSON.stringify(start)}`);
    const message = new Message(start, parseFields(rest));
    message.version = parts[1];
    message.status = Number(parts[2]);
    message.reason = parts[3];
    return message;
}

function framingOf(message, isAnswer) {
    const codings = message.all('transfer-encoding');
    const lengths = message.all('content-length');
    assert.ok(codings.length === 0 || lengths.length === 0, 'both Transfer-Encoding and Content-Length were sent');
    assert.ok(lengths.length <= 1, 'more than one Content-Length was sent');
    if (codings.length > 0) {
        assert.deepEqual(codings.map((each) => each.toLowerCase()), ['chunked']);
        return { kind: 'chunked' };
    }
    if (lengths.length > 0) {
        assert.match(lengths[0], /^[0-9]{1,19}$/);
        return { kind: 'length', length: Number(lengths[0]) };
    }
    return isAnswer ? { kind: 'close' } : { kind: 'none' };
}

async function readChunked(wire, message, deadline) {
    const parts = [];
    for (;;) {
        const line = (await wire.takeLine(deadline)).toString('latin1');
        const chunk = CHUNK.exec(line);
        assert.ok(chunk, `not a chunk-size line: ${JSON.stringify(line)}`);
        const size = parseInt(chunk[1], 16);
        if (size === 0) {
            break;
        }
        message.chunks.push(size);
        parts.push(await wire.take(size, deadline));
        assert.equal((await wire.take(2, deadline)).toString('latin1'), '\r\n', 'a chunk must end with CRLF');
    }
    const trailers = [];
    for (;;) {
        const line = (await wire.takeLine(deadline)).toString('latin1');
        if (line === '') {
            break;
        }
        trailers.push(line);
    }
    message.trailers = parseFields(trailers);
    message.body = Buffer.concat(parts);
}

async function readBody(wire, message, framing, deadline) {
    message.framing = framing.kind;
    if (framing.kind === 'chunked') {
        await readChunked(wire, message, deadline);
    } else if (framing.kind === 'length') {
        message.body = await wire.take(framing.length, deadline);
    } else if (framing.kind === 'close') {
        message.body = await wire.takeToEnd(deadline);
    }
    return message;
}

export async function readRequestHead(wire, deadline) {
    const bytes = await wire.takeHead(deadline);
    const message = parseRequestHead(bytes);
    message.raw = bytes.toString('latin1') + '\r\n\r\n';
    return message;
}

export async function readRequestBody(wire, message, deadline) {
    return readBody(wire, message, framingOf(message, false), deadline);
}

export async function readRequest(wire, deadline) {
    return readRequestBody(wire, await readRequestHead(wire, deadline), deadline);
}

export async function readAnswerHead(wire, deadline) {
    const bytes = await wire.takeHead(deadline);
    const message = parseAnswerHead(bytes);
    message.raw = bytes.toString('latin1') + '\r\n\r\n';
    return message;
}

// `method` is that of the request: an answer to HEAD has no body.
export async function readAnswer(wire, { method = 'GET', deadline } = {}) {
    const message = await readAnswerHead(wire, deadline);
    const bodiless = method === 'HEAD' || message.status < 200 || message.status === 204 || message.status === 304;
    if (bodiless) {
        return message;
    }
    return readBody(wire, message, framingOf(message, true), deadline);
}
