// SPDX-License-Identifier: BSD-2-Clause
// Where a request ends: Content-Length, Transfer-Encoding, both, chunks, extensions, trailers.
import { chunked, get, post, SMUGGLED } from './build.mjs';

const LENGTH = 'RFC 9112 section 6.2';
const DIFFER = 'RFC 9112 section 6.3';
const CODING = 'RFC 9112 section 6.1';
const CHUNK = 'RFC 9112 section 7.1';
const EXTENSION = 'RFC 9112 section 7.1.1';
const TRAILER = 'RFC 9112 section 7.1.2';
const FORBIDDEN = 'RFC 9110 section 6.5.1';

const request = (fields, body) => `POST /p HTTP/1.1\r\nHost: a\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n${body}`;
const P = 'POST /p HTTP/1.1';

const lengths = [
    ['negative', '-5'], ['negative zero', '-0'], ['with a plus', '+5'], ['hexadecimal', '0x5'], ['with a letter', '5a'],
    ['with a point', '5.0'], ['with an exponent', '5e0'], ['empty', ''], ['of spaces', '   '], ['two numbers', '5 5'],
    ['a list of two', '5, 6'], ['a list with nothing', '5,'], ['a list starting with nothing', ',5'], ['quoted', '"5"'],
    ['with a semicolon', '5;'], ['with an underscore', '1_0'], ['with NUL', '5\0'], ['with a vertical tab', '\x0b5'], ['with DEL', '5\x7f'],
    ['of digits above 127', '\xb5'], ['Arabic digits', '\xd9\xa5'], ['beyond 64 bits', '18446744073709551616'],
    ['far beyond 64 bits', '99999999999999999999999999999'], ['a word', 'five'], ['chunked', 'chunked'], ['with a percent escape', '%35'],
].map(([name, value]) => ({
    name: `Content-Length: ${name}`,
    rfc: LENGTH,
    send: request([`Content-Length: ${value}`], `hello${SMUGGLED}`),
    refuse: 400,
}));

const lengthPairs = [
    { name: 'Content-Length: two that differ', rfc: DIFFER, send: request(['Content-Length: 5', 'Content-Length: 6'], `hello!${SMUGGLED}`), refuse: 400 },
    { name: 'Content-Length: two that differ, 0 first', rfc: DIFFER, send: request(['Content-Length: 0', 'Content-Length: 5'], `hello${SMUGGLED}`), refuse: 400 },
    { name: 'Content-Length: three, the last differs', rfc: DIFFER, send: request(['Content-Length: 5', 'Content-Length: 5', 'Content-Length: 50'], 'hello'), refuse: 400 },
    { name: 'Content-Length: two that differ in zeros', rfc: DIFFER, send: request(['Content-Length: 5', 'Content-Length: 05'], 'hello'), refuse: 400, sees: [{ line: P, body: 'hello', once: ['content-length'] }] },
    { name: 'Content-Length: two that are the same', rfc: DIFFER, send: request(['Content-Length: 5', 'Content-Length: 5'], 'hello'), refuse: 400, sees: [{ line: P, body: 'hello', once: ['content-length'], fields: { 'content-length': '5' } }] },
    { name: 'Content-Length: a list of the same', rfc: DIFFER, send: request(['Content-Length: 5, 5'], 'hello'), refuse: 400, sees: [{ line: P, body: 'hello', fields: { 'content-length': '5' } }] },
    { name: 'Content-Length: larger than the limit', rfc: 'RFC 9110 section 15.5.14', send: request(['Content-Length: 9223372036854775807'], 'hello'), refuse: 413 },
    { name: 'Content-Length: one beyond 63 bits', rfc: LENGTH, send: request(['Content-Length: 9223372036854775808'], 'hello'), refuse: [400, 413] },
    { name: 'Content-Length: leading zeros', rfc: LENGTH, send: request(['Content-Length: 0005'], 'hello'), refuse: 400, sees: [{ line: P, body: 'hello' }] },
    { name: 'Content-Length: 0', rfc: LENGTH, send: request(['Content-Length: 0'], ''), sees: [{ line: P, body: '', fields: { 'content-length': '0' } }] },
    { name: 'Content-Length: in any case', rfc: 'RFC 9110 section 5.1', send: request(['cOnTeNt-LeNgTh: 5'], 'hello'), sees: [{ line: P, body: 'hello', once: ['content-length'] }] },
    { name: 'Content-Length: with spaces around', rfc: LENGTH, send: request(['Content-Length:  \t5 \t'], 'hello'), sees: [{ line: P, body: 'hello', fields: { 'content-length': '5' } }] },
    { name: 'Content-Length: of GET', rfc: 'RFC 9110 section 9.3.1', send: 'GET /g HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', sees: [{ line: 'GET /g HTTP/1.1', body: 'hello' }] },
    { name: 'Content-Length: of DELETE', rfc: 'RFC 9110 section 9.3.5', send: 'DELETE /d HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', sees: [{ line: 'DELETE /d HTTP/1.1', body: 'hello' }] },
    { name: 'Content-Length: more than there is, so that the next request is body', rfc: 'RFC 9112 section 6.3', send: request([`Content-Length: ${5 + SMUGGLED.length}`], `hello${SMUGGLED}`), sees: [{ line: P, body: `hello${SMUGGLED}` }] },
    { name: 'Content-Length: a body that never comes', rfc: 'RFC 9110 section 15.5.9', send: request(['Content-Length: 10'], 'hello'), refuse: 408 },
    { name: 'no framing: bytes behind a POST are the next request', rfc: 'RFC 9112 section 6.3', send: `POST /p HTTP/1.1\r\nHost: a\r\n\r\n${get('/second')}`, sees: [{ line: P, body: '' }, { line: 'GET /second HTTP/1.1' }] },
];

