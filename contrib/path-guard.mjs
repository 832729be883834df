// SPDX-License-Identifier: BSD-2-Clause
// The path guard before PHP and Tomcat; started by contrib/path-guard.sh. Prints how many spellings
// reached what is guarded, through the gateway and, as the measure, without one.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { defer } from '../tests/scenario/lib/cleanup.mjs';
import { temporaryFolder } from '../tests/scenario/lib/folder.mjs';
import { filesIn } from '../tests/scenario/lib/path-origins.mjs';
import { HOSTILE, SECRET, spellingsThatReach } from '../tests/scenario/lib/paths.mjs';
import { connect, head } from '../tests/scenario/lib/raw-client.mjs';
import { until } from '../tests/scenario/lib/wait.mjs';

// As Symfony and Laravel do it, once and, as some programs do, twice decoded.
const FRONT_CONTROLLER = `<?php
$names = [];
foreach ([$_SERVER['REQUEST_URI'], parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) ?: ''] as $name) {
    $once = rawurldecode(explode('?', $name)[0]);
    array_push($names, $once, '/' . ltrim($once, '/'), rawurldecode($once), str_replace('\\\\', '/', $once));
}
foreach ($names as $name) {
    $parts = [];
    foreach (explode('/', $name) as $part) {
        if ($part === '..') { array_pop($parts); } elseif ($part !== '' && $part !== '.') { $parts[] = $part; }
    }
    if ($name === '/admin/secret' || $parts === ['admin', 'secret']) { exit('${SECRET}'); }
}
echo 'another page';
`;

// A port that was free just now: neither program takes one that it chooses itself and tells.
async function freePort() {
    const { createServer } = await import('node:net');
    return new Promise((resolve) => {
        const server = createServer().listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

async function started(t, port, command, words, options = {}) {
    const child = spawn(command, words, { stdio: 'ignore', detached: true, ...options });
    defer(t, () => process.kill(-child.pid, 'SIGKILL'));
    await until(`${command} to answer`, async () => {
        try {
            return (await fetch(`http://127.0.0.1:${port}/admin/secret`)).status === 200;
        } catch {
            return false;
        }
    }, 60_000);
    return { port, address: `127.0.0.1:${port}` };
}

async function phpFiles(t) {
    const port = await freePort();
    return started(t, port, 'php', ['-S', `127.0.0.1:${port}`, '-t', filesIn(t)]);
}

async function phpFrontController(t) {
    const port = await freePort();
    const file = path.join(temporaryFolder(t, 'php-'), 'index.php');
    fs.writeFileSync(file, FRONT_CONTROLLER);
    return started(t, port, 'php', ['-S', `127.0.0.1:${port}`, file]);
}

async function tomcat(t, connector) {
    const port = await freePort();
    const base = temporaryFolder(t, 'tomcat-');
    for (const name of ['conf', 'logs', 'temp', 'work', 'webapps']) {
        fs.mkdirSync(path.join(base, name));
    }
    fs.cpSync(filesIn(t), path.join(base, 'webapps/ROOT'), { recursive: true });
    fs.copyFileSync('/etc/tomcat10/web.xml', path.join(base, 'conf/web.xml'));
    fs.writeFileSync(path.join(base, 'conf/server.xml'), `<Server port="-1"><Service name="Catalina">
<Connector port="${port}" address="127.0.0.1" protocol="HTTP/1.1" ${connector}/>
<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine>
</Service></Server>\n`);
    return started(t, port, '/usr/share/tomcat10/bin/catalina.sh', ['run'],
        { env: { ...process.env, CATALINA_HOME: '/usr/share/tomcat10', CATALINA_BASE: base } });
}

const origins = {
    'PHP, files': phpFiles,
    'PHP, front controller': phpFrontController,
    Tomcat: (t) => tomcat(t, ''),
    'Tomcat, lenient': (t) => tomcat(t, 'encodedSolidusHandling="decode" encodedReverseSolidusHandling="decode" allowBackslash="true" relaxedPathChars="\\|{}[]^&quot;"'),
};

async function countWithout(t, origin) {
    let count = 0;
    for (const target of HOSTILE) {
        const client = await connect(t, { connectOptions: { host: '127.0.0.1', port: origin.port } });
        const answer = await client.ask(head(`GET ${target} HTTP/1.1`, 'Host: a', 'Connection: close'));
        count += answer.text.includes(SECRET);
    }
    return count;
}

for (const [name, start] of Object.entries(origins)) {
    test(name, async (t) => {
        const origin = await start(t);
        const reached = await spellingsThatReach(t, origin);
        console.log(`${name}: ${reached.length} of ${HOSTILE.length} reach it, without a gateway ${await countWithout(t, origin)}`);
        assert.deepEqual(reached, []);
    });
}
