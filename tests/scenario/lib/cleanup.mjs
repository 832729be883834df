// SPDX-License-Identifier: BSD-2-Clause
// What a test started ends when the test ends, last started first: clients, then the gateway,
// then its origins. Called by everything in lib/ that starts something.
const endings = new WeakMap();

export function defer(t, end) {
    let list = endings.get(t);
    if (!list) {
        list = [];
        endings.set(t, list);
        t.after(() => endAll(list));
    }
    list.push(end);
}

async function endAll(list) {
    let first;
    while (list.length > 0) {
        try {
            await list.pop()();
        } catch (error) {
            first ??= error;
        }
    }
    if (first) {
        throw first;
    }
}
