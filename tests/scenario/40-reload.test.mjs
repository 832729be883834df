// SPDX-License-Identifier: BSD-2-Clause
// SIGHUP: another configuration is taken up, and connected clients do not notice.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { adminIn, ctl, metricsOf, valueOf } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { BINARY, isInstrumented, startGateway } from './lib/gateway.mjs';
import { linuxOnly } from './lib/linux-only.mjs';
import { connect, head } from './lib/raw-client.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { until } from './lib/wait.mjs';

const GET = head('GET / HTTP/1.1', 'Host: a');

function saying(text, more = '') {
    return `routes: [{name: all, respond: {status: 200, body: "${text}"}}]\n${more}`;
}

test('the next request on the same connection sees the new configuration', async (t) => {
    const gateway = await startGateway(t, saying('one'));
    const client = await connect(t, gateway);
    assert.equal((await client.ask(GET)).text, 'one');
    assert.match(await gateway.reload(saying('two')), /generation 2: .*routes: 1 changed \(all\)/);
    assert.equal((await client.ask(GET)).text, 'two');
});

test('a request under way ends as it began', async (t) => {
    const slow = await rawOrigin(t, async (wire) => {
        await wire.request();
    });
    const gateway = await startGateway(t, through(slow));
    const client = await connect(t, gateway);
    client.send(GET);
    await until('the origin to have it', () => slow.requests.length === 1);
    await gateway.reload(saying('new'));
    const other = await connect(t, gateway);
    assert.equal((await other.ask(GET)).text, 'new');
    slow.wires[0].ok('from the removed origin');
    assert.equal((await client.answer()).text, 'from the removed origin');
    assert.equal((await client.ask(GET)).text, 'new');
});

test('a bad file changes nothing, and all its errors are told', async (t) => {
    const gateway = await startGateway(t, saying('good'));
    const client = await connect(t, gateway);
    const line = await gateway.reload(saying('bad', 'unheard: 1\nof: 2\n'));
    assert.match(line, /reload failed; the configuration stays as it is/);
    await gateway.said(/unknown option 'unheard'/);
    await gateway.said(/unknown option 'of'/);
    assert.equal((await client.ask(GET)).text, 'good');
    assert.match(await gateway.reload(saying('better')), /generation 2/);
    assert.equal((await client.ask(GET)).text, 'better');
});

test('bad files leave no memory behind', { skip: isInstrumented && 'figures mean nothing under a sanitizer' }, async (t) => {
    const routes = Array.from({ length: 300 }, (_, i) => `  - {name: r${i}, match: {path: /${i}}, respond: {}, of${i}: 1}\n`);
    const gateway = await startGateway(t, saying('good'));
    const reload = async () => assert.match(await gateway.reload(`routes:\n${routes.join('')}`), /reload failed/);
    for (let i = 0; i < 5; i++) {
        await reload();
    }
    const before = gateway.memory().now;
    for (let i = 0; i < 50; i++) {
        await reload();
    }
    // Each takes some 300 kB while it is read.
    await until(() => `${before} bytes again, from ${gateway.memory().now}`, () => gateway.memory().now < before + 256 * 1024);
});

test('a file that is gone changes nothing', async (t) => {
    const gateway = await startGateway(t, saying('still here'));
    fs.unlinkSync(gateway.file);
    assert.match(await gateway.reload(), /reload failed/);
    const client = await connect(t, gateway);
    assert.equal((await client.ask(GET)).text, 'still here');
});

test('a port that is taken is told, however long the name of the file is', async (t) => {
    const holder = await rawOrigin(t, async () => {});
    const file = `${temporaryFolder(t)}/${'./'.repeat(200)}turnpike.yaml`;
    const text = (more) => `listeners: [{address: "127.0.0.1:0"}${more}]\n${saying('one')}`;
    fs.writeFileSync(file, text(''));
    const gateway = await startGateway(t, '', { asWritten: true, args: ['-c', file] });
    gateway.file = file;
    assert.match(await gateway.reload(text(`, {address: "${holder.address}"}`)), /reload failed/);
    await gateway.said(/cannot listen on 127\.0\.0\.1:\d+: Address already in use/);
    assert.equal((await (await connect(t, gateway)).ask(GET)).text, 'one');
});

