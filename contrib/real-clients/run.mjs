// SPDX-License-Identifier: BSD-2-Clause
// The rows of contrib/real-clients.sh, which installs what they need: each program runs once
// directly and once through the gateway, and says what it counted. REAL_CLIENTS is the folder that
// the script prepared (npm packages, built clients).
import { execFile, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gitBackend } from '../../tests/scenario/lib/git-backend.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const FOLDER = process.env.REAL_CLIENTS;
const PAUSE_MS = 45_000;
const load = createRequire(path.join(FOLDER, 'package.json'));
const children = [];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// --- programs ---------------------------------------------------------------------------------

// What a program wrote; its exit status, where it is not 0, stands before it.
function run(program, words, options = {}) {
    return new Promise((resolve) => {
        execFile(program, words, { timeout: 300_000, maxBuffer: 1 << 28, ...options }, (error, out, err) => {
            resolve({ status: error ? (error.code ?? error.signal) : 0, out: `${out}`, err: `${err}` });
        });
    });
}

// A server that runs until the end, once its port accepts.
async function start(program, words, port, options = {}) {
    const log = fs.openSync(path.join(FOLDER, `${path.basename(program)}-${port}.log`), 'w');
    const child = spawn(program, words, { stdio: ['ignore', log, log], ...options });
    child.on('error', () => {});
    children.push(child);
    for (let i = 0; i < 600; i++) {
        const open = await new Promise((resolve) => {
            const socket = net.connect(port, '127.0.0.1', () => resolve(true));
            socket.on('connect', () => socket.destroy());
            socket.on('error', () => resolve(false));
        });
        if (open) {
            return;
        }
        await pause(100);
    }
    throw new Error(`${program} does not listen on ${port}`);
}

function freePort() {
    return new Promise((resolve) => {
        const server = net.createServer().listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

async function listen(server) {
    await new Promise((resolve) => server.listen(0, '127.0.0.1', 4096, resolve));
    server.unref();
    return server.address().port;
}

// --- origins: each gives its port ------------------------------------------------------------------

async function plainOrigin() {
    const streams = new Set();
    const server = http.createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 600_000 });
    server.on('request', async (asked, answer) => {
        const [, what, size] = asked.url.split('/');
        if (what === 'bytes') {
            answer.setHeader('Content-Length', size);
            answer.end(Buffer.alloc(Number(size), 'x'));
        } else if (what === 'chunks') {
            for (let i = 0; i < 50; i++) {
                answer.write(`piece ${i}\n`);
            }
            answer.end();
        } else if (what === 'moved') {
            answer.writeHead(302, { Location: '/bytes/50' }).end();
        } else if (what === 'length') {
            let length = 0;
            for await (const bytes of asked) {
                length += bytes.length;
            }
            answer.end('x'.repeat(Math.min(length, 1_000_100) % 65_536));
        } else if (what === 'echo') {
            answer.writeHead(200);
            answer.flushHeaders();
            asked.pipe(answer);
        } else if (what === 'events') {
            answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
            answer.flushHeaders();
            streams.add(answer);
            answer.on('close', () => streams.delete(answer));
        } else {
            answer.writeHead(404).end('no');
        }
    });
    const port = await listen(server);
    return { port, streams };
}

async function davOrigin() {
    const port = await freePort();
    const root = path.join(FOLDER, 'dav');
    fs.mkdirSync(path.join(root, 'files'), { recursive: true });
    fs.chmodSync(FOLDER, 0o755);
    const modules = ['mpm_event', 'authz_core', 'dav', 'dav_fs', 'unixd', 'mime', 'setenvif']
        .map((name) => [name, `/usr/lib/apache2/modules/mod_${name}.so`])
        .filter(([, file]) => fs.existsSync(file))
        .map(([name, file]) => `LoadModule ${name}_module ${file}`);
    fs.writeFileSync(path.join(root, 'conf'), `ServerRoot ${root}
${modules.join('\n')}
Listen 127.0.0.1:${port}
ServerName 127.0.0.1
PidFile ${root}/pid
ErrorLog ${root}/error.log
TypesConfig /dev/null
DavLockDB ${root}/locks
DocumentRoot ${root}/files
<Directory ${root}/files>
    Dav On
    Require all granted
</Directory>
${process.getuid() === 0 ? 'User www-data\nGroup www-data' : ''}
`);
    await run('chown', ['-R', 'www-data', root]);
    await start('/usr/sbin/apache2', ['-f', path.join(root, 'conf'), '-DFOREGROUND'], port, {});
    return { port };
}

async function gitOrigin() {
    const root = path.join(FOLDER, 'git');
    fs.mkdirSync(root);
    return { port: await listen(http.createServer({ requestTimeout: 0 }, gitBackend(root))), root };
}

async function webSocketOrigin() {
    const { WebSocketServer } = load('ws');
    const server = http.createServer();
    const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } });
    sockets.on('connection', (socket) => {
        socket.on('message', (data, isBinary) => {
            const text = String(data);
            const [, code] = /^close ([0-9]+)$/.exec(text) ?? [];
            if (code) {
                socket.close(Number(code), `reason ${code}`);
            } else {
                socket.send(data, { binary: isBinary });
            }
        });
    });
    return { port: await listen(server) };
}

