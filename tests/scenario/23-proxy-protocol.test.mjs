// SPDX-License-Identifier: BSD-2-Clause
// PROXY protocol, versions 1 and 2, on a listener that says so: who the client is, and that a
// connection without a right header gets no answer at all.
import assert from 'node:assert/strict';
import test from 'node:test';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { through } from './lib/configs.mjs';
import { until } from './lib/wait.mjs';

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';

// Version 2: command and family bytes, then addresses and ports, then TLVs.
function version2(command, family, address, tlvs = '') {
    const body = address + tlvs;
    return `${SIGNATURE}${String.fromCharCode(command, family, body.length >> 8, body.length & 0xff)}${body}`;
}

const V4 = '\xcb\x00\x71\x07' + '\x7f\x00\x00\x01' + '\x04\xd2' + '\x00\x50'; // 203.0.113.7:1234 to 127.0.0.1:80
const V6 = '\x20\x01\x0d\xb8' + '\0'.repeat(11) + '\x09' + '\0'.repeat(15) + '\x01' + '\x04\xd2' + '\x00\x50';

const GET = head('GET / HTTP/1.1', 'Host: a');

test('PROXY protocol', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `
timeouts: {handshake: 2s, head: 2s, keepalive_idle: 2s}
listeners:
  - {address: "127.0.0.1:0", proxy_protocol: {from: [127.0.0.0/8]}}
  - {address: "127.0.0.2:0"}
services: {app: {origins: ["${origin.address}"]}}
routes: [{name: all, service: app}]
`);

    for (const [name, header, address] of [
        ['v1 TCP4', 'PROXY TCP4 203.0.113.7 127.0.0.1 1234 80\r\n', '203.0.113.7'],
        ['v1 TCP6', 'PROXY TCP6 2001:db8::9 ::1 1234 80\r\n', '2001:db8::9'],
        ['v1 UNKNOWN', 'PROXY UNKNOWN\r\n', '127.0.0.1'],
        ['v1 UNKNOWN with more behind it', 'PROXY UNKNOWN ffff:f... ffff:f... 65535 65535\r\n', '127.0.0.1'],
        ['v2 TCP4', version2(0x21, 0x11, V4), '203.0.113.7'],
        ['v2 TCP6', version2(0x21, 0x21, V6), '2001:db8::9'],
        ['v2 TCP4 with TLVs', version2(0x21, 0x11, V4, '\x04\x00\x05hello\x20\x00\x02ab'), '203.0.113.7'],
        ['v2 LOCAL', version2(0x20, 0x00, ''), '127.0.0.1'],
        ['v2 UNSPEC', version2(0x21, 0x00, ''), '127.0.0.1'],
        ['v2 Unix', version2(0x21, 0x31, '\0'.repeat(216)), '127.0.0.1'],
    ]) {
        await t.test(`${name}: the client is ${address}`, async () => {
            const client = await connect(t, gateway);
            client.send(header + GET);
            assert.equal((await client.answer()).status, 200);
            assert.equal(origin.requests.at(-1).get('x-forwarded-for'), address);
            assert.equal((await client.ask(GET)).status, 200, 'the header stands once, at the start');
            assert.equal(origin.requests.at(-1).get('x-forwarded-for'), address);
        });
        await t.test(`${name}, cut into single bytes`, async () => {
            const client = await connect(t, gateway);
            await client.sendInPieces(header + GET);
            assert.equal((await client.answer()).status, 200);
            assert.equal(origin.requests.at(-1).get('x-forwarded-for'), address);
        });
    }

    await t.test('the log names that client', async () => {
        const entries = await gateway.logged(2);
        assert.equal(entries[0]['client.address'], '203.0.113.7');
        assert.equal(entries[0]['client.port'], 1234);
    });

    for (const [name, bytes] of [
        ['no header', GET],
        ['a header in lower case', `proxy TCP4 203.0.113.7 127.0.0.1 1234 80\r\n${GET}`],
        ['v1 ended by bare LF', `PROXY TCP4 203.0.113.7 127.0.0.1 1234 80\n${GET}`],
        ['v1 with a bad address', `PROXY TCP4 203.0.113.777 127.0.0.1 1234 80\r\n${GET}`],
        ['v1 with an address of the other family', `PROXY TCP4 ::1 ::1 1234 80\r\n${GET}`],
        ['v1 with a bad port', `PROXY TCP4 203.0.113.7 127.0.0.1 65536 80\r\n${GET}`],
        ['v1 without ports', `PROXY TCP4 203.0.113.7 127.0.0.1\r\n${GET}`],
        ['v1 with two spaces', `PROXY TCP4  203.0.113.7 127.0.0.1 1234 80\r\n${GET}`],
        ['v1 of an unknown protocol', `PROXY SCTP 203.0.113.7 127.0.0.1 1234 80\r\n${GET}`],
        ['v1 longer than 107 bytes', `PROXY UNKNOWN ${'x'.repeat(200)}\r\n${GET}`],
        ['v2 of version 3', version2(0x31, 0x11, V4) + GET],
        ['v2 with an unknown command', version2(0x22, 0x11, V4) + GET],
        ['v2 with addresses cut off', version2(0x21, 0x11, V4.slice(0, 8)) + GET],
        ['v2 with a huge length', `${SIGNATURE}\x21\x11\xff\xff${V4}${'x'.repeat(65535)}`],
        ['v2 with a broken signature', `${SIGNATURE.slice(0, 11)}X\x21\x11\x00\x0c${V4}${GET}`],
    ]) {
        await t.test(`${name}: closed without an answer`, async () => {
            const before = origin.heads.length;
            const client = await connect(t, gateway);
            client.send(bytes);
            await client.closed();
            assert.equal(client.everything, '');
            assert.equal(origin.heads.length, before);
        });
    }

    await t.test('half a header: closed when the time for handshakes is over', async () => {
        const client = await connect(t, gateway);
        client.send('PROXY TCP4 203.0');
        await client.closed();
        assert.equal(client.everything, '');
    });

    await t.test('a listener that does not say so refuses it', async () => {
        const client = await connect(t, gateway.listeners[1]);
        client.send(`PROXY TCP4 203.0.113.7 127.0.0.1 1234 80\r\n${GET}`);
        assert.equal((await client.answer()).status, 400);
        await client.closed();
    });
});

