// SPDX-License-Identifier: BSD-2-Clause
// Makes requests that are right, and then makes them wrong around their framing. Only what
// Node's parser knows is used (its methods, no upgrades), so that the two can be compared.
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'];
const BYTES = ['\0', '\t', '\n', '\r', '\x0b', '\x0c', ' ', '\x7f', '\xa0', ':', ',', ';', '"', '-', '+', '0', '1', 'a', 'x', '\r\n', '\r\n\r\n'];
const LENGTHS = ['0', '1', '4', '5', '6', '10', '05', '+5', '-1', '5,5', '5, 6', '5 5', '0x5', '5\t', ' 5', '', 'a', '5;', '18446744073709551616'];
const CODINGS = ['chunked', 'Chunked', 'chunked ', ' chunked', 'identity', 'gzip, chunked', 'chunked, chunked', 'chunked, gzip', 'xchunked', 'chunked;a',
    '"chunked"', '\x0bchunked', 'chunked\t', '', ',', 'chunked,', ', chunked', 'identity, chunked'];
const SIZES = ['5', '05', '0005', '5 ', ' 5', '5\t', '5;a', '5;a=b', '5;a="b"', '5 ;a', '5;', '5; a', '0x5', '+5', '-5', '5h', '', '4', '6', 'A', 'ffffffffffffffff', '10000000000000000'];

function body(random) {
    return random.pick(['', 'a', 'hello', '0\r\n\r\n', 'GET /in HTTP/1.1\r\nHost: a\r\n\r\n', 'x'.repeat(random.below(200))]);
}

function chunks(random, text) {
    let out = '';
    let at = 0;
    while (at < text.length) {
        const size = 1 + random.below(text.length - at);
        out += `${size.toString(16)}${random.chance(20) ? ';e=v' : ''}\r\n${text.slice(at, at + size)}\r\n`;
        at += size;
    }
    return `${out}0\r\n${random.chance(15) ? 'X-Trailer: t\r\n' : ''}\r\n`;
}

function wellFormed(random, target) {
    const text = body(random);
    const fields = ['Host: a'];
    if (random.chance(30)) {
        fields.push(`X-Field: ${random.pick(['a', '', 'b  c', '"q"', 'a:b'])}`);
    }
    if (random.chance(8)) {
        fields.push(`Connection: ${random.pick(['keep-alive', 'close', 'X-Field'])}`);
    }
    const kind = random.below(3);
    let payload = '';
    if (kind === 1) {
        fields.push(`Content-Length: ${text.length}`);
        payload = text;
    } else if (kind === 2) {
        fields.push('Transfer-Encoding: chunked');
        payload = chunks(random, text);
    }
    if (random.chance(30)) {
        fields.reverse();
    }
    const version = random.chance(6) ? '1.0' : '1.1';
    return { line: `${random.pick(METHODS)} ${target} HTTP/${version}`, fields, payload };
}

function insert(text, at, what) {
    return text.slice(0, at) + what + text.slice(at);
}

function replaceAt(list, at, change) {
    return list.map((each, i) => (i === at ? change(each) : each));
}

// Changes that keep the structure: fields added, doubled, given other values.
const STRUCTURED = [
    (random, request) => ({ ...request, fields: [...request.fields, `Content-Length: ${random.pick(LENGTHS)}`] }),
    (random, request) => ({ ...request, fields: [...request.fields, `Transfer-Encoding: ${random.pick(CODINGS)}`] }),
    (random, request) => ({ ...request, fields: request.fields.map((field) => field.replace(/^Content-Length: .*/, `Content-Length: ${random.pick(LENGTHS)}`)) }),
    (random, request) => ({ ...request, fields: request.fields.map((field) => field.replace(/^Transfer-Encoding: .*/, `Transfer-Encoding: ${random.pick(CODINGS)}`)) }),
    (random, request) => ({ ...request, fields: replaceAt(request.fields, random.below(request.fields.length), (field) => field.replace(':', random.pick([' :', '\t:', ':', ': ', '::', '\0:', ':\r\n ', '\r\n:']))) }),
    (random, request) => ({ ...request, fields: replaceAt(request.fields, random.below(request.fields.length), (field) => random.pick([' ', '\t', '\r', '\n', '\0', 'X\r\n', '\r\n']) + field) }),
    (random, request) => ({ ...request, fields: replaceAt(request.fields, random.below(request.fields.length), (field) => field + random.pick([' ', '\t', '\r', '\n', '\0', '\r\n ', ' \r\n', '\nX: y', '\rX: y'])) }),
    (random, request) => ({ ...request, fields: [...request.fields, random.pick(request.fields)] }),
    (random, request) => ({ ...request, fields: replaceAt(request.fields, random.below(request.fields.length), (field) => random.pick([field.toUpperCase(), field.toLowerCase(), field.replace('-', '_')])) }),
    (random, request) => ({ ...request, payload: request.payload.replace(/^[0-9a-f]+/, random.pick(SIZES)) }),
    (random, request) => ({ ...request, payload: request.payload.replace('\r\n', random.pick(['\n', '\r', '\r\r\n', '\n\r', ' \r\n', '\r\n\r\n', ''])) }),
    (random, request) => ({ ...request, payload: request.payload.replace(/\r\n$/, random.pick(['', '\n', '\r\r\n', ' \r\n', '\r\n\r\n'])) }),
    (random, request) => ({ ...request, payload: request.payload + random.pick(['\r\n', 'X', '0\r\n\r\n', '\n']) }),
    (random, request) => ({ ...request, payload: request.payload.slice(0, -1 - random.below(4)) }),
    (random, request) => ({ ...request, line: request.line.replace('HTTP/1.1', random.pick(['HTTP/1.0', 'HTTP/1.1 ', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.1\t', 'HTTP/1.01'])) }),
    (random, request) => ({ ...request, line: request.line.replace(' ', random.pick(['  ', '\t', ' \t', ''])) }),
];

function serialise({ line, fields, payload }) {
    return `${line}\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n${payload}`;
}

// One changed byte somewhere, most of all in the head.
function scratch(random, text) {
    const end = text.indexOf('\r\n\r\n') + 4;
    const at = random.below(random.chance(70) ? end : text.length);
    switch (random.below(4)) {
    case 0:
        return insert(text, at, random.pick(BYTES));
    case 1:
        return text.slice(0, at) + text.slice(at + 1);
    case 2:
        return text.slice(0, at) + random.pick(BYTES) + text.slice(at + 1);
    default: {
        const crlf = text.indexOf('\r\n', at);
        return crlf < 0 ? text : text.slice(0, crlf) + random.pick(['\n', '\r', '\n\r', '\r\r\n', '\r\n ', '\r\n\t']) + text.slice(crlf + 2);
    }
    }
}

// One to three requests in a row, one of them changed (or, now and then, none).
export function generate(random, number) {
    const count = 1 + random.below(3);
    const wrong = random.below(count);
    let text = '';
    for (let i = 0; i < count; i++) {
        let request = wellFormed(random, `/${number}/${i}`);
        let one;
        if (i === wrong && random.chance(85)) {
            for (let k = random.below(3); k > 0; k--) {
                request = random.pick(STRUCTURED)(random, request);
            }
            one = serialise(request);
            for (let k = random.below(3); k > 0; k--) {
                one = scratch(random, one);
            }
        } else {
            one = serialise(request);
        }
        text += one;
    }
    return `${text}GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
}