async function socketIoOrigin() {
    const { Server } = load('socket.io');
    const server = http.createServer();
    const io = new Server(server);
    io.on('connection', (socket) => socket.on('say', (text, reply) => reply(text)));
    return { port: await listen(server) };
}

async function npmOrigin() {
    const port = await freePort();
    const root = path.join(FOLDER, 'verdaccio');
    fs.mkdirSync(root);
    fs.writeFileSync(path.join(root, 'config.yaml'), `storage: ${root}/storage
auth: {htpasswd: {file: ${root}/htpasswd}}
packages: {"**": {access: $all, publish: $anonymous, unpublish: $anonymous}}
log: {type: stdout, format: json, level: error}
`);
    await start(path.join(FOLDER, 'node_modules/.bin/verdaccio'),
        ['-c', path.join(root, 'config.yaml'), '-l', `127.0.0.1:${port}`], port);
    return { port };
}

async function containerOrigin() {
    const port = await freePort();
    const root = path.join(FOLDER, 'registry');
    fs.mkdirSync(root);
    fs.writeFileSync(path.join(root, 'config.yml'),
        `version: 0.1\nstorage: {filesystem: {rootdirectory: ${root}/data}}\nhttp: {addr: "127.0.0.1:${port}"}\n`);
    await start('docker-registry', ['serve', path.join(root, 'config.yml')], port);
    return { port };
}

// --- rows: what each counts at a port --------------------------------------------------------------

async function litmus({ port }) {
    const { out, err } = await run('litmus', [`http://127.0.0.1:${port}/`], { cwd: fs.mkdtempSync(path.join(FOLDER, 'litmus-')) });
    return [...out.matchAll(/summary for `([a-z]+)': of ([0-9]+) tests run: ([0-9]+) passed, ([0-9]+) failed/g)]
        .map(([, name, , passed, failed]) => `${name} ${passed}+${failed}`).join(' ') || err.slice(0, 200);
}

let repositories = 0;

async function git({ port, root }) {
    const number = repositories++;
    const at = (name) => path.join(FOLDER, `git-${number}-${name}`);
    const url = `http://127.0.0.1:${port}/${number}.git`;
    const env = { PATH: process.env.PATH, HOME: FOLDER, GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' };
    const settings = ['user.name=A', 'user.email=a@example', 'gc.auto=0', 'init.defaultBranch=main'];
    const words = [];
    const ask = async (cwd, ...what) => {
        const { status } = await run('git', [...settings.flatMap((each) => ['-c', each]), ...what], { cwd, env });
        words.push(`${what[0]}:${status}`);
    };
    const commit = async (name, bytes) => {
        fs.writeFileSync(path.join(at('work'), name), bytes);
        await ask(at('work'), 'add', '.');
        await ask(at('work'), 'commit', '-qm', name);
    };
    fs.mkdirSync(at('work'));
    await ask(root, 'init', '-q', '--bare', `${number}.git`);
    await ask(at('work'), 'init', '-q');
    await commit('noise', crypto.randomBytes(100_000_000));
    await ask(at('work'), 'push', '-q', url, 'main');
    await ask(FOLDER, 'clone', '-q', url, at('clone'));
    await commit('second', 'two');
    await ask(at('work'), 'push', '-q', url, 'main');
    await ask(at('clone'), 'fetch', '-q', 'origin');
    await ask(FOLDER, 'clone', '-q', '--depth', '1', url, at('shallow'));
    const count = async (name, what) => (await run('git', ['rev-list', '--count', what], { cwd: at(name), env })).out.trim();
    words.push(`commits:${await count('clone', 'origin/main')}+${await count('shallow', 'HEAD')}`);
    ['work', 'clone', 'shallow'].forEach((name) => fs.rmSync(at(name), { recursive: true }));
    return words.join(' ');
}

async function webSocket({ port }) {
    const WebSocket = load('ws');
    const open = () => new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: { threshold: 0 } });
        socket.once('open', () => resolve(socket));
        socket.once('error', reject);
    });
    const socket = await open();
    let same = 0;
    for (let i = 0; i < 1000; i++) {
        const sent = i % 2 === 0 ? `message ${i} ${'text '.repeat(i)}` : crypto.randomBytes(i * 20);
        const back = new Promise((resolve) => socket.once('message', resolve));
        socket.send(sent);
        same += Buffer.from(sent).equals(await back);
    }
    socket.terminate();
    const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
    const seen = [];
    for (const code of codes) {
        const closing = await open();
        const closed = new Promise((resolve) => closing.once('close', (with_, why) => resolve(`${with_}${String(why) === `reason ${code}` ? '' : '!'}`)));
        closing.send(`close ${code}`);
        seen.push(await closed);
    }
    return `${same} messages, closes ${seen.join(' ')}, deflate ${socket.extensions !== '' ? 'yes' : 'no'}`;
}

