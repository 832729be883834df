// SPDX-License-Identifier: BSD-2-Clause
// Sessions are resumed by tickets: on any worker, on any gateway with the same keys, for as long
// as the keys are good; never for another host, never past a rule about client certificates.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { temporaryFolder } from './lib/folder.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { until, within } from './lib/wait.mjs';
import { authority, certificateList } from './lib/tls.mjs';

function config(certificates, more = '', workers = 1) {
    return `workers: ${workers}\nlisteners: [{address: "127.0.0.1:0", tls: {certificates: ${certificates}${more}}}]\nroutes: [{name: hello, respond: {body: hello}}]\n`;
}

// One handshake and one request; returns whether it was resumed, and the last ticket.
async function visit(gateway, { name = 'a.example', session, version = 'TLSv1.3', ...options } = {}) {
    const socket = tls.connect({ ...gateway.connectOptions, servername: name, session, rejectUnauthorized: false, minVersion: version, maxVersion: version, ...options });
    let ticket;
    let tickets = 0;
    socket.on('session', (fresh) => {
        ticket = fresh;
        tickets++;
    });
    const ended = new Promise((resolve, reject) => {
        let text = '';
        socket.on('data', (bytes) => (text += bytes.toString('latin1')));
        socket.on('end', () => resolve(text));
        socket.on('error', reject);
    });
    socket.write(`GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
    const text = await within('an answer', ended);
    const resumed = socket.isSessionReused();
    socket.destroy();
    assert.match(text, /^HTTP\/1\.1 200 /);
    return { resumed, ticket, tickets };
}

function keyFile(t, bytes = crypto.randomBytes(48)) {
    const file = path.join(temporaryFolder(t), 'tickets.key');
    fs.writeFileSync(file, bytes, { mode: 0o600 });
    return file;
}

for (const version of ['TLSv1.2', 'TLSv1.3']) {
    test(`${version}: a ticket is good on every worker, and one comes with each handshake`, async (t) => {
        const ca = await authority(t);
        const own = await ca.issue();
        const gateway = await startGateway(t, config(certificateList(own), '', 2));
        const first = await visit(gateway, { version });
        assert.equal(first.resumed, false);
        assert.equal(first.tickets, 1);
        for (let i = 0; i < 12; i++) {
            const again = await visit(gateway, { version, session: first.ticket });
            assert.equal(again.resumed, true);
        }
        const entries = await gateway.logged(13);
        assert.equal(entries.filter((entry) => entry['tls.resumed']).length, 12);
        assert.equal(entries[0]['tls.protocol.version'], version);
        assert.match(entries[0]['tls.cipher'], /AES/);
    });

    // Clients use a ticket of TLS 1.3 once (RFC 8446 appendix C.4).
    test(`${version}: who resumes can resume again with what it is given`, async (t) => {
        const ca = await authority(t);
        const own = await ca.issue();
        const gateway = await startGateway(t, config(certificateList(own)));
        let { ticket } = await visit(gateway, { version });
        for (let i = 0; i < 4; i++) {
            const again = await visit(gateway, { version, session: ticket });
            assert.equal(again.resumed, true, `visit ${i}`);
            if (version === 'TLSv1.3') {
                assert.equal(again.tickets, 1, `tickets of visit ${i}`);
                assert.notDeepEqual(again.ticket, ticket);
                ticket = again.ticket;
            }
        }
    });

    test(`${version}: a session ages from its full handshake, however often it is resumed`, async (t) => {
        const ca = await authority(t);
        const own = await ca.issue();
        const gateway = await startGateway(t, config(certificateList(own), ', ticket_rotate: 2s'));
        let { ticket } = await visit(gateway, { version });
        let resumed = 0;
        await until('a full handshake', async () => {
            const next = await visit(gateway, { version, session: ticket });
            ticket = next.ticket ?? ticket;
            resumed += next.resumed ? 1 : 0;
            return !next.resumed;
        });
        assert.ok(resumed > 0);
    });

    test(`${version}: gateways with the same keys take each other's tickets, and only they`, async (t) => {
        const ca = await authority(t);
        const own = await ca.issue();
        const [first, second] = [keyFile(t), keyFile(t)];
        const a = await startGateway(t, config(certificateList(own), `, ticket_keys: [${first}, ${second}]`));
        const b = await startGateway(t, config(certificateList(own), `, ticket_keys: [${second}, ${first}]`));
        const stranger = await startGateway(t, config(certificateList(own), `, ticket_keys: [${keyFile(t)}]`));
        const { ticket } = await visit(a, { version });
        assert.equal((await visit(b, { version, session: ticket })).resumed, true, 'taken by the second key');
        assert.equal((await visit(stranger, { version, session: ticket })).resumed, false);
    });

    test(`${version}: keys are drawn anew on a schedule`, async (t) => {
        const ca = await authority(t);
        const own = await ca.issue();
        const gateway = await startGateway(t, config(certificateList(own), ', ticket_rotate: 1s'));
        const { ticket } = await visit(gateway, { version });
        await until('the ticket to be too old', async () => !(await visit(gateway, { version, session: ticket })).resumed);
        assert.equal((await visit(gateway, { version, session: (await visit(gateway, { version })).ticket })).resumed, true);
    });

    test(`${version}: a ticket is not good for another host`, async (t) => {
        const ca = await authority(t);
        const own = await ca.issue({ names: ['a.example', 'b.example', '*.w.example'] });
        const gateway = await startGateway(t, config(certificateList(own)));
        for (const [from, to] of [['a.example', 'b.example'], ['x.w.example', 'y.w.example'], ['a.example', ''], ['long-name-that-is-longer-than-what-is-bound.w.example', 'another-name-that-is-longer-than-what-is-bound.w.example']]) {
            const { ticket } = await visit(gateway, { version, name: from });
            assert.equal((await visit(gateway, { version, name: to, session: ticket })).resumed, false, `${from} to ${to}`);
            assert.equal((await visit(gateway, { version, name: from, session: ticket })).resumed, true);
        }
    });
}

test('tickets may be off', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue();
    const gateway = await startGateway(t, config(certificateList(own), ', resume: false'));
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
        const { ticket, tickets } = await visit(gateway, { version });
        assert.equal(version === 'TLSv1.3' ? tickets : 0, 0);
        assert.equal((await visit(gateway, { version, session: ticket })).resumed, false);
    }
});

test('a key file that others may read, or that is too short, stops the start', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue();
    const open = keyFile(t);
    fs.chmodSync(open, 0o644);
    for (const [file, said] of [[open, /turnpike\.yaml:[0-9]+:[0-9]+: .*chmod o= /], [keyFile(t, crypto.randomBytes(16)), /must hold 32 to 1024 random bytes/], ['/nowhere.key', /\/nowhere\.key cannot be read/]]) {
        const { code, stderr } = await runGateway(t, `access_log: off\n${config(certificateList(own), `, ticket_keys: [${file}]`)}`);
        assert.equal(code, 1);
        assert.match(stderr, said);
    }
});
