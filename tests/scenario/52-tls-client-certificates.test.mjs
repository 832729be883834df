// SPDX-License-Identifier: BSD-2-Clause
// Certificates of clients: asked for by listener or by host, passed on as RFC 9440 says, matched
// by routes; and no way around them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import tls from 'node:tls';
import { startGateway, runGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { within } from './lib/wait.mjs';
import { request } from './lib/client.mjs';
import { head } from './lib/raw-client.mjs';
import { authority, certificateList, secureConnect, secureRequest } from './lib/tls.mjs';

function shows(certificate) {
    return { cert: fs.readFileSync(certificate.cert), key: fs.readFileSync(certificate.key) };
}

function derOf(certificate) {
    return fs.readFileSync(certificate.cert, 'utf8').replace(/-----[A-Z ]+-----|\s/g, '');
}

async function stage(t, clientAuth, { hosts = '', routes = 'routes: [{name: all, service: app}]' } = {}) {
    const ca = await authority(t);
    const clients = await authority(t, 'Clients CA');
    const own = await ca.issue({ names: ['a.example', 'pay.example', 'open.example'] });
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, `
listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}, client_auth: ${clientAuth(clients)}${hosts && `, hosts: ${hosts(clients)}`}}}]
services: {app: {origins: ["${origin.address}"]}, other: {origins: ["${origin.address}"]}}
${routes}
`);
    return { ca, clients, origin, gateway, ask: (options) => secureRequest(gateway, { ca: ca.cert, ...options }) };
}

// One connection with one request; what came of it.
async function visit(port, options = {}) {
    const socket = tls.connect({ host: '127.0.0.1', port, servername: 'a.example', rejectUnauthorized: false, ...options });
    let ticket;
    let resumed;
    socket.on('session', (fresh) => (ticket = fresh));
    socket.on('secureConnect', () => (resumed = socket.isSessionReused()));
    const ended = new Promise((resolve) => {
        let text = '';
        socket.on('data', (bytes) => (text += bytes.toString('latin1')));
        socket.on('close', () => resolve(text));
        socket.on('error', () => {});
    });
    socket.write('GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n');
    const text = await within('the end', ended);
    return { text, ticket, resumed };
}

test('an expired CA among others: the gateway says whom it rejects, and serves the other CA\'s clients', async (t) => {
    const issuer = await authority(t, 'Issuer of CAs');
    const old = await issuer.issue({ names: ['old-ca.example'], to: '20210101000000Z' });
    const { clients, origin, ask, gateway } = await stage(t, (of) => {
        fs.appendFileSync(of.cert, fs.readFileSync(old.cert));
        return `{mode: required, ca: ${of.cert}}`;
    });
    assert.match(gateway.stderr, /listener \S+: \S+: the CA of \S+ has expired, [0-9]+ days ago: the gateway rejects client certificates issued by it; replace the CA file/);
    const good = await clients.issue({ names: ['merchant.example'], client: true });
    assert.equal((await ask({ ...shows(good) })).status, 200);
    assert.equal(origin.requests.length, 1);
});

test('required: only clients with a good certificate come in', async (t) => {
    const { clients, origin, ask, gateway } = await stage(t, (of) => `{mode: required, ca: ${of.cert}}`);
    const good = await clients.issue({ names: ['merchant.example'], client: true });
    const expired = await clients.issue({ names: ['merchant.example'], client: true, to: '20210101000000Z' });
    const stranger = await (await authority(t, 'Clients CA')).issue({ names: ['merchant.example'], client: true });

    for (const version of ['TLSv1.2', 'TLSv1.3']) {
        const versions = { minVersion: version, maxVersion: version };
        assert.equal((await ask({ ...shows(good), ...versions })).status, 200);
        assert.equal(origin.requests.at(-1).headers['client-cert'], `:${derOf(good)}:`);
        await assert.rejects(ask(versions), /certificate required|handshake failure|ECONNRESET|socket hang up/);
        await assert.rejects(ask({ ...shows(expired), ...versions }), /expired|ECONNRESET|socket hang up/);
        await assert.rejects(ask({ ...shows(stranger), ...versions }), /unknown ca|decrypt error|ECONNRESET|socket hang up/);
    }
    assert.equal(origin.requests.length, 2);
    assert.equal((await gateway.logged(2)).length, 2);
});

