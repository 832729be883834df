// SPDX-License-Identifier: BSD-2-Clause
// Request lines: methods, targets, versions, and what stands before them.
import { get, post } from './build.mjs';

const LINE = 'RFC 9112 section 3';
const METHOD = 'RFC 9110 section 9.1';
const TARGET = 'RFC 9112 section 3.2';
const URI = 'RFC 3986 section 2.1';
const VERSION = 'RFC 9112 section 2.3';
const ROBUST = 'RFC 9112 section 2.2';
const ABSOLUTE = 'RFC 9112 section 3.2.2';

const line = (text) => `${text}\r\nHost: a\r\n\r\n`;

const lines = [
    ['two spaces after the method', 'GET  / HTTP/1.1'],
    ['two spaces after the target', 'GET /  HTTP/1.1'],
    ['a tab after the method', 'GET\t/ HTTP/1.1'],
    ['a tab after the target', 'GET /\tHTTP/1.1'],
    ['a vertical tab after the method', 'GET\x0b/ HTTP/1.1'],
    ['a form feed after the method', 'GET\x0c/ HTTP/1.1'],
    ['a no-break space after the method', 'GET\xa0/ HTTP/1.1'],
    ['a bare CR after the method', 'GET\r/ HTTP/1.1'],
    ['a space before the method', ' GET / HTTP/1.1'],
    ['a tab before the method', '\tGET / HTTP/1.1'],
    ['a space after the version', 'GET / HTTP/1.1 '],
    ['a tab after the version', 'GET / HTTP/1.1\t'],
    ['a bare CR after the version', 'GET / HTTP/1.1\r'],
    ['NUL after the version', 'GET / HTTP/1.1\0'],
    ['four words', 'GET / x HTTP/1.1'],
    ['no target', 'GET HTTP/1.1'],
    ['an empty target', 'GET  HTTP/1.1'],
    ['a method only', 'GET'],
    ['no version (HTTP/0.9)', 'GET /'],
    ['a header line first', 'Host: a'],
    ['a status line', 'HTTP/1.1 200 OK'],
    ['a second request line as a field', 'GET / HTTP/1.1\r\nGET /smuggled HTTP/1.1'],
].map(([name, text]) => ({ name: `request line: ${name}`, rfc: LINE, send: line(text), refuse: [400, 505] }));

const methods = [
    ['empty', ' / HTTP/1.1'],
    ['with a parenthesis', 'GE(T / HTTP/1.1'],
    ['with a comma', 'GET,POST / HTTP/1.1'],
    ['with a slash', 'GE/T / HTTP/1.1'],
    ['with a colon', 'GET: / HTTP/1.1'],
    ['with a quote', '"GET" / HTTP/1.1'],
    ['with an equals sign', 'G=T / HTTP/1.1'],
    ['with NUL', 'GE\0T / HTTP/1.1'],
    ['with DEL', 'GE\x7fT / HTTP/1.1'],
    ['with a byte above 127', 'G\xc9T / HTTP/1.1'],
    ['with braces', '{GET} / HTTP/1.1'],
].map(([name, text]) => ({ name: `method: ${name}`, rfc: METHOD, send: line(text), refuse: 400 }));

const goodMethods = ['OPTIONS', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'M-SEARCH', "X!#$%&'*+-.^_`|~9"].map((name) => ({
    name: `method: ${name} is a token`,
    rfc: METHOD,
    send: line(`${name} /m HTTP/1.1`),
    sees: [{ line: `${name} /m HTTP/1.1` }],
}));