const BOTH = `0\r\n\r\n${SMUGGLED}`;
const both = [
    ['Content-Length first', ['Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['Transfer-Encoding first', ['Transfer-Encoding: chunked', 'Content-Length: 5']],
    ['Content-Length: 0', ['Content-Length: 0', 'Transfer-Encoding: chunked']],
    ['in odd case', ['content-LENGTH: 5', 'tRANSFER-eNCODING: cHuNkEd']],
    ['the coding unknown', ['Content-Length: 5', 'Transfer-Encoding: xchunked']],
    ['the coding identity', ['Content-Length: 5', 'Transfer-Encoding: identity']],
    ['the coding empty', ['Content-Length: 5', 'Transfer-Encoding:']],
    ['far apart', ['Content-Length: 5', ...Array(20).fill('X-A: b'), 'Transfer-Encoding: chunked']],
    ['the length named by Connection', ['Connection: Content-Length', 'Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['the coding named by Connection', ['Connection: Transfer-Encoding', 'Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['the length broken', ['Content-Length: x', 'Transfer-Encoding: chunked']],
    ['two codings and a length', ['Transfer-Encoding: chunked', 'Content-Length: 5', 'Transfer-Encoding: identity']],
].map(([name, fields]) => ({ name: `both lengths: ${name}`, rfc: DIFFER, send: request(fields, BOTH), refuse: [400, 501] }));

const codings = [
    ['identity', 'identity'], ['identity and chunked', 'identity, chunked'], ['gzip', 'gzip'], ['gzip and chunked', 'gzip, chunked'],
    ['chunked and gzip', 'chunked, gzip'], ['chunked twice', 'chunked, chunked'], ['chunked and identity', 'chunked, identity'],
    ['xchunked', 'xchunked'], ['chunkedx', 'chunkedx'], ['chunk', 'chunk'], ['with a parameter', 'chunked;q=1'], ['with an empty parameter', 'chunked;'],
    ['quoted', '"chunked"'], ['with a space in it', 'chun ked'], ['with a vertical tab before it', '\x0bchunked'], ['with a form feed before it', '\x0cchunked'],
    ['with NUL before it', '\0chunked'], ['with NUL behind it', 'chunked\0'], ['with DEL behind it', 'chunked\x7f'], ['with a no-break space', '\xa0chunked'],
    ['empty', ''], ['a comma', ','], ['in brackets', '[chunked]'], ['with an equals sign', '=chunked'], ['with a colon', ': chunked'],
    ['in words', 'chunked chunked'], ['cow', 'cow'], ['with a dotted I of Turkish', 'chunked\xc4\xb0'], ['a Kelvin sign for k', 'chun\xe2\x84\xaaed'],
].map(([name, value]) => ({
    name: `Transfer-Encoding: ${name}`,
    rfc: CODING,
    send: request([`Transfer-Encoding: ${value}`], BOTH),
    refuse: [400, 501],
}));

const codingLines = [
    { name: 'Transfer-Encoding: two fields, chunked both', rfc: CODING, send: request(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], BOTH), refuse: [400, 501] },
    { name: 'Transfer-Encoding: two fields, chunked and identity', rfc: CODING, send: request(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], BOTH), refuse: [400, 501] },
    { name: 'Transfer-Encoding: two fields, identity and chunked', rfc: CODING, send: request(['Transfer-Encoding: identity', 'Transfer-Encoding: chunked'], BOTH), refuse: [400, 501] },
    { name: 'Transfer-Encoding: two fields, gzip and chunked', rfc: CODING, send: request(['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'], BOTH), refuse: [400, 501] },
    { name: 'Transfer-Encoding: two fields, empty and chunked', rfc: CODING, send: request(['Transfer-Encoding:', 'Transfer-Encoding: chunked'], BOTH), refuse: [400, 501] },
    { name: 'Transfer-Encoding: in HTTP/1.0', rfc: CODING, send: `POST /p HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n${BOTH}`, refuse: [400, 501] },
    { name: 'Transfer-Encoding: gzip, chunked is not implemented', rfc: CODING, send: request(['Transfer-Encoding: gzip, chunked'], BOTH), refuse: 501 },
    { name: 'Transfer-Encoding: hidden behind a bare CR', rfc: 'RFC 9112 section 2.2', send: request(['X: y\rTransfer-Encoding: chunked'], BOTH), refuse: 400 },
    { name: 'Transfer-Encoding: hidden behind a bare LF', rfc: 'RFC 9112 section 2.2', send: request(['X: y\nTransfer-Encoding: chunked', 'Content-Length: 5'], BOTH), refuse: 400 },
    { name: 'Transfer-Encoding: cut in two lines', rfc: 'RFC 9112 section 5', send: request(['Transfer-', 'Encoding: chunked', 'Content-Length: 5'], BOTH), refuse: 400 },
    { name: 'Transfer-Encoding: Chunked in any case', rfc: CODING, send: request(['Transfer-Encoding: ChUnKeD'], '5\r\nhello\r\n0\r\n\r\n'), sees: [{ line: P, body: 'hello' }] },
    { name: 'Transfer-Encoding: with spaces and tabs around', rfc: CODING, send: request(['Transfer-Encoding: \t chunked \t '], '5\r\nhello\r\n0\r\n\r\n'), sees: [{ line: P, body: 'hello' }] },
    { name: 'Transfer-Encoding: with an empty element before', rfc: 'RFC 9110 section 5.6.1', send: request(['Transfer-Encoding: , chunked'], '5\r\nhello\r\n0\r\n\r\n'), refuse: [400, 501], sees: [{ line: P, body: 'hello' }] },
    { name: 'Transfer-Encoding: with an empty element behind', rfc: 'RFC 9110 section 5.6.1', send: request(['Transfer-Encoding: chunked,'], '5\r\nhello\r\n0\r\n\r\n'), refuse: [400, 501], sees: [{ line: P, body: 'hello' }] },
    { name: 'TE: chunked is no Transfer-Encoding', rfc: 'RFC 9110 section 10.1.4', send: get('/t', 'TE: chunked'), sees: [{ line: 'GET /t HTTP/1.1', body: '' }] },
];

const sizes = [
    ['negative', '-5'], ['with a plus', '+5'], ['with 0x', '0x5'], ['with h', '5h'], ['a letter beyond f', 'g'], ['empty', ''],
    ['a space before it', ' 5'], ['a space behind it', '5 '], ['a tab behind it', '5\t'], ['a vertical tab behind it', '5\x0b'], ['with NUL', '5\0'],
    ['with a comma', '5,'], ['with a point', '5.0'], ['with an underscore', '0_5'], ['quoted', '"5"'], ['two numbers', '5 5'],
    ['beyond 64 bits', '10000000000000005'], ['far beyond 64 bits', 'f'.repeat(40)], ['with zeros without end', `${'0'.repeat(10_000)}5`],
    ['a bare CR behind it', '5\rx'], ['CR CR', '5\r'], ['with a digit above 127', '\xb5'], ['a word', 'five'],
].map(([name, size]) => ({
    name: `chunk size: ${name}`,
    rfc: CHUNK,
    send: chunked('/c', `${size}\r\nhello\r\n0\r\n\r\n${SMUGGLED}`),
    refuse: [400, 413],
}));

const chunks = [
    ['ended by bare LF', '5\nhello\r\n0\r\n\r\n'],
    ['data ended by bare LF', '5\r\nhello\n0\r\n\r\n'],
    ['data ended by bare CR', '5\r\nhello\r0\r\n\r\n'],
    ['data not ended', '5\r\nhello0\r\n\r\n'],
    ['data longer than its size', '5\r\nhello!\r\n0\r\n\r\n'],
    ['data shorter than its size', '6\r\nhello\r\n0\r\n\r\n'],
    ['data ended by two other bytes', '5\r\nhelloXX0\r\n\r\n'],
    ['the last one ended by bare LF', '5\r\nhello\r\n0\n\r\n'],
    ['the end by bare LF', '5\r\nhello\r\n0\r\n\n'],
    ['the end by LF LF', '5\r\nhello\r\n0\n\n'],
    ['the end missing, a request instead', '5\r\nhello\r\n0\r\n'],
    ['no chunk at all, a request instead', ''],
    ['an empty line before the first', '\r\n5\r\nhello\r\n0\r\n\r\n'],
    ['two empty lines before the next', '5\r\nhello\r\n\r\n0\r\n\r\n'],
].map(([name, body]) => ({ name: `chunk: ${name}`, rfc: CHUNK, send: chunked('/c', `${body}${SMUGGLED}`), refuse: 400 }));

const goodChunks = [
    ['one', '5\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['none', '0\r\n\r\n', ''],
    ['several', '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n', 'hello'],
    ['small hexadecimal letters', `a\r\n0123456789\r\n0\r\n\r\n`, '0123456789'],
    ['capital hexadecimal letters', `A\r\n0123456789\r\n0\r\n\r\n`, '0123456789'],
    ['a few leading zeros', '0005\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['the last of several zeros', '5\r\nhello\r\n000\r\n\r\n', 'hello'],
    ['data that looks like chunks', '7\r\n0\r\n\r\nab\r\n0\r\n\r\n', '0\r\n\r\nab'],
    ['data that looks like a request', `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`, SMUGGLED],
].map(([name, body, whole]) => ({
    name: `chunk: ${name}`,
    rfc: CHUNK,
    send: chunked('/c', body),
    sees: [{ line: 'POST /c HTTP/1.1', body: whole }],
}));

const extensions = [
    ['a bare LF in it', '5;a\nb'], ['a space behind its value', '5;a=b '], ['a space behind its name', '5;a '], ['a tab behind its value', '5;a=b\t'], ['nothing behind the equals sign', '5;a='], ['no name', '5;=b'], ['a character that is none of a token', '5;a=b@c'], ['a quote that is not closed', '5;a="b'], ['a bare LF behind it', '5;a=b\n'], ['a bare CR in it', '5;a\rb'], ['NUL in it', '5;a=\0'],
    ['a control byte in it', '5;a=\x01'], ['DEL in it', '5;a=\x7f'], ['without a size', ';a=b'], ['a space and no semicolon', '5 a=b'],
    ['too long', `5;a=${'b'.repeat(20_000)}`], ['a line break in a quoted value', '5;a="b\r\nc"'], ['a bare LF in a quoted value', '5;a="b\nc"'],
].map(([name, line]) => ({ name: `chunk extension: ${name}`, rfc: EXTENSION, send: chunked('/c', `${line}\r\nhello\r\n0\r\n\r\n${SMUGGLED}`), refuse: [400, 413, 431] }));

const extensionSum = [
    { name: 'chunk extension: many small ones', rfc: EXTENSION, send: chunked('/c', `${`1;a=${'b'.repeat(40)}\r\nx\r\n`.repeat(2000)}0\r\n\r\n`), refuse: [400, 413, 431] },
    ...[['a name', ';a'], ['a name and a value', ';a=b'], ['a quoted value', ';a="b c"'], ['several', ';a=b;c=d'], ['on the last chunk', '']].map(([name, text]) => ({
        name: `chunk extension: ${name} is dropped`,
        rfc: EXTENSION,
        send: chunked('/c', `5${text}\r\nhello\r\n0;z=y\r\n\r\n`),
        sees: [{ line: 'POST /c HTTP/1.1', body: 'hello' }],
    })),
];

const trailers = [
    ['no colon', 'X', TRAILER], ['a space before the colon', 'X : y', TRAILER], ['a bare LF', 'X: y\nZ: w', TRAILER], ['a bare CR', 'X: y\rZ: w', TRAILER],
    ['NUL', 'X: \0', TRAILER], ['a fold', 'X: y\r\n z', TRAILER], ['a space first', ' X: y', TRAILER], ['an empty name', ': y', TRAILER],
    ['Content-Length', 'Content-Length: 5', FORBIDDEN], ['Transfer-Encoding', 'Transfer-Encoding: chunked', FORBIDDEN], ['Host', 'Host: b', FORBIDDEN],
    ['Connection', 'Connection: close', FORBIDDEN], ['a request line', 'GET /smuggled HTTP/1.1', TRAILER],
].map(([name, line, rfc]) => ({ name: `trailer: ${name}`, rfc, send: chunked('/c', `5\r\nhello\r\n0\r\n${line}\r\n\r\n${SMUGGLED}`), refuse: 400 }));

const trailerSizes = [
    { name: 'trailer: too many', rfc: 'RFC 6585 section 5', send: chunked('/c', `0\r\n${'X: y\r\n'.repeat(20_000)}\r\n`), refuse: [400, 413, 431] },
    { name: 'trailer: too long', rfc: 'RFC 6585 section 5', send: chunked('/c', `0\r\nX: ${'y'.repeat(200_000)}\r\n\r\n`), refuse: [400, 413, 431] },
    { name: 'trailer: an honest one', rfc: TRAILER, send: chunked('/c', '5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n'), sees: [{ line: 'POST /c HTTP/1.1', body: 'hello' }] },
    { name: 'trailer: two honest ones', rfc: TRAILER, send: chunked('/c', '5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n'), sees: [{ line: 'POST /c HTTP/1.1', body: 'hello' }] },
];

const large = [
    { name: 'a chunk larger than the limit', rfc: 'RFC 9110 section 15.5.14', send: chunked('/c', '7fffffffffffffff\r\nhello'), refuse: [400, 413] },
    { name: 'chunks that together are larger than the limit', rfc: 'RFC 9110 section 15.5.14', send: chunked('/c', `${`8000\r\n${'x'.repeat(0x8000)}\r\n`.repeat(8)}0\r\n\r\n`), refuse: 413, partly: true },
    { name: 'a body within the limit', rfc: LENGTH, send: post('/p', 'x'.repeat(50_000)), sees: [{ line: P, body: 'x'.repeat(50_000) }] },
];

export default [
    ...lengths, ...lengthPairs, ...both, ...codings, ...codingLines, ...sizes, ...chunks, ...goodChunks, ...extensions, ...extensionSum,
    ...trailers, ...trailerSizes, ...large,
];
