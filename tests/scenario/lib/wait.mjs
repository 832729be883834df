// SPDX-License-Identifier: BSD-2-Clause
// Waiting for something to become true, up to a deadline; nothing here sleeps for a fixed time.
// TURNPIKE_PATIENCE stretches every deadline (10 under valgrind, say).
const patience = Number(process.env.TURNPIKE_PATIENCE ?? 1);

export const DEADLINE_MS = patient(8000);

export function patient(milliseconds) {
    return milliseconds * patience;
}

const RETRY_MS = 5;

export function pause(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Asks again and again until `ask` returns something true, and returns that.
export async function until(what, ask, deadline = DEADLINE_MS) {
    const end = Date.now() + deadline;
    for (;;) {
        const answer = await ask();
        if (answer) {
            return answer;
        }
        if (Date.now() >= end) {
            throw new Error(`not within ${deadline} ms: ${typeof what === 'function' ? what() : what}`);
        }
        await pause(RETRY_MS);
    }
}

// A promise, or an error that says what was waited for.
export async function within(what, promise, deadline = DEADLINE_MS) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(
            () => reject(new Error(`not within ${deadline} ms: ${typeof what === 'function' ? what() : what}`)),
            deadline,
        );
    });
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

// A writable stream takes bytes again, or has closed.
export function drained(stream) {
    return new Promise((resolve) => {
        const done = () => {
            stream.off('drain', done);
            stream.off('close', done);
            resolve();
        };
        stream.on('drain', done);
        stream.on('close', done);
    });
}
