// SPDX-License-Identifier: BSD-2-Clause
// `include`: files with listeners, services and routes of their own, read together with the main
// file, told by their own names, and kept with it where a configuration is kept.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { ctl } from './lib/control.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { BINARY, startGateway } from './lib/gateway.mjs';
import { connect } from './lib/raw-client.mjs';

const GET = (target) => `GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`;
const MAIN = `include: conf.d/*.yaml
listeners:
  - address: 127.0.0.1:0
`;
const says = (name, text) => `routes:\n  - {name: ${name}, match: {path: /${name}}, respond: {body: ${text}}}\n`;

function runTurnpike(args) {
    return spawnSync(BINARY, args, { encoding: 'utf8' });
}

function write(folder, files) {
    for (const [name, text] of Object.entries(files)) {
        fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
        fs.writeFileSync(path.join(folder, name), text);
    }
}

// What -t says of these files.
function checked(t, files) {
    const folder = temporaryFolder(t);
    write(folder, files);
    return { folder, ...runTurnpike(['-t', '-c', path.join(folder, 'main.yaml')]) };
}

function refused(t, files, pattern) {
    const result = checked(t, files);
    assert.equal(result.status, 1, result.stdout);
    assert.match(result.stderr.replaceAll(`${result.folder}/`, ''), pattern);
}

test('listeners, services and routes of all files are one configuration', async (t) => {
    const gateway = await startGateway(t, (folder) => {
        write(folder, {
            'conf.d/10-one.yaml': says('one', 'first'),
            'conf.d/20-two.yaml': `\uFEFF# with a mark and without an end of line\r\n${says('two', 'second').trimEnd()}`,
            'conf.d/30-three.yaml': '# nothing yet\n',
            'conf.d/40-four.yaml': 'routes: []\nservices:\n  app: {origins: ["127.0.0.1:9"]}\n',
            'conf.d/ignored.txt': 'all: wrong\n',
        });
        return `${MAIN}state_directory: ${folder}\n`;
    });
    const client = await connect(t, gateway);
    assert.equal((await client.ask(GET('/one'))).text, 'first');
    assert.equal((await client.ask(GET('/two'))).text, 'second');
    // A reload reads them again.
    fs.writeFileSync(path.join(gateway.folder, 'conf.d/20-two.yaml'), says('two', 'changed'));
    assert.match(await gateway.reload(), /generation 2/);
    assert.equal((await client.ask(GET('/two'))).text, 'changed');
    // What is wrong in one of them is told with its name, and changes nothing.
    fs.writeFileSync(path.join(gateway.folder, 'conf.d/20-two.yaml'), 'routes: [{nonsense: true}]\n');
    assert.match(await gateway.reload(), /reload failed/);
    await gateway.said(/conf\.d\/20-two\.yaml:1:11: unknown option 'nonsense'/);
    assert.equal((await client.ask(GET('/two'))).text, 'changed');
});

test('the last good configuration holds what was included', async (t) => {
    const gateway = await startGateway(t, (folder) => {
        write(folder, { 'conf.d/a.yaml': says('one', 'kept') });
        return `${MAIN}state_directory: ${folder}\n`;
    });
    await gateway.stop();
    fs.rmSync(path.join(gateway.folder, 'conf.d'), { recursive: true });
    assert.equal(runTurnpike(['-t', '-c', gateway.file]).status, 1);
    const again = await startGateway(t, 'all: wrong\n', {
        asWritten: true, args: ['-c', gateway.file, '--last-good', '--state-directory', gateway.folder] });
    assert.equal((await (await connect(t, again)).ask(GET('/one'))).text, 'kept');
});

