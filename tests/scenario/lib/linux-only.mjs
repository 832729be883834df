// SPDX-License-Identifier: BSD-2-Clause
// What linux-only.txt names is left out where the binary was built without the files that only Linux
// has (--with-system=posix). Used by the tests that it names.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BINARY } from './gateway.mjs';

const LIST = new URL('../linux-only.txt', import.meta.url);
const file = path.basename(process.argv[1], '.test.mjs');

function reasonsOfFile() {
    const rows = fs.readFileSync(LIST, 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(rows.map((line) => line.split('\t')).filter(([of]) => of === file).map(([, name, why]) => [name, why]));
}

const isPortable = /^system: posix$/m.test(execFileSync(BINARY, ['-V'], { encoding: 'utf8' }));
const reasons = reasonsOfFile();

export function skipLinuxOnly(name) {
    return isPortable && reasons.has(name) ? `Linux only: ${reasons.get(name)}` : false;
}

// The first two arguments of such a test. It must be in the list, or the list is wrong.
export function linuxOnly(name) {
    if (!reasons.has(name)) {
        throw new Error(`linux-only.txt does not name "${name}" of ${file}`);
    }
    return [name, { skip: skipLinuxOnly(name) }];
}
