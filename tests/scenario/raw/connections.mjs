// SPDX-License-Identifier: BSD-2-Clause
// What belongs to one connection only, Expect, and whole smuggling attempts with a request behind.
import { chunked, get, post, SMUGGLED } from './build.mjs';

const HOP = 'RFC 9110 section 7.6.1';
const EXPECT = 'RFC 9110 section 10.1.1';
const SMUGGLING = 'RFC 9112 section 11.2';
const PERSIST = 'RFC 9112 section 9.3';

const seen = (fields, rest) => ({
    rfc: HOP,
    send: get('/h', ...fields),
    sees: [{ line: 'GET /h HTTP/1.1', ...rest }],
});

const hops = [
    { name: 'Connection: a field it names is dropped', ...seen(['Connection: X-Hop', 'X-Hop: 1', 'X-Stay: 2'], { lacks: ['x-hop'], fields: { 'x-stay': '2' } }) },
    { name: 'Connection: several names, in any case', ...seen(['Connection: x-one , X-TWO', 'X-One: 1', 'x-two: 2', 'X-Two: 3'], { lacks: ['x-one', 'x-two'] }) },
    { name: 'Connection: in two fields', ...seen(['Connection: X-One', 'X-One: 1', 'Connection: X-Two', 'X-Two: 1'], { lacks: ['x-one', 'x-two'] }) },
    { name: 'Connection: empty elements', ...seen(['Connection: , ,X-One,,', 'X-One: 1'], { lacks: ['x-one'] }) },
    { name: 'Keep-Alive is dropped', ...seen(['Keep-Alive: timeout=5'], { lacks: ['keep-alive'] }) },
    { name: 'Proxy-Connection is dropped', ...seen(['Proxy-Connection: keep-alive'], { lacks: ['proxy-connection'] }) },
    { name: 'TE that Connection does not name does no harm', ...seen(['TE: trailers'], {}) },
    { name: 'Upgrade without Connection is dropped', ...seen(['Upgrade: websocket'], { lacks: ['upgrade'] }) },
    { name: 'Connection: Host does not take Host away', ...seen(['Connection: Host'], { fields: { host: 'a' } }) },
    { name: 'Connection: Via does not take ours away', ...seen(['Connection: Via', 'Via: 1.1 x'], { has: ['via'] }) },
    { name: 'Connection: X-Forwarded-For does not take ours away', ...seen(['Connection: X-Forwarded-For, Forwarded, X-Request-Id'], { has: ['x-forwarded-for', 'forwarded', 'x-request-id'] }) },
    { name: 'Connection: Content-Length does not take the length away', rfc: HOP, send: post('/p', `hello${SMUGGLED}`, 'Connection: Content-Length'), sees: [{ line: 'POST /p HTTP/1.1', body: `hello${SMUGGLED}` }], refuse: 400 },
    { name: 'Connection: Transfer-Encoding does not take the framing away', rfc: HOP, send: chunked('/p', '5\r\nhello\r\n0\r\n\r\n', 'Connection: Transfer-Encoding'), sees: [{ line: 'POST /p HTTP/1.1', body: 'hello' }], refuse: 400 },
    { name: 'Connection: with NUL', rfc: HOP, send: get('/h', 'Connection: close\0'), refuse: 400 },
    { name: 'Connection: a name that is none', rfc: HOP, send: get('/h', 'Connection: a b'), refuse: 400, sees: [{ line: 'GET /h HTTP/1.1' }] },
    { name: 'Connection: close ends it', rfc: PERSIST, send: get('/h', 'Connection: close') + SMUGGLED, sees: [{ line: 'GET /h HTTP/1.1' }], closes: true },
    { name: 'Connection: CLOSE ends it', rfc: PERSIST, send: get('/h', 'Connection: CLOSE') + SMUGGLED, sees: [{ line: 'GET /h HTTP/1.1' }], closes: true },
    { name: 'Connection: close among others ends it', rfc: PERSIST, send: get('/h', 'Connection: keep-alive, close') + SMUGGLED, sees: [{ line: 'GET /h HTTP/1.1' }], closes: true },
    { name: 'HTTP/1.0 ends it', rfc: PERSIST, send: `GET /h HTTP/1.0\r\nHost: a\r\n\r\n${SMUGGLED}`, sees: [{ line: 'GET /h HTTP/1.1' }], closes: true },
    { name: 'HTTP/1.0 with keep-alive goes on', rfc: PERSIST, send: 'GET /h HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n', sees: [{ line: 'GET /h HTTP/1.1' }] },
    { name: 'a very long Connection list', rfc: HOP, send: get('/h', `Connection: ${Array.from({ length: 500 }, (_, i) => `X-${i}`).join(',')}`, 'X-499: 1'), sees: [{ line: 'GET /h HTTP/1.1', lacks: ['x-499'] }], refuse: [400, 431] },
];

