/* SPDX-License-Identifier: BSD-2-Clause */
/* What the opening handshake of a WebSocket computes (RFC 6455 sections 4.1 and 4.2.2). */
#ifndef TLS_TLS_WEBSOCKET_H
#define TLS_TLS_WEBSOCKET_H

#include "base/bytes.h"

#include <stdbool.h>

#define WEBSOCKET_NONCE_BYTES 16
#define WEBSOCKET_KEY_BYTES 24
#define WEBSOCKET_KEY_MOST_BYTES 64 /* of a client's that cannot count */
#define WEBSOCKET_ACCEPT_BYTES 28

/* The value of Sec-WebSocket-Key. */
void websocket_key(const void *nonce, char key[WEBSOCKET_KEY_BYTES]);
/* The value of Sec-WebSocket-Accept that answers this key. false: the key is longer than
 * WEBSOCKET_KEY_MOST_BYTES, or the library has no SHA-1. */
bool websocket_accept(struct bytes key, char accept[WEBSOCKET_ACCEPT_BYTES]);

#endif
