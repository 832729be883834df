// SPDX-License-Identifier: BSD-2-Clause
// Field lines: names, colons, values, whitespace, folding, control bytes, Host.
import { get, SMUGGLED } from './build.mjs';

const SYNTAX = 'RFC 9112 section 5';
const COLON = 'RFC 9112 section 5.1';
const FOLD = 'RFC 9112 section 5.2';
const VALUE = 'RFC 9110 section 5.5';
const NAME = 'RFC 9110 section 5.1';
const END = 'RFC 9112 section 2.2';
const HOST = 'RFC 9112 section 3.2';

const withField = (line) => `GET / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`;
const hex = (code) => code.toString(16).padStart(2, '0');

const syntax = [
    ['no colon', 'X-A', SYNTAX],
    ['no colon, with a value', 'X-A b', SYNTAX],
    ['an empty name', ': b', SYNTAX],
    ['a space before the colon', 'X-A : b', COLON],
    ['a tab before the colon', 'X-A\t: b', COLON],
    ['a space before the colon of Content-Length', 'Content-Length : 0', COLON],
    ['a space before the colon of Transfer-Encoding', 'Transfer-Encoding : chunked', COLON],
    ['a tab before the colon of Transfer-Encoding', 'Transfer-Encoding\t: chunked', COLON],
    ['a space in the name', 'X A: b', NAME],
    ['a tab in the name', 'X\tA: b', NAME],
    ['a space before the name', ' X-A: b', FOLD],
    ['a tab before the name', '\tX-A: b', FOLD],
    ['obs-fold with a space', 'X-A: b\r\n c', FOLD],
    ['obs-fold with a tab', 'X-A: b\r\n\tc', FOLD],
    ['obs-fold of an empty value', 'X-A:\r\n b', FOLD],
    ['obs-fold of nothing', 'X-A: b\r\n ', FOLD],
    ['obs-fold of Transfer-Encoding', 'Transfer-Encoding:\r\n chunked', FOLD],
    ['obs-fold of Content-Length', 'Content-Length:\r\n 0', FOLD],
    ['obs-fold that hides a field', 'X-A: b\r\n Transfer-Encoding: chunked', FOLD],
    ['NUL in the name', 'X\0A: b', NAME],
    ['NUL at the end of the name', 'X-A\0: b', NAME],
    ['NUL in the value', 'X-A: b\0c', VALUE],
    ['NUL at the end of the value', 'X-A: b\0', VALUE],
    ['a bare CR in the name', 'X\rA: b', END],
    ['a bare CR in the value', 'X-A: b\rc', END],
    ['a bare CR at the end of the value', 'X-A: b\r', END],
    ['a bare CR that hides a field', 'X-A: b\rTransfer-Encoding: chunked', END],
    ['a bare LF in the name', 'X\nA: b', END],
    ['a bare LF that hides a field', 'X-A: b\nContent-Length: 5', END],
    ['a bare LF at the end of the line', 'X-A: b\nX-B: c', END],
    ['LF CR at the end of the line', 'X-A: b\n\rX-B: c', END],
    ['a name with a byte above 127', 'X-\xc4: b', NAME],
].map(([name, line, rfc]) => ({ name: `field: ${name}`, rfc, send: withField(line), refuse: 400 }));

const separators = [...'(),/;<=>?@[\\]{}"'].map((character) => ({
    name: `field: ${character} in a name`,
    rfc: NAME,
    send: withField(`X${character}A: b`),
    refuse: 400,
}));

const controls = [...Array(32).keys(), 127].filter((code) => ![0, 9, 10, 13].includes(code)).map((code) => ({
    name: `field: the control byte ${hex(code)} in a value`,
    rfc: VALUE,
    send: withField(`X-A: b${String.fromCharCode(code)}c`),
    refuse: 400,
}));

const controlNames = [1, 8, 11, 12, 27, 127].map((code) => ({
    name: `field: the control byte ${hex(code)} in front of a name`,
    rfc: NAME,
    send: withField(`${String.fromCharCode(code)}Transfer-Encoding: chunked`),
    refuse: 400,
}));

