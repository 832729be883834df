/* SPDX-License-Identifier: BSD-2-Clause */
/* The opening handshake's SHA-1 and base64 are the library's. */
#include "tls/tls_websocket.h"

#include <openssl/evp.h>
#include <string.h>

#define SHA1_BYTES 20

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 section 1.3 */

/* The library's function ends its text with NUL. */
static void write_base64(const void *bytes, int count, char *text, size_t length)
{
    unsigned char padded[WEBSOCKET_ACCEPT_BYTES + 1];

    EVP_EncodeBlock(padded, bytes, count);
    memcpy(text, padded, length);
}

void websocket_key(const void *nonce, char key[WEBSOCKET_KEY_BYTES])
{
    write_base64(nonce, WEBSOCKET_NONCE_BYTES, key, WEBSOCKET_KEY_BYTES);
}

bool websocket_accept(struct bytes key, char accept[WEBSOCKET_ACCEPT_BYTES])
{
    char text[WEBSOCKET_KEY_MOST_BYTES + sizeof(guid)];
    unsigned char sum[SHA1_BYTES];

    if (key.length > WEBSOCKET_KEY_MOST_BYTES) {
        return false;
    }
    memcpy(text, key.at, key.length);
    memcpy(text + key.length, guid, sizeof(guid) - 1);
    if (EVP_Q_digest(NULL, "SHA1", NULL, text, key.length + sizeof(guid) - 1, sum, NULL) != 1) {
        return false;
    }
    write_base64(sum, SHA1_BYTES, accept, WEBSOCKET_ACCEPT_BYTES);
    return true;
}
