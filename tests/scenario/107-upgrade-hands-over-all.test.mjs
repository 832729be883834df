// SPDX-License-Identifier: BSD-2-Clause
// What operators may rely on after "serves now": no client and no operator meets the old process any
// more, however long that one takes to let go of what it has.
import assert from 'node:assert/strict';
import test from 'node:test';
import { adminIn, askJson } from './lib/control.mjs';
import { request } from './lib/client.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';

const config = (body) => (folder) => `
workers: 4
state_directory: ${folder}
${adminIn(folder)}
routes: [{name: all, respond: {body: ${body}}}]`;
const GET = head('GET / HTTP/1.1', 'Host: a', 'Connection: close');

test('after "serves now" all meet the new process', async (t) => {
    const gateway = await startGateway(t, config('binary-0'));

    for (let round = 1; round <= 4; round++) {
        // An operator whose order is on its way keeps the old control interface for a while.
        const operator = await connect(t, { path: `${gateway.folder}/admin.sock` });
        operator.send('POST /v1/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1234');
        gateway.rewrite(config(`binary-${round}`));
        await gateway.upgrade();
        const bodies = await Promise.all(Array.from({ length: 20 }, async () => {
            const client = await connect(t, gateway);
            return (await client.ask(GET)).text;
        }));
        const operators = await Promise.all(Array.from({ length: 10 }, async () => (await askJson(gateway, '/v1/status')).pid));
        assert.deepEqual([...new Set(bodies)], [`binary-${round}`]);
        assert.deepEqual([...new Set(operators)], [gateway.pid]);
    }
});

test('an order given as the old process leaves is carried out or refused, never lost without a word', async (t) => {
    const gateway = await startGateway(t, config('same'));
    const ordered = [];
    let over = false;
    const operator = async () => {
        while (!over) {
            const state = ordered.length % 2 ? 'on' : 'off';
            ordered.push(state);
            await askJson(gateway, `/v1/routes/all/maintenance?state=${state}`, { method: 'POST' }).catch((error) => {
                assert.match(error.message, /an upgrade is under way|does not serve yet/);
            });
        }
    };

    const operators = [operator(), operator(), operator()];
    for (let round = 0; round < 3; round++) {
        await gateway.upgrade();
    }
    over = true;
    await Promise.all(operators);
    await askJson(gateway, '/v1/routes/all/maintenance?state=file', { method: 'POST' });
});

test('a waiting room that was just opened is as full in the new process', async (t) => {
    const gateway = await startGateway(t, (folder) => `
state_directory: ${folder}
routes: [{name: sale, waiting_room: {active: 2, session: 1h}, respond: {body: in}}]`);

    assert.equal((await request(gateway)).status, 200);
    assert.equal((await request(gateway)).status, 200);
    await gateway.upgrade();
    assert.equal((await request(gateway)).status, 503);
});