test('PROXY headers from elsewhere: closed unread, counted and told', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", proxy_protocol: {from: [192.0.2.0/24, "::1"]}}]
${through(origin)}`);
    for (const bytes of [`PROXY TCP4 203.0.113.7 127.0.0.1 1234 80\r\n${GET}`, GET]) {
        const client = await connect(t, gateway);
        client.send(bytes);
        await client.closed();
        assert.equal(client.everything, '');
    }
    assert.equal(origin.heads.length, 0);
    // The process log has a thread of its own: its line may come behind the end of the connection.
    await until('the line in the process log', () =>
        /warning listener 127\.0\.0\.1:0: closed a connection from 127\.0\.0\.1, which its proxy_protocol\.from does not list/.test(gateway.stderr));
});

test('PROXY headers from anybody must be asked for, and a Unix socket has its mode', async (t) => {
    const origin = await rawOrigin(t);
    const open = await startGateway(t, `
listeners:
  - {address: "127.0.0.1:0", proxy_protocol: {from: [0.0.0.0/0, "::/0"]}}
  - {address: "unix:${temporaryFolder(t)}/proxied.sock", proxy_protocol: {}}
${through(origin)}`);
    for (const listener of open.listeners) {
        const client = await connect(t, listener);
        client.send(`PROXY TCP4 203.0.113.7 127.0.0.1 1234 80\r\n${GET}`);
        assert.equal((await client.answer()).status, 200);
        assert.equal(origin.requests.at(-1).get('x-forwarded-for'), '203.0.113.7');
    }
});

const FROM_LISTED = head('GET / HTTP/1.1', 'Host: a', 'X-Forwarded-For: 198.51.100.1');
const SAYING = (address) => `PROXY TCP4 ${address} 127.0.0.1 1234 80\r\n${FROM_LISTED}`;

for (const [name, trusted, expected] of [
    ['and its sender is one', '203.0.113.0/24, 127.0.0.1', '198.51.100.1, 203.0.113.7'],
    ['and its sender is none', '203.0.113.0/24', '203.0.113.7'],
]) {
    test(`a PROXY header names a trusted proxy, ${name}`, async (t) => {
        const origin = await rawOrigin(t);
        const gateway = await startGateway(t, `
trusted_proxies: [${trusted}]
listeners: [{address: "127.0.0.1:0", proxy_protocol: {from: [127.0.0.0/8]}}]
${through(origin)}`);
        const client = await connect(t, gateway);
        client.send(SAYING('203.0.113.7'));
        assert.equal((await client.answer()).status, 200);
        assert.equal(origin.requests[0].get('x-forwarded-for'), expected);
        const other = await connect(t, gateway);
        other.send(SAYING('192.0.2.1'));
        assert.equal((await other.answer()).status, 200);
        assert.equal(origin.requests[1].get('x-forwarded-for'), '192.0.2.1');
    });
}