const versions = [
    ['HTTP/2.0', 505], ['HTTP/3.0', 505], ['HTTP/9.9', 505], ['HTTP/0.9', [400, 505]], ['HTTP/0.0', [400, 505]],
    ['http/1.1', [400, 505]], ['Http/1.1', [400, 505]], ['HTTP/1', [400, 505]], ['HTTP/1.', [400, 505]], ['HTTP/.1', [400, 505]],
    ['HTTP/1.10', [400, 505]], ['HTTP/11.1', [400, 505]], ['HTTP/01.1', [400, 505]], ['HTTP/1.01', [400, 505]], ['HTTP/1,1', [400, 505]],
    ['HTTP/1.1x', [400, 505]], ['HTTP/-1.1', [400, 505]], ['HTTP/+1.1', [400, 505]], ['HTTP/1.-1', [400, 505]], ['HTTP /1.1', [400, 505]],
    ['HTTP/ 1.1', [400, 505]], ['HTTPS/1.1', [400, 505]], ['HTTP1.1', [400, 505]], ['HTTP\\1.1', [400, 505]], ['ICY/1.1', [400, 505]],
    ['HTTP/A.B', [400, 505]], ['HTTP/1.1\0', [400, 505]], ['HTTP/\xb9.\xb9', [400, 505]],
].map(([version, refuse]) => ({
    name: `version: ${JSON.stringify(version)}`,
    rfc: VERSION,
    send: line(`GET / ${version}`),
    refuse,
}));

const targets = [
    ['without a slash', 'index.html'],
    ['a host only', 'a.example'],
    ['authority-form', 'a.example:80'],
    ['* with GET', '*'],
    ['* with more behind it', '*x'],
    ['a fragment', '/a#b'],
    ['a fragment only', '#'],
    ['a query only', '?a=b'],
    ['NUL', '/a\0b'],
    ['the control byte 01', '/a\x01b'],
    ['DEL', '/a\x7fb'],
    ['a bare CR', '/a\rb'],
    ['an escape of one digit', '/a%4'],
    ['an escape at the end', '/a%'],
    ['an escape of no hexadecimal digits', '/%zz'],
    ['an escape of NUL', '/a%00b'],
    ['a path above its root', '/..'],
    ['a path above its root, further in', '/a/../../b'],
    ['a path above its root, escaped', '/%2e%2e/b'],
    ['a path above its root, half escaped', '/.%2E/b'],
    ['a backslash first', '\\a'],
].map(([name, target]) => ({
    name: `target: ${name}`,
    rfc: /escape|above/.test(name) ? URI : TARGET,
    send: line(`GET ${target} HTTP/1.1`),
    refuse: 400,
}));

const goodTargets = ['/', '/?', '/a?b?c', '/a/b/', '//a', '/a//b', '/%2f%c3%A4', '/a;b=c,d', '/:@!$&', '/a?../%41'].map((target) => ({
    name: `target: ${target} goes on as it came`,
    rfc: TARGET,
    send: line(`GET ${target} HTTP/1.1`),
    sees: [{ line: `GET ${target} HTTP/1.1` }],
}));

// Of a dot segment, or an escape that nothing needs, the normal form goes on: the route was chosen by it.
const normalised = [['/.', '/'], ['/a/../b', '/b'], ['/%41%2f%C3%A4', '/A%2F%C3%A4'], ['/a/%2e%2E?x/..', '/?x/..']].map(([target, wanted]) => ({
    name: `target: ${target} goes on as ${wanted}`,
    rfc: URI,
    send: line(`GET ${target} HTTP/1.1`),
    sees: [{ line: `GET ${wanted} HTTP/1.1` }],
}));

const absolute = [
    ['an unknown scheme', 'ftp://a/'],
    ['no host', 'http:///x'],
    ['nothing behind the scheme', 'http://'],
    ['user information', 'http://user:password@a/'],
    ['user information without a password', 'http://user@a/'],
    ['a port that is no number', 'http://a:b/'],
    ['a port that is too large', 'http://a:65536/'],
    ['an open bracket', 'http://[::1/'],
    ['a bad address in brackets', 'http://[zz]/'],
    ['one slash', 'http:/a/'],
    ['no slashes', 'http:a'],
    ['a backslash', 'http:\\\\a\\'],
    ['a comma in the host', 'http://a,b/'],
    ['a fragment', 'http://a/#x'],
].map(([name, target]) => ({ name: `absolute-form: ${name}`, rfc: ABSOLUTE, send: line(`GET ${target} HTTP/1.1`), refuse: 400 }));

