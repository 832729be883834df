// SPDX-License-Identifier: BSD-2-Clause
// Starts the real binary with a configuration, and knows where it listens, what it said and what
// it logged. When the test is over it is asked to stop (SIGTERM) and must exit with 0; a crash
// or a sanitizer's report therefore fails the test that caused it, with all of stderr.
//
// TURNPIKE       the binary (default build/src/turnpike of this checkout)
// TURNPIKE_WRAP  a command to run it under, "valgrind -q --error-exitcode=9" say
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { defer } from './cleanup.mjs';
import { temporaryFolder } from './folder.mjs';
import { patient, until, within } from './wait.mjs';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const BINARY = path.resolve(ROOT, process.env.TURNPIKE ?? 'build/src/turnpike');
const WRAP = (process.env.TURNPIKE_WRAP ?? '').split(' ').filter((word) => word !== '');

// Memory figures mean nothing under a sanitizer or valgrind.
export const isInstrumented = WRAP.length > 0 ||
    (fs.existsSync(BINARY) && ['__asan_init', '__tsan_init'].some((name) => fs.readFileSync(BINARY).includes(name)));

const LISTENING = /^\S+ [0-9]+ info listening on (\S+) \((.+)\)$/gm;
const RELOADED = /^\S+ [0-9]+ (?:info (?:reload|roll back): generation [0-9]+: .*|error (?:reload|roll back) failed;.*)$/gm;
const READY = /^\S+ [0-9]+ info ready: ([0-9]+) workers?$/m;

// Adds what nearly every scenario wants and few want to say.
function complete(yaml, folder) {
    const lines = [];
    if (!/^workers:/m.test(yaml)) {
        lines.push('workers: 1');
    }
    if (!/^listeners:/m.test(yaml)) {
        lines.push('listeners: [{address: "127.0.0.1:0"}]');
    }
    if (!/^access_log:/m.test(yaml)) {
        lines.push(`access_log: ${folder}/access.log`);
    }
    return `${lines.join('\n')}\n${yaml}`;
}

function connectOptionsOf(actual) {
    if (actual.startsWith('unix:')) {
        return { path: actual.slice('unix:'.length) };
    }
    const parts = /^\[?([^\]]*)\]?:([0-9]+)$/.exec(actual);
    assert.ok(parts, `no address: ${actual}`);
    return { host: parts[1], port: Number(parts[2]) };
}

class Gateway {
    constructor(child, folder) {
        this.child = child;
        this.pid = child.pid;
        this.folder = folder;
        this.accessLogFile = path.join(folder, 'access.log');
        this.stderr = '';
        this.exit = null; // { code, signal } when it has ended
        this.expectsExit = false;
        child.stderr.setEncoding('utf8');
        child.stderr.on('data', (text) => (this.stderr += text));
        child.stdout.resume();
        this.exited = new Promise((resolve) => {
            child.once('close', (code, signal) => {
                this.exit = { code, signal };
                resolve(this.exit);
            });
            child.once('error', (error) => {
                this.stderr += String(error);
                this.exit = { code: -1, signal: null };
                resolve(this.exit);
            });
        });
    }

    async becomeReady() {
        await until('the gateway to be ready', () => READY.test(this.stderr) || this.exit, patient(10000)).catch((error) => {
            this.child.kill('SIGKILL');
            throw new Error(`${error.message}; stderr:\n${this.stderr}`);
        });
        assert.equal(this.exit, null, `the gateway did not start; stderr:\n${this.stderr}`);
        this.workers = Number(READY.exec(this.stderr)[1]);
        this.listeners = [...this.stderr.matchAll(LISTENING)].map(([, actual, configured]) => ({
            actual,
            configured,
            connectOptions: connectOptionsOf(actual),
            port: connectOptionsOf(actual).port,
        }));
        assert.ok(this.listeners.length > 0, `no "listening on" line; stderr:\n${this.stderr}`);
        this.connectOptions = this.listeners[0].connectOptions;
        this.port = this.listeners[0].port;
    }

    // The first listener's URL, for curl.
    url(target = '/') {
        return `http://127.0.0.1:${this.port}${target}`;
    }

    said(pattern, deadline) {
        return until(`stderr to say ${pattern}`, () => pattern.exec(this.stderr), deadline);
    }

    signal(name) {
        process.kill(this.pid, name);
    }

    // SIGUSR2: another process takes over, and this object stands for that one then.
    async upgrade() {
        const before = this.stderr.length;
        this.signal('SIGUSR2');
        const [, pid] = await until(() => `an upgrade; stderr:\n${this.stderr}`,
            () => /upgrade: process ([0-9]+) serves now/.exec(this.stderr.slice(before)), patient(15000));
        this.pid = Number(pid);
    }

