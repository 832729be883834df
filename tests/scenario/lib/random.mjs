// SPDX-License-Identifier: BSD-2-Clause
// Random numbers from a seed, so that a generated case can be generated again.
export class Random {
    constructor(seed) {
        this.state = seed >>> 0;
    }

    // An integer from 0 to below `limit`.
    below(limit) {
        this.state = (this.state + 0x9e3779b9) >>> 0;
        let mixed = this.state;
        mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
        mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
        mixed = (mixed ^ (mixed >>> 15)) >>> 0;
        return Math.floor((mixed / 2 ** 32) * limit);
    }

    chance(percent) {
        return this.below(100) < percent;
    }

    pick(list) {
        return list[this.below(list.length)];
    }
}
