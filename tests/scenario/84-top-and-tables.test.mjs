// SPDX-License-Identifier: BSD-2-Clause
// turnpikectl as a person uses it: top on a terminal, tables that fit, help of one command, the
// last origin of a service, values before and after.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { adminIn, ctl, ctlLines, ctlRefused } from './lib/control.mjs';
import { defer } from './lib/cleanup.mjs';
import { BINARY, startGateway } from './lib/gateway.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { patient, until } from './lib/wait.mjs';

const LONG = patient(60000);
const hasTerminal = spawnSync('script', ['--version']).status === 0;

// turnpikectl on a terminal of its own; `screen` is all that it wrote.
function onTerminal(t, gateway, words) {
    const command = `stty cols 100 rows 30; ${path.join(path.dirname(BINARY), 'turnpikectl')} -s ${gateway.folder}/admin.sock ${words}`;
    const child = spawn('script', ['-qfec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
    const terminal = { screen: '', exit: null, type: (keys) => child.stdin.write(keys) };
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (part) => (terminal.screen += part));
    const ended = new Promise((resolve) => child.once('close', (code) => resolve((terminal.exit = code))));
    terminal.ended = ended;
    // What was drawn last, without colours, line by line.
    terminal.lines = () => terminal.screen.slice(terminal.screen.lastIndexOf('\x1b[H'))
        .replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '').split(/\r+\n/);
    defer(t, async () => {
        child.kill('SIGKILL');
        await ended;
    });
    return terminal;
}

const yaml = (origin) => (folder) => `${adminIn(folder)}
services: {app: {origins: ["${origin.address}", "127.0.0.1:1"]}, new: {origins: ["${origin.address}"]}}
routes:
  - {name: pay, match: {path_prefix: /pay/}, split: {app: 95%, new: 5%}}
  - {name: all, service: app}
`;

test('top shows what happens, filters and sorts', { skip: !hasTerminal && 'no script(1) is installed' }, async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    const terminal = onTerminal(t, gateway, 'top');
    const shown = (pattern) => until(() => `${pattern} on:\n${terminal.lines().join('\n')}`, () => terminal.lines().some((line) => pattern.test(line)), LONG);
    await shown(/^pay +\/pay/);
    for (let i = 0; i < 5; i++) {
        await request(gateway, { path: '/' });
    }
    await shown(/^all .* 5$/);
    terminal.type('o');
    await shown(new RegExp(`^app +${origin.address} +serves`));
    terminal.type('/127.0.0.1:1');
    await shown(/filter: 127\.0\.0\.1:1_/);
    terminal.type('\n');
    await shown(/filter: 127\.0\.0\.1:1$/);
    terminal.type('\x1b');
    await until('the filter to go', () => !terminal.lines().join('').includes('filter:'), LONG);
    terminal.type('>');
    await shown(/^SERVICEv/);
    assert.ok(terminal.lines().every((line) => line.length <= 100));
    terminal.type('q');
    await terminal.ended;
    assert.equal(terminal.exit, 0);
    assert.ok(terminal.screen.includes('\x1b[?1049l'), 'the terminal was not given back');
});

test('top into a pipe prints once, without colours', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    const result = await ctl(gateway, 'top');
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /^Turnpike .*\nrequests\/s /);
    assert.equal(result.stdout.includes('\x1b'), false);
});

test('tables fit 100 columns', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    await request(gateway, { path: '/' });
    for (const words of ['services', 'routes', 'connections', 'status', 'certs']) {
        for (const line of await ctlLines(gateway, words)) {
            assert.ok(line.length <= 100 || words === 'status', `${words}: ${line}`);
        }
    }
});

test('help of one command speaks of that one', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    const help = await ctl(gateway, 'weight', '--help');
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^usage: turnpikectl .*weight ROUTE SERVICE=N/);
    assert.equal(help.stdout.includes('certs'), false);
    assert.match((await ctl(gateway, '--help')).stdout, /certs/);
});

test('a bad file has no diff, and one that changes nothing has an empty one', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    assert.match((await ctlLines(gateway, 'reload', '--diff')).join('\n'), /changes: none/);
    gateway.rewrite((folder) => yaml(origin)(folder).replace('app: 95%', 'app: 94%'));
    await ctlRefused(gateway, /must add up to 100%/, 'reload', '--diff');
});

test('the last origin of a service is drained only with --force', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    await ctlRefused(gateway, /last origin of service 'new'.*\n.*--force/, 'drain', origin.address);
    await ctlLines(gateway, 'drain', '127.0.0.1:1');
    await ctlLines(gateway, 'drain', origin.address, '--force');
});

test('diff and reload tell weights before and after', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    const file = path.join(gateway.folder, 'next.yaml');
    gateway.rewrite((folder) => yaml(origin)(folder).replace('app: 95%, new: 5%', 'app: 99%, new: 1%'));
    fs.copyFileSync(gateway.file, file);
    const lines = await ctlLines(gateway, 'diff', file);
    assert.ok(lines.some((line) => /pay: split new 5% -> 1%/.test(line)), lines.join('\n'));
    const before = await ctlLines(gateway, 'status');
    const planned = await ctlLines(gateway, 'reload', '--diff');
    assert.ok(planned.some((line) => /pay: split new 5% -> 1%/.test(line)), planned.join('\n'));
    assert.deepEqual((await ctlLines(gateway, 'status')).filter((line) => /generation/.test(line)), before.filter((line) => /generation/.test(line)), 'nothing was reloaded');
    assert.match(await gateway.reload(), /pay: split app 95% -> 99%; pay: split new 5% -> 1%/);
});

test('routes and services have rates and latencies once they were looked at', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, yaml(origin));
    await ctlLines(gateway, 'routes');
    const row = await until('a rate', async () => {
        await request(gateway, { path: '/' });
        const rows = JSON.parse((await ctl(gateway, '--json', 'routes')).stdout).routes;
        return rows.find((each) => each.rate_per_s > 0);
    });
    assert.ok(row.p50_us > 0 && row.p99_us >= row.p50_us, JSON.stringify(row));
    assert.match((await ctlLines(gateway, 'services')).join('\n'), /RATE/);
});
