// SPDX-License-Identifier: BSD-2-Clause
// What must not be told: a payment card (a well-known test card, which belongs to nobody) and a secret.
import assert from 'node:assert/strict';

export const CARD = '4111111111111111';
export const SECRET = 'hush-7f3a9c';

// As people and programs write it; those of PATHS may stand in a path.
export const SPELLINGS = [CARD, '4111 1111 1111 1111', '4111-1111-1111-1111', '4111.1111.1111.1111', '12-4111-1111-1111-1111-3'];
export const PATHS = [CARD, '4111-1111-1111-1111', '4111%201111%201111%201111', '4111+1111+1111+1111', '4111_1111_1111_1111', '%34111111111111111',
    '4111%2D1111%2d1111-1111', '12-4111111111111111', '4111.1111.1111.1111-3'];

// Its first six digits may be told: nine are the beginning of one that was cut before it was masked.
const digit = (each) => `(?:${each}|%3${each})`;
const SPELLED = new RegExp([...CARD.slice(0, 9)].map(digit).join('(?:[ +._-]|%(?:20|2[BbDdEe]|5[Ff]))?'));

export function assertSilent(where, text) {
    assert.ok(text.length > 0, `${where} is empty`);
    const at = Math.max(text.search(SPELLED), text.toLowerCase().indexOf(SECRET));
    assert.ok(at < 0, `${where} tells: ...${text.slice(Math.max(0, at - 200), at + 100)}`);
}
