// SPDX-License-Identifier: BSD-2-Clause
// TLS with clients: what is spoken, which certificate a client gets, and what passes through it.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { curl } from './lib/curl.mjs';
import { adminIn, ask, askJson } from './lib/control.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { until } from './lib/wait.mjs';
import { authority, certificateList, openssl, secureConnect, secureRequest } from './lib/tls.mjs';

function secured(tls, rest, more = '') {
    return `
listeners: [{address: "127.0.0.1:0", tls: {${tls}}${more}}]
${rest}
`;
}

const HELLO = 'routes: [{name: hello, respond: {body: hello}}]';

function forwardTo(origin) {
    return `services: {app: {origins: ["${origin.address}"]}}\nroutes: [{name: all, service: app}]`;
}

test('curl, Node and openssl s_client are answered over TLS 1.3 and 1.2', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['a.example', 'IP:127.0.0.1'] });
    const gateway = await startGateway(t, secured(`certificates: ${certificateList(own)}`, HELLO));

    for (const [version, spoken] of [['1.2', 'TLSv1.2'], ['1.3', 'TLSv1.3']]) {
        const answer = await curl('--cacert', ca.cert, `--tlsv${version}`, '--tls-max', version, `https://127.0.0.1:${gateway.port}/`);
        assert.equal(answer.status, 200, answer.stderr);
        assert.equal(answer.body.toString(), 'hello');
        const node = await secureRequest(gateway, { ca: ca.cert, minVersion: spoken, maxVersion: spoken });
        assert.equal(node.body, 'hello');
        assert.equal(node.protocol, spoken);
        const raw = await openssl(['s_client', '-connect', `127.0.0.1:${gateway.port}`, '-servername', 'a.example', `-${spoken.toLowerCase().replace('v', '').replace('.', '_')}`,
            '-CAfile', ca.cert, '-verify_return_error', '-quiet', '-no_ign_eof'], { input: 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n', fails: true });
        assert.match(raw.stderr, /verify return:1/);
    }
    const [entry] = await gateway.logged(1);
    assert.equal(entry['url.scheme'], 'https');
});

test('older versions, RSA key exchange and CBC are refused', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue();
    const rsa = await ca.issue({ type: 'rsa' });
    const gateway = await startGateway(t, secured(`certificates: ${certificateList(own, rsa)}`, HELLO));
    const target = ['s_client', '-connect', `127.0.0.1:${gateway.port}`];

    for (const args of [['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'], ['-tls1_2', '-cipher', 'AES128-GCM-SHA256'], ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-SHA256']]) {
        const { stdout } = await openssl([...target, ...args], { fails: true });
        assert.match(stdout, /Cipher is \(NONE\)/, args.join(' '));
    }
    assert.equal((await secureRequest(gateway, { ca: ca.cert })).status, 200);
});

test('a client gets the certificate of the name that it asks for', async (t) => {
    const ca = await authority(t);
    const first = await ca.issue({ names: ['a.example'] });
    const second = await ca.issue({ names: ['b.example', '*.w.example'] });
    const exact = await ca.issue({ names: ['x.w.example'] });
    const list = certificateList(first, second, exact);
    const shown = async (gateway, name) => (await secureRequest(gateway, { name, rejectUnauthorized: false })).peer.subject.CN;

    const gateway = await startGateway(t, secured(`certificates: ${list}`, HELLO));
    assert.equal(await shown(gateway, 'a.example'), 'a.example');
    assert.equal(await shown(gateway, 'B.Example'), 'b.example');
    assert.equal(await shown(gateway, 'any.w.example'), 'b.example');
    assert.equal(await shown(gateway, 'x.w.example'), 'x.w.example');
    assert.equal(await shown(gateway, 'two.labels.w.example'), 'a.example');
    assert.equal(await shown(gateway, 'w.example'), 'a.example');
    assert.equal(await shown(gateway, 'unknown.example'), 'a.example');
    assert.equal(await shown(gateway, ''), 'a.example');

    const strict = await startGateway(t, secured(`certificates: ${list}, unknown_names: refuse`, HELLO));
    assert.equal(await shown(strict, 'any.w.example'), 'b.example');
    await assert.rejects(shown(strict, 'unknown.example'), /unrecognized name/);
    await assert.rejects(shown(strict, ''), /unrecognized name/);
});

