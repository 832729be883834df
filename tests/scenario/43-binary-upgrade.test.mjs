// SPDX-License-Identifier: BSD-2-Clause
// SIGUSR2: a new binary serves on the same sockets, the old process finishes what it has.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { through } from './lib/configs.mjs';
import { adminIn, ctl } from './lib/control.mjs';
import { BINARY, startGateway } from './lib/gateway.mjs';
import { connect, connectLoose, head } from './lib/raw-client.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { rawOrigin } from './lib/raw-origin.mjs';
import { ownBinary, served, startsLater } from './lib/upgrade.mjs';
import { until } from './lib/wait.mjs';
import { echoWebSockets, openWebSocket } from './lib/websocket.mjs';

const GET = head('GET / HTTP/1.1', 'Host: a');

function saying(text, more = '') {
    return `routes: [{name: all, respond: {status: 200, body: "${text}"}}]\n${more}`;
}

function isThere(pid) {
    return fs.existsSync(`/proc/${pid}/fd/0`);
}

test('the new process serves on the same port, with the file as it is now', async (t) => {
    const gateway = await startGateway(t, saying('old'));
    const kept = await connect(t, gateway);
    assert.equal((await kept.ask(GET)).text, 'old');
    gateway.rewrite(saying('new'));
    const before = gateway.pid;
    await gateway.upgrade();
    await until('an answer that is the last', async () => {
        const last = await kept.ask(GET);
        assert.equal(last.text, 'old', 'its connection is with the old one');
        return last.get('connection')?.toLowerCase() === 'close';
    });
    await kept.expectClose();
    await until('the old process to end', () => !isThere(before));
    const client = await connect(t, gateway);
    assert.equal((await client.ask(GET)).text, 'new');
});

test('under load nothing is refused and nothing lost', async (t) => {
    const origin = await httpOrigin(t);
    const gateway = await startGateway(t, through(`127.0.0.1:${origin.port}`, { more: 'workers: 2' }));
    const counts = { kept: 0, short: 0, moved: 0 };
    const settled = new Set(); // lanes whose connection has carried an answer and stays open
    let over = false;
    const body = 'x'.repeat(100);
    const post = `${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 100')}${body}`;
    const busy = async (_, lane) => {
        let client = await connectLoose(gateway);
        while (!over) {
            const answer = await client.ask(post);
            assert.equal(answer.status, 200);
            counts.kept++;
            if (answer.get('connection')?.toLowerCase() === 'close') {
                counts.moved++;
                settled.delete(lane);
                await client.expectClose();
                client = await connectLoose(gateway);
            } else {
                settled.add(lane);
            }
        }
        client.destroy();
    };
    const brief = async () => {
        while (!over) {
            const client = await connectLoose(gateway);
            assert.equal((await client.ask(head('GET / HTTP/1.1', 'Host: a', 'Connection: close'))).status, 200);
            client.destroy();
            counts.short++;
        }
    };
    const lanes = Promise.all([...Array.from({ length: 8 }, busy), ...Array.from({ length: 3 }, brief)]);
    lanes.catch(() => {});
    for (let i = 0; i < 3; i++) {
        // One that connects only now could reach the new process at once, and need not move.
        await Promise.race([lanes, until('all lanes to be connected', () => settled.size === 8)]);
        const before = { ...counts };
        const old = gateway.pid;
        await gateway.upgrade();
        await Promise.race([lanes, until('the old process to end', () => !isThere(old))]);
        await Promise.race([lanes, until('traffic', () => counts.kept > before.kept + 20 && counts.short > before.short + 5)]);
    }
    over = true;
    await lanes;
    assert.ok(counts.moved >= 24, `${counts.moved} connections moved`);
});