const goodAbsolute = [
    ['its authority stands before Host', 'http://b.example/x', '/x', 'b.example'],
    ['with a port', 'http://b.example:81/x?y', '/x?y', 'b.example:81'],
    ['the scheme in capitals', 'HTTP://b.example/', '/', 'b.example'],
    ['without a path', 'http://b.example', '/', 'b.example'],
    ['an IPv6 address', 'http://[::1]:80/v6', '/v6', '[::1]:80'],
].map(([name, target, path, host]) => ({
    name: `absolute-form: ${name}`,
    rfc: ABSOLUTE,
    send: line(`GET ${target} HTTP/1.1`),
    sees: [{ line: `GET ${path} HTTP/1.1`, fields: { host } }],
}));

const before = [
    { name: 'one empty line before the request line is skipped', rfc: ROBUST, send: `\r\n${get('/x')}`, sees: [{ line: 'GET /x HTTP/1.1' }] },
    { name: 'an empty line between two requests is skipped', rfc: ROBUST, send: `${post('/a', 'abc')}\r\n${get('/b')}`, sees: [{ line: 'POST /a HTTP/1.1', body: 'abc' }, { line: 'GET /b HTTP/1.1' }] },
    { name: 'many empty lines', rfc: ROBUST, send: `${'\r\n'.repeat(20_000)}${get('/x')}`, refuse: [400, 431] },
    { name: 'a bare LF before the request line', rfc: ROBUST, send: `\n${get('/x')}`, refuse: 400 },
    { name: 'a bare CR before the request line', rfc: ROBUST, send: `\r${get('/x')}`, refuse: 400 },
    { name: 'a line of spaces before the request line', rfc: ROBUST, send: `  \r\n${get('/x')}`, refuse: 400 },
    { name: 'NUL before the request line', rfc: ROBUST, send: `\0${get('/x')}`, refuse: 400 },
    { name: 'a byte-order mark', rfc: ROBUST, send: `\xef\xbb\xbf${get('/x')}`, refuse: 400 },
    { name: 'a TLS hello', rfc: LINE, send: `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${'\xaa'.repeat(32)}\r\n\r\n`, refuse: 400 },
    { name: 'a line ended by bare LF', rfc: ROBUST, send: 'GET / HTTP/1.1\nHost: a\r\n\r\n', refuse: 400 },
    { name: 'a line ended by bare CR', rfc: ROBUST, send: 'GET / HTTP/1.1\rHost: a\r\n\r\n', refuse: 400 },
    { name: 'a line ended by CR CR LF', rfc: ROBUST, send: 'GET / HTTP/1.1\r\r\nHost: a\r\n\r\n', refuse: 400 },
    { name: 'a line ended by LF CR', rfc: ROBUST, send: 'GET / HTTP/1.1\n\rHost: a\r\n\r\n', refuse: 400 },
    { name: 'all lines ended by bare LF', rfc: ROBUST, send: 'GET / HTTP/1.1\nHost: a\n\n', refuse: 400 },
    { name: 'CONNECT', rfc: 'RFC 9110 section 9.3.6', send: 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n', refuse: [400, 403, 405, 501] },
    { name: 'CONNECT with origin-form', rfc: 'RFC 9112 section 3.2.3', send: line('CONNECT /x HTTP/1.1'), refuse: [400, 403, 405, 501] },
    { name: 'OPTIONS *', rfc: 'RFC 9112 section 3.2.4', send: line('OPTIONS * HTTP/1.1'), sees: [{ line: 'OPTIONS * HTTP/1.1' }] },
    { name: 'a target that is too long', rfc: 'RFC 9112 section 3', send: line(`GET /${'x'.repeat(30_000)} HTTP/1.1`), refuse: [414, 431] },
    { name: 'a method that is too long', rfc: 'RFC 9112 section 3', send: line(`${'G'.repeat(100_000)} / HTTP/1.1`), refuse: [400, 414, 431, 501] },
    { name: 'a request line without end', rfc: 'RFC 9112 section 3', send: `GET /${'x'.repeat(200_000)}`, refuse: [414, 431] },
];

export default [...lines, ...methods, ...goodMethods, ...versions, ...targets, ...goodTargets, ...normalised, ...absolute, ...goodAbsolute, ...before];
