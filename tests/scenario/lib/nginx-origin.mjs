// SPDX-License-Identifier: BSD-2-Clause
// A real nginx as an origin, with a configuration made for the test, on an ephemeral port.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { defer } from './cleanup.mjs';
import { temporaryFolder } from './folder.mjs';
import { until } from './wait.mjs';

function freePort() {
    return new Promise((resolve, reject) => {
        const server = net.createServer();
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

function answers(port) {
    return new Promise((resolve) => {
        const socket = net.connect({ host: '127.0.0.1', port });
        socket.once('connect', () => {
            socket.destroy();
            resolve(true);
        });
        socket.once('error', () => resolve(false));
    });
}

// `files` maps names to contents under the document root; `locations` goes into the server block;
// `tls` is a certificate ({cert, key}) to speak TLS with; `http2` has it speak HTTP/2, without TLS only that.
export async function nginxOrigin(t, { files = {}, locations = '', tls, http2 = false } = {}) {
    const folder = temporaryFolder(t, 'nginx-');
    const root = path.join(folder, 'root');
    for (const [name, content] of Object.entries(files)) {
        const file = path.join(root, name);
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, content);
    }
    for (let attempt = 0; attempt < 5; attempt++) {
        const origin = await tryStart(folder, root, locations, await freePort(), tls, http2);
        if (origin) {
            defer(t, () => origin.close());
            return origin;
        }
    }
    throw new Error(`nginx does not start: ${fs.readFileSync(path.join(folder, 'error.log'), 'utf8')}`);
}

async function tryStart(folder, root, locations, port, tls, http2) {
    const secured = tls ? `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};` : '';
    const user = process.getuid() === 0 ? 'user root;' : '';
    const file = path.join(folder, 'nginx.conf');
    fs.writeFileSync(file, `
${user}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
    types { text/html html; text/css css; application/javascript js; image/png png; text/plain txt; }
    default_type application/octet-stream;
    access_log off;
    client_body_temp_path ${folder}/body;
    proxy_temp_path ${folder}/proxy;
    fastcgi_temp_path ${folder}/fastcgi;
    uwsgi_temp_path ${folder}/uwsgi;
    scgi_temp_path ${folder}/scgi;
    client_max_body_size 0;
    server {
        listen 127.0.0.1:${port}${tls ? ' ssl' : ''}${http2 ? ' http2' : ''};
        ${secured}
        root ${root};
        ${locations}
    }
}
`);
    const child = spawn('nginx', ['-e', `${folder}/error.log`, '-p', folder, '-c', file], { stdio: 'ignore' });
    let ended = false;
    const exited = new Promise((resolve) => {
        child.once('exit', () => {
            ended = true;
            resolve();
        });
        child.once('error', () => {
            ended = true;
            resolve();
        });
    });
    await until('nginx to answer or to give up', async () => ended || answers(port));
    if (ended) {
        return null;
    }
    return {
        port,
        address: `127.0.0.1:${port}`,
        close: async () => {
            child.kill('SIGTERM');
            await exited;
        },
    };
}