test('a pipe without a writer holds no reload up', async (t) => {
    const gateway = await startGateway(t, saying('still here'));
    fs.unlinkSync(gateway.file);
    assert.equal(spawnSync('mkfifo', [gateway.file]).status, 0);
    assert.match(await gateway.reload(), /reload failed/);
    await gateway.said(/the file is empty/);
    assert.equal((await (await connect(t, gateway)).ask(GET)).text, 'still here');
});

test('a pipe that is held open in silence holds neither a reload nor the stop up', async (t) => {
    const gateway = await startGateway(t, saying('still here'));
    fs.unlinkSync(gateway.file);
    assert.equal(spawnSync('mkfifo', [gateway.file]).status, 0);
    const writer = fs.openSync(gateway.file, 'r+');
    t.after(() => fs.closeSync(writer));
    assert.match(await gateway.reload(), /reload failed/);
    await gateway.said(/it is a pipe, and its writer keeps it open without writing/);
    assert.equal((await (await connect(t, gateway)).ask(GET)).text, 'still here');
    await gateway.stop();
});

test('idle connections to origins that stay are used again', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    for (let i = 0; i < 5; i++) {
        assert.equal((await client.ask(GET)).status, 200);
        await gateway.reload(through(origin, { service: i % 2 ? 'pool: {max_idle: 9}' : '' }));
    }
    assert.equal(origin.wires.length, 1);
    assert.equal(origin.requests.length, 5);
});

test('connections to an origin that is gone are closed', async (t) => {
    const origin = await rawOrigin(t);
    const gateway = await startGateway(t, through(origin));
    const client = await connect(t, gateway);
    assert.equal((await client.ask(GET)).status, 200);
    await gateway.reload(saying('without it'));
    await origin.wires[0].expectClose();
});

test('what cannot change is told and stays', async (t) => {
    const gateway = await startGateway(t, saying('one'));
    assert.match(await gateway.reload(saying('two', 'workers: 3\ncore_dumps: true\n')), /generation 2/);
    await gateway.said(/'workers' changed; restart to apply/);
    await gateway.said(/'core_dumps' changed; restart to apply/);
    assert.equal(fs.readdirSync(`/proc/${gateway.pid}/task`).length, 4, 'main, one worker, both logs');
});

