// SPDX-License-Identifier: BSD-2-Clause
// What a test of a binary upgrade needs to hold the new process back.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BINARY } from './gateway.mjs';

// The binary on a path of its own, so that another one can be put there.
export function ownBinary(folder) {
    const place = path.join(folder, 'turnpike-binary');
    fs.copyFileSync(BINARY, place);
    return place;
}

// A binary that starts only once it is told to. It waits in a built-in command of the shell: with
// children of its own, the shell might take signals that it was started without.
export function startsLater(t, gateway, how) {
    const place = path.join(gateway.folder, 'turnpike-binary');
    const real = path.join(gateway.folder, 'turnpike-real');
    const go = path.join(gateway.folder, 'go');
    execFileSync('mkfifo', [go]);
    const pipe = fs.openSync(go, 'r+');
    t.after(() => fs.closeSync(pipe));
    fs.copyFileSync(BINARY, real);
    fs.unlinkSync(place);
    fs.writeFileSync(place, `#!/bin/sh\nread word <'${go}'\n${how(real)}\n`, { mode: 0o755 });
    return () => fs.writeSync(pipe, 'go\n');
}

export const served = /upgrade: process ([0-9]+) serves now/;