async function socketIo({ port }) {
    const { io } = load('socket.io-client');
    const words = [];
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
        const socket = io(`http://127.0.0.1:${port}`, { transports, forceNew: true, reconnection: false });
        let same = 0;
        await new Promise((resolve, reject) => {
            socket.once('connect', resolve);
            socket.once('connect_error', reject);
        });
        for (let i = 0; i < 100; i++) {
            same += (await socket.emitWithAck('say', `message ${i}`)) === `message ${i}`;
        }
        socket.disconnect();
        words.push(`${transports.join('+')} ${same}`);
    }
    return words.join(', ');
}

const STREAMS = 1000;
const latencies = { direct: 0, through: 0 };

async function eventStreams({ port, streams }, through) {
    const delays = [];
    const asked = [];
    let held = 0;
    for (let i = 0; i < STREAMS; i++) {
        asked.push(http.get({ port, host: '127.0.0.1', path: '/events', agent: false }, (answer) => {
            held++;
            answer.on('data', (bytes) => {
                const now = process.hrtime.bigint();
                for (const [, at] of String(bytes).matchAll(/data: ([0-9]+)/g)) {
                    delays.push(Number(now - BigInt(at)) / 1e6);
                }
            });
            answer.on('error', () => {});
        }).on('error', () => {}));
    }
    for (let i = 0; i < 300 && held < STREAMS; i++) {
        await pause(100);
    }
    // A few at a time: what is measured is the way, not how long a thousand writes take.
    const all = [...streams];
    for (let at = 0; at < 5 * all.length; at += 10) {
        for (let i = at; i < at + 10; i++) {
            all[i % all.length].write(`data: ${process.hrtime.bigint()}\n\n`);
        }
        await pause(2);
    }
    await pause(1000);
    asked.forEach((each) => each.destroy());
    for (let i = 0; i < 50 && streams.size > 0; i++) {
        await pause(20);
    }
    delays.sort((a, b) => a - b);
    latencies[through ? 'through' : 'direct'] = delays[Math.floor(delays.length * 0.99)];
    return `${held} streams, ${delays.length} events, ${streams.size} left at the origin`;
}

let published = 0;

