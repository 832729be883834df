// SPDX-License-Identifier: BSD-2-Clause
// Runs curl and takes its answer apart. No settings of the user's, no proxies.
import { execFile } from 'node:child_process';
import { DEADLINE_MS } from './wait.mjs';

// Returns { code, status, version, headers, body, stderr }; arguments are curl's own.
export function curl(...args) {
    return new Promise((resolve, reject) => {
        const fixed = ['--disable', '--silent', '--show-error', '--include', '--noproxy', '*',
            '--max-time', String(DEADLINE_MS / 1000)];
        execFile('curl', [...fixed, ...args], { encoding: 'buffer', maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
            if (error && typeof error.code !== 'number') {
                reject(error);
                return;
            }
            resolve({ code: error ? error.code : 0, stderr: stderr.toString(), ...lastAnswer(stdout) });
        });
    });
}

// --include prints every head, interim ones too; the last one and its body are the answer.
function lastAnswer(output) {
    let rest = output;
    let answer = { status: 0, headers: {}, body: output, interim: [] };
    const interim = [];
    for (;;) {
        const end = rest.indexOf('\r\n\r\n');
        const start = /^HTTP\/([0-9.]+) ([0-9]{3})/.exec(rest.subarray(0, 40).toString('latin1'));
        if (!start || end < 0) {
            return { ...answer, interim };
        }
        const lines = rest.subarray(0, end).toString('latin1').split('\r\n').slice(1);
        const headers = {};
        for (const line of lines) {
            const [name, ...value] = line.split(':');
            headers[name.toLowerCase()] = value.join(':').trim();
        }
        rest = rest.subarray(end + 4);
        answer = { version: start[1], status: Number(start[2]), headers, body: rest };
        if (answer.status >= 200) {
            return { ...answer, interim };
        }
        interim.push(answer);
    }
}
