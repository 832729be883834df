// SPDX-License-Identifier: BSD-2-Clause
// Git's own server of repositories over HTTP (git http-backend, a CGI program) behind Node's http
// server: an origin of httpOrigin's `handler`.
import { spawn } from 'node:child_process';

// The head of a CGI answer (RFC 3875 section 6), then its body as it comes.
function relay(child, answer) {
    let head = Buffer.alloc(0);
    let begun = false;
    child.stdout.on('data', (bytes) => {
        if (begun) {
            if (!answer.write(bytes)) {
                child.stdout.pause();
                answer.once('drain', () => child.stdout.resume());
            }
            return;
        }
        head = Buffer.concat([head, bytes]);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) {
            return;
        }
        begun = true;
        for (const line of head.subarray(0, end).toString('latin1').split('\r\n')) {
            const [name, value] = line.split(/: */, 2);
            if (name.toLowerCase() === 'status') {
                answer.statusCode = Number.parseInt(value, 10);
            } else {
                answer.setHeader(name, value);
            }
        }
        answer.write(head.subarray(end + 4));
    });
    child.stdout.on('end', () => answer.end());
}

// Serves the repositories in `root`, and lets anyone push to them.
export function gitBackend(root) {
    return (asked, answer) => new Promise((resolve, reject) => {
        const url = new URL(asked.url, 'http://git.example');
        const child = spawn('git', ['http-backend'], {
            stdio: ['pipe', 'pipe', 'ignore'],
            env: {
                PATH: process.env.PATH,
                HOME: root,
                GIT_PROJECT_ROOT: root,
                GIT_HTTP_EXPORT_ALL: '1',
                GIT_CONFIG_COUNT: '1',
                GIT_CONFIG_KEY_0: 'http.receivepack',
                GIT_CONFIG_VALUE_0: 'true',
                REQUEST_METHOD: asked.method,
                PATH_INFO: decodeURIComponent(url.pathname),
                QUERY_STRING: url.search.slice(1),
                CONTENT_TYPE: asked.headers['content-type'] ?? '',
                ...(asked.headers['content-length'] && { CONTENT_LENGTH: asked.headers['content-length'] }),
                ...(asked.headers['content-encoding'] && { HTTP_CONTENT_ENCODING: asked.headers['content-encoding'] }),
                ...(asked.headers['git-protocol'] && { GIT_PROTOCOL: asked.headers['git-protocol'] }),
                REMOTE_ADDR: '127.0.0.1',
            },
        });
        child.on('error', reject);
        child.on('close', resolve);
        child.stdin.on('error', () => {});
        asked.pipe(child.stdin);
        relay(child, answer);
    });
}