const expectations = [
    { name: 'Expect: an unknown one', rfc: EXPECT, send: post('/e', 'hello', 'Expect: tea'), refuse: 417 },
    { name: 'Expect: a known and an unknown one', rfc: EXPECT, send: post('/e', 'hello', 'Expect: 100-continue, tea'), refuse: 417 },
    { name: 'Expect: with a parameter', rfc: EXPECT, send: post('/e', 'hello', 'Expect: 100-continue=1'), refuse: 417 },
    { name: 'Expect: two fields, one unknown', rfc: EXPECT, send: post('/e', 'hello', 'Expect: 100-continue', 'Expect: tea'), refuse: 417 },
    { name: 'Expect: misspelt', rfc: EXPECT, send: post('/e', 'hello', 'Expect: 100 continue'), refuse: 417 },
    { name: 'Expect: with a bad body length behind it', rfc: EXPECT, send: `POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5, 6\r\n\r\n${SMUGGLED}`, refuse: 400 },
    { name: 'Expect: 100-continue without a body', rfc: EXPECT, send: get('/e', 'Expect: 100-continue'), sees: [{ line: 'GET /e HTTP/1.1', body: '' }] },
    { name: 'Expect: 100-continue with the body at once', rfc: EXPECT, send: post('/e', 'hello', 'Expect: 100-continue'), sees: [{ line: 'POST /e HTTP/1.1', body: 'hello' }] },
    { name: 'Expect: 100-continue and a request behind', rfc: EXPECT, send: post('/e', 'hello', 'Expect: 100-continue') + get('/f'), sees: [{ line: 'POST /e HTTP/1.1', body: 'hello' }, { line: 'GET /f HTTP/1.1' }] },
];

