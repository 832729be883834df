// SPDX-License-Identifier: BSD-2-Clause
// The process log: its formats, and a line for each handshake that failed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { BINARY, startGateway } from './lib/gateway.mjs';
import { authority, certificateList } from './lib/tls.mjs';
import { patient, until } from './lib/wait.mjs';

const LONG = patient(60000);
const YAML = 'workers: 1\naccess_log: "off"\nadmin: {socket: "off"}\nlisteners: [{address: "127.0.0.1:0"}]\nroutes: [{name: all, respond: {status: 204}}]\n';

// What a process logs into a file until it is ready; `environment` is made from the file's facts.
async function logged(t, words, environment = () => ({})) {
    const folder = temporaryFolder(t);
    const file = path.join(folder, 'log');
    const config = path.join(folder, 'turnpike.yaml');
    fs.writeFileSync(config, YAML);
    const stderr = fs.openSync(file, 'w');
    const child = spawn(BINARY, [...words, '-c', config], { stdio: ['ignore', 'ignore', stderr], env: { ...process.env, ...environment(fs.fstatSync(stderr)) } });
    const ended = new Promise((resolve) => child.once('close', resolve));
    defer(t, async () => {
        child.kill('SIGTERM');
        await ended;
        fs.closeSync(stderr);
    });
    await until('it to be ready', () => fs.readFileSync(file, 'utf8').includes('ready: 1 workers'), LONG);
    return { pid: child.pid, lines: fs.readFileSync(file, 'utf8').split('\n').slice(0, -1) };
}

test('lines are text, JSON where asked for, and have priorities for the journal', async (t) => {
    const text = await logged(t, []);
    for (const line of text.lines) {
        const [, pid] = /^[0-9-]+T[0-9:.]+Z ([0-9]+) (?:info|warning) \S/.exec(line) ?? assert.fail(line);
        assert.equal(Number(pid), text.pid);
    }
    assert.match(text.lines.at(-1), / info ready: 1 workers$/);
    const json = await logged(t, ['--log-format', 'json']);
    for (const line of json.lines) {
        const entry = JSON.parse(line);
        assert.deepEqual(Object.keys(entry), ['time', 'level', 'pid', 'message']);
        assert.equal(entry.pid, json.pid);
    }
    const journal = await logged(t, [], ({ dev, ino }) => ({ JOURNAL_STREAM: `${dev}:${ino}` }));
    assert.equal(journal.lines.at(-1), '<6>ready: 1 workers');
    const other = await logged(t, [], ({ dev, ino }) => ({ JOURNAL_STREAM: `${dev}:${ino + 1}` }));
    assert.match(other.lines.at(-1), /^[0-9-]+T/);
});

test('a handshake that fails is told, a flood of them is not', async (t) => {
    const own = await (await authority(t)).issue({ names: ['shop.example'] });
    const gateway = await startGateway(t, `
timeouts: {handshake: 100ms}
listeners: [{address: "127.0.0.1:0", tls: {certificates: ${certificateList(own)}}}]
routes: [{name: all, respond: {status: 204}}]
`);
    const plain = net.connect(gateway.port, '127.0.0.1', () => plain.write('GET / HTTP/1.1\r\n\r\n'));
    plain.on('error', () => {});
    await gateway.said(/info TLS handshake of 127\.0\.0\.1:[0-9]+ at 127\.0\.0\.1:0 failed: .*\(plain_http\)/, LONG);
    net.connect(gateway.port, '127.0.0.1').on('error', () => {}); // says nothing
    await gateway.said(/TLS handshake of .* failed: .*\(timeout\)/, LONG);
    // A client that can agree on nothing has said what it asks for.
    tls.connect({ port: gateway.port, host: '127.0.0.1', servername: 'shop.example', maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }).on('error', () => {});
    await gateway.said(/TLS handshake of .* failed, for shop\.example: /, LONG);
    for (let i = 0; i < 200; i++) {
        net.connect(gateway.port, '127.0.0.1', function talk() {
            this.write('GET / HTTP/1.1\r\n\r\n');
        }).on('error', () => {});
    }
    await until('lines to be left out', () => {
        const poke = net.connect(gateway.port, '127.0.0.1', () => poke.write('GET / HTTP/1.1\r\n\r\n'));
        poke.on('error', () => {});
        return /[0-9]+ more were not told/.test(gateway.stderr);
    }, LONG);
});