async function npm({ port }) {
    const number = published++;
    const registry = `http://127.0.0.1:${port}/`;
    const made = path.join(FOLDER, `package-${number}`);
    const used = path.join(FOLDER, `used-${number}`);
    const env = { ...process.env, npm_config_cache: path.join(FOLDER, `cache-${number}`) };
    fs.mkdirSync(made);
    fs.mkdirSync(used);
    fs.writeFileSync(path.join(made, '.npmrc'), `registry=${registry}\n//127.0.0.1:${port}/:_authToken=none\n`);
    fs.writeFileSync(path.join(made, 'package.json'), JSON.stringify({ name: `sample-${number}`, version: '1.0.0' }));
    fs.writeFileSync(path.join(made, 'data.bin'), crypto.randomBytes(3_000_000));
    fs.writeFileSync(path.join(used, 'package.json'), '{}');
    const publish = await run('npm', ['publish', '--silent'], { cwd: made, env });
    const install = await run('npm', ['install', '--silent', `--registry=${registry}`, `sample-${number}`], { cwd: used, env });
    const came = path.join(used, 'node_modules', `sample-${number}`, 'data.bin');
    const same = fs.existsSync(came) && fs.readFileSync(came).equals(fs.readFileSync(path.join(made, 'data.bin')));
    return `publish ${publish.status}, install ${install.status}, ${same ? 'same' : 'not the same'}`;
}

// An image of one layer, in the layout that skopeo calls oci:.
function makeImage(folder) {
    const blobs = path.join(folder, 'blobs/sha256');
    const put = (bytes, mediaType) => {
        const hash = crypto.createHash('sha256').update(bytes).digest('hex');
        fs.writeFileSync(path.join(blobs, hash), bytes);
        return { mediaType, digest: `sha256:${hash}`, size: bytes.length };
    };
    fs.mkdirSync(blobs, { recursive: true });
    fs.writeFileSync(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    const layer = put(crypto.randomBytes(20_000_000), 'application/vnd.oci.image.layer.v1.tar');
    const config = put(Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [layer.digest] } })), 'application/vnd.oci.image.config.v1+json');
    const manifest = put(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers: [layer] })), 'application/vnd.oci.image.manifest.v1+json');
    fs.writeFileSync(path.join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'one' } }] }));
}

let images = 0;

async function skopeo({ port }) {
    const number = images++;
    const made = path.join(FOLDER, `image-${number}`);
    const back = path.join(FOLDER, `back-${number}`);
    const at = `docker://127.0.0.1:${port}/sample-${number}:one`;
    makeImage(made);
    const words = ['--insecure-policy', 'copy', '-q', '--dest-tls-verify=false', '--src-tls-verify=false', '--dest-oci-accept-uncompressed-layers'];
    const push = await run('skopeo', [...words, `oci:${made}:one`, at]);
    const pull = await run('skopeo', [...words, at, `oci:${back}:one`]);
    const blobs = (folder) => (fs.existsSync(folder) ? fs.readdirSync(path.join(folder, 'blobs/sha256')).length : 0);
    return `push ${push.status}, pull ${pull.status}, ${blobs(back)} blobs`;
}

// --- eight libraries against the plain origin ----------------------------------------------------

const PATHS = [...Array(20).fill('/bytes/100'), '/bytes/10000000', '/chunks', '/missing', '/moved'];
const MEGABYTE = Buffer.alloc(1_000_000, 'x');

const program = (name, ...words) => async ({ port }) => {
    const { status, out, err } = await run(name, [...words, `http://127.0.0.1:${port}`]);
    return status === 0 ? out.trim() : `status ${status}: ${err.slice(0, 200)}`;
};

const command = (asks) => async ({ port }) => {
    const words = [];
    const file = path.join(FOLDER, 'megabyte');
    fs.writeFileSync(file, MEGABYTE);
    for (const [name, ...rest] of asks(`http://127.0.0.1:${port}`, file)) {
        const { status, out } = await run(name, rest, { encoding: 'latin1' });
        words.push(`${status}/${out.length}`);
    }
    return words.join(' ');
};

const curl = command((url, file) => [
    ...PATHS.map((each) => ['curl', '-sL', url + each]),
    ['curl', '-s', ...Array(20).fill(`${url}/bytes/100`)],
    ['curl', '-s', '--data-binary', `@${file}`, `${url}/length`],
    ['curl', '-s', '-H', 'Transfer-Encoding: chunked', '-T', file, `${url}/length`],
    ['curl', '-s', '-H', 'Expect: 100-continue', '--data-binary', `@${file}`, `${url}/length`],
    ['curl', '-sI', `${url}/bytes/5`].concat(['-o', '/dev/null', '-w', '%{http_code}']),
    ['curl', '-s', '-r', '0-9', `${url}/bytes/100`],
]);

