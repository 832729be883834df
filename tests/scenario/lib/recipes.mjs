// SPDX-License-Identifier: BSD-2-Clause
// Runs the files of etc/examples and the commands of doc/ as they stand, but for what belongs to a
// real machine: addresses, certificates, folders, names.
//
//     const gateway = await startRecipe(t, 'payments.yaml', { '10.0.0.11:9000': origin.address });
//     await runCommands(t, 'RECIPES.md', 'Payments', { gateway });
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './folder.mjs';
import { BINARY, runGateway, startGateway } from './gateway.mjs';
import { DEADLINE_MS, within } from './wait.mjs';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const PROGRAMS = path.dirname(BINARY);

// What every example has: where a package puts state, sockets and logs.
const FOLDERS = [
    ['/var/lib/turnpike', 'state'],
    ['/run/turnpike/admin.sock', 'admin.sock'],
    ['/var/log/turnpike/access.log', 'access.log'],
    ['0.0.0.0:9464', '127.0.0.1:0'],
    ['127.0.0.1:9464', '127.0.0.1:0'],
];

// The example's text for this machine; each thing in `changes` must stand in it.
export function recipeText(name, folder, changes) {
    let text = fs.readFileSync(path.join(ROOT, 'etc/examples', name), 'utf8');

    fs.mkdirSync(path.join(folder, 'state'), { recursive: true });
    for (const [from, to] of FOLDERS) {
        text = text.replaceAll(from, to.includes(':') ? `"${to}"` : path.join(folder, to));
    }
    for (const [from, to] of Object.entries(changes)) {
        assert.ok(text.includes(from), `${name} does not have ${from}`);
        text = text.replaceAll(from, /:[0-9]+$/.test(from) ? `"${to}"` : to);
    }
    const configuration = text.replace(/ *#.*$/gm, '');
    assert.doesNotMatch(configuration, /0\.0\.0\.0:|\b10\.0\.[0-9]+\.[0-9]+:|\.internal:|\/etc\//, `${name}: something of a real machine is left`);
    return `workers: 2\n${text}`;
}

// Checked by `turnpike -t`, then started.
export async function startRecipe(t, name, changes, options = {}) {
    const checkedIn = temporaryFolder(t);
    const checked = await runGateway(t, recipeText(name, checkedIn, changes), { args: (file) => ['-t', '-c', file] });
    assert.equal(checked.code, 0, `${name}: ${checked.stderr}`);
    assert.match(checked.stdout, /is good$/m);
    assert.doesNotMatch(checked.stderr, / (warning|error) /, `${name}: turnpike -t`);
    return startGateway(t, (folder) => recipeText(name, folder, changes), { asWritten: true, ...options });
}

// Where admin.metrics listens.
export async function metricsPort(gateway) {
    return Number((await gateway.said(/metrics at \S+:([0-9]+) \(/))[1]);
}

// Lines of the fenced `sh` blocks below a heading of a page in doc/: [{ command, says }].
export function commandsOf(page, heading) {
    const text = fs.readFileSync(path.join(ROOT, 'doc', page), 'utf8');
    const sections = text.split(/^(?=#+ )/m).filter((section) => section.slice(0, section.indexOf('\n')).replace(/^#+ /, '') === heading);
    assert.equal(sections.length, 1, `${page}: one section "${heading}"`);
    const blocks = [...sections[0].matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
    const lines = blocks.join('').split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
    assert.ok(lines.length > 0, `${page}, ${heading}: no commands`);
    return lines.map((line) => {
        const [, command, says] = /^(.*?)(?:\s{2,}# (.*))?$/.exec(line);
        return { command, says };
    });
}

export function headingsOf(page) {
    const text = fs.readFileSync(path.join(ROOT, 'doc', page), 'utf8');
    return text.split(/^(?=#+ )/m).filter((section) => /^```sh$/m.test(section)).map((section) => section.slice(0, section.indexOf('\n')).replace(/^#+ /, ''));
}

// Programs by the names that an operator uses, for one gateway: curl finds every host there.
function shims(t, { gateway, ports = {}, ca }) {
    const folder = temporaryFolder(t);
    const connect = Object.entries(ports).map(([from, { host, port }]) => `--connect-to ':${from}:${host}:${port}'`);
    const scripts = {
        curl: `exec /usr/bin/env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY -u all_proxy PATH="$REAL_PATH" curl --disable --noproxy '*' --max-time ${DEADLINE_MS / 1000} ${connect.join(' ')} ${ca ? `--cacert ${ca}` : ''} "$@"`,
        turnpikectl: `exec ${PROGRAMS}/turnpikectl -s ${gateway.folder}/admin.sock "$@"`,
        turnpike: `exec ${BINARY} "$@"`,
    };
    for (const [name, script] of Object.entries(scripts)) {
        fs.writeFileSync(path.join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    return folder;
}

function run(command, options) {
    const ran = new Promise((resolve) => {
        execFile('/bin/bash', ['-c', command], options, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, output: stdout + stderr }));
    });
    return within(() => `an end of: ${command}`, ran);
}

// options: gateway, ports ({ 443: { host, port } }: where curl's connections go), ca (that curl
// trusts), cwd, replace (names of a real machine in the commands), says (other words than the page's).
export async function runCommands(t, page, heading, options) {
    const folder = shims(t, options);
    const env = { ...process.env, REAL_PATH: process.env.PATH, PATH: `${folder}:${process.env.PATH}` };
    for (const { command, says } of commandsOf(page, heading)) {
        const real = Object.entries(options.replace ?? {}).reduce((text, [from, to]) => text.replaceAll(from, to), command);
        const { code, output } = await run(real, { env, cwd: options.cwd ?? folder });
        assert.equal(code, 0, `${page}, ${heading}: ${command}\n${output}`);
        if (says !== undefined) {
            const wanted = options.says?.[says] ?? says;
            assert.ok(output.includes(wanted), `${page}, ${heading}: ${command}\nshould say "${wanted}", and said:\n${output}`);
        }
    }
}