test('optional: without one a client comes in too, with a bad one it does not', async (t) => {
    const { clients, origin, ask } = await stage(t, (of) => `{mode: optional, ca: ${of.cert}}`);
    const good = await clients.issue({ names: ['merchant.example'], client: true });
    const stranger = await (await authority(t)).issue({ names: ['merchant.example'], client: true });

    assert.equal((await ask({ headers: { 'Client-Cert': ':Zm9yZ2Vk:', 'Client-Cert-Chain': ':Zm9yZ2Vk:' } })).status, 200);
    assert.equal(origin.requests.at(-1).headers['client-cert'], undefined);
    assert.equal(origin.requests.at(-1).headers['client-cert-chain'], undefined);
    assert.equal((await ask({ ...shows(good), headers: { 'Client-Cert': ':Zm9yZ2Vk:' } })).status, 200);
    assert.deepEqual(origin.requests.at(-1).all('Client-Cert'), [`:${derOf(good)}:`]);
    await assert.rejects(ask(shows(stranger)));
});

test('off: no client is asked', async (t) => {
    const { clients, origin, ask } = await stage(t, () => '{mode: off}');
    const good = await clients.issue({ names: ['merchant.example'], client: true });
    assert.equal((await ask(shows(good))).status, 200);
    assert.equal(origin.requests.at(-1).headers['client-cert'], undefined);
});

test('a wildcard has one meaning for routes and for certificates: any name below it', async (t) => {
    const { clients, origin, ask } = await stage(t, () => '{mode: off}', {
        hosts: (of) => `[{name: "*.w.example", ca: ${of.cert}}, {name: "*.open.w.example", mode: off}, {name: c.b.w.example, mode: off}]`,
        routes: 'routes: [{name: secret, match: {host: "*.w.example"}, service: app}, {name: all, service: other}]',
    });
    const good = await clients.issue({ names: ['merchant.example'], client: true });
    const loose = { rejectUnauthorized: false };

    for (const name of ['a.w.example', 'a.b.w.example', 'A.B.W.example', 'a.b.w.example.', 'x.a.b.w.example']) {
        await assert.rejects(ask({ name, ...loose }), /certificate required|ECONNRESET|socket hang up/, name);
        assert.equal((await ask({ name, ...loose, ...shows(good) })).status, 200, name);
    }
    for (const name of ['a.open.w.example', 'a.b.open.w.example', 'c.b.w.example', 'w.example', 'aw.example']) {
        assert.equal((await ask({ name, ...loose })).status, 200, name);
    }
    const before = origin.requests.length;
    for (const host of ['a.b.w.example', 'A.b.W.example:443', 'a.b.w.example.', '.b.w.example', 'x.a.b.w.example']) {
        assert.equal((await ask({ name: 'a.example', headers: { Host: host } })).status, 421, host);
    }
    assert.equal(origin.requests.length, before);
});

test('a host may have a rule of its own, and no request slips past it', async (t) => {
    const { clients, origin, ask } = await stage(t, () => '{mode: off}', { hosts: (of) => `[{name: pay.example, ca: ${of.cert}}]` });
    const good = await clients.issue({ names: ['merchant.example'], client: true });

    assert.equal((await ask({ name: 'a.example' })).status, 200);
    await assert.rejects(ask({ name: 'pay.example' }), /certificate required|ECONNRESET|socket hang up/);
    assert.equal((await ask({ name: 'pay.example', ...shows(good) })).status, 200);
    assert.equal(origin.requests.at(-1).headers['client-cert'], `:${derOf(good)}:`);
    const before = origin.requests.length;
    for (const host of ['pay.example', 'PAY.example', 'pay.example:443', 'pay.example.']) {
        const answer = await ask({ name: 'a.example', headers: { Host: host } });
        assert.equal(answer.status, 421, host);
    }
    assert.equal(origin.requests.length, before);
    for (const name of ['PAY.example', 'pay.example.']) {
        assert.equal((await ask({ name, ...shows(good), rejectUnauthorized: false, headers: { Host: 'pay.example' } })).status, 200, name);
        await assert.rejects(ask({ name, rejectUnauthorized: false }), undefined, name);
    }
    assert.equal((await ask({ name: 'a.example', headers: { Host: 'open.example' } })).status, 200);
});

