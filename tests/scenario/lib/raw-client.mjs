// SPDX-License-Identifier: BSD-2-Clause
// A client that sends exactly the bytes it is told, in the pieces it is told.
//
//     const client = await connect(t, gateway);
//     client.send(head('GET / HTTP/1.1', 'Host: a'));
//     const answer = await client.answer();
//     await client.expectClose();
import net from 'node:net';
import tls from 'node:tls';
import { defer } from './cleanup.mjs';
import { readAnswer, readAnswerHead } from './http-message.mjs';
import { within } from './wait.mjs';
import { Wire } from './wire.mjs';

export { head } from './http-message.mjs';

export class RawClient extends Wire {
    // A reset: a FIN alone could be a client that has said all and still listens.
    destroy() {
        this.reset();
    }

    // The next answer, body and all.
    answer(options) {
        return readAnswer(this, options);
    }

    answerHead(deadline) {
        return readAnswerHead(this, deadline);
    }

    // One request, one answer.
    ask(bytes, options) {
        this.send(bytes);
        return this.answer(options);
    }
}

// `to` is a gateway (its first listener) or net.connect options.
export async function connect(t, to, options = {}) {
    const client = await connectLoose(to, options);
    defer(t, () => client.destroy());
    return client;
}

// Like connect, for loops over many connections: the caller destroys them.
// `secure`: options of tls.connect.
export async function connectLoose(to, { secure, ...options } = {}) {
    const where = { allowHalfOpen: true, ...(to.connectOptions ?? to), ...options };
    const socket = secure ? tls.connect({ ...where, ...secure }) : net.connect(where);
    await within('a connection', new Promise((resolve, reject) => {
        socket.once(secure ? 'secureConnect' : 'connect', resolve);
        socket.once('error', reject);
    }));
    return new RawClient(socket);
}