for (const [before, after] of [[1, 3], [3, 1], [2, 5]]) {
    test(`from ${before} workers to ${after}`, async (t) => {
        const gateway = await startGateway(t, saying('ok', `workers: ${before}\n`));
        gateway.rewrite(saying('ok', `workers: ${after}\n`));
        for (let round = 0; round < 2; round++) {
            const old = gateway.pid;
            await gateway.upgrade();
            await until('the old process to end', () => !isThere(old));
            // Enough of them to reach each socket of the port.
            for (let i = 0; i < 30; i++) {
                const client = await connectLoose(gateway);
                assert.equal((await client.ask(GET)).text, 'ok');
                client.destroy();
            }
            assert.match(await gateway.reload(saying('ok', `workers: ${after}\n`)), /listeners: 1 kept/);
        }
    });
}

test('a binary that does not start changes nothing', async (t) => {
    const gateway = await startGateway(t, saying('here'), { binary: ownBinary });
    const place = path.join(gateway.folder, 'turnpike-binary');
    fs.unlinkSync(place);
    fs.writeFileSync(place, '#!/bin/sh\nexit 3\n', { mode: 0o755 });
    gateway.signal('SIGUSR2');
    await gateway.said(/ended with status 3 before it was ready; this process goes on/);
    const client = await connect(t, gateway);
    assert.equal((await client.ask(GET)).text, 'here');
    fs.unlinkSync(place);
    gateway.signal('SIGUSR2');
    await gateway.said(/cannot start .*turnpike-binary: /);
    assert.equal((await client.ask(GET)).text, 'here');
    fs.copyFileSync(BINARY, place);
    gateway.rewrite('nonsense: 1\n');
    gateway.signal('SIGUSR2');
    await gateway.said(/ended with status 1 before it was ready/);
    assert.equal((await client.ask(GET)).text, 'here');
    gateway.rewrite(saying('there'));
    await gateway.upgrade();
    const other = await connect(t, gateway);
    assert.equal((await other.ask(GET)).text, 'there');
});

test('a reload that comes while the new process starts is not lost', async (t) => {
    const gateway = await startGateway(t, saying('one'), { binary: ownBinary });
    const go = startsLater(t, gateway, (real) => `exec '${real}' "$@"`);
    gateway.signal('SIGUSR2');
    const [, child] = await gateway.said(/upgrade: started .* as process ([0-9]+)/);
    gateway.rewrite(saying('two'));
    gateway.signal('SIGHUP');
    await gateway.said(/an upgrade is under way: a reload waits for its outcome/);
    assert.deepEqual(gateway.reloads(), []);
    go();
    await gateway.said(served);
    gateway.pid = Number(child);
    await gateway.said(/a reload came meanwhile: process [0-9]+ reads the file again/);
    await until('the new process to reload', () => gateway.reloads().length === 1);
    assert.equal((await (await connect(t, gateway)).ask(GET)).text, 'two');
});

test('if the new process does not start, that reload is carried out by the old one', async (t) => {
    const gateway = await startGateway(t, saying('one'), { binary: ownBinary });
    const go = startsLater(t, gateway, () => 'exit 3');
    gateway.signal('SIGUSR2');
    await gateway.said(/upgrade: started/);
    gateway.rewrite(saying('two'));
    gateway.signal('SIGHUP');
    await gateway.said(/a reload waits for its outcome/);
    go();
    await until('the reload', () => gateway.reloads().length === 1);
    assert.equal((await (await connect(t, gateway)).ask(GET)).text, 'two');
    assert.match(await gateway.reload(saying('three')), /generation 3/);
});

test('SIGHUP to all processes of the name does not end the one that starts', async (t) => {
    const gateway = await startGateway(t, saying('one'), { binary: ownBinary });
    const go = startsLater(t, gateway, (real) => `exec '${real}' "$@"`);
    gateway.signal('SIGUSR2');
    const child = Number((await gateway.said(/upgrade: started .* as process ([0-9]+)/))[1]);
    for (const name of ['SIGHUP', 'SIGUSR1']) {
        process.kill(child, name);
    }
    go();
    await gateway.said(served);
    gateway.pid = child;
    await until('it to reload', () => gateway.reloads().length === 1);
    assert.equal((await (await connect(t, gateway)).ask(GET)).text, 'one');
});