const wget = command((url, file) => [
    ...PATHS.map((each) => ['wget', '-q', '-O', '-', url + each]),
    ['wget', '-q', '-O', '-', ...Array(20).fill(`${url}/bytes/100`)],
    ['wget', '-q', '-O', '-', `--post-file=${file}`, `${url}/length`],
]);

const asFetch = (give) => async ({ port }) => {
    const ask = await give();
    const url = `http://127.0.0.1:${port}`;
    const words = [];
    const add = async (target, options) => {
        const answer = await ask(url + target, options);
        words.push(`${answer.status}/${(await answer.arrayBuffer()).byteLength}`);
    };
    for (const each of PATHS) {
        await add(each);
    }
    await add('/length', { method: 'POST', body: MEGABYTE });
    await add('/length', { method: 'POST', duplex: 'half', body: new Blob([MEGABYTE, 'end']).stream() });
    return words.join(' ');
};

async function axios({ port }) {
    const ask = load('axios').create({ baseURL: `http://127.0.0.1:${port}`, validateStatus: () => true, responseType: 'arraybuffer', maxBodyLength: Infinity });
    const words = [];
    const { Readable } = await import('node:stream');
    for (const each of PATHS) {
        words.push(await ask.get(each));
    }
    words.push(await ask.post('/length', MEGABYTE));
    words.push(await ask.post('/length', Readable.from([MEGABYTE, Buffer.from('end')])));
    return words.map((answer) => `${answer.status}/${answer.data.length}`).join(' ');
}

// --- pauses and conversations --------------------------------------------------------------------

const CHUNK = (text) => `${text.length.toString(16)}\r\n${text}\r\n`;

// Sends and reads as a script says; what came back in all.
function converse(port, script) {
    return new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1');
        const wire = { socket, got: '' };
        const over = (how) => {
            socket.destroy();
            resolve(how);
        };
        wire.await = async (text) => {
            for (let i = 0; i < 1000 && !wire.got.includes(text); i++) {
                await pause(10);
            }
            if (!wire.got.includes(text)) {
                throw new Error(`no ${JSON.stringify(text.slice(0, 20))} but ${wire.got.slice(0, 40)}`);
            }
        };
        socket.on('data', (bytes) => (wire.got += bytes.toString('latin1')));
        socket.on('error', () => {});
        socket.on('connect', () => script(wire).then(over, (error) => over(error.message)));
    });
}