    // Another configuration into the file, in one step, as a careful operator would.
    rewrite(yaml) {
        const text = typeof yaml === 'function' ? yaml(this.folder) : yaml;
        fs.writeFileSync(`${this.file}.new`, this.asWritten ? text : complete(text, this.folder));
        fs.renameSync(`${this.file}.new`, this.file);
    }

    // What each reload so far came to, a line each.
    reloads() {
        return [...this.stderr.matchAll(RELOADED)].map(([line]) => line);
    }

    // SIGHUP, with another configuration before it if there is one; the line that tells the result.
    async reload(yaml) {
        const before = this.reloads().length;
        if (yaml !== undefined) {
            this.rewrite(yaml);
        }
        this.signal('SIGHUP');
        return until(() => `a reload to end; stderr:\n${this.stderr}`, () => this.reloads()[before]);
    }

    // Entries of the access log so far; an unfinished last line waits.
    entries(file = this.accessLogFile) {
        const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
        const whole = text.slice(0, text.lastIndexOf('\n') + 1);
        return whole.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
    }

    // Waits until the log holds `count` entries (or satisfies a function), and returns them.
    async logged(wanted = 1, file) {
        const enough = typeof wanted === 'function' ? wanted : (entries) => entries.length >= wanted;
        let entries;
        await until(`access log to hold ${wanted}`, () => {
            entries = this.entries(file);
            return enough(entries);
        });
        return entries;
    }

    // Resident memory in bytes: now, and the most there ever was.
    memory() {
        const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');
        const field = (name) => Number(new RegExp(`^${name}:\\s+([0-9]+) kB`, 'm').exec(status)[1]) * 1024;
        return { now: field('VmRSS'), most: field('VmHWM') };
    }

    // Processor time used so far, in milliseconds (clock ticks of 10 ms).
    processorTime() {
        const fields = fs.readFileSync(`/proc/${this.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
        return (Number(fields[11]) + Number(fields[12])) * 10;
    }

    descriptors() {
        return fs.readdirSync(`/proc/${this.pid}/fd`).length;
    }

    // SIGKILL, as from the kernel when memory is short: nothing can be put in order any more.
    async crash() {
        this.expectsExit = true;
        this.signal('SIGKILL');
        await within('the gateway to be gone', this.exited);
    }

    // SIGTERM; must end with 0 before the deadline.
    async stop(deadline = patient(10000)) {
        if (!this.exit) {
            this.signal('SIGTERM'); // of an upgraded one the exit is that of the last to go
        }
        try {
            await within('the gateway to stop after SIGTERM', this.exited, deadline);
        } catch (error) {
            this.signal('SIGKILL');
            this.child.kill('SIGKILL');
            await this.exited;
            throw new Error(`${error.message}; stderr:\n${this.stderr}`);
        }
        if (!this.expectsExit) {
            assert.ok(this.exit.code === 0, `the gateway ended with code ${this.exit.code}, signal ${this.exit.signal}; stderr:\n${this.stderr}`);
        }
    }
}

function launch(folder, file, { wrap = [], args = ['-c', file], env = {}, binary = BINARY }) {
    const [command, ...rest] = [...wrap, ...WRAP, typeof binary === 'function' ? binary(folder) : binary, ...args];
    return spawn(command, rest, {
        cwd: folder,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
    });
}

// options: wrap (a command before the binary), env, asWritten (add nothing to the YAML).
export async function startGateway(t, yaml, options = {}) {
    const folder = temporaryFolder(t);
    const text = typeof yaml === 'function' ? yaml(folder) : yaml;
    const file = path.join(folder, 'turnpike.yaml');
    fs.writeFileSync(file, options.asWritten ? text : complete(text, folder));
    const gateway = new Gateway(launch(folder, file, options), folder);
    gateway.file = file;
    gateway.asWritten = options.asWritten;
    defer(t, () => gateway.stop());
    await gateway.becomeReady();
    return gateway;
}

// Runs the binary to its end: for -t and for configurations that must not start.
export async function runGateway(t, yaml, { args, ...options } = {}) {
    const folder = temporaryFolder(t);
    const file = path.join(folder, 'turnpike.yaml');
    fs.writeFileSync(file, yaml);
    const child = launch(folder, file, { ...options, args: args ? args(file) : ['-c', file] });
    defer(t, () => child.kill('SIGKILL'));
    const result = { file, stdout: '', stderr: '', code: null, signal: null };
    child.stdout.setEncoding('utf8').on('data', (part) => (result.stdout += part));
    child.stderr.setEncoding('utf8').on('data', (part) => (result.stderr += part));
    const closed = new Promise((resolve, reject) => {
        child.once('close', (code, signal) => resolve({ code, signal }));
        child.once('error', reject);
    });
    Object.assign(result, await within(() => `the binary to exit; stderr:\n${result.stderr}`, closed));
    return result;
}