test('not while a reload waits for its confirmation', async (t) => {
    const gateway = await startGateway(t, (folder) => saying('one', adminIn(folder)));
    gateway.rewrite((folder) => saying('two', adminIn(folder)));
    assert.equal((await ctl(gateway, 'reload', '--confirm', '60s')).code, 0);
    gateway.signal('SIGUSR2');
    await gateway.said(/SIGUSR2 is ignored: a reload is not over or not confirmed/);
    assert.equal((await ctl(gateway, 'confirm')).code, 0);
    await gateway.upgrade();
    await until('the admin socket to be the new one\'s', async () => {
        const { code, stdout } = await ctl(gateway, 'status');
        return code === 0 && new RegExp(`^pid +${gateway.pid}$`, 'm').test(stdout);
    });
    assert.equal((await (await connect(t, gateway)).ask(GET)).text, 'two');
});

test('a Unix socket keeps its file', async (t) => {
    const gateway = await startGateway(t, (folder) => saying('ok', `workers: 2\nlisteners: [{address: "unix:${folder}/socket"}]\n`));
    const file = path.join(gateway.folder, 'socket');
    const node = fs.statSync(file).ino;
    const old = gateway.pid;
    await gateway.upgrade();
    await until('the old process to end', () => !isThere(old));
    assert.equal(fs.statSync(file).ino, node);
    for (let i = 0; i < 5; i++) {
        const client = await connectLoose({ path: file });
        assert.equal((await client.ask(GET)).text, 'ok');
        client.destroy();
    }
    await gateway.stop();
    assert.ok(!fs.existsSync(file));
});

// It has inherited the sockets by then, and ends while the old process serves on them.
for (const [what, broken] of Object.entries({
    'a port that is taken': (folder, taken) => `, {address: "127.0.0.1:${taken}"}]`,
    'an access log in no folder': (folder) => `]\naccess_log: ${folder}/missing/log`,
})) {
    test(`a new process that fails over ${what} leaves the files of Unix sockets`, async (t) => {
        const taken = await rawOrigin(t, async () => {});
        const listening = (folder, rest) => saying('ok', `${adminIn(folder)}\nlisteners: [{address: "unix:${folder}/socket"}${rest}\n`);
        const gateway = await startGateway(t, (folder) => listening(folder, ']'));
        const file = path.join(gateway.folder, 'socket');
        gateway.rewrite((folder) => listening(folder, broken(folder, taken.port)));
        gateway.signal('SIGUSR2');
        await gateway.said(/ended with status 1 before it was ready; this process goes on/);
        const client = await connectLoose({ path: file });
        assert.equal((await client.ask(GET)).text, 'ok');
        client.destroy();
        assert.equal((await ctl(gateway, 'status')).code, 0);
        gateway.rewrite((folder) => listening(folder, ']'));
        const old = gateway.pid;
        await gateway.upgrade();
        await until('the old process to end', () => !isThere(old));
        assert.equal((await (await connectLoose({ path: file })).ask(GET)).text, 'ok');
        await gateway.stop();
        assert.ok(!fs.existsSync(file));
    });
}

test('downloads and WebSockets are finished by the old process', async (t) => {
    const slow = await rawOrigin(t, async (wire) => {
        await wire.request();
        wire.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n1234');
    });
    const chat = await httpOrigin(t);
    echoWebSockets(chat.server);
    const gateway = await startGateway(t, `
services: {chat: {origins: ["127.0.0.1:${chat.port}"]}, slow: {origins: ["${slow.address}"]}}
routes: [{name: slow, match: {path: /slow}, service: slow}, {name: chat, service: chat}]
`);
    const socket = await openWebSocket(t, gateway);
    const download = await connect(t, gateway);
    download.send(head('GET /slow HTTP/1.1', 'Host: a'));
    await until('the download to begin', () => slow.wires.length === 1);
    const old = gateway.pid;
    await gateway.upgrade();
    assert.equal(await socket.echo('on and on'), 'on and on');
    slow.wires[0].send('5678');
    assert.equal((await download.answer()).text, '12345678');
    assert.ok(isThere(old));
    download.destroy(); // idle now, it would have got up to timeouts.drain
    await socket.close();
    await until('the old process to end', () => !isThere(old));
});

