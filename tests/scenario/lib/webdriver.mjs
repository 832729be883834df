// SPDX-License-Identifier: BSD-2-Clause
// Drives a headless Chromium by chromedriver (W3C WebDriver over HTTP). Where either is missing
// `hasBrowser` is false and tests that need it are skipped.
import { spawn, spawnSync } from 'node:child_process';
import http from 'node:http';
import { defer } from './cleanup.mjs';
import { temporaryFolder } from './folder.mjs';
import { patient, until } from './wait.mjs';

export const hasBrowser = ['chromium', 'chromedriver'].every((name) => spawnSync(name, ['--version']).status === 0);

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage', '--no-proxy-server',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'];

function call(port, method, path, body) {
    return new Promise((resolve, reject) => {
        const sent = http.request({ host: '127.0.0.1', port, method, path, agent: false, headers: { 'content-type': 'application/json' } }, (answer) => {
            let text = '';
            answer.setEncoding('utf8');
            answer.on('data', (part) => (text += part));
            answer.on('end', () => {
                const { value } = JSON.parse(text);
                if (answer.statusCode === 200) {
                    resolve(value);
                } else {
                    reject(new Error(`${method} ${path}: ${value.error}: ${value.message}`));
                }
            });
        });
        sent.on('error', reject);
        sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
}

// { go(url), run(script) } of one browser, which ends with the test.
export async function openBrowser(t) {
    const profile = temporaryFolder(t);
    const child = spawn('chromedriver', ['--port=0'], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
    let said = '';
    child.stdout.on('data', (part) => (said += part));
    const ended = new Promise((resolve) => child.once('close', resolve));
    defer(t, async () => {
        process.kill(-child.pid, 'SIGKILL'); // with the browser
        await ended;
    });
    const [, port] = await until('chromedriver to listen', () => /started successfully on port ([0-9]+)/.exec(said), patient(60000));
    const { sessionId } = await call(port, 'POST', '/session', {
        capabilities: { alwaysMatch: { browserName: 'chrome', 'goog:chromeOptions': { args: [...FLAGS, `--user-data-dir=${profile}`] }, 'goog:loggingPrefs': { browser: 'ALL' } } },
    });
    const session = `/session/${sessionId}`;
    return {
        go: (url) => call(port, 'POST', `${session}/url`, { url }),
        run: (script) => call(port, 'POST', `${session}/execute/sync`, { script, args: [] }),
        complaints: async () => (await call(port, 'POST', `${session}/se/log`, { type: 'browser' })).map((entry) => entry.message),
    };
}