test('ECDSA is shown first, RSA to those who need it', async (t) => {
    const ca = await authority(t);
    const rsa = await ca.issue({ type: 'rsa' });
    const ec = await ca.issue();
    const gateway = await startGateway(t, secured(`certificates: ${certificateList(rsa, ec)}`, HELLO));
    const key = async (...args) => {
        const { stdout } = await openssl(['s_client', '-connect', `127.0.0.1:${gateway.port}`, '-servername', 'a.example', ...args], { fails: true });
        return /Peer signature type: (.*)/.exec(stdout)?.[1];
    };

    assert.match(await key('-tls1_3'), /ECDSA/);
    assert.match(await key('-tls1_2'), /ECDSA/);
    assert.match(await key('-tls1_3', '-sigalgs', 'rsa_pss_rsae_sha256'), /RSA/);
    assert.match(await key('-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'), /RSA/);
});

test('an origin hears of https, and bodies of all sizes pass both ways', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue();
    const origin = await httpOrigin(t, {
        handler: async (asked, answer, record) => {
            const body = await record.body();
            answer.setHeader('X-Seen', crypto.createHash('sha256').update(body).digest('hex'));
            if (asked.url === '/chunked') {
                answer.write(body.subarray(0, body.length / 2));
                answer.end(body.subarray(body.length / 2));
            } else {
                answer.end(body);
            }
        },
    });
    const gateway = await startGateway(t, secured(`certificates: ${certificateList(own)}`, forwardTo(origin)));
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });

    t.after(() => agent.destroy());
    for (const size of [0, 1, 5000, 16384, 16385, 100000, 3000000]) {
        for (const target of ['/', '/chunked']) {
            const body = crypto.randomBytes(size);
            const answer = await secureRequest(gateway, { ca: ca.cert, agent, method: 'POST', path: target, body });
            assert.equal(answer.status, 200);
            assert.ok(answer.bytes.equals(body), `${target} with ${size} bytes`);
            assert.equal(answer.headers['x-seen'], crypto.createHash('sha256').update(body).digest('hex'));
        }
    }
    const { headers } = origin.requests[0];
    assert.equal(headers['x-forwarded-proto'], 'https');
    assert.match(headers.forwarded, /proto=https/);
});

test('pipelined requests in one record are all answered, and a slow reader gets all', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue();
    const big = crypto.randomBytes(4000000);
    const origin = await httpOrigin(t, { handler: (asked, answer) => answer.end(asked.url === '/big' ? big : asked.url) });
    const gateway = await startGateway(t, secured(`certificates: ${certificateList(own)}`, forwardTo(origin)));
    const client = await secureConnect(t, gateway, { ca: ca.cert });

    client.send(Array.from({ length: 200 }, (_, i) => head(`GET /${i} HTTP/1.1`, 'Host: a.example')).join(''));
    for (let i = 0; i < 200; i++) {
        assert.equal(String((await client.answer()).body), `/${i}`);
    }
    client.tls.pause();
    client.send(head('GET /big HTTP/1.1', 'Host: a.example'));
    await new Promise((resolve) => setTimeout(resolve, 200)); // buffers on the way fill up
    client.tls.resume();
    const answer = await client.answer();
    assert.equal(answer.status, 200);
    assert.ok(answer.body.equals(big));
});