// A WebSocket that stays, on a gateway that gives stopping and leaving these times.
async function chatting(t, times) {
    const chat = await httpOrigin(t);
    echoWebSockets(chat.server);
    const gateway = await startGateway(t, through(`127.0.0.1:${chat.port}`, { more: `timeouts: {${times}}\n` }));
    return { gateway, socket: await openWebSocket(t, gateway) };
}

async function outlasts(t, times, said) {
    const { gateway, socket } = await chatting(t, times);
    const idle = await connect(t, gateway);
    await idle.ask(GET);
    const old = gateway.pid;
    await gateway.upgrade();
    await gateway.said(said);
    await idle.closed(); // by then timeouts.drain is over, or nearly
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(await socket.echo('still there'), 'still there');
    assert.ok(isThere(old));
    await socket.close();
    await until('the old process to end', () => !isThere(old));
}

test('what is under way outlasts timeouts.drain, which is for a stop', (t) => outlasts(t, 'drain: 400ms', /leaves within 3600 s/));

test('timeouts.upgrade_drain: none lets it go on as long as it lasts', (t) =>
    outlasts(t, 'drain: 400ms, upgrade_drain: none', /leaves with its last connection/));

test('timeouts.upgrade_drain cuts what is not over by then', async (t) => {
    const { gateway, socket } = await chatting(t, 'upgrade_drain: 300ms');
    const old = gateway.pid;
    await gateway.upgrade();
    await socket.wire.closed();
    await until('the old process to end', () => !isThere(old));
});

test('SIGTERM to the process that leaves gives it timeouts.drain, a second one ends it', async (t) => {
    for (const [times, signals] of [['drain: 300ms', 1], ['drain: 1h', 2]]) {
        const { gateway, socket } = await chatting(t, times);
        const old = gateway.pid;
        await gateway.upgrade();
        assert.equal(await socket.echo('still there'), 'still there');
        process.kill(old, 'SIGTERM');
        await gateway.said(/stopping: answering what is under way/);
        if (signals > 1) {
            assert.equal(await socket.echo('still there'), 'still there');
            process.kill(old, 'SIGTERM');
        }
        await socket.wire.closed();
        await until('the old process to end', () => !isThere(old));
        assert.equal((await (await connect(t, gateway)).ask(GET)).status, 200);
    }
});

test('pid_file names the process that serves', async (t) => {
    const gateway = await startGateway(t, (folder) => saying('ok', `pid_file: ${folder}/pid\n`));
    const file = path.join(gateway.folder, 'pid');
    const read = () => Number(fs.readFileSync(file, 'utf8'));
    await until('the file', () => fs.existsSync(file));
    assert.equal(read(), gateway.pid);
    const old = gateway.pid;
    await gateway.upgrade();
    await until('the old process to end', () => !isThere(old));
    assert.notEqual(gateway.pid, old);
    assert.equal(read(), gateway.pid);
    await gateway.stop();
    assert.ok(!fs.existsSync(file));
});

// Two arms that answer for themselves, with weights that an operator may set.
function splitting(folder, more = '') {
    return `state_directory: ${folder}
services:
  old: {origins: ["127.0.0.1:1"]}
  new: {origins: ["127.0.0.1:2"]}
routes:
  - {name: shop, split: {old: 100%, new: 0%}}
${adminIn(folder)}
${more}`;
}

// The new process reads what was set at run time once; what came to the old one after that was lost.
test('an order that comes while the new process starts is refused, and carried out by the next', async (t) => {
    const gateway = await startGateway(t, splitting, { binary: ownBinary });
    const go = startsLater(t, gateway, (real) => `exec '${real}' "$@"`);
    assert.equal((await ctl(gateway, 'weight', 'shop', 'new=10')).code, 0);
    gateway.signal('SIGUSR2');
    await gateway.said(/upgrade: started/);
    for (const order of [['weight', 'shop', 'new=20'], ['weight', 'shop', 'reset'], ['drain', '127.0.0.1:2']]) {
        const { code, stderr } = await ctl(gateway, ...order);
        assert.equal(code, 1, order.join(' '));
        assert.match(stderr, /an upgrade is under way/);
        assert.match(stderr, /nothing was changed; ask again/);
    }
    go();
    const [, child] = await gateway.said(served);
    gateway.pid = Number(child);
    await until('the new process to carry out an order', async () => (await ctl(gateway, 'weight', 'shop', 'new=30')).code === 0);
    assert.match((await ctl(gateway, 'export')).stdout, /30%/);
    await gateway.said(/weight shop: .*10.*, as it was set before this start/);
});

