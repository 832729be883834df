// SPDX-License-Identifier: BSD-2-Clause
import { rawOrigin } from './raw-origin.mjs';

const LONG_MS = 3_600_000;

// An origin whose answers are made by a function of the request and its number; those that wait are
// let go by `open`.
export async function cacheOrigin(t, make) {
    let count = 0;
    let open;
    const gate = new Promise((resolve) => (open = resolve));
    const origin = await rawOrigin(t, async (wire) => {
        for (;;) {
            const asked = await wire.request(LONG_MS);
            const answer = await make(asked, ++count, gate);
            if (answer === null) {
                wire.destroy();
                return;
            }
            const { status = '200 OK', body = '', fields = [] } = answer;
            const length = status.startsWith('304') ? [] : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`];
            const text = asked.method === 'HEAD' || status.startsWith('304') ? '' : body;
            wire.send([`HTTP/1.1 ${status}`, ...length, ...fields].join('\r\n') + `\r\n\r\n${text}`);
        }
    });
    origin.open = open;
    return origin;
}
