// SPDX-License-Identifier: BSD-2-Clause
// doc/FROM-NGINX.md, FROM-HAPROXY.md and FROM-ENVOY.md: their configurations load, those of the peer
// do the same as ours, and the options that they name are in the table of options.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { defer } from './lib/cleanup.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { runGateway, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { ROOT } from './lib/recipes.mjs';
import { patient, until } from './lib/wait.mjs';

const read = (page) => fs.readFileSync(path.join(ROOT, 'doc', page), 'utf8');

function block(page, language) {
    const found = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(read(page));
    assert.ok(found, `${page}: a block of ${language}`);
    return found[1];
}

function isThere(program) {
    try {
        execFileSync('which', [program], { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
}

// Runs a peer until the test is over.
async function startPeer(t, command, args, socket) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    child.stderr.on('data', (text) => (said += text));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    defer(t, async () => {
        child.kill('SIGKILL');
        await gone;
    });
    await until(() => `${command} to listen: ${said}`, () => fs.existsSync(socket) || child.exitCode !== null, patient(20000));
    assert.equal(child.exitCode, null, said);
    return { socketPath: socket };
}

const PEERS = {
    nginx: {
        page: 'FROM-NGINX.md',
        start: (t, text, folder, socket) => {
            const file = path.join(folder, 'nginx.conf');
            const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
            const configuration = text.replace('127.0.0.1:8080', `unix:${socket}`);
            fs.writeFileSync(file, `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log; worker_processes 1;\nevents {}\nhttp { access_log off; ${temporary}\n${configuration}\n}\n`);
            execFileSync('nginx', ['-t', '-q', '-p', folder, '-e', `${folder}/error.log`, '-c', file]);
            return startPeer(t, 'nginx', ['-p', folder, '-e', `${folder}/error.log`, '-c', file], socket);
        },
        asks: [['/api/a?b=c', 200], ['/old', 308], ['/elsewhere', 404]],
    },
    haproxy: {
        page: 'FROM-HAPROXY.md',
        start: (t, text, folder, socket) => {
            const file = path.join(folder, 'haproxy.cfg');
            fs.writeFileSync(file, text.replace('127.0.0.1:8080', `unix@${socket}`).replace('maxconn 20000', 'maxconn 200'));
            execFileSync('haproxy', ['-c', '-f', file]);
            return startPeer(t, 'haproxy', ['-db', '-f', file], socket);
        },
        asks: [['/api/a?b=c', 200], ['/private', 403], ['/elsewhere', 404]],
    },
};

for (const [peer, { page, start, asks }] of Object.entries(PEERS)) {
    test(`${page}: both configurations of one site do the same`, { skip: !isThere(peer) }, async (t) => {
        const folder = temporaryFolder(t);
        const [first, backup] = await Promise.all(['first', 'backup'].map((name) => httpOrigin(t, { name })));
        const move = (text) => {
            assert.ok(text.includes('127.0.0.1:9001') && text.includes('127.0.0.1:9002'));
            return text.replaceAll('127.0.0.1:9001', first.address).replaceAll('127.0.0.1:9002', backup.address);
        };
        const ours = await startGateway(t, move(block(page, 'yaml')).replace('127.0.0.1:8080', '127.0.0.1:0'));
        const theirs = await start(t, move(block(page, peer)), folder, path.join(folder, 'peer.sock'));
        const headers = { Host: 'shop.example.com' };

        await until('the peer to serve', async () => (await request(theirs, { path: '/api/', headers, socketPath: theirs.socketPath }).catch(() => ({}))).status === 200);
        for (const [target, status] of asks) {
            const both = [];
            for (const side of [theirs, ours]) {
                const before = first.requests.length;
                const answer = await request(side, { path: target, headers, socketPath: side.socketPath });
                assert.equal(answer.status, status, `${peer} and ours: ${target}`);
                both.push({
                    body: status === 200 ? answer.body : '',
                    location: answer.headers.location,
                    asked: first.requests.slice(before).map((record) => record.url).filter((url) => url !== '/health'),
                });
            }
            assert.deepEqual(both[0], both[1], target);
        }
    });
}

for (const page of ['FROM-NGINX.md', 'FROM-HAPROXY.md', 'FROM-ENVOY.md']) {
    test(`${page}: the configuration is good`, async (t) => {
        const checked = await runGateway(t, block(page, 'yaml'), { args: (file) => ['-t', '-c', file] });
        assert.equal(checked.code, 0, checked.stderr);
    });

    test(`${page}: its options are in the table of options`, () => {
        const options = new Set([...read('CONFIG.md').matchAll(/^\| `([a-z0-9_.]+)` \|/gm)].map(([, name]) => name));
        const last = new Set([...options].flatMap((name) => name.split('.')));
        const ours = read(page).split('\n').filter((line) => /^\| /.test(line)).map((line) => line.split(' | ').slice(1).join(' | '));
        const named = ours.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text));
        const wrong = named.flatMap((text) => [
            ...(/^[a-z0-9_]+(\.[a-z0-9_]+)+(:|$)/.test(text) && !options.has(text.split(':')[0]) ? [text] : []),
            ...[...text.matchAll(/(?:^|[{ ])([a-z0-9_]+): /g)].map(([, name]) => name).filter((name) => !last.has(name)),
        ]);
        assert.deepEqual(wrong, []);
    });
}
