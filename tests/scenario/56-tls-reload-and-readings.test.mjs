// SPDX-License-Identifier: BSD-2-Clause
// Files of TLS are taken up by a reload, or by themselves where that is asked for, and no
// connection notices; and what is used, agreed on and refused can be read.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { adminIn, askJson, metricsOf, valueOf } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { connect } from './lib/raw-client.mjs';
import { patient, until } from './lib/wait.mjs';
import { authority, certificateList, openssl, secureConnect, secureRequest } from './lib/tls.mjs';

const SWAPS = Number(process.env.TURNPIKE_SWAPS ?? 10); // 100 for a longer look

// A pair of files that can be replaced by another certificate, each by a rename.
function place(t, certificate) {
    const folder = temporaryFolder(t);
    const pair = { cert: path.join(folder, 'a.crt'), key: path.join(folder, 'a.key') };
    const put = (other) => {
        for (const part of ['key', 'cert']) {
            fs.copyFileSync(other[part], `${pair[part]}.new`);
            fs.chmodSync(`${pair[part]}.new`, 0o600);
            fs.renameSync(`${pair[part]}.new`, pair[part]);
        }
    };
    put(certificate);
    return { ...pair, put };
}

function config(certificates, { tls = '', more = '', workers = 1 } = {}) {
    return `workers: ${workers}\nlisteners: [{address: "127.0.0.1:0", tls: {certificates: ${certificates}${tls}}}]\nroutes: [{name: hello, respond: {body: hello}}]\n${more}`;
}

async function reloads(gateway, act) {
    const count = () => [...gateway.stderr.matchAll(/"action": "reload", "result": "(\w+)"/g)].map(([, result]) => result);
    const before = count().length;
    await act();
    await until('a reload', () => count().length > before, patient(20000));
    return count().at(-1);
}

test('SIGHUP takes new files up, without closing a connection', async (t) => {
    const ca = await authority(t);
    const old = await ca.issue({ names: ['a.example', 'old.example'] });
    const fresh = await ca.issue({ names: ['a.example', 'new.example'] });
    const own = place(t, old);
    const gateway = await startGateway(t, config(certificateList(own)));
    const shown = async () => (await secureRequest(gateway, { ca: ca.cert })).peer.subjectaltname;
    const kept = await secureConnect(t, gateway, { ca: ca.cert });
    const ask = async () => {
        kept.send('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
        return (await kept.answer()).status;
    };

    assert.match(await shown(), /old\.example/);
    assert.equal(await ask(), 200);
    own.put(fresh);
    assert.equal(await reloads(gateway, () => gateway.signal('SIGHUP')), 'ok');
    assert.match(gateway.stderr, /reload: generation 2: .*; certificates: 1 renewed \(.*a\.crt\)/);
    assert.equal(await reloads(gateway, () => gateway.signal('SIGHUP')), 'ok');
    assert.doesNotMatch(gateway.stderr, /reload: generation 3: .*renewed/);
    assert.match(await shown(), /new\.example/);
    assert.equal(await ask(), 200, 'on the connection that was there before');

    fs.copyFileSync(old.key, own.key);
    assert.notEqual(await reloads(gateway, () => gateway.signal('SIGHUP')), 'ok');
    assert.match(gateway.stderr, /a\.key is not the key of the certificate in .*a\.crt/);
    assert.match(await shown(), /new\.example/, 'what was good stays');
    assert.equal(await ask(), 200);
});

test('--last-good helps when a certificate is bad, too', async (t) => {
    const ca = await authority(t);
    const good = await ca.issue();
    const expired = await ca.issue({ to: '20210101000000Z' });
    const state = temporaryFolder(t);
    const config = (certificate) => `state_directory: ${state}\nlisteners: [{address: "127.0.0.1:0", tls: {expired: refuse, certificates: ${certificateList(certificate)}}}]\nroutes: [{name: r, respond: {body: in}}]\n`;
    const first = await startGateway(t, config(good));
    await first.stop();
    fs.writeFileSync(first.file, config(expired));
    const second = await startGateway(t, config(expired), { asWritten: true, args: ['-c', first.file, '--last-good'] });
    await second.said(/the certificate has expired/);
    await second.said(/is bad: starting with the last good configuration/);
    assert.equal((await secureRequest(second, { ca: ca.cert })).status, 200);
});

test('files are watched where that is asked for', async (t) => {
    const ca = await authority(t);
    const own = place(t, await ca.issue({ names: ['a.example', 'old.example'] }));
    const fresh = await ca.issue({ names: ['a.example', 'new.example'] });
    const gateway = await startGateway(t, config(certificateList(own), { tls: ', watch: true' }));
    assert.equal(await reloads(gateway, () => own.put(fresh)), 'ok');
    assert.match((await secureRequest(gateway, { ca: ca.cert })).peer.subjectaltname, /new\.example/);
});

test('so are those of services, and keys of tickets', async (t) => {
    const ca = await authority(t);
    const next = await authority(t, 'Next CA');
    const own = await ca.issue();
    const origin = https.createServer({ cert: fs.readFileSync(own.cert), key: fs.readFileSync(own.key) }, (_, answer) => answer.end('hello'));
    const trusted = path.join(ca.folder, 'trusted.crt');
    const tickets = path.join(ca.folder, 'tickets.key');
    const write = (file, bytes) => {
        fs.writeFileSync(`${file}.new`, bytes, { mode: 0o600 });
        fs.renameSync(`${file}.new`, file);
    };
    write(trusted, next.pem);
    write(tickets, crypto.randomBytes(48));
    await new Promise((resolve) => origin.listen(0, '127.0.0.1', resolve));
    t.after(() => origin.close());
    const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}, ticket_keys: [${tickets}], watch: true}}]
