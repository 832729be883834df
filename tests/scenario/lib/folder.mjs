// SPDX-License-Identifier: BSD-2-Clause
// A folder that lives as long as its test.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { defer } from './cleanup.mjs';

export function temporaryFolder(t, prefix = 'turnpike-') {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), prefix));
    defer(t, () => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
    return folder;
}