test('what is wrong is told at its place', (t) => {
    const main = MAIN + says('main', 'x');
    refused(t, { 'main.yaml': MAIN.replace('conf.d/*.yaml', 'gone/*.yaml') }, /^main\.yaml:1:10: the folder gone, .* cannot be read\n/);
    refused(t, { 'main.yaml': MAIN.replace('conf.d/*.yaml', 'gone.yaml') }, /^main\.yaml:1:10: the included file gone\.yaml cannot be read: No such file/);
    refused(t, { 'main.yaml': MAIN.replace('conf.d/*.yaml', '[a.yaml, "*.yaml"]'), 'a.yaml': '' }, /main\.yaml:1:19: the file a\.yaml is included twice/);
    refused(t, { 'main.yaml': main, 'conf.d/a.yaml': 'workers: 2\n' }, /^conf\.d\/a\.yaml:1:1: an included file holds listeners, services and routes; put 'workers' into the main file/);
    refused(t, { 'main.yaml': main, 'conf.d/a.yaml': 'include: b.yaml\n' }, /^conf\.d\/a\.yaml:1:1: an included file holds/);
    refused(t, { 'main.yaml': main, 'conf.d/a.yaml': '- routes\n' }, /^conf\.d\/a\.yaml:1:1: an included file holds a mapping .*, not a list/);
    refused(t, { 'main.yaml': main, 'conf.d/a.yaml': '\n\nroutes: {a: b}\n' }, /^conf\.d\/a\.yaml:3:9: 'routes' expects a list, not a mapping/);
    refused(t, { 'main.yaml': main, 'conf.d/a.yaml': '\nroutes:\n\t- {}\n' }, /^conf\.d\/a\.yaml:3:1: line 3 uses a tab/);
    refused(t, { 'main.yaml': main, 'conf.d/a.yaml': '--- # included file: x\n' }, /^main\.yaml:1:10: the included file conf\.d\/a\.yaml has a line/);
});

test('what two files both say is refused with both places', (t) => {
    const main = MAIN + says('main', 'x');
    refused(t, { 'main.yaml': main, 'conf.d/a.yaml': `\n${says('main', 'y')}` }, /conf\.d\/a\.yaml:3:12: the route on line 5 is named 'main' already/);
    refused(t, { 'main.yaml': main, 'conf.d/a.yaml': says('one', 'y'), 'conf.d/b.yaml': `\n\n${says('one', 'z')}` },
        /conf\.d\/b\.yaml:4:12: the route on line 2 of conf\.d\/a\.yaml is named 'one' already/);
    const app = 'services:\n  app: {origins: ["127.0.0.1:9"]}\n';
    refused(t, { 'main.yaml': main + app, 'conf.d/a.yaml': app }, /^conf\.d\/a\.yaml:2:3: the service 'app' stands on line 7 already/);
    refused(t, { 'main.yaml': main, 'conf.d/a.yaml': app, 'conf.d/b.yaml': `# b\n${app}` },
        /^conf\.d\/b\.yaml:3:3: the service 'app' stands on line 2 of conf\.d\/a\.yaml already/);
    const listener = 'listeners:\n  - address: 127.0.0.1:7\n';
    refused(t, { 'main.yaml': main, 'conf.d/a.yaml': listener, 'conf.d/b.yaml': listener },
        /conf\.d\/b\.yaml:2:14: the listener '127\.0\.0\.1:7' stands on line 2 of conf\.d\/a\.yaml already/);
});

test('--diff and turnpikectl diff see the included files', async (t) => {
    const gateway = await startGateway(t, (folder) => {
        write(folder, { 'conf.d/a.yaml': says('one', 'here') });
        return `${MAIN}admin: {socket: ${folder}/admin.sock}\n`;
    });
    const folder = temporaryFolder(t);
    write(folder, { 'main.yaml': fs.readFileSync(gateway.file), 'conf.d/a.yaml': says('two', 'there') });
    const next = path.join(folder, 'main.yaml');
    const told = /routes: 1 added \(two\), 1 removed \(one\)/;
    assert.match(runTurnpike(['--diff', next, '-c', gateway.file]).stdout, told);
    assert.match((await ctl(gateway, 'diff', next)).stdout, told);
});
