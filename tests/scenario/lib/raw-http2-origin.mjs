// SPDX-License-Identifier: BSD-2-Clause
// An origin that sends exactly the HTTP/2 frames that its script says, good or bad. For each connection
// the script is called with a peer (tests/peers/http2_peer.mjs) whose preface was read and whose SETTINGS
// were sent, and the number of the connection.
import { Http2Peer, HEADERS, END_STREAM, DATA, settings } from '../../peers/http2_peer.mjs';
import { rawOrigin } from './raw-origin.mjs';

const PREFACE_BYTES = 24;

class OriginPeer extends Http2Peer {
    // The number of the stream whose request is whole next; undefined: the connection ended.
    async request() {
        const got = await this.until(({ type, flags }) => (type === HEADERS || type === DATA) && (flags & END_STREAM) !== 0);
        return got?.stream;
    }
}

export async function rawHttp2Origin(t, script, { first = settings(), where } = {}) {
    const peers = [];
    const origin = await rawOrigin(t, async (wire, number) => {
        const peer = new OriginPeer(wire);
        wire.keepsLog = false;
        peers.push(peer);
        await wire.take(PREFACE_BYTES, 3_600_000);
        wire.send(first);
        await script(peer, number);
    }, where);
    origin.peers = peers;
    return origin;
}
