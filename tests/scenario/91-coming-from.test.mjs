// SPDX-License-Identifier: BSD-2-Clause
// doc/FROM-NGINX.md, FROM-HAPROXY.md and FROM-ENVOY.md: their configurations load, those of the peer
// do the same as ours, and the pieces of YAML in their tables are good. What else the tables name,
// contrib/check-docs.sh compares with the table of options.
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
import { authority } from './lib/tls.mjs';
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

// The groups of doc/CONFIG.md that have the option: Global, Listener, Service, Route.
function homesOf(piece) {
    const option = piece.slice(0, piece.indexOf(': '));
    const homes = read('CONFIG.md').split(/^## /m).filter((section) => section.includes(`\n| \`${option}\` |`)).map((section) => section.slice(0, section.indexOf('\n')));
    assert.ok(homes.length > 0, `no option ${option}`);
    return homes;
}

const TLS_OR_NOT = [false, true];

// A whole file with the piece in it. `a.b: c` is `a: {b: c}`; what it needs beside it is there.
function configurationWith(home, piece, tls) {
    const [, names, value] = /^([a-z0-9_.]+): (.*)$/.exec(piece);
    const [first, ...inner] = names.split('.');
    const beside = home === 'Listener' && tls && first === 'tls' && inner.length > 0 ? `${tls}, ` : '';
    const text = `${first}: ${inner.reduceRight((below, name, depth) => `{${depth === 0 ? beside : ''}${name}: ${below}}`, value)}`;
    const needed = {
        Listener: [...(/^address:/.test(text) ? [] : ['address: 127.0.0.1:0']), ...(tls && first !== 'tls' ? [`tls: {${tls}}`] : [])],
        Service: /^origins:/.test(text) ? [] : ['origins: [127.0.0.1:9]'],
        Route: [
            ...(/^sticky:/.test(text) ? ['split: {shop-v1: 95%, shop-v2: 5%}'] : /^(service|split|respond|redirect):/.test(text) ? [] : ['service: shop']),
            ...(/^rewrite:/.test(text) ? ['match: {path_prefix: /old/}'] : []),
        ],
    };
    const group = (name) => [...needed[name], ...(home === name ? [text] : [])];
    return [
        ...(home === 'Global' ? [text] : []),
        ...(/^listeners:/.test(text) ? [] : ['listeners:', `  - ${group('Listener').join('\n    ')}`]),
        'services:', '  shop-v1: {origins: [127.0.0.1:9]}', '  shop-v2: {origins: [127.0.0.1:9]}', '  shop:', `    ${group('Service').join('\n    ')}`,
        'routes:', `  - ${group('Route').join('\n    ')}`,
    ].join('\n');
}

for (const page of ['FROM-NGINX.md', 'FROM-HAPROXY.md', 'FROM-ENVOY.md']) {
    test(`${page}: the configuration is good`, async (t) => {
        const checked = await runGateway(t, block(page, 'yaml'), { args: (file) => ['-t', '-c', file] });
        assert.equal(checked.code, 0, checked.stderr);
    });

    test(`${page}: each piece of YAML in its tables is good where it belongs`, async (t) => {
        const { cert, key } = await (await authority(t)).issue({ names: ['a'] });
        const folder = temporaryFolder(t);
        const file = path.join(folder, 'page.html');
        fs.writeFileSync(file, '<p>');
        fs.mkdirSync(path.join(folder, 'conf.d'));
        const ours = read(page).split('\n').filter((line) => /^\| /.test(line)).map((line) => line.split(' | ').slice(1).join(' | '));
        const pieces = new Set(ours.flatMap((cell) => [...cell.matchAll(/`([a-z0-9_.]+: [^`]+)`/g)].map(([, text]) => text)));

        assert.ok(pieces.size > 10, page);
        for (const piece of pieces) {
            const text = piece.replace(/\b(ca|cert): FILE/g, `$1: ${cert}`).replace(/\bkey: FILE/g, `key: ${key}`).replace(/\bFILE\b/, file)
                .replace(/\bURL\b/, '"http://127.0.0.1:4318/"').replace(/\bNAME\b/, 'a').replace('conf.d/', `${folder}/conf.d/`);
            const tries = homesOf(piece).flatMap((home) => TLS_OR_NOT.map((tls) => configurationWith(home, text, tls && `certificates: [{cert: ${cert}, key: ${key}}]`)));
            const said = [];
            for (const configuration of tries) {
                const checked = await runGateway(t, configuration, { args: (name) => ['-t', '-c', name] });
                said.push(checked.code === 0 ? '' : checked.stderr);
                if (checked.code === 0) {
                    break;
                }
            }
            assert.ok(said.includes(''), `${page}: ${piece}\n${said.join('\n')}`);
        }
    });
}