test('if the new process does not start, the old one takes orders again', async (t) => {
    const gateway = await startGateway(t, splitting, { binary: ownBinary });
    const go = startsLater(t, gateway, () => 'exit 3');
    gateway.signal('SIGUSR2');
    await gateway.said(/upgrade: started/);
    assert.equal((await ctl(gateway, 'weight', 'shop', 'new=20')).code, 1);
    go();
    await gateway.said(/ended with status 3/);
    assert.equal((await ctl(gateway, 'weight', 'shop', 'new=20')).code, 0);
    assert.match(fs.readFileSync(path.join(gateway.folder, 'changes'), 'utf8'), /shop.*2000/);
});

test('an order that cannot be written says so, and holds once it could', async (t) => {
    const gateway = await startGateway(t, splitting);
    const obstacle = path.join(gateway.folder, 'changes.new');
    fs.mkdirSync(obstacle); // in place of a full disk
    const { code, stderr } = await ctl(gateway, 'weight', 'shop', 'new=20');
    assert.equal(code, 1);
    assert.match(stderr, /the change is in force, but could not be written to the state directory \(Is a directory\)/);
    assert.equal((await ctl(gateway, 'drain', '127.0.0.1:2')).code, 1);
    fs.rmdirSync(obstacle);
    assert.equal((await ctl(gateway, 'weight', 'shop', 'new=20')).code, 0);
    assert.match(fs.readFileSync(path.join(gateway.folder, 'changes'), 'utf8'), /shop.*2000/);
    assert.equal(gateway.stderr.match(/cannot write .*changes/g).length, 1, 'told once');
});

test('a state file that cannot be read is told', async (t) => {
    const gateway = await startGateway(t, (folder) => {
        fs.mkdirSync(path.join(folder, 'changes'));
        execFileSync('mkfifo', [path.join(folder, 'ramps')]);
        return splitting(folder);
    });
    assert.match(gateway.stderr, /cannot read .*\/changes: it is no regular file/);
    assert.match(gateway.stderr, /cannot read .*\/ramps: it is no regular file/);
});

test('a state file that cannot be read is kept aside, and not replaced by an empty one', async (t) => {
    const before = { changes: `changes\n`, ramps: 'ramps\n', 'waiting-rooms': '1 0 0 shop\n', 'pin-secret': 'secret\n', pins: 'pins\n' };
    const gateway = await startGateway(t, (folder) => {
        for (const [name, text] of Object.entries(before)) {
            // A link is not followed: what it leads to cannot be read by this name, whoever runs the test.
            fs.writeFileSync(path.join(folder, `of-${name}`), text);
            fs.symlinkSync(`of-${name}`, path.join(folder, name));
        }
        return splitting(folder);
    });
    const aside = (name) => fs.readdirSync(gateway.folder).filter((each) => each.startsWith(`${name}.unreadable-`));
    await gateway.said(/\/changes is kept as .*\/changes\.unreadable-/);
    await gateway.said(/\/ramps is kept as .*\/ramps\.unreadable-/);
    assert.equal((await ctl(gateway, 'weight', 'shop', 'new=20')).code, 0);
    await gateway.stop();
    for (const [name, text] of Object.entries(before)) {
        assert.match(gateway.stderr, new RegExp(`cannot read .*/${name}: .*; what it should hold is not in force.*let .user. read it`));
        const found = [...aside(name), name].map((each) => fs.readFileSync(path.join(gateway.folder, each), 'utf8'));
        assert.ok(found.includes(text), `${name}: ${found}`);
    }
    assert.match(fs.readFileSync(path.join(gateway.folder, 'changes'), 'utf8'), /shop.*2000/);
});
