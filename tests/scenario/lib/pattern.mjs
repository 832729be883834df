// SPDX-License-Identifier: BSD-2-Clause
// A body of any size whose every byte is known from its position, so that both ends can make
// and check it piece by piece without holding it.
import { drained } from './wait.mjs';

const PERIOD = 65_521; // a prime, so that it falls in step with no buffer size
const TWICE = Buffer.alloc(2 * PERIOD + 65_536);
for (let i = 0; i < TWICE.length; i++) {
    TWICE[i] = ((i % PERIOD) * 31 + ((i % PERIOD) >> 8)) & 0xff;
}

// At most 64 KiB of the body, from `at`.
export function patternAt(at, size) {
    const start = at % PERIOD;
    return TWICE.subarray(start, start + Math.min(size, 65_536));
}

// Counts bytes of the body and remembers the first that is wrong.
export class PatternCheck {
    constructor() {
        this.count = 0;
        this.wrongAt = -1;
    }

    add(bytes) {
        for (let from = 0; from < bytes.length; from += 65_536) {
            const piece = bytes.subarray(from, from + 65_536);
            if (this.wrongAt < 0 && !piece.equals(patternAt(this.count, piece.length))) {
                this.wrongAt = this.count;
            }
            this.count += piece.length;
        }
    }
}

// Writes `size` bytes of it to a stream, as fast as the stream takes them. `progress.sent`
// counts. Resolves when all is written, or when the stream is destroyed.
export async function writePattern(stream, size, progress = {}) {
    progress.sent = 0;
    while (progress.sent < size && !stream.destroyed) {
        const piece = patternAt(progress.sent, size - progress.sent);
        progress.sent += piece.length;
        if (!stream.write(piece)) {
            await drained(stream);
        }
    }
}