async function pauses({ port }) {
    const upload = (framing, first, rest) => converse(port, async (wire) => {
        wire.socket.write(`POST /length HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${first}`);
        await pause(PAUSE_MS);
        wire.socket.write(rest);
        await wire.await('HTTP/1.1 200');
        return 'ok';
    });
    const download = (size) => converse(port, async (wire) => {
        wire.socket.pause();
        wire.socket.write(`GET /bytes/${size} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
        await pause(PAUSE_MS);
        const ended = new Promise((resolve) => wire.socket.once('close', resolve));
        wire.socket.resume();
        await ended;
        return wire.got.length > size ? 'ok' : `${wire.got.length}`;
    });
    return (await Promise.all([
        upload('Transfer-Encoding: chunked', CHUNK('p'.repeat(490)), `${CHUNK('q'.repeat(100_000))}0\r\n\r\n`),
        upload('Content-Length: 1000', 'x', 'x'.repeat(999)),
        upload('Content-Length: 500000', 'x'.repeat(200_000), 'x'.repeat(300_000)),
        upload('X: y\r\nContent-Length: 0', '', ''),
        download(10_000_000),
        download(150_000),
    ])).join(' ');
}

async function conversations({ port }) {
    return converse(port, async (wire) => {
        wire.socket.write('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
        await wire.await('HTTP/1.1 200');
        for (let i = 0; i < 200; i++) {
            wire.socket.write(CHUNK(`word ${i};`));
            await wire.await(`word ${i};`);
        }
        wire.socket.write('0\r\n\r\n');
        await wire.await('\r\n0\r\n\r\n');
        return '200 words';
    });
}

// --- gRPC: each library's client at its own service, and at that of the other ------------------------

const GRPC_GO = [path.join(FOLDER, 'go/grpc_client')];
const GRPC_C = ['/usr/bin/python3', path.join(HERE, 'grpc_client.py')];

const grpcOrigin = ([program, ...words]) => async () => {
    const port = await freePort();
    await start(program, [...words, 'serve', `${port}`], port);
    return { port };
};

const grpc = ([program, ...words]) => async ({ port }, through) => {
    const seconds = through ? PAUSE_MS / 1000 : 1;
    const { status, out, err } = await run(program, [...words, 'ask', `${port}`, `${seconds}`]);
    return status ? `${status} ${err}` : out;
};

// --- all of it --------------------------------------------------------------------------------------

const ORIGINS = { plain: plainOrigin, dav: davOrigin, git: gitOrigin, ws: webSocketOrigin, io: socketIoOrigin, npm: npmOrigin, registry: containerOrigin, 'grpc-go': grpcOrigin(GRPC_GO), 'grpc-c': grpcOrigin(GRPC_C) };

const ROWS = [
    ['litmus', 'dav', litmus],
    ['git', 'git', git],
    ['ws', 'ws', webSocket],
    ['socket.io', 'io', socketIo],
    ['events', 'plain', eventStreams],
    ['verdaccio', 'npm', npm],
    ['skopeo', 'registry', skopeo],
    ['curl', 'plain', curl],
    ['wget', 'plain', wget],
    ['requests', 'plain', program('/usr/bin/python3', path.join(HERE, 'client.py'))],
    ['fetch', 'plain', asFetch(() => fetch)],
    ['undici', 'plain', asFetch(() => load('undici').fetch)],
    ['axios', 'plain', axios],
    ['go', 'plain', program(path.join(FOLDER, 'go/client'))],
    ['java', 'plain', program('java', '-cp', path.join(FOLDER, 'java'), 'Client')],
    ['pauses', 'plain', pauses],
    ['two-way', 'plain', conversations],
    ['grpc: go to go', 'grpc-go', grpc(GRPC_GO)],
    ['grpc: go to c', 'grpc-c', grpc(GRPC_GO)],
    ['grpc: c to go', 'grpc-go', grpc(GRPC_C)],
    ['grpc: c to c', 'grpc-c', grpc(GRPC_C)],
];

async function startGateway(kind, origin) {
    const http2 = kind.startsWith('grpc');
    const port = await freePort();
    const file = path.join(FOLDER, `gateway-${port}.yaml`);
    fs.writeFileSync(file, `access_log: ${FOLDER}/access-${port}.log
listeners: [{address: "127.0.0.1:${port}", h2c: ${http2}}]
services: {app: {origins: ["127.0.0.1:${origin}"], protocol: ${http2 ? 'http2' : 'http1'}}}
routes: [{name: all, service: app}]
`);
    await start(process.env.TURNPIKE, ['-c', file], port);
    return port;
}

const short = (text) => (text.length > 60 ? `${text.slice(0, 40)}… ${crypto.createHash('sha1').update(text).digest('hex').slice(0, 8)}` : text);

async function main() {
    const wanted = process.argv.slice(2);
    const rows = ROWS.filter(([name]) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
    const started = {};
    let differences = 0;
    console.log('| client | direct | through the gateway | |\n|---|---|---|---|');
    for (const [name, kind, act] of rows) {
        let direct = 'missing';
        let through = 'missing';
        try {
            started[kind] ??= (async () => {
                const origin = await ORIGINS[kind]();
                return { origin, gateway: await startGateway(kind, origin.port) };
            })();
            const { origin, gateway } = await started[kind];
            direct = await act(origin, false);
            through = await act({ ...origin, port: gateway }, true);
        } catch (error) {
            through = `failed: ${error.message}`;
        }
        const late = name === 'events' && latencies.through > latencies.direct + 5;
        const same = direct === through && direct !== 'missing' && !late;
        const more = name === 'events' ? ` (p99 ${latencies.direct.toFixed(1)} and ${latencies.through.toFixed(1)} ms)` : '';
        differences += !same;
        console.log(`| ${name} | ${short(direct)} | ${short(through)} | ${same ? 'same' : 'DIFFERENT'}${more} |`);
    }
    return differences;
}

main().then((differences) => {
    children.forEach((child) => child.kill('SIGTERM'));
    process.exit(differences > 0 ? 1 : 0);
}, (error) => {
    children.forEach((child) => child.kill('SIGTERM'));
    console.error(error);
    process.exit(1);
});
