// SPDX-License-Identifier: BSD-2-Clause
// Under a service manager such as systemd: readiness, the watchdog, sockets that the manager opened,
// and what becomes of them over a reload and a binary upgrade. A small parent plays the manager.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { request } from './lib/client.mjs';
import { defer } from './lib/cleanup.mjs';
import { adminIn, ctl } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { BINARY, isInstrumented } from './lib/gateway.mjs';
import { ROOT } from './lib/recipes.mjs';
import { patient, pause, until, within } from './lib/wait.mjs';

const LONG = patient(60000); // for a process to start on a busy machine
const MANAGER = path.join(ROOT, 'tests/scenario/lib/service-manager.py');

// options: watchdog (microseconds), sockets ({ name: address }), yaml (of the folder and the sockets'
// real addresses). Resolves once the manager has heard READY=1.
async function startManaged(t, { watchdog, sockets = {}, yaml }) {
    const folder = temporaryFolder(t);
    const file = path.join(folder, 'turnpike.yaml');
    const args = [...(watchdog ? ['--watchdog', String(watchdog)] : []), ...Object.entries(sockets).flatMap(([name, address]) => ['--socket', `${name}=${address.replace('FOLDER', folder)}`])];
    const child = spawn('python3', [MANAGER, ...args, folder, '/bin/sh', '-c', 'while [ ! -e "$2" ]; do sleep 0.01; done; exec "$1" -c "$2"', 'wait', BINARY, file], { stdio: ['pipe', 'pipe', 'pipe'] });
    const managed = { child, folder, file, addresses: {}, notified: [], stderr: '', exit: null };
    child.stderr.on('data', (text) => (managed.stderr += text));
    createInterface({ input: child.stdout }).on('line', (line) => {
        const [kind, ...rest] = line.split(' ');
        if (kind === 'socket') {
            managed.addresses[rest[0]] = rest[1];
        } else if (kind === 'notify') {
            managed.notified.push(rest.join(' '));
        } else if (kind === 'exit') {
            managed.exit = Number(rest[0]);
        } else if (kind === 'pid') {
            managed.pid = Number(rest[0]);
        } else {
            managed.notified.push(kind);
        }
    });
    // After upgrades, the process that was named last.
    managed.mainPid = () => Number(/.*MAINPID=([0-9]+)/.exec(managed.notified.join(' '))?.[1] ?? managed.pid);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    defer(t, async () => {
        const last = managed.mainPid();
        try {
            process.kill(last, 'SIGTERM');
            await until('the gateway to end', () => !fs.existsSync(`/proc/${last}`) || /State:\s+Z/.test(fs.readFileSync(`/proc/${last}/status`, 'utf8')), LONG);
        } catch (error) {
            assert.equal(error.code, 'ESRCH', String(error));
        }
        child.stdin.end();
        await within('the manager to end', gone, LONG);
        child.stdout.destroy(); // the gateway has inherited them
        child.stderr.destroy();
    });
    await until('the sockets', () => managed.pid !== undefined, LONG);
    managed.write = (text) => {
        fs.writeFileSync(`${file}.new`, `workers: 2\naccess_log: off\n${adminIn(folder)}\n${text}`);
        fs.renameSync(`${file}.new`, file);
    };
    managed.write(yaml(folder, managed.addresses));
    managed.heard = (text) => managed.notified.filter((line) => line.includes(text)).length;
    managed.said = (pattern) => until(() => `stderr to say ${pattern}: ${managed.stderr}`, () => pattern.exec(managed.stderr), LONG);
    managed.tell = (text) => child.stdin.write(`${text}\n`);
    await until(() => `READY=1; stderr: ${managed.stderr}`, () => managed.heard('READY=1') > 0, LONG);
    return managed;
}

function get(address) {
    const [host, port] = address.split(':');
    return host === 'unix' ? request({}, { socketPath: port }) : request({ connectOptions: { host, port: Number(port) } });
}

const hello = (...addresses) => `listeners: [${addresses.map((address) => `{address: "${address}"}`).join(', ')}]\nroutes: [{name: hello, respond: {body: hello}}]\n`;

