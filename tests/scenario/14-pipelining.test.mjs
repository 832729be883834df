// SPDX-License-Identifier: BSD-2-Clause
// Requests sent without waiting: answered in order, one exchange at a time.
import assert from 'node:assert/strict';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { startGateway } from './lib/gateway.mjs';
import { linuxOnly } from './lib/linux-only.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { pause } from './lib/wait.mjs';

test('pipelining', async (t) => {
    const origin = await httpOrigin(t, {
        handler: async (asked, answer, record) => {
            record.text = (await record.body()).toString('latin1');
            if (asked.url === '/slow') {
                await pause(50);
            }
            answer.end(`${asked.method} ${asked.url} ${record.text}`);
        },
    });
    const gateway = await startGateway(t, through(origin));
    const get = (target) => head(`GET ${target} HTTP/1.1`, 'Host: a');

    await t.test('answers come in order, the slow one first', async () => {
        const client = await connect(t, gateway);
        client.send(get('/slow') + get('/1') + get('/2') + get('/3'));
        for (const target of ['/slow', '/1', '/2', '/3']) {
            assert.equal((await client.answer()).text, `GET ${target} `);
        }
    });

    await t.test('with bodies in both framings', async () => {
        const client = await connect(t, gateway);
        client.send(
            `${head('POST /a HTTP/1.1', 'Host: a', 'Content-Length: 3')}abc` +
            `${head('POST /b HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}3\r\ndef\r\n0\r\n\r\n` +
            get('/c'),
        );
        assert.equal((await client.answer()).text, 'POST /a abc');
        assert.equal((await client.answer()).text, 'POST /b def');
        assert.equal((await client.answer()).text, 'GET /c ');
    });

    await t.test('HEAD and 404 between them', async () => {
        const client = await connect(t, gateway);
        client.send(head('HEAD /h HTTP/1.1', 'Host: a') + get('/after'));
        await client.answer({ method: 'HEAD' });
        assert.equal((await client.answer()).text, 'GET /after ');
    });

    await t.test('500 in one burst', async () => {
        const client = await connect(t, gateway);
        client.send(Array.from({ length: 500 }, (_, i) => get(`/${i}`)).join(''));
        for (let i = 0; i < 500; i++) {
            assert.equal((await client.answer()).text, `GET /${i} `);
        }
        client.expectSilence();
    });

    await t.test('cut into single bytes', async () => {
        const client = await connect(t, gateway);
        await client.sendInPieces(get('/x') + get('/y'));
        assert.equal((await client.answer()).text, 'GET /x ');
        assert.equal((await client.answer()).text, 'GET /y ');
    });

    await t.test('nothing behind Connection: close is answered or forwarded', async () => {
        const client = await connect(t, gateway);
        client.send(head('GET /last HTTP/1.1', 'Host: a', 'Connection: close') + get('/beyond'));
        assert.equal((await client.answer()).text, 'GET /last ');
        await client.expectClose();
        assert.ok(!origin.requests.some((each) => each.url === '/beyond'));
    });

    await t.test('nothing behind a refused request is answered or forwarded', async () => {
        const client = await connect(t, gateway);
        client.send(`${get('/good')}GET /bad HTTP/1.1\r\nHost : a\r\n\r\n${get('/hidden')}`);
        assert.equal((await client.answer()).text, 'GET /good ');
        assert.equal((await client.answer()).status, 400);
        await client.expectClose();
        assert.ok(!origin.requests.some((each) => each.url === '/hidden'));
    });

    await t.test(...linuxOnly('an answer that breaks off takes none before it along, however slow the client'), async (t) => {
        const broken = await rawOrigin(t, async (wire) => {
            for (;;) {
                const asked = await wire.request();
                if (asked.target === '/whole') {
                    wire.ok('x'.repeat(150_000));
                } else {
                    wire.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf').end();
                    return;
                }
            }
        });
        const other = await startGateway(t, through(broken));
        const client = await connect(t, other);
        client.socket.pause();
        client.send(get('/whole') + get('/broken') + get('/behind'));
        await other.logged(2);
        client.socket.resume();
        assert.equal((await client.answer()).text.length, 150_000);
        await client.closed();
        assert.ok(!client.held.toString('latin1').includes('/behind'));
    });

    await t.test('a client that sends, says it is done, and reads', async () => {
        const client = await connect(t, gateway);
        client.send(get('/1') + get('/2')).end();
        assert.equal((await client.answer()).text, 'GET /1 ');
        assert.equal((await client.answer()).text, 'GET /2 ');
        await client.expectClose();
    });
});
