/* SPDX-License-Identifier: BSD-2-Clause */
/* WebSockets of HTTP/2 clients (RFC 8441). The extended CONNECT has become GET with Upgrade
 * (http/h2/h2_request.c), so that the exchange and its origin know nothing of HTTP/2. Here is what
 * HTTP/1.1 wants besides: a key, which such a client does not send, and 101, which it does not know. */
#include "client/h2/client_h2_private.h"

void client_h2_add_websocket_key(struct client_h2_stream *stream)
{
    struct http_headers *headers = &exchange_request(stream->exchange)->headers;
    struct random *random = &client_h2_context(stream->h2)->worker_context->random;
    uint64_t nonce[WEBSOCKET_NONCE_BYTES / sizeof(uint64_t)] = {random_next(random),
                                                                random_next(random)};

    if (headers->count == HTTP_HEADERS_MAX) {
        return; /* the origin refuses it */
    }
    websocket_key(nonce, stream->body->key);
    headers->rows[headers->count++] = (struct http_header){
        .name = "sec-websocket-key",
        .value = stream->body->key,
        .value_length = WEBSOCKET_KEY_BYTES,
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
