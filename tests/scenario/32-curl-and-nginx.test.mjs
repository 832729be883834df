// SPDX-License-Identifier: BSD-2-Clause
// Real programs on both sides: curl, nginx and Node.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import zlib from 'node:zlib';
import { curl } from './lib/curl.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { nginxOrigin } from './lib/nginx-origin.mjs';
import { httpOrigin } from './lib/origin.mjs';

const PAGE = `<!doctype html><title>Shop</title>${'<p>A line of text that compresses well.</p>'.repeat(500)}`;
const PICTURE = crypto.randomBytes(200_000);

test('curl through the gateway to nginx and Node', async (t) => {
    const folder = temporaryFolder(t);
    const nginx = await nginxOrigin(t, {
        files: { 'index.html': PAGE, 'img/a.png': PICTURE, 'a b.txt': 'space' },
        locations: `
            gzip on;
            gzip_proxied any;
            gzip_types text/html;
            location /old { return 301 /index.html; }
            location /denied { return 403; }
            location /limit { limit_except GET { deny all; } }`,
    });
    const node = await httpOrigin(t, {
        handler: async (asked, answer, record) => {
            const bytes = await record.body();
            answer.writeHead(200, { 'Content-Type': 'application/json' });
            answer.end(JSON.stringify({ method: asked.method, url: asked.url, size: bytes.length, digest: crypto.createHash('sha256').update(bytes).digest('hex') }));
        },
    });
    const gateway = await startGateway(t, `
services:
  pages: {origins: ["${nginx.address}"]}
  api: {origins: ["${node.address}"]}
routes:
  - {name: api, match: {path_prefix: /api/}, service: api}
  - {name: pages, service: pages}
`);

    await t.test('a page', async () => {
        const answer = await curl(gateway.url('/'));
        assert.equal(answer.code, 0, answer.stderr);
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['content-type'], 'text/html');
        assert.equal(answer.body.toString(), PAGE);
        assert.match(answer.headers.via, /turnpike/);
    });

    await t.test('a picture, byte for byte', async () => {
        const answer = await curl(gateway.url('/img/a.png'));
        assert.ok(answer.body.equals(PICTURE));
        assert.equal(answer.headers['content-type'], 'image/png');
    });

    await t.test('gzip passes untouched', async () => {
        const answer = await curl('-H', 'Accept-Encoding: gzip', gateway.url('/'));
        assert.equal(answer.headers['content-encoding'], 'gzip');
        assert.equal(zlib.gunzipSync(answer.body).toString(), PAGE);
    });

    await t.test('HTTP/1.0 with gzip and without', async () => {
        const answer = await curl('--http1.0', gateway.url('/'));
        assert.equal(answer.code, 0, answer.stderr);
        assert.equal(answer.body.toString(), PAGE);
    });

    await t.test('a range', async () => {
        const answer = await curl('--range', '100-199', gateway.url('/img/a.png'));
        assert.equal(answer.status, 206);
        assert.equal(answer.headers['content-range'], 'bytes 100-199/200000');
        assert.ok(answer.body.equals(PICTURE.subarray(100, 200)));
    });

    await t.test('several ranges', async () => {
        const answer = await curl('--range', '0-9,20-29', gateway.url('/img/a.png'));
        assert.equal(answer.status, 206);
        assert.match(answer.headers['content-type'], /multipart\/byteranges/);
    });

    await t.test('a range that cannot be', async () => {
        assert.equal((await curl('--range', '900000-', gateway.url('/img/a.png'))).status, 416);
    });

    await t.test('a conditional request is 304', async () => {
        const first = await curl(gateway.url('/img/a.png'));
        const second = await curl('-H', `If-None-Match: ${first.headers.etag}`, gateway.url('/img/a.png'));
        assert.equal(second.status, 304);
        assert.equal(second.body.length, 0);
    });

    await t.test('404 of nginx is its own', async () => {
        const answer = await curl(gateway.url('/missing'));
        assert.equal(answer.status, 404);
        assert.match(answer.body.toString(), /nginx/);
        assert.equal(answer.headers['proxy-status'], undefined);
    });

    await t.test('403 and 301', async () => {
        assert.equal((await curl(gateway.url('/denied'))).status, 403);
        const moved = await curl(gateway.url('/old'));
        assert.equal(moved.status, 301);
        assert.match(moved.headers.location, /index\.html$/);
    });

    await t.test('HEAD', async () => {
        const answer = await curl('--head', gateway.url('/img/a.png'));
        assert.equal(answer.code, 0, answer.stderr);
        assert.equal(answer.headers['content-length'], '200000');
    });

    await t.test('a path with an escaped space', async () => {
        assert.equal((await curl(gateway.url('/a%20b.txt'))).body.toString(), 'space');
    });

    await t.test('POST of a form', async () => {
        const answer = await curl('--data', 'a=1&b=2', gateway.url('/api/form'));
        assert.deepEqual(JSON.parse(answer.body).size, 7);
    });

    await t.test('an upload of 5 MB with Expect: 100-continue', async () => {
        const bytes = crypto.randomBytes(5_000_000);
        const file = path.join(folder, 'upload');
        fs.writeFileSync(file, bytes);
        const answer = await curl('--upload-file', file, '-H', 'Expect: 100-continue', gateway.url('/api/upload'));
        assert.equal(answer.code, 0, answer.stderr);
        assert.equal(JSON.parse(answer.body).digest, crypto.createHash('sha256').update(bytes).digest('hex'));
    });

    await t.test('a chunked upload', async () => {
        const file = path.join(folder, 'upload');
        const answer = await curl('--upload-file', file, '-H', 'Transfer-Encoding: chunked', gateway.url('/api/upload'));
        assert.equal(JSON.parse(answer.body).size, 5_000_000);
    });

    await t.test('several pages on one connection', async () => {
        const answer = await curl('--verbose', gateway.url('/'), gateway.url('/img/a.png'), gateway.url('/api/x'));
        assert.equal(answer.code, 0);
        assert.match(answer.stderr, /Re-using existing connection/);
        assert.doesNotMatch(answer.stderr, /Closing connection 0[\s\S]*Trying/);
    });

    await t.test('30 at once', async () => {
        const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => curl(gateway.url(i % 2 ? '/' : `/api/${i}`))));
        assert.ok(answers.every((each) => each.status === 200));
    });
});

test('via: off, so that nginx compresses as it does by default', async (t) => {
    const nginx = await nginxOrigin(t, { files: { 'index.html': PAGE }, locations: 'gzip on; gzip_types text/html;' });
    const gateway = await startGateway(t, `
services:
  told: {origins: ["${nginx.address}"]}
  untold: {origins: ["${nginx.address}"], via: off}
routes:
  - {name: told, match: {host: told}, service: told}
  - {name: untold, service: untold}
`);
    const ask = (host) => curl(gateway.url('/'), '-H', `Host: ${host}`, '-H', 'Accept-Encoding: gzip', '-H', 'Via: 1.1 edge');
    assert.equal((await ask('told')).headers['content-encoding'], undefined);
    const answer = await ask('untold');
    assert.equal(answer.headers['content-encoding'], 'gzip');
    assert.equal(zlib.gunzipSync(answer.body).toString(), PAGE);
    assert.match(answer.headers.via, /turnpike/, 'the client hears of the gateway all the same');
});