test('what is not TLS is answered or closed, and counted', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue();
    const gateway = await startGateway(t, secured(`certificates: ${certificateList(own)}`, HELLO));

    await t.test('plain HTTP is told so', async () => {
        const answer = await request(gateway, { path: '/x' });
        assert.equal(answer.status, 400);
        assert.match(answer.headers['content-type'], /problem\+json/);
        assert.match(answer.body, /speaks TLS/);
        const [entry] = await gateway.logged((entries) => entries.length >= 1);
        assert.equal(entry['http.response.status_code'], 400);
    });
    const garbage = [
        ['bytes that are nothing', Buffer.from([0, 1, 2, 3, 4, 5])],
        ['an SSL 2 hello', Buffer.from('802e0100020015000000100100800200800300800400800500800600400700c0', 'hex')],
        ['a record that is too large', Buffer.concat([Buffer.from([22, 3, 1, 0xff, 0xff]), Buffer.alloc(70000)])],
        ['a record without content', Buffer.from([22, 3, 1, 0, 0])],
        ['an alert first', Buffer.from([21, 3, 1, 0, 2, 2, 40])],
        ['a hello that is none', Buffer.concat([Buffer.from([22, 3, 1, 0, 64, 1, 0, 0, 60]), Buffer.alloc(60, 7)])],
    ];
    for (const [what, bytes] of garbage) {
        await t.test(`${what}: closed`, async () => {
            const client = await connect(t, gateway);
            client.send(bytes);
            await until('the end', () => client.ended);
            assert.match(client.everything, /^(\x15\x03[\x01-\x03]\0\x02\x02.)?$/, 'an alert at most');
        });
    }
    await t.test('a client that stops within its hello is closed in time', async () => {
        const patientless = await startGateway(t, `timeouts: {handshake: 300ms}\n${secured(`certificates: ${certificateList(own)}`, HELLO)}`);
        const client = await connect(t, patientless);
        client.send(Buffer.from([22, 3, 1, 2, 0, 1, 0]));
        await client.expectClose();
    });
    assert.equal((await secureRequest(gateway, { ca: ca.cert })).status, 200);
});

test('one byte at a time is a handshake too, behind a PROXY header as well', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue();
    for (const header of ['', 'PROXY TCP4 192.0.2.7 192.0.2.8 4711 443\r\n']) {
        const gateway = await startGateway(t, secured(`certificates: ${certificateList(own)}`, HELLO, header === '' ? '' : ', proxy_protocol: {from: [127.0.0.0/8]}'));
        const raw = await connect(t, gateway);
        const { Duplex } = await import('node:stream');
        const trickle = new Duplex({
            read() {},
            write(bytes, _, done) {
                for (const byte of bytes) {
                    raw.socket.write(Buffer.from([byte]));
                }
                done();
            },
        });
        raw.socket.setNoDelay(true);
        raw.socket.on('data', (bytes) => trickle.push(bytes));
        raw.socket.write(header);
        const answer = await secureRequest(gateway, { ca: ca.cert, createConnection: undefined, socket: trickle, path: '/t' });
        assert.equal(answer.body, 'hello');
        const [entry] = await gateway.logged(1);
        assert.equal(entry['client.address'], header === '' ? '127.0.0.1' : '192.0.2.7');
    }
});

test('files that are not good stop the start, and say which and why', async (t) => {
    const ca = await authority(t);
    const good = await ca.issue();
    const other = await ca.issue();
    const expired = await ca.issue({ to: '20210101000000Z' });
    const early = await ca.issue({ from: '20390101000000Z' });
    const open = await ca.issue();

    fs.chmodSync(open.key, 0o604);
    const cases = [
        [{ cert: good.cert, key: other.key }, /is not the key of the certificate in/],
        [{ ...expired, more: ', expired: refuse' }, new RegExp(`${expired.cert}: the certificate has expired`)],
        [{ ...early, more: ', expired: refuse' }, /not valid yet/],
        [open, /chmod o= /],
        [{ cert: '/nowhere.crt', key: good.key }, /\/nowhere\.crt cannot be read: No such file/],
        [{ cert: good.key, key: good.key }, /holds no good PEM certificate/],
        [{ cert: good.cert, key: good.cert }, /chmod o= |holds no PEM key/],
    ];
    for (const [pair, said] of cases) {
        const yaml = `workers: 1\naccess_log: off\n${secured(`certificates: ${certificateList(pair)}${pair.more ?? ''}`, HELLO)}`;
        for (const args of [undefined, (file) => ['-t', '-c', file]]) {
            const { code, stderr } = await runGateway(t, yaml, { args });
            assert.equal(code, 1, stderr);
            assert.match(stderr, said);
            assert.match(stderr, /turnpike\.yaml:[0-9]+:[0-9]+: listener 127\.0\.0\.1:0: /);
        }
    }
    const { code, stderr } = await runGateway(t, `workers: 1\naccess_log: off\n${secured(`certificates: ${certificateList(good)}, ciphers: nonsense`, HELLO)}`);
    assert.equal(code, 1);
    assert.match(stderr, /tls\.ciphers: 'nonsense'/);
});

