// SPDX-License-Identifier: BSD-2-Clause
// A TCP or Unix connection as a test holds it in its hand: send bytes, expect bytes, expect the
// end. The raw client and the raw origin are both built on it. Strings stand for bytes (latin1).
import assert from 'node:assert/strict';
import { DEADLINE_MS, within } from './wait.mjs';

export class Wire {
    constructor(socket) {
        this.socket = socket;
        this.held = Buffer.alloc(0); // received, not yet taken
        this.ended = null; // 'fin', 'reset' or null
        this.everReceived = 0;
        this.keepsLog = true;
        this.log = []; // every byte that came, for failures
        this.wakers = [];
        socket.setNoDelay?.(true);
        socket.on('data', (bytes) => {
            this.everReceived += bytes.length;
            if (this.keepsLog && this.log.length < 1000) {
                this.log.push(bytes);
            }
            this.held = this.held.length === 0 ? bytes : Buffer.concat([this.held, bytes]);
            this.wake();
        });
        socket.on('end', () => {
            this.ended ??= 'fin';
            this.wake();
        });
        socket.on('error', () => {
            this.ended ??= 'reset';
            this.wake();
        });
        socket.on('close', () => {
            this.ended ??= 'reset';
            this.wake();
        });
    }

    wake() {
        const wakers = this.wakers;
        this.wakers = [];
        for (const waker of wakers) {
            waker();
        }
    }

    get everything() {
        return Buffer.concat(this.log).toString('latin1');
    }

    // Waits until `ready()` is true or nothing more can come.
    async waitFor(what, ready, deadline = DEADLINE_MS) {
        const wait = async () => {
            while (!ready() && !this.ended) {
                await new Promise((resolve) => this.wakers.push(resolve));
            }
        };
        await within(() => `${what}; so far: ${this.shown()}`, wait(), deadline);
        if (!ready()) {
            throw new Error(`connection ended (${this.ended}) instead of ${what}; so far: ${this.shown()}`);
        }
    }

    shown() {
        const text = this.everything;
        return JSON.stringify(text.length > 600 ? `${text.slice(0, 600)}...` : text);
    }

    send(bytes) {
        this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
        return this;
    }

    // Sends in pieces of `size` bytes, each in a write of its own.
    async sendInPieces(bytes, size = 1) {
        const all = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes, 'latin1');
        for (let at = 0; at < all.length; at += size) {
            await new Promise((resolve) => {
                this.socket.write(all.subarray(at, at + size), () => setImmediate(resolve));
            });
        }
    }

    // No more bytes from our side; the other side may go on.
    end() {
        this.socket.end();
        return this;
    }

    // RST where the socket knows it: a Unix socket does not, nor does one over TLS, and Node (18, 20)
    // never closes a socket whose end() is still under way when it is reset, and then does not exit
    // either.
    reset() {
        if (this.socket.remoteAddress && !this.socket.writableEnded && !this.socket.encrypted) {
            this.socket.resetAndDestroy();
        } else {
            this.socket.destroy();
        }
    }

    destroy() {
        this.socket.destroy();
    }

    async take(size, deadline) {
        if (this.held.length < size) {
            await this.waitFor(`${size} bytes`, () => this.held.length >= size, deadline);
        }
        const taken = this.held.subarray(0, size);
        this.held = this.held.subarray(size);
        return taken;
    }

    async takeThrough(mark, what, deadline) {
        await this.waitFor(what, () => this.held.includes(mark), deadline);
        const at = this.held.indexOf(mark);
        const taken = this.held.subarray(0, at);
        this.held = this.held.subarray(at + mark.length);
        return taken;
    }

    takeLine(deadline) {
        return this.takeThrough('\r\n', 'a line', deadline);
    }

    takeHead(deadline) {
        return this.takeThrough('\r\n\r\n', 'a message head', deadline);
    }

    async takeToEnd(deadline) {
        const what = 'the end of the connection';
        await this.waitFor(what, () => this.ended !== null, deadline);
        assert.equal(this.ended, 'fin', `a body that lasts until close must end with FIN; so far: ${this.shown()}`);
        const taken = this.held;
        this.held = Buffer.alloc(0);
        return taken;
    }

    // Exact bytes, or a regular expression that what came so far must match from its start.
    async expect(wanted, deadline) {
        if (wanted instanceof RegExp) {
            let found;
            const anchored = new RegExp(`^(?:${wanted.source})`, wanted.flags.includes('s') ? wanted.flags : `${wanted.flags}s`);
            await this.waitFor(`${wanted}`, () => (found = anchored.exec(this.held.toString('latin1'))), deadline);
            this.held = this.held.subarray(found[0].length);
            return found;
        }
        const bytes = Buffer.from(wanted, 'latin1');
        const came = await this.take(bytes.length, deadline);
        assert.equal(came.toString('latin1'), wanted);
        return came;
    }

    // The other side closes, and has said nothing beyond what was taken.
    async expectClose(deadline) {
        await this.closed(deadline);
        assert.equal(this.held.toString('latin1'), '', 'bytes that were not expected');
    }

    // The other side closes (FIN or RST), whatever it says before.
    async closed(deadline) {
        await this.waitFor('the connection to be closed', () => this.ended !== null, deadline);
        return this.ended;
    }

    // Nothing comes and nothing closes: asked where a later event has already been seen.
    expectSilence() {
        assert.equal(this.held.toString('latin1'), '', 'bytes that were not expected');
        assert.equal(this.ended, null, 'closed though it should stay open');
    }
}
