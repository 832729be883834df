// SPDX-License-Identifier: BSD-2-Clause
// Clients that break TLS, stall in it or leave: each comes to a clean end with a counted cause,
// and those who behave do not notice.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import test from 'node:test';
import tls from 'node:tls';
import { defer } from './lib/cleanup.mjs';
import { adminIn, askJson, metricsOf, valueOf } from './lib/control.mjs';
import { startGateway } from './lib/gateway.mjs';
import { linuxOnly } from './lib/linux-only.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect } from './lib/raw-client.mjs';
import { pause, until, within } from './lib/wait.mjs';
import { authority, certificateList, secureRequest } from './lib/tls.mjs';

async function stage(t, more = '') {
    const ca = await authority(t);
    const own = await ca.issue();
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, (folder) => `
listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}]
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: all, service: app}]
${adminIn(folder)}
${more}
`);
    const failures = async () => (await askJson(gateway, '/v1/tls')).failures;
    return {
        ca, gateway, origin, failures,
        counted: (cause, count = 1) => until(`${cause} to be counted`, async () => (await failures())[cause] >= count),
        works: async () => assert.equal((await secureRequest(gateway, { ca: ca.cert })).status, 200),
    };
}

// The bytes of a client's first flight.
function hello(options = {}) {
    return new Promise((resolve) => {
        const sink = new Duplex({ read() {}, write: (bytes, _, done) => (resolve(bytes), done()) });
        tls.connect({ socket: sink, servername: 'a.example', ...options }).on('error', () => {});
    });
}

// A TLS client whose records pass through the test's hands: raw.send puts bytes between them.
async function between(t, gateway, ca) {
    const raw = await connect(t, gateway);
    const wire = new Duplex({ read() {}, write: (bytes, _, done) => (raw.send(bytes), done()) });
    raw.socket.on('data', (bytes) => wire.push(bytes));
    const client = tls.connect({ socket: wire, servername: 'a.example', rejectUnauthorized: false });
    client.on('error', () => {});
    await within('a handshake', new Promise((resolve) => client.once('secureConnect', resolve)));
    return { raw, client };
}

test('alerts and empty records without end', async (t) => {
    const { gateway, counted, works } = await stage(t);
    for (const record of [[21, 3, 3, 0, 2, 1, 90], [23, 3, 3, 0, 0]]) {
        const client = await connect(t, gateway);
        client.send(await hello({ maxVersion: 'TLSv1.2' }));
        client.send(Buffer.concat(Array.from({ length: 200 }, () => Buffer.from(record))));
        await until('the end', () => client.ended);
    }
    await counted('alert_flood');
    await works();
});

test('records that are too large, or that were changed on the way', async (t) => {
    const { gateway, ca, counted, works } = await stage(t);
    const records = [
        Buffer.concat([Buffer.from([23, 3, 3, 0x7f, 0xff]), Buffer.alloc(0x7fff)]),
        Buffer.concat([Buffer.from([23, 3, 3, 0, 100]), Buffer.alloc(100, 1)]),
    ];
    for (const [i, record] of records.entries()) {
        const { raw } = await between(t, gateway, ca);
        raw.send(record);
        await until('the end', () => raw.ended);
        assert.ok(raw.ended === 'fin' || i === 0, 'some of the large one may come too late');
        await counted('record', i + 1);
    }
    await works();
});

test('first bytes that are no hello come to a clean end, one that is too large to an alert', async (t) => {
    const { gateway, counted, works } = await stage(t);
    const large = await connect(t, gateway);
    large.send(Buffer.concat([Buffer.from([22, 3, 1, 0xff, 0xff]), Buffer.alloc(2000, 1)]));
    await until('the end', () => large.ended);
    assert.equal(large.ended, 'fin');
    assert.deepEqual([...large.held], [21, 3, 3, 0, 2, 2, 22], 'record_overflow');
    await counted('record');
    const other = await connect(t, gateway);
    other.send(Buffer.alloc(2000));
    await until('the end', () => other.ended);
    assert.equal(other.ended, 'fin');
    await counted('not_tls');
    await works();
});

