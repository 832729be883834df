// SPDX-License-Identifier: BSD-2-Clause
// A browser loads a page whose parts come from nginx and from Node. Skipped where no Chromium is
// installed (package chromium): it is too large to be installed for one test.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import test from 'node:test';
import { defer } from './lib/cleanup.mjs';
import { temporaryFolder } from './lib/folder.mjs';
import { startGateway } from './lib/gateway.mjs';
import { nginxOrigin } from './lib/nginx-origin.mjs';
import { httpOrigin } from './lib/origin.mjs';
import { patient, until } from './lib/wait.mjs';
import { echoWebSockets } from './lib/websocket.mjs';

const BROWSER = ['chromium', 'chromium-headless-shell', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);

const PAGE = `<!doctype html><title>loading</title><link rel=stylesheet href=/style.css>
<p id=css>p</p><p id=js></p><p id=img></p><p id=fetch></p><p id=post></p><p id=ws></p>
<img id=pic src=/pic.svg><script src=/app.js></script>`;

const APP = `
const say = (id, text) => { document.getElementById(id).textContent = text; };
say('js', 'script ran');
window.addEventListener('load', async () => {
    say('css', getComputedStyle(document.getElementById('css')).color);
    const pic = document.getElementById('pic');
    say('img', pic.naturalWidth + 'x' + pic.naturalHeight);
    say('fetch', await (await fetch('/api/hello?x=1')).text());
    say('post', await (await fetch('/api/post', {method: 'POST', body: 'a'.repeat(100000)})).text());
    const all = await Promise.all(Array.from({length: 30}, (_, i) => fetch('/api/n/' + i).then((a) => a.text())));
    const socket = new WebSocket('ws://' + location.host + '/api/ws');
    let echoes = 0;
    socket.onopen = () => socket.send('message 0');
    socket.onmessage = (event) => {
        if (event.data !== 'message ' + echoes) { say('ws', 'wrong'); return; }
        if (++echoes < 20) { socket.send('message ' + echoes); return; }
        say('ws', echoes + ' echoes, ' + all.length + ' fetches');
        socket.close();
    };
    socket.onclose = () => fetch('/api/done', {method: 'POST', body: document.body.innerText});
});`;

const NGINX = `
    gzip on;
    gzip_proxied any;
    gzip_min_length 1;
    gzip_types text/css application/javascript;
    types { text/html html; text/css css; application/javascript js; image/svg+xml svg; }`;

// What the page says of itself once its scripts are done comes as a last POST.
function api() {
    const seen = { page: null };
    seen.handler = async (asked, answer, record) => {
        const body = await record.body();
        if (asked.url === '/api/done') {
            seen.page = body.toString();
        }
        const texts = { '/api/hello?x=1': 'hello from Node', '/api/post': `${body.length} bytes` };
        answer.end(texts[asked.url] ?? asked.url);
    };
    return seen;
}

function openBrowser(t, url) {
    const profile = temporaryFolder(t);
    // The port for debugging keeps it running until it is told to end.
    const child = spawn(BROWSER, ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-proxy-server',
        '--remote-debugging-port=0', `--user-data-dir=${profile}`, url], { stdio: 'ignore', detached: true });
    const ended = new Promise((resolve) => child.once('close', resolve));
    defer(t, async () => {
        process.kill(-child.pid, 'SIGKILL'); // with the processes it started
        await ended;
    });
}

test('a browser loads a page from nginx and Node', { skip: BROWSER === undefined && 'no Chromium is installed' }, async (t) => {
    const nginx = await nginxOrigin(t, {
        files: {
            'index.html': PAGE,
            'style.css': '#css { color: rgb(1, 2, 3) }',
            'app.js': APP,
            'pic.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="21" height="13"/>',
        },
        locations: NGINX,
    });
    const seen = api();
    const node = await httpOrigin(t, { handler: seen.handler });
    echoWebSockets(node.server);
    const gateway = await startGateway(t, `
services:
  pages: {origins: ["${nginx.address}"]}
  api: {origins: ["${node.address}"]}
routes:
  - {name: api, match: {path_prefix: /api/}, service: api}
  - {name: pages, service: pages}
`);

    openBrowser(t, gateway.url('/'));
    await until('the page to be done', () => seen.page !== null, patient(60000));
    for (const text of ['rgb(1, 2, 3)', 'script ran', '21x13', 'hello from Node', '100000 bytes', '20 echoes, 30 fetches']) {
        assert.ok(seen.page.includes(text), `the page does not say "${text}":\n${seen.page}`);
    }
    const entries = await gateway.logged((all) => all.some((each) => each['http.response.status_code'] === 101));
    const refused = entries.filter((each) => each['http.response.status_code'] >= 400 && each['url.path'] !== '/favicon.ico');
    assert.deepEqual(refused, []);
});