services: {app: {origins: ["127.0.0.1:${origin.address().port}"], tls: {ca: ${trusted}, server_name: a.example, watch: true}}}
routes: [{name: r, service: app}]
`);
    const ask = () => secureRequest(gateway, { ca: ca.cert });
    assert.equal((await ask()).status, 502, 'not the CA that it trusts');
    assert.equal(await reloads(gateway, () => write(trusted, ca.pem)), 'ok');
    assert.equal((await ask()).status, 200);
    assert.equal(await reloads(gateway, () => write(tickets, crypto.randomBytes(48))), 'ok');
    assert.equal((await ask()).status, 200);
});

test('swaps under load: no request fails', async (t) => {
    const ca = await authority(t);
    const certificates = [await ca.issue(), await ca.issue()];
    const own = place(t, certificates[0]);
    const gateway = await startGateway(t, config(certificateList(own), { workers: 2 }));
    const agent = new https.Agent({ keepAlive: true, maxSockets: 4 });
    let over = false;
    let asked = 0;
    const lanes = [undefined, undefined, agent, agent, agent].map(async (each) => {
        while (!over) {
            assert.equal((await secureRequest(gateway, { ca: ca.cert, agent: each })).status, 200);
            asked++;
        }
    });
    const swaps = async () => {
        for (let i = 1; i <= SWAPS; i++) {
            own.put(certificates[i % 2]);
            const before = asked;
            assert.equal(await reloads(gateway, () => gateway.signal('SIGHUP')), 'ok');
            await until('more requests', () => asked > before + 5);
        }
    };
    t.after(() => agent.destroy());
    try {
        await Promise.race([swaps(), Promise.all(lanes)]);
    } finally {
        over = true;
    }
    await Promise.all(lanes);
});

test('CAs and what services show are listed too, and warned of', async (t) => {
    const ca = await authority(t, 'Origins CA');
    const clients = await authority(t, 'Clients CA');
    const soon = `${new Date(Date.now() + 10.5 * 86400000).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
    const own = await ca.issue({ names: ['a.example'] });
    const shown = await ca.issue({ names: ['gateway.example'], to: soon });
    const bundle = path.join(temporaryFolder(t), 'bundle.pem');
    fs.writeFileSync(bundle, [ca.cert, clients.cert, ca.cert].map((file) => fs.readFileSync(file)).join(''));
    const services = `services:
  pay: {origins: ["127.0.0.1:1"], tls: {ca: ${bundle}, cert: ${shown.cert}, key: ${shown.key}}}
  other: {origins: ["127.0.0.1:1"], tls: {ca: ${ca.cert}}}
`;
    const gateway = await startGateway(t, (folder) => config(certificateList(own), { tls: `, client_auth: {mode: optional, ca: ${clients.cert}}`, more: `${services}${adminIn(folder)}` }));

    await gateway.said(/warning \S+turnpike\.yaml:[0-9]+:[0-9]+: service pay: \S+: the certificate of CN=gateway\.example expires in 10 days/);
    const { certificates } = await askJson(gateway, '/v1/certs');
    assert.deepEqual(certificates.map(({ subject, cert, key, role, used_by }) => ({ subject, cert, key, role, used_by })), [
        { subject: 'CN=a.example', cert: own.cert, key: own.key, role: 'listener', used_by: '127.0.0.1:0' },
        { subject: 'CN=Clients CA', cert: clients.cert, key: null, role: 'listener_ca', used_by: '127.0.0.1:0' },
        { subject: 'CN=gateway.example', cert: shown.cert, key: shown.key, role: 'service', used_by: 'pay' },
        { subject: 'CN=Origins CA', cert: bundle, key: null, role: 'service_ca', used_by: 'pay' },
        { subject: 'CN=Clients CA', cert: bundle, key: null, role: 'service_ca', used_by: 'pay' },
        { subject: 'CN=Origins CA', cert: ca.cert, key: null, role: 'service_ca', used_by: 'other' },
    ]);
    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_tls_certificate_not_after_seconds', { cert: shown.cert, role: 'service', service: 'pay', subject: 'CN=gateway.example' }), Date.parse(certificates[2].not_after) / 1000);
    assert.ok(valueOf(metrics, 'turnpike_tls_certificate_not_after_seconds', { cert: bundle, role: 'service_ca', service: 'pay', subject: 'CN=Origins CA' }) > 0);
});