test('the last good file is kept, with a log of who did what', async (t) => {
    const gateway = await startGateway(t, (folder) => saying('one', `state_directory: ${folder}\n`));
    const kept = path.join(gateway.folder, 'last-good.yaml');
    const first = fs.readFileSync(gateway.file, 'utf8');
    assert.equal(fs.readFileSync(kept, 'utf8'), first);
    await gateway.reload((folder) => saying('two', `state_directory: ${folder}\n`));
    const second = fs.readFileSync(gateway.file, 'utf8');
    assert.equal(fs.readFileSync(kept, 'utf8'), second);
    await gateway.reload('nonsense: true');
    assert.equal(fs.readFileSync(kept, 'utf8'), second);
    const entries = fs.readFileSync(path.join(gateway.folder, 'audit.log'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(entries.map((each) => [each.action, each.result, each.by]), [
        ['start', 'ok', 'gateway'], ['reload', 'ok', 'signal'], ['reload', 'failed', 'signal']]);
    assert.equal(entries[1].pid, process.pid);
    assert.equal(entries[1].uid, process.getuid());
    assert.equal(entries[1].before, entries[0].after);
    assert.match(entries[1].change, /routes: 1 changed/);
    assert.match(entries[2].why, /nonsense/);
    assert.match(entries[2].after, /^[0-9a-f]{64}$/);
    // Put aside, as log rotation does: the next line begins a new one.
    const log = path.join(gateway.folder, 'audit.log');
    fs.renameSync(log, `${log}.1`);
    await gateway.reload((folder) => saying('three', `state_directory: ${folder}\n`));
    await until('a new audit log', () => fs.existsSync(log) && fs.readFileSync(log, 'utf8').endsWith('\n'));
    assert.match(fs.readFileSync(log, 'utf8'), /^\{.*"action": "reload", "result": "ok".*\}\n$/);
    assert.equal(fs.readFileSync(`${log}.1`, 'utf8').trim().split('\n').length, 3);
});

// Runs the binary with these arguments to its end.
function runTurnpike(args, env = {}) {
    return spawnSync(BINARY, args, { encoding: 'utf8', env: { ...process.env, ...env }, timeout: 20000 });
}

test('--diff says beforehand what a reload would change', async (t) => {
    const gateway = await startGateway(t, saying('one'));
    const next = path.join(gateway.folder, 'next.yaml');
    gateway.rewrite(saying('two', 'via: else\n'));
    fs.copyFileSync(gateway.file, next);
    gateway.rewrite(saying('one'));
    const { status, stdout } = runTurnpike(['--diff', next, '-c', gateway.file]);
    assert.equal(status, 0);
    const lines = stdout.trim().split('\n');
    assert.deepEqual(lines.slice(0, -1), ['~ route all', '+ option via', 'via absent -> else', 'all: respond.body one -> two']);
    fs.renameSync(next, gateway.file);
    assert.ok((await gateway.reload()).endsWith(lines.at(-1)), 'the reload says the same');
    fs.writeFileSync(next, 'no: thing\n');
    assert.equal(runTurnpike(['--diff', next, '-c', gateway.file]).status, 1);
});

test('--last-good starts with the last good file when the given one is bad', async (t) => {
    const gateway = await startGateway(t, (folder) => saying('good', `state_directory: ${folder}\n`));
    await gateway.stop();
    fs.writeFileSync(gateway.file, 'all: wrong\n');
    assert.equal(runTurnpike(['-c', gateway.file]).status, 1);
    const args = (file) => ['-c', file, '--last-good', '--state-directory', gateway.folder];
    const again = await startGateway(t, 'all: wrong\n', { asWritten: true, args: args(gateway.file) });
    await again.said(/is bad: starting with the last good configuration/);
    assert.equal((await (await connect(t, again)).ask(GET)).text, 'good');
    // The file given is the one that SIGHUP reads.
    again.file = gateway.file;
    assert.match(await again.reload(), /reload failed/);
    fs.writeFileSync(gateway.file, fs.readFileSync(path.join(gateway.folder, 'last-good.yaml'), 'utf8').replace('good', 'better'));
    assert.match(await again.reload(), /generation 2/);
    assert.equal((await (await connect(t, again)).ask(GET)).text, 'better');
});

test('a bad file that still names its state directory is read that far', async (t) => {
    const gateway = await startGateway(t, (folder) => saying('good', `state_directory: ${folder}\n`));
    await gateway.stop();
    const bad = `state_directory: "${gateway.folder}" # here\nroutes: [\n`;
    fs.writeFileSync(gateway.file, bad);
    const again = await startGateway(t, bad, { asWritten: true, args: ['-c', gateway.file, '--last-good'] });
    assert.equal((await (await connect(t, again)).ask(GET)).text, 'good');
});

test('a bad last good file does not start either', (t) => {
    const folder = temporaryFolder(t);
    fs.writeFileSync(path.join(folder, 'bad.yaml'), 'all: wrong\n');
    fs.writeFileSync(path.join(folder, 'last-good.yaml'), 'also: wrong\n');
    const { status, stderr } = runTurnpike(['-c', path.join(folder, 'bad.yaml'), '--last-good'], { STATE_DIRECTORY: folder });
    assert.equal(status, 1);
    assert.match(stderr, /unknown option 'all'/);
    assert.match(stderr, /unknown option 'also'/);
    assert.match(stderr, /--state-directory DIR says where else/);
});

test(...linuxOnly('an unconfirmed reload goes back, with listeners and all'), async (t) => {
    const admin = (folder, more = '') => `${adminIn(folder)}\nstate_directory: ${folder}\n${more}`;
    const gateway = await startGateway(t, (folder) => saying('before', admin(folder)));
    const client = await connect(t, gateway);
    const before = fs.readFileSync(gateway.file, 'utf8');
    gateway.rewrite((folder) => saying('after', admin(folder, 'listeners: [{address: "127.0.0.1:0"}, {address: "127.0.0.2:0"}]')));
    const asked = ctl(gateway, 'reload', '--confirm', '1s');
    assert.equal((await asked).code, 0);
    assert.equal((await client.ask(GET)).text, 'after');
    assert.equal(fs.readFileSync(path.join(gateway.folder, 'last-good.yaml'), 'utf8'), before, 'not good yet');
    assert.match(await gateway.reload(), /reload failed/, 'one at a time');
    await gateway.said(/not confirmed in time: going back/);
    await gateway.said(/roll back: generation 3: listeners: 1 removed \(127\.0\.0\.2:0\), 1 kept/);
    assert.equal((await client.ask(GET)).text, 'before');
    const entries = fs.readFileSync(path.join(gateway.folder, 'audit.log'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(entries.map((each) => [each.action, each.result, each.by]), [
        ['start', 'ok', 'gateway'], ['reload', 'ok', 'admin'], ['reload', 'failed', 'signal'], ['roll back', 'ok', 'gateway']]);
    assert.equal(entries[1].uid, process.getuid());
    assert.match(entries[1].change, /goes back unless confirmed within 1 s/);
    assert.equal(entries[3].after, entries[0].after);
});

test('the same file, taken up on trial and gone back from, is what runs', async (t) => {
    const config = (text) => (folder) => saying(text, adminIn(folder));
    const gateway = await startGateway(t, config('one'));
    const stale = async () => valueOf(await metricsOf(gateway), 'turnpike_config_stale');
    assert.equal((await ctl(gateway, 'reload', '--confirm', '60s')).code, 0);
    assert.equal((await ctl(gateway, 'cancel')).code, 0);
    assert.equal(await stale(), 0);
    gateway.rewrite(config('two'));
    assert.equal((await ctl(gateway, 'reload', '--confirm', '60s')).code, 0);
    assert.equal((await ctl(gateway, 'cancel')).code, 0);
    assert.equal(await stale(), 1);
});

test('a confirmed reload stays, a cancelled one goes at once', async (t) => {
    const gateway = await startGateway(t, (folder) => saying('one', `${adminIn(folder)}\nstate_directory: ${folder}\n`));
    const client = await connect(t, gateway);
    gateway.rewrite((folder) => saying('two', `${adminIn(folder)}\nstate_directory: ${folder}\n`));
    assert.equal((await ctl(gateway, 'reload', '--confirm', '60s')).code, 0);
    assert.equal((await ctl(gateway, 'confirm')).code, 0);
    assert.equal(fs.readFileSync(path.join(gateway.folder, 'last-good.yaml'), 'utf8'), fs.readFileSync(gateway.file, 'utf8'));
    assert.equal((await client.ask(GET)).text, 'two');
    assert.notEqual((await ctl(gateway, 'cancel')).code, 0, 'nothing waits any more');
    gateway.rewrite((folder) => saying('three', `${adminIn(folder)}\nstate_directory: ${folder}\n`));
    assert.equal((await ctl(gateway, 'reload', '--confirm', '60s')).code, 0);
    assert.equal((await client.ask(GET)).text, 'three');
    assert.equal((await ctl(gateway, 'cancel')).code, 0);
    assert.equal((await client.ask(GET)).text, 'two');
});