test('a connection that is cut is not taken for one that was closed', async (t) => {
    const { gateway, ca, counted, origin, works } = await stage(t);
    const { raw, client } = await between(t, gateway, ca);
    client.write('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\nabc');
    await new Promise((resolve) => setImmediate(resolve));
    raw.socket.end(); // a FIN, and no close_notify before it
    await counted('truncated');
    assert.equal(origin.requests.length, 0, 'half a request is none');
    await works();
});

test('clients that leave before the handshake cost no handshake', async (t) => {
    const { gateway, counted, failures, works } = await stage(t);
    for (let i = 0; i < 5; i++) {
        const client = await connect(t, gateway);
        client.send(await hello());
        client.socket.end();
        await until('the end', () => client.ended);
    }
    await counted('client_left', 5);
    assert.equal((await askJson(gateway, '/v1/tls')).negotiated.length, 0);
    await works();
    assert.equal((await failures()).internal, 0);
});

test('an address whose handshakes come to nothing stands behind others, until one of them stands', async (t) => {
    const { gateway, ca, works } = await stage(t);
    const lastInLine = async () => valueOf(await metricsOf(gateway), 'turnpike_tls_handshakes_deprioritized_total');
    const from = (address) => connect(t, gateway, { localAddress: address });
    const flight = await hello();
    const stalls = async (count) => {
        const clients = await Promise.all(Array.from({ length: count }, () => from('127.0.0.2')));
        clients.forEach((client) => client.send(flight));
        await until('all to be answered', () => clients.every((client) => client.everReceived > 0));
        return clients;
    };
    const first = await stalls(20); // as when a program is killed
    assert.equal(await lastInLine(), 0);
    first.forEach((client) => client.destroy());
    await until('them to be counted', async () => (await askJson(gateway, '/v1/tls')).failures.client_left === 20);
    const second = await stalls(5); // they wait, and have their turn all the same
    assert.equal(await lastInLine(), 5);
    await works();
    assert.equal(await lastInLine(), 5, 'others do not');
    const good = () => secureRequest(gateway, { ca: ca.cert, localAddress: '127.0.0.2' });
    let waited = -1;
    await until('to be trusted again', async () => {
        const before = await lastInLine();
        assert.equal((await good()).status, 200);
        waited++;
        return await lastInLine() === before;
    });
    assert.ok(waited <= 2, `${waited} good ones stood in line`);
    assert.ok(second.every((client) => !client.ended));
});

test(...linuxOnly('half a hello spins no worker, whether its client waits or has gone'), async (t) => {
    const ca = await authority(t);
    const own = await ca.issue();
    const gateway = await startGateway(t, (folder) => `
listeners:
  - {address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}
  - {address: "unix:${folder}/tls.sock", tls: {certificates: ${certificateList(own)}}}
routes: [{name: all, respond: {body: hello}}]
${adminIn(folder)}
`);
    const whole = await hello();
    for (const listener of gateway.listeners) {
        for (const end of ['never', 'half', 'all']) {
            const client = await connect(t, listener);
            client.send(whole.subarray(0, end === 'half' ? 3 : 100));
            if (end !== 'never') {
                client.socket[end === 'half' ? 'end' : 'destroy']();
            }
        }
    }
    await until('those who left to be counted', async () => (await askJson(gateway, '/v1/tls')).failures.client_left === 4);
    const before = gateway.processorTime();
    await pause(1000);
    const used = gateway.processorTime() - before;
    assert.ok(used <= 200, `${used} ms of processor time in a second of doing nothing`);
    for (const listener of gateway.listeners) {
        const late = await connect(t, listener);
        late.send(whole.subarray(0, 100));
        await pause(50);
        late.send(whole.subarray(100));
        await until('an answer to a hello in two pieces', () => late.everReceived > 0);
    }
});

