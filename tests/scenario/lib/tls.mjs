// SPDX-License-Identifier: BSD-2-Clause
// Certificates, made with openssl while the test runs, and clients that speak TLS.
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import tls from 'node:tls';
import { defer } from './cleanup.mjs';
import { temporaryFolder } from './folder.mjs';
import { DEADLINE_MS, within } from './wait.mjs';
import { RawClient } from './raw-client.mjs';

// Runs openssl to its end; options: input, fails (its exit code does not matter).
export function openssl(args, { input = '', fails = false } = {}) {
    const ran = new Promise((resolve, reject) => {
        const child = execFile('openssl', args, { encoding: 'buffer', maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
            if (error && !fails) {
                reject(new Error(`openssl ${args.join(' ')}: ${stderr.toString()}`));
                return;
            }
            resolve({ code: error ? error.code : 0, stdout: stdout.toString('latin1'), stderr: stderr.toString('latin1') });
        });
        child.stdin.on('error', () => {});
        child.stdin.end(input);
    });
    return within(`openssl ${args[0]}`, ran, DEADLINE_MS);
}

const KEYS = {
    ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    rsa: ['-newkey', 'rsa:2048'],
};

let number = 0;

// An authority of its own, with what it issued in a folder of the test's.
export async function authority(t, name = 'Test CA') {
    const folder = temporaryFolder(t, 'turnpike-ca-');
    const cert = path.join(folder, 'ca.crt');
    const key = path.join(folder, 'ca.key');
    await openssl(['req', '-x509', ...KEYS.ec, '-nodes', '-keyout', key, '-out', cert, '-days', '30', '-subj', `/CN=${name}`]);
    fs.writeFileSync(path.join(folder, 'ca.cnf'),
        `[ca]\ndefault_ca = it\n[it]\nnew_certs_dir = ${folder}\ndatabase = ${folder}/index\nserial = ${folder}/serial\n` +
        'default_md = sha256\npolicy = any\ncopy_extensions = copy\nunique_subject = no\nemail_in_dn = no\n[any]\norganizationName = optional\ncommonName = supplied\n');
    fs.writeFileSync(path.join(folder, 'index'), '');
    fs.writeFileSync(path.join(folder, 'serial'), '1000\n');
    return { folder, cert, key, pem: fs.readFileSync(cert, 'utf8'), issue: (options) => issue(folder, cert, key, options) };
}

// names: what stands in subjectAltName ("a.example", "IP:127.0.0.1"); the first is the subject.
// from, to: as openssl ca wants them, YYYYMMDDHHMMSSZ.
async function issue(folder, caCert, caKey, { names = ['a.example'], subject, type = 'ec', from, to, client = false } = {}) {
    const base = path.join(folder, `issued-${number++}`);
    const alternatives = names.map((name) => (name.includes(':') ? name : `DNS:${name}`)).join(',');
    const made = { cert: `${base}.crt`, key: `${base}.key`, names };
    const extensions = alternatives === '' ? [] : ['-addext', `subjectAltName=${alternatives}`];
    const usage = client ? ['-addext', 'extendedKeyUsage=clientAuth'] : [];
    await openssl(['req', '-new', ...KEYS[type], '-nodes', '-keyout', made.key, '-out', `${base}.csr`, '-subj', subject ?? `/CN=${names[0]}`, ...extensions, ...usage]);
    const dates = from || to ? ['-startdate', from ?? '20200101000000Z', '-enddate', to ?? '20400101000000Z'] : ['-days', '90'];
    await openssl(['ca', '-batch', '-notext', '-config', path.join(folder, 'ca.cnf'), '-cert', caCert, '-keyfile', caKey,
        '-in', `${base}.csr`, '-out', made.cert, ...dates]);
    fs.chmodSync(made.key, 0o600);
    return made;
}

// Files for a listener's `certificates`.
export function certificateList(...certificates) {
    return `[${certificates.map(({ cert, key }) => `{cert: ${cert}, key: ${key}}`).join(', ')}]`;
}

// One request over TLS; options as for request() in client.mjs, and those of tls.connect.
export function secureRequest(gateway, { path: target = '/', method = 'GET', headers = {}, body, agent, ca, name = 'a.example', ...tlsOptions } = {}) {
    const asked = new Promise((resolve, reject) => {
        const sent = https.request({
            ...(gateway.connectOptions ?? gateway), path: target, method, agent: agent ?? false, ca: ca && fs.readFileSync(ca), servername: name,
            headers: { Host: name, ...headers }, ...tlsOptions,
        }, (answer) => {
            const parts = [];
            const socket = answer.socket;
            const facts = { protocol: socket.getProtocol(), cipher: socket.getCipher()?.name, peer: socket.getPeerCertificate(), resumed: socket.isSessionReused() };
            answer.on('data', (part) => parts.push(part));
            answer.on('error', reject);
            answer.on('end', () => {
                const bytes = Buffer.concat(parts);
                resolve({ status: answer.statusCode, headers: answer.headers, bytes, body: bytes.toString('latin1'), ...facts });
            });
        });
        sent.on('error', reject);
        sent.end(body);
    });
    return within(`an answer to ${method} ${target} over TLS`, asked, DEADLINE_MS);
}

// A client that speaks byte by byte, like connect() in raw-client.mjs, but over TLS.
export async function secureConnect(t, gateway, { ca, name = 'a.example', ...options } = {}) {
    const socket = tls.connect({ ...(gateway.connectOptions ?? gateway), ca: ca && fs.readFileSync(ca), servername: name, ALPNProtocols: ['http/1.1'], ...options });
    await within('a TLS handshake', new Promise((resolve, reject) => {
        socket.once('secureConnect', resolve);
        socket.once('error', reject);
    }));
    const client = new RawClient(socket);
    client.tls = socket;
    defer(t, () => socket.destroy());
    return client;
}