test('what is configured and what was agreed on can be read', async (t) => {
    const ca = await authority(t, 'Readers CA');
    const days = (count) => `${new Date(Date.now() + count * 86400000).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
    const ec = await ca.issue({ names: ['a.example', '*.w.example'] });
    const rsa = await ca.issue({ type: 'rsa', names: ['b.example'], to: days(20) });
    const gateway = await startGateway(t, (folder) => config(certificateList(ec, rsa), { more: adminIn(folder) }));

    await gateway.said(/warning \S+turnpike\.yaml:[0-9]+:[0-9]+: listener 127\.0\.0\.1:0: \S+: the certificate of CN=b\.example expires in (19|20) days/);
    assert.doesNotMatch(gateway.stderr, /certificate of CN=a\.example/);

    const { certificates } = await askJson(gateway, '/v1/certs');
    assert.deepEqual(certificates.map(({ subject, names, issuer, key_type, cert, key, used_by }) => ({ subject, names, issuer, key_type, cert, key, used_by })), [
        { subject: 'CN=a.example', names: ['a.example', '*.w.example'], issuer: 'CN=Readers CA', key_type: 'ECDSA P-256', cert: ec.cert, key: ec.key, used_by: '127.0.0.1:0' },
        { subject: 'CN=b.example', names: ['b.example'], issuer: 'CN=Readers CA', key_type: 'RSA 2048', cert: rsa.cert, key: rsa.key, used_by: '127.0.0.1:0' },
    ]);
    assert.ok([19, 20].includes(certificates[1].days_left));

    await secureRequest(gateway, { ca: ca.cert, maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' });
    await secureRequest(gateway, { ca: ca.cert });
    await request(gateway, {});
    const client = await connect(t, gateway);
    client.send(Buffer.from([1, 3, 1, 0, 9]));
    await until('the end', () => client.ended);
    await openssl(['s_client', '-connect', `127.0.0.1:${gateway.port}`, '-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'], { fails: true });
    const tls = await askJson(gateway, '/v1/tls');
    const of = (version) => tls.negotiated.filter((row) => row.version === version);
    assert.equal(of('TLSv1.2')[0].cipher, 'ECDHE-ECDSA-AES128-GCM-SHA256');
    assert.equal(of('TLSv1.2')[0].handshakes, 1);
    assert.equal(of('TLSv1.3')[0].group, 'X25519');
    assert.equal(tls.failures.plain_http, 1);
    assert.equal(tls.failures.not_tls, 1);
    assert.equal(tls.failures.version, 1);
    assert.equal(tls.listeners[0].min_version, '1.2');

    const metrics = await metricsOf(gateway);
    assert.equal(valueOf(metrics, 'turnpike_tls_failures_total', { cause: 'plain_http' }), 1);
    assert.equal(valueOf(metrics, 'turnpike_tls_certificate_not_after_seconds', { cert: rsa.cert, listener: '127.0.0.1:0', role: 'listener', subject: 'CN=b.example' }), Date.parse(certificates[1].not_after) / 1000);
    assert.equal(valueOf(metrics, 'turnpike_tls_handshakes_total'), 2);
});