// Each of these is a known attempt: two readers of it that differ in one leniency disagree about
// where the second request begins.
const obfuscated = [
    'Transfer-Encoding : chunked', 'Transfer-Encoding\t: chunked', ' Transfer-Encoding: chunked', '\tTransfer-Encoding: chunked', 'Transfer-Encoding:\x0bchunked',
    'Transfer-Encoding: xchunked', 'Transfer-Encoding: chunked, identity', 'Transfer-Encoding: "chunked"', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
    'X: y\nTransfer-Encoding: chunked', 'X: y\rTransfer-Encoding: chunked', 'Transfer-Encoding\r\n: chunked', 'Transfer-Encoding:\r\n\tchunked', 'Transfer-Encoding: chunked\0',
    'Transfer\0-Encoding: chunked', 'Transfer-Encoding\0: chunked', 'Transfer-Encoding: chunk\0ed', '"Transfer-Encoding": chunked', 'Transfer Encoding: chunked',
].map((line) => ({
    name: `CL.TE and TE.CL behind ${JSON.stringify(line)}`,
    rfc: SMUGGLING,
    send: `POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${SMUGGLED.length + 5}\r\n${line}\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    refuse: [400, 501],
}));

const attempts = [
    { name: 'CL.TE', send: `POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`, refuse: 400 },
    { name: 'TE.CL', send: `POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5c\r\n${SMUGGLED}\r\n0\r\n\r\n`, refuse: 400 },
    { name: 'TE.TE', send: `POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n5c\r\n${SMUGGLED}\r\n0\r\n\r\n`, refuse: [400, 501] },
    { name: 'CL.CL', send: `POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`, refuse: 400 },
    { name: 'a request in the body of GET', send: `GET /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`, sees: [{ line: 'GET /first HTTP/1.1', body: SMUGGLED }] },
    { name: 'a request in the body of HEAD', send: `HEAD /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`, sees: [{ line: 'HEAD /first HTTP/1.1', body: SMUGGLED }] },
    { name: 'a request in the body of OPTIONS', send: `OPTIONS /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`, sees: [{ line: 'OPTIONS /first HTTP/1.1', body: SMUGGLED }] },
    { name: 'a request in the body of an unknown method', send: `FROB /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`, sees: [{ line: 'FROB /first HTTP/1.1', body: SMUGGLED }] },
    { name: 'a request in the body of an upgrade', send: `POST /first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`, sees: [{ line: 'POST /first HTTP/1.1', body: SMUGGLED }], refuse: 400 },
    { name: 'a refused request behind a good one', send: `${get('/first')}GET /smuggled HTTP/1.1\r\nHost : a\r\n\r\n`, sees: [{ line: 'GET /first HTTP/1.1' }], refuse: 400, after: 1 },
    { name: 'a good request behind a refused one', send: `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${SMUGGLED}`, refuse: 400 },
    { name: 'a chunk end that only bare LF readers see', send: chunked('/first', `2\r\n0\n\r\n${(SMUGGLED.length + 2).toString(16)}\r\n\r\n${SMUGGLED}\r\n0\r\n\r\n`), sees: [{ line: 'POST /first HTTP/1.1', body: `0\n\r\n${SMUGGLED}` }] },
    { name: 'a chunk extension that hides a chunk', send: chunked('/first', `5;\nxxxx\r\nhello\r\n0\r\n\r\n${SMUGGLED}`), refuse: 400 },
    { name: 'a chunk of which two bytes of data are taken for its end', send: chunked('/first', `5\r\nhelloAA\r\n0\r\n\r\n${SMUGGLED}`), refuse: 400 },
    { name: 'a field value that holds a request behind NUL', send: get('/first', `X: a\0\r\n\r\n${SMUGGLED}`), refuse: 400 },
    { name: 'a target that holds a request', send: `GET /first\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`, refuse: [400, 505] },
    { name: 'an absolute-form whose host is another', send: 'GET http://inner.example/first HTTP/1.1\r\nHost: a\r\n\r\n', sees: [{ line: 'GET /first HTTP/1.1', fields: { host: 'inner.example' } }] },
    { name: 'escaped line breaks in the target', send: get('/first%0d%0aHost:%20b%0d%0a%0d%0aGET%20/b'), sees: [{ line: 'GET /first%0d%0aHost:%20b%0d%0a%0d%0aGET%20/b HTTP/1.1' }], refuse: 400 },
    { name: 'escaped line breaks in the query', send: get('/first?%0d%0aHost:%20b'), sees: [{ line: 'GET /first?%0d%0aHost:%20b HTTP/1.1' }], refuse: 400 },
].map((each) => ({ rfc: SMUGGLING, ...each, name: `smuggling: ${each.name}` }));

const pipelines = [
    { name: 'two requests in a row', send: get('/1') + get('/2'), sees: [{ line: 'GET /1 HTTP/1.1' }, { line: 'GET /2 HTTP/1.1' }] },
    { name: 'bodies in both framings in a row', send: post('/1', 'abc') + chunked('/2', '3\r\ndef\r\n0\r\n\r\n') + get('/3'), sees: [{ line: 'POST /1 HTTP/1.1', body: 'abc' }, { line: 'POST /2 HTTP/1.1', body: 'def' }, { line: 'GET /3 HTTP/1.1' }] },
    { name: 'an empty body and a request', send: post('/1', '') + get('/2'), sees: [{ line: 'POST /1 HTTP/1.1', body: '' }, { line: 'GET /2 HTTP/1.1' }] },
    { name: 'HEAD and GET', send: `HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n${get('/2')}`, sees: [{ line: 'HEAD /1 HTTP/1.1' }, { line: 'GET /2 HTTP/1.1' }] },
    { name: 'a garbage byte between two requests', send: `${post('/1', 'abc')}X${get('/2')}`, sees: [{ line: 'POST /1 HTTP/1.1', body: 'abc' }, { line: 'XGET /2 HTTP/1.1' }] },
    { name: 'NUL between two requests', send: `${post('/1', 'abc')}\0${get('/2')}`, sees: [{ line: 'POST /1 HTTP/1.1', body: 'abc' }], refuse: 400, after: 1 },
].map((each) => ({ rfc: 'RFC 9112 section 9.3.2', ...each, name: `pipelining: ${each.name}` }));

export default [...hops, ...expectations, ...obfuscated, ...attempts, ...pipelines];