test('the watchdog is fed while idle workers turn, and not while one hangs', { skip: isInstrumented }, async (t) => {
    const managed = await startManaged(t, { watchdog: 400000, yaml: () => hello('127.0.0.1:0') });

    await until('three feeds without a request', () => managed.heard('WATCHDOG=1') >= 3, LONG);
    managed.tell(`stall ${managed.pid}`);
    await until(() => `a worker to be stopped: ${managed.stderr}`, () => managed.heard('stalled') > 0, LONG);
    await managed.said(/warning worker 1 has not turned for 100 ms: the service manager's watchdog is not fed/);
    const fed = managed.heard('WATCHDOG=1');
    await pause(500);
    assert.equal(managed.heard('WATCHDOG=1'), fed, 'the main thread runs on, and feeds nothing');
    managed.tell('go');
    await managed.said(/info worker 1 turns again/);
    await until('feeds again', () => managed.heard('WATCHDOG=1') > fed, LONG);
});

test('after a binary upgrade the new process feeds it', async (t) => {
    const managed = await startManaged(t, { watchdog: 1000000, yaml: () => hello('127.0.0.1:0') });

    process.kill(managed.pid, 'SIGUSR2');
    await until('another main process', () => managed.heard('MAINPID=') > 0, LONG);
    await until('the first process to leave', () => managed.exit === 0, LONG);
    const fed = managed.heard('WATCHDOG=1');
    await until('feeds of the second one', () => managed.heard('WATCHDOG=1') > fed + 1, LONG);
});

test('without WATCHDOG_USEC nothing is fed; STOPPING=1 comes before the end', async (t) => {
    const managed = await startManaged(t, { yaml: () => hello('127.0.0.1:0') });

    managed.tell('signal SIGTERM');
    await until('the end', () => managed.exit !== null, LONG);
    assert.equal(managed.exit, 0);
    assert.deepEqual(managed.notified, ['READY=1', 'STOPPING=1']);
});

test('listeners take the sockets at their address; others are named', async (t) => {
    const managed = await startManaged(t, {
        sockets: { web: '127.0.0.1:0', local: 'unix:FOLDER/web.sock', spare: '127.0.0.1:0' },
        yaml: (folder, { web }) => hello(web, `unix:${folder}/web.sock`, '127.0.0.1:0'),
    });
    const { web, local, spare } = managed.addresses;

    await managed.said(new RegExp(`warning the service manager's socket ${spare} \\(spare\\) has no listener: add \`- address: ${spare}\``));
    assert.doesNotMatch(managed.stderr, / error |\(web\) has no|\(local\) has no/);
    for (let i = 0; i < 20; i++) {
        assert.equal((await get(web)).body, 'hello');
        assert.equal((await get(local)).body, 'hello');
    }

    // A reload takes the spare one up, gives the first one back, and takes it again.
    for (const addresses of [[spare], [web, spare]]) {
        managed.write(hello(...addresses));
        const reloaded = await ctl(managed, 'reload');
        assert.equal(reloaded.code, 0, reloaded.stderr);
        assert.equal((await get(spare)).body, 'hello');
    }
    assert.equal((await get(web)).body, 'hello');
    assert.ok(fs.existsSync(`${managed.folder}/web.sock`), "the socket's file is the manager's");
});

test('inherited sockets are kept over SIGUSR2, those without a listener too', async (t) => {
    const managed = await startManaged(t, {
        sockets: { web: '127.0.0.1:0', spare: '127.0.0.1:0' },
        yaml: (folder, { web }) => hello(web),
    });
    const { web, spare } = managed.addresses;

    for (let round = 1; round <= 2; round++) {
        process.kill(managed.mainPid(), 'SIGUSR2');
        await until(() => `another main process: ${managed.stderr}`, () => managed.heard('MAINPID=') === round, LONG);
        assert.equal((await get(web)).body, 'hello');
    }
    managed.write(hello(web, spare));
    const reloaded = await ctl(managed, 'reload');
    assert.equal(reloaded.code, 0, reloaded.stderr);
    assert.equal((await get(spare)).body, 'hello');
});

test('the unit: what systemd checks of it, and what it orders', (t) => {
    const folder = temporaryFolder(t);
    const unit = fs.readFileSync(path.join(ROOT, 'etc/systemd/turnpike.service.in'), 'utf8').replaceAll('@sbindir@', path.dirname(BINARY)).replaceAll('@sysconfdir@', '/etc');
    const file = path.join(folder, 'turnpike.service');
    fs.writeFileSync(file, unit);

    for (const line of [/^Type=notify$/m, /^WatchdogSec=/m, /^ExecReload=\S+turnpikectl reload$/m, /^#?LoadCredential=/m]) {
        assert.match(unit, line);
    }
    let said;
    try {
        said = execFileSync('systemd-analyze', ['security', '--offline=true', file], { encoding: 'utf8' });
    } catch (error) {
        if (error.code === 'ENOENT') {
            t.skip('no systemd-analyze');
            return;
        }
        throw error;
    }
    const level = Number(/Overall exposure level.*: ([0-9.]+)/.exec(said)[1]);
    assert.ok(level <= 2.0, `exposure ${level}`);
});
