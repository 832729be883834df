// SPDX-License-Identifier: BSD-2-Clause
// Header edits on both ways: remove, then set, then add.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';

test('header edits', async (t) => {
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            await wire.request();
            wire.ok('ok', 'Server: secret/1.0', 'X-Many: 1', 'X-Many: 2', 'X-Old: old', 'X-Keep: kept');
        }
    });
    const gateway = await startGateway(t, `
services: {app: {origins: ["${origin.address}"]}}
routes:
  - name: edits
    match: {path: /edits}
    service: app
    request_headers:
      remove: [X-Gone, x-many]
      set: {X-Set: new, Host: inner.example}
      add: {X-Add: more}
    response_headers:
      remove: [Server, X-Many]
      set: {X-Old: new, X-New: made}
      add: {X-Keep: added}
  - name: own
    match: {path: /own}
    respond: {status: 200, body: own}
    response_headers: {set: {Cache-Control: no-store}}
  - {name: plain, service: app}
`);
    const client = await connect(t, gateway);
    const answer = await client.ask(head('GET /edits HTTP/1.1', 'Host: outer.example', 'X-Gone: 1', 'X-Many: 1', 'X-Other: 1',
        'X-Many: 2', 'X-Set: old', 'X-Set: older', 'X-Add: first'));
    const seen = origin.requests[0];

    await t.test('remove takes away every field of the name', () => {
        assert.deepEqual(seen.all('x-gone'), []);
        assert.deepEqual(seen.all('x-many'), []);
        assert.deepEqual(answer.all('server'), []);
        assert.deepEqual(answer.all('x-many'), []);
    });
    await t.test('set leaves one field with the new value', () => {
        assert.deepEqual(seen.all('x-set'), ['new']);
        assert.deepEqual(seen.all('host'), ['inner.example']);
        assert.deepEqual(answer.all('x-old'), ['new']);
        assert.deepEqual(answer.all('x-new'), ['made']);
    });
    await t.test('add adds to what is there', () => {
        assert.deepEqual(seen.all('x-add'), ['first', 'more']);
        assert.deepEqual(answer.all('x-keep'), ['kept', 'added']);
    });
    await t.test('other fields stay', () => {
        assert.deepEqual(seen.all('x-other'), ['1']);
        assert.equal(answer.text, 'ok');
    });
    await t.test('other routes are untouched', async () => {
        const plain = await client.ask(head('GET / HTTP/1.1', 'Host: a', 'X-Gone: 1'));
        assert.deepEqual(origin.requests[1].all('x-gone'), ['1']);
        assert.deepEqual(plain.all('server'), ['secret/1.0']);
        assert.deepEqual(plain.all('x-many'), ['1', '2']);
    });
    await t.test('answers made here are edited too', async () => {
        const own = await client.ask(head('GET /own HTTP/1.1', 'Host: a'));
        assert.deepEqual(own.all('cache-control'), ['no-store']);
    });
});