test('a resumed session knows the name that it was made for, and its certificate', async (t) => {
    const { clients, origin, gateway } = await stage(t, () => '{mode: off}', { hosts: (of) => `[{name: pay.example, ca: ${of.cert}}]` });
    const good = await clients.issue({ names: ['merchant.example'], client: true });
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
        const visit = async (session) => {
            const client = await secureConnect(t, gateway, { name: 'pay.example', rejectUnauthorized: false, minVersion: version, maxVersion: version, session, ...shows(good) });
            let ticket;
            client.tls.on('session', (fresh) => (ticket = fresh));
            const { status } = await client.ask(head('GET / HTTP/1.1', 'Host: pay.example'));
            return { status, resumed: client.tls.isSessionReused(), ticket: ticket ?? client.tls.getSession() };
        };
        const first = await visit();
        const second = await visit(first.ticket);
        assert.deepEqual([first.status, first.resumed, second.status, second.resumed], [200, false, 200, true], version);
        assert.equal(origin.requests.at(-1).headers['client-cert'], `:${derOf(good)}:`);
    }
});

test('a session is not resumed past a rule', async (t) => {
    const ca = await authority(t);
    const clients = await authority(t);
    const own = await ca.issue({ names: ['a.example', 'pay.example'] });
    const { default: crypto } = await import('node:crypto');
    const key = `${ca.folder}/tickets`;
    fs.writeFileSync(key, crypto.randomBytes(48), { mode: 0o600 });
    const listener = (auth) => `{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}, ticket_keys: [${key}], client_auth: ${auth}}}`;
    const gateway = await startGateway(t, `
listeners: [${listener('{mode: off}')}, ${listener(`{mode: required, ca: ${clients.cert}}`)}]
routes: [{name: r, respond: {body: in}}]
`);
    const good = await clients.issue({ names: ['merchant.example'], client: true });
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
        const versions = { minVersion: version, maxVersion: version };
        const free = await visit(gateway.listeners[0].port, versions);
        assert.match(free.text, /in$/);
        const past = await visit(gateway.listeners[1].port, { ...versions, session: free.ticket });
        assert.equal(past.text, '', `${version}: a ticket without a certificate must not do`);
        const known = await visit(gateway.listeners[1].port, { ...versions, ...shows(good) });
        assert.match(known.text, /in$/);
        const again = await visit(gateway.listeners[1].port, { ...versions, session: known.ticket });
        assert.match(again.text, /in$/);
        assert.equal(again.resumed, true);
    }
});