test('a key that a group or an ACL may read is served, and warned of once', async (t) => {
    const ca = await authority(t);
    const [own, other] = [await ca.issue(), await ca.issue()];
    for (const pair of [own, other]) {
        fs.chmodSync(pair.key, 0o640);
    }
    const gateway = await startGateway(t, `workers: 2\n${secured(`certificates: ${certificateList(own, other)}`, HELLO)}`);
    assert.equal((await secureRequest(gateway, { ca: ca.cert })).status, 200);
    assert.equal(gateway.stderr.match(/a group or an ACL may read this key/g)?.length, 1, gateway.stderr);
    assert.match(gateway.stderr, /\(and 1 more\)/);
});

test('an expired certificate is served beside the others, loudly', async (t) => {
    const ca = await authority(t);
    const good = await ca.issue({ names: ['good.example'] });
    const expired = await ca.issue({ names: ['old.example'], to: '20210101000000Z' });
    const yaml = (more = '') => (folder) => `${adminIn(folder)}\n${secured(`certificates: ${certificateList(good, expired)}${more}`, HELLO)}`;
    const gateway = await startGateway(t, yaml());
    assert.match(gateway.stderr, /error \S+turnpike\.yaml:[0-9]+:[0-9]+: listener 127\.0\.0\.1:0: .*has expired, [0-9]+ days ago/);
    assert.equal((await secureRequest(gateway, { ca: ca.cert, servername: 'good.example' })).status, 200);
    await assert.rejects(secureRequest(gateway, { ca: ca.cert, servername: 'old.example' }), /expired/);
    assert.equal((await secureRequest(gateway, { servername: 'old.example', rejectUnauthorized: false })).status, 200);
    assert.match(await gateway.reload(), /generation 2/);

    const { certificates } = await askJson(gateway, '/v1/certs');
    assert.deepEqual(certificates.map(({ cert, state }) => [cert, state]), [[good.cert, 'valid'], [expired.cert, 'expired']]);
    const metrics = (await ask(gateway, '/metrics')).body;
    const flag = (cert) => new RegExp(`^turnpike_tls_certificate_out_of_date\\{cert="${cert}".*\\} ([01])$`, 'm').exec(metrics)?.[1];
    assert.deepEqual([flag(good.cert), flag(expired.cert)], ['0', '1']);

    assert.match(await gateway.reload(yaml(', expired: refuse')), /reload failed/);
});

// RFC 9113 section 9.2.1. "R" asks for a renegotiation.
test('a renegotiation is refused', async (t) => {
    const ca = await authority(t);
    const own = await ca.issue({ names: ['a.example', 'IP:127.0.0.1'] });
    const gateway = await startGateway(t, `listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}]\nroutes: [{name: all, respond: {body: hello}}]`);
    const { stdout, stderr } = await openssl(['s_client', '-connect', `127.0.0.1:${gateway.port}`, '-tls1_2', '-alpn', 'h2', '-CAfile', ca.cert], { input: 'R\n', fails: true });

    assert.match(stdout + stderr, /RENEGOTIATING/);
    assert.match(stdout + stderr, /no renegotiation/);
});