test('a head that drips inside of a record is cut like any other', async (t) => {
    const { gateway } = await stage(t, 'timeouts: {head: 300ms}');
    const { raw, client } = await between(t, gateway);
    const written = [];
    raw.send = (bytes) => written.push(bytes);
    client.write(`GET / HTTP/1.1\r\nHost: a.example\r\nX: ${'x'.repeat(1000)}`);
    await until('a record', () => written.length > 0);
    const record = Buffer.concat(written);
    for (let i = 0; i < record.length - 1 && !raw.ended; i++) {
        raw.socket.write(record.subarray(i, i + 1));
        await pause(20);
    }
    assert.ok(raw.ended);
    const [entry] = await gateway.logged(1);
    assert.equal(entry['turnpike.closed_by'], 'head');
});

test('records that carry nothing do not keep a connection', async (t) => {
    const { gateway } = await stage(t, 'timeouts: {keepalive_idle: 1s}');
    const { host, port } = gateway.connectOptions;
    const client = spawn('openssl', ['s_client', '-connect', `${host}:${port}`, '-tls1_3']);
    let ended = false;
    client.once('exit', () => (ended = true));
    client.stdin.on('error', () => {});
    const timer = setInterval(() => client.stdin.write('k\n'), 200); // a key update
    defer(t, () => {
        clearInterval(timer);
        client.kill('SIGKILL');
    });
    await until('the end', () => ended);
});

// The nearly: one whose every flight is late, for longer than half of the time in all.
test('a handshake that stalls is cut, a slow one is not', async (t) => {
    const { gateway, ca, counted } = await stage(t, 'timeouts: {handshake: 3s}');
    const stalled = await connect(t, gateway);
    stalled.send(await hello());
    await until('our part of the handshake', () => stalled.everReceived > 0);
    const half = await connect(t, gateway);
    half.send((await hello()).subarray(0, 20));
    const raw = await connect(t, gateway);
    const wire = new Duplex({ read() {}, write: (bytes, _, done) => (setTimeout(() => raw.send(bytes), 900), done()) });
    raw.socket.on('data', (bytes) => wire.push(bytes));
    const client = tls.connect({ socket: wire, servername: 'a.example', rejectUnauthorized: false });
    client.on('error', () => {});
    client.write('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
    const answer = within('an answer to the slow one', new Promise((resolve) => client.once('data', resolve)));
    assert.match((await answer).toString('latin1'), /^HTTP\/1.1 200 /);
    await until('the stalled one to be cut', () => stalled.ended);
    await until('half a hello to be cut', () => half.ended);
    assert.equal(half.ended, 'fin');
    await counted('timeout', 2);
    const cuts = valueOf(await metricsOf(gateway), 'turnpike_client_forced_closes_total', { cause: 'handshake' });
    assert.equal(cuts, 2);
});

test('stalled handshakes give their places up while others wait', async (t) => {
    const { gateway, counted, works } = await stage(t, 'limits: {handshakes: 3}');
    for (let i = 0; i < 6; i++) {
        const client = await connect(t, gateway);
        client.send(await hello());
    }
    await works(); // in line behind them
    await counted('timeout', 3);
});

test('where places are few, an address of which no handshake has stood yet takes four of them', async (t) => {
    const { gateway, ca, works } = await stage(t, 'limits: {handshakes: 12}');
    const lastInLine = async () => valueOf(await metricsOf(gateway), 'turnpike_tls_handshakes_deprioritized_total');
    const flight = await hello();
    const begin = async (address, count) => {
        for (let i = 0; i < count; i++) {
            const client = await connect(t, gateway, { localAddress: address });
            client.send(flight);
            await until('an answer', () => client.everReceived > 0); // the last ones, too
        }
    };
    await begin('127.0.0.2', 4);
    assert.equal(await lastInLine(), 0);
    await begin('127.0.0.2', 2);
    assert.equal(await lastInLine(), 2);
    await works();
    assert.equal(await lastInLine(), 2, 'others do not wait');
    assert.equal((await secureRequest(gateway, { ca: ca.cert, localAddress: '127.0.0.2' })).status, 200);
    assert.equal(await lastInLine(), 3);
    await begin('127.0.0.2', 1);
    assert.equal(await lastInLine(), 3, 'one has stood');
});
