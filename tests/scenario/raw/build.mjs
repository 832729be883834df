// SPDX-License-Identifier: BSD-2-Clause
// Short words for the requests in these tables.
import { head } from '../lib/http-message.mjs';

export function get(target, ...fields) {
    return head(`GET ${target} HTTP/1.1`, 'Host: a', ...fields);
}

export function post(target, body, ...fields) {
    return `${head(`POST ${target} HTTP/1.1`, 'Host: a', `Content-Length: ${body.length}`, ...fields)}${body}`;
}

export function chunked(target, body, ...fields) {
    return `${head(`POST ${target} HTTP/1.1`, 'Host: a', 'Transfer-Encoding: chunked', ...fields)}${body}`;
}

// What an attacker wants the origin to take for a request. No origin may ever see it as one.
export const SMUGGLED = head('GET /smuggled HTTP/1.1', 'Host: a', 'X-Smuggled: 1');