const ends = [
    ['the head ended by bare LF LF', 'GET / HTTP/1.1\r\nHost: a\n\n'],
    ['the head ended by CR LF LF', 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
    ['the head ended by LF CR LF', 'GET / HTTP/1.1\r\nHost: a\n\r\n'],
    ['the head ended by CR LF CR CR LF', 'GET / HTTP/1.1\r\nHost: a\r\n\r\r\n'],
    ['the head ended by CR CR', `GET / HTTP/1.1\r\nHost: a\r\r${SMUGGLED}`],
    ['a line of a space in front of the end', 'GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n'],
].map(([name, send]) => ({ name: `field: ${name}`, rfc: END, send, refuse: 400 }));

const good = [
    ['no space after the colon', 'X-A:b', { 'x-a': 'b' }],
    ['many spaces around the value', 'X-A:   \t b \t ', { 'x-a': 'b' }],
    ['an empty value', 'X-A:', { 'x-a': '' }],
    ['a value of spaces', 'X-A:    ', { 'x-a': '' }],
    ['spaces and tabs within the value', 'X-A: b  c\td', { 'x-a': 'b  c\td' }],
    ['colons in the value', 'X-A: :b:c:', { 'x-a': ':b:c:' }],
    ['bytes above 127 in the value', 'X-A: \xe4\xff\x80', { 'x-a': '\xe4\xff\x80' }],
    ['quotes and commas in the value', 'X-A: "a\\"b", c', { 'x-a': '"a\\"b", c' }],
    ['all characters of a token in the name', "X!#$%&'*+-.^_`|~9: b", { "x!#$%&'*+-.^_`|~9": 'b' }],
    ['an underscore makes no known name: Content_Length', 'Content_Length: 5', {}],
    ['an underscore makes no known name: Transfer_Encoding', 'Transfer_Encoding: chunked', {}],
].map(([name, line, fields]) => ({
    name: `field: ${name}`,
    rfc: SYNTAX,
    send: withField(line),
    sees: [{ line: 'GET / HTTP/1.1', fields, body: '', lacks: ['content-length', 'transfer-encoding'] }],
}));

const sizes = [
    { name: 'field: a line that is too long', rfc: 'RFC 6585 section 5', send: withField(`X-A: ${'b'.repeat(100_000)}`), refuse: 431 },
    { name: 'field: a name that is too long', rfc: 'RFC 6585 section 5', send: withField(`${'X'.repeat(100_000)}: b`), refuse: 431 },
    { name: 'field: too many lines', rfc: 'RFC 6585 section 5', send: withField(Array(2000).fill('X: y').join('\r\n')), refuse: 431 },
    { name: 'field: a head without end', rfc: 'RFC 6585 section 5', send: `GET / HTTP/1.1\r\nHost: a\r\n${'X-A: b\r\n'.repeat(20_000)}`, refuse: 431 },
];

const host = (value) => `GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`;

const hosts = [
    ['none', 'GET / HTTP/1.1\r\n\r\n'],
    ['none, with absolute-form', 'GET http://a/ HTTP/1.1\r\n\r\n'],
    ['two', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['two that are the same', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
    ['two, in different case', 'GET / HTTP/1.1\r\nhost: a\r\nHOST: a\r\n\r\n'],
    ['two, one of them empty', 'GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n'],
    ['two with absolute-form', 'GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['two in HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['a list', host('a, b')],
    ['a space within', host('a b')],
    ['a tab within', host('a\tb')],
    ['a path behind it', host('a/b')],
    ['a query behind it', host('a?b')],
    ['a fragment behind it', host('a#b')],
    ['user information', host('user@a')],
    ['a scheme', host('http://a')],
    ['a port that is no number', host('a:b')],
    ['a port with a sign', host('a:+80')],
    ['a port that is too large', host('a:65536')],
    ['two ports', host('a:80:80')],
    ['a bracket that is not closed', host('[::1')],
    ['something behind the bracket', host('[::1]x')],
    ['no address in the brackets', host('[]')],
    ['an IPv6 address without brackets', host('::1')],
    ['a backslash', host('a\\b')],
    ['a quote', host('"a"')],
    ['angle brackets', host('<a>')],
    ['NUL', host('a\0')],
    ['a fold', host('\r\n a')],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'],
    ['a space before the name', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n'],
].map(([name, send]) => ({ name: `Host: ${name}`, rfc: HOST, send, refuse: 400 }));

const goodHosts = ['a', 'A.Example', 'a:80', '127.0.0.1:8080', '[::1]', '[2001:db8::1]:443', 'xn--bcher-kva.example', 'a_b', 'a-b.c'].map((value) => ({
    name: `Host: ${value}`,
    rfc: HOST,
    send: host(value),
    sees: [{ line: 'GET / HTTP/1.1', fields: { host: value } }],
}));

const emptyHost = [
    { name: 'Host: empty', rfc: HOST, send: host(''), refuse: 400, sees: [{ line: 'GET / HTTP/1.1', fields: { host: '' } }] },
    { name: 'Host: none in HTTP/1.0', rfc: HOST, send: 'GET / HTTP/1.0\r\n\r\n', sees: [{ line: 'GET / HTTP/1.1' }], closes: true },
    { name: 'Host: seen once by the origin', rfc: HOST, send: get('/x'), sees: [{ line: 'GET /x HTTP/1.1', once: ['host'] }] },
];

export default [...syntax, ...separators, ...controls, ...controlNames, ...ends, ...good, ...sizes, ...hosts, ...goodHosts, ...emptyHost];
