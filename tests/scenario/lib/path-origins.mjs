// SPDX-License-Identifier: BSD-2-Clause
// Origins that read paths in the ways of their kind: nginx with files, Node with its URL and with
// decoded names, Python with files and with WSGI.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { defer } from './cleanup.mjs';
import { temporaryFolder } from './folder.mjs';
import { nginxOrigin } from './nginx-origin.mjs';
import { httpOrigin } from './origin.mjs';
import { SECRET } from './paths.mjs';
import { within } from './wait.mjs';

export function filesIn(t) {
    const folder = temporaryFolder(t, 'files-');
    for (const name of ['admin/secret', 'pub/x/x', 'pub/x.txt', 'x/x']) {
        fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
        fs.writeFileSync(path.join(folder, name), name === 'admin/secret' ? SECRET : name);
    }
    return folder;
}

export const nginx = (t) => nginxOrigin(t, { files: { 'admin/secret': SECRET, 'pub/x/x': '', 'x/x': '' } });

function decoded(text, times) {
    try {
        return times === 0 ? text : decoded(decodeURIComponent(text), times - 1);
    } catch {
        return text;
    }
}

// In how many ways a program on Node may come from a request's target to a name.
function namesOf(target) {
    const names = [target];
    try {
        names.push(new URL(target, 'http://host').pathname);
    } catch {
        // no URL to it
    }
    return names.flatMap((name) => [0, 1, 2].map((times) => decoded(name, times).split(/[?#]/)[0]))
        .flatMap((name) => [name, name.replaceAll('\\', '/')])
        .flatMap((name) => [name, path.posix.normalize(name)]);
}

export const node = (t) => httpOrigin(t, {
    handler: (asked, answer) => answer.end(namesOf(asked.url).includes('/admin/secret') ? SECRET : 'another page'),
});

const PYTHON_FILES = `
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
`;

const PYTHON_WSGI = `
import posixpath, sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
def app(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    path = environ["PATH_INFO"]
    names = [path, posixpath.normpath(path), "/" + path.lstrip("/")]
    return [sys.argv[2].encode() if "/admin/secret" in names else b"another page"]
server = make_server("127.0.0.1", 0, app, handler_class=WSGIRequestHandler)
`;

async function python(t, program) {
    const script = `${program}print(server.server_address[1], flush=True)\nserver.serve_forever()\n`;
    const child = spawn('python3', ['-c', script, filesIn(t), SECRET], { stdio: ['ignore', 'pipe', 'ignore'] });
    defer(t, () => child.kill('SIGKILL'));
    const port = Number(await within('python to listen', new Promise((resolve) => child.stdout.once('data', resolve))));
    return { port, address: `127.0.0.1:${port}` };
}

export const pythonFiles = (t) => python(t, PYTHON_FILES);
export const pythonWsgi = (t) => python(t, PYTHON_WSGI);