// A gateway whose rule about certificates can be changed by reloads.
async function ruled(t, auth) {
    const ca = await authority(t);
    const clients = await authority(t, 'Clients CA');
    const own = await ca.issue({ names: ['a.example'] });
    const config = (rule) => `
listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}, client_auth: ${rule(clients)}}}]
routes: [{name: r, respond: {body: in}}]
`;
    const gateway = await startGateway(t, config(auth));
    const reload = async (rule) => assert.match(await gateway.reload(config(rule ?? auth)), /generation/);
    const ask = async (client) => {
        client.send('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
        return client.answer();
    };
    return { ca, clients, gateway, reload, ask, port: gateway.listeners[0].port, connect: (options) => secureConnect(t, gateway, { ca: ca.cert, ...options }) };
}

const off = () => '{mode: off}';
const required = (of) => `{mode: required, ca: ${of.cert}}`;
const optional = (of) => `{mode: optional, ca: ${of.cert}}`;

for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const versions = { minVersion: version, maxVersion: version };

    test(`${version}: certificates asked for from a reload on are asked of who is here already`, async (t) => {
        const { clients, reload, ask, port, connect } = await ruled(t, off);
        const good = await clients.issue({ names: ['merchant.example'], client: true });
        const kept = await connect(versions);
        const idle = await connect(versions);
        assert.equal((await ask(kept)).status, 200);
        const free = await visit(port, versions);
        assert.match(free.text, /in$/);

        await reload(required);
        for (const client of [kept, idle]) {
            assert.equal((await ask(client)).status, 421);
            await client.expectClose();
        }
        assert.equal((await visit(port, { ...versions, session: free.ticket })).text, '', 'a ticket from before is no way in');
        const shown = await visit(port, { ...versions, session: free.ticket, ...shows(good) });
        assert.match(shown.text, /in$/);
        assert.equal(shown.resumed, false);
    });

    test(`${version}: a certificate must be good by the CAs of the last reload`, async (t) => {
        const { clients, reload, ask, port, connect } = await ruled(t, required);
        const next = await authority(t, 'Next CA');
        const good = await clients.issue({ names: ['merchant.example'], client: true });
        const kept = await connect({ ...versions, ...shows(good) });
        assert.equal((await ask(kept)).status, 200);
        const before = await visit(port, { ...versions, ...shows(good) });
        assert.match(before.text, /in$/);

        const first = fs.readFileSync(clients.cert, 'utf8');
        fs.writeFileSync(clients.cert, first + next.pem);
        await reload();
        assert.equal((await ask(kept)).status, 200, 'one CA more changes nothing for it');
        fs.writeFileSync(clients.cert, next.pem);
        await reload();
        assert.equal((await ask(kept)).status, 421);
        await kept.expectClose();
        assert.equal((await visit(port, { ...versions, session: before.ticket })).text, '', 'nor is a ticket');
        assert.match((await visit(port, { ...versions, ...shows(await next.issue({ names: ['m.example'], client: true })) })).text, /in$/);
    });

    test(`${version}: certificates asked for no more, or not of everybody`, async (t) => {
        const { clients, reload, ask, port, connect } = await ruled(t, required);
        const good = await clients.issue({ names: ['merchant.example'], client: true });
        const kept = await connect({ ...versions, ...shows(good) });
        const before = await visit(port, { ...versions, ...shows(good) });
        assert.equal((await ask(kept)).status, 200);

        await reload(optional);
        const free = await connect(versions);
        assert.equal((await ask(free)).status, 200);
        assert.equal((await ask(kept)).status, 200);
        await reload(off);
        assert.equal((await ask(kept)).status, 200);
        assert.equal((await ask(free)).status, 200);
        assert.match((await visit(port, versions)).text, /in$/);
        assert.match((await visit(port, { ...versions, session: before.ticket })).text, /in$/);

        await reload(required);
        assert.equal((await ask(kept)).status, 200, 'what it showed at its beginning is still good');
        assert.equal((await ask(free)).status, 421);
    });
}

test('routes match on what a certificate says', async (t) => {
    const { clients, ask } = await stage(t, (of) => `{mode: optional, ca: ${of.cert}}`, {
        routes: `
routes:
  - {name: gold, match: {client_certificate: {subject: "CN=gold,O=Example"}}, respond: {body: gold}}
  - {name: named, match: {client_certificate: {name: [merchant.example, other.example]}}, respond: {body: named}}
  - {name: known, match: {client_certificate: {}}, respond: {body: known}}
  - {name: rest, respond: {body: rest}}
`,
    });
    const body = async (certificate) => (await ask(certificate ? shows(certificate) : {})).body;
    assert.equal(await body(null), 'rest');
    assert.equal(await body(await clients.issue({ names: [], subject: '/O=Example/CN=gold', client: true })), 'gold');
    assert.equal(await body(await clients.issue({ names: ['x.example', 'merchant.example'], client: true })), 'named');
    assert.equal(await body(await clients.issue({ names: ['nobody.example'], client: true })), 'known');
});

test('over a plain listener a forged Client-Cert does not pass, and no such route matches', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, `
services: {app: {origins: ["${origin.address}"]}}
routes:
  - {name: known, match: {client_certificate: {}}, respond: {body: known}}
  - {name: rest, service: app}
`);
    assert.equal((await request(gateway, { headers: { 'Client-Cert': ':Zm9yZ2Vk:' } })).status, 200);
    assert.equal(origin.requests[0].headers['client-cert'], undefined);
});

test('what cannot be is told', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue();
    for (const [auth, said] of [['{mode: required}', /'ca' is missing/], [`{mode: required, ca: ${own.key}}`, /holds no CAs/], ['{mode: required, ca: relative.pem}', /absolute path/]]) {
        const { code, stderr } = await runGateway(t, `access_log: off\nlisteners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}, client_auth: ${auth}}}]\nroutes: [{name: r, respond: {body: x}}]\n`);
        assert.equal(code, 1);
        assert.match(stderr, said);
    }
});
