/* SPDX-License-Identifier: BSD-2-Clause */
/* WebSockets of HTTP/2 clients (RFC 8441). The extended CONNECT has become GET with Upgrade
 * (http/h2/h2_request.c), so that the exchange and its origin know nothing of HTTP/2. Here is what
 * HTTP/1.1 wants besides: a key, which such a client does not send, and 101, which it does not know. */
#include "client/h2/client_h2_private.h"

#define NONCE_BYTES 16 /* RFC 6455 section 4.1 */

/* Of 16 bytes: 22 letters and two signs for what is missing. */
static void write_base64(const uint8_t *bytes, char *text)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int count = 0;

    for (int i = 0; i < NONCE_BYTES; i++) {
        bits = bits << 8 | bytes[i];
        for (count += 8; count >= 6; count -= 6) {
            *text++ = letters[bits >> (count - 6) & 63];
        }
    }
    *text++ = letters[bits << (6 - count) & 63];
    *text++ = '=';
    *text = '=';
}

void client_h2_add_websocket_key(struct client_h2_stream *stream)
{
    struct http_headers *headers = &exchange_request(stream->exchange)->headers;
    struct random *random = &client_h2_context(stream->h2)->worker_context->random;
    uint64_t nonce[NONCE_BYTES / sizeof(uint64_t)] = {random_next(random), random_next(random)};

    if (headers->count == HTTP_HEADERS_MAX) {
        return; /* the origin refuses it */
    }
    write_base64((const uint8_t *)nonce, stream->body->key);
    headers->rows[headers->count++] = (struct http_header){
        .name = "sec-websocket-key",
        .value = stream->body->key,
        .value_length = CLIENT_H2_KEY_BYTES,
        .name_length = sizeof("sec-websocket-key") - 1,
        .id = (uint16_t)HTTP_HEADER_OTHER,
    };
}

bool client_h2_is_of_upgrade(struct bytes name)
{
    return bytes_equal_fold(name, BYTES("upgrade")) ||
           bytes_equal_fold(name, BYTES("sec-websocket-accept"));
}

void client_h2_begin_tunnel(void *owner)
{
    struct client_h2_stream *stream = owner;

    stream->tunnels = true;
    client_h2_want_body(stream, true);
}
