/* SPDX-License-Identifier: BSD-2-Clause */
/* WebSockets to origins over HTTP/2 (RFC 8441). Up to here a request for one is GET with Upgrade and its
 * answer 101, whatever the client speaks. The origin is asked by an extended CONNECT, which has no key,
 * and any 2xx of it stands for the 101. Called by origin_h2_request.c and origin_h2_answer.c. */
#include "origin/h2/origin_h2.h"
#include "tls/tls_websocket.h"

#include <stdlib.h>

#define PROTOCOL "websocket"
#define KEY "sec-websocket-key"
#define ACCEPT "sec-websocket-accept"

/* What answers the client's key: the origin does not see it. */
struct origin_h2_websocket {
    char accept[WEBSOCKET_ACCEPT_BYTES];
};

static const struct http_field *field_of(const struct request_head *head, struct bytes name)
{
    for (uint32_t i = 0; i < head->fields->count; i++) {
        if (bytes_equal_fold(head->fields->rows[i].name, name)) {
            return &head->fields->rows[i];
        }
    }
    return NULL;
}

/* Without a key there would be nothing to answer it with: it is no WebSocket. */
bool origin_h2_websocket_is_wanted(const struct request_head *head)
{
    const struct http_field *upgrade = head->upgrades ? field_of(head, BYTES("upgrade")) : NULL;

    return upgrade != NULL && bytes_equal_fold(upgrade->value, BYTES(PROTOCOL)) &&
           field_of(head, BYTES(KEY)) != NULL;
}

bool origin_h2_websocket_drops(struct bytes name)
{
    return bytes_equal_fold(name, BYTES(KEY));
}

bool origin_h2_websocket_key_fits(const struct request_head *head)
{
    return field_of(head, BYTES(KEY))->value.length <= WEBSOCKET_KEY_MOST_BYTES;
}

struct origin_h2_websocket *origin_h2_websocket_new(const struct request_head *head)
{
    struct origin_h2_websocket *websocket = malloc(sizeof(*websocket));

    if (websocket != NULL &&
        !websocket_accept(field_of(head, BYTES(KEY))->value, websocket->accept)) {
        free(websocket);
        return NULL;
    }
    return websocket;
}

static bool add_row(struct http_headers *headers, struct bytes name, struct bytes value,
                    enum http_header_id id)
{
    if (headers->count == HTTP_HEADERS_MAX) {
        return false;
    }
    headers->rows[headers->count++] = (struct http_header){
        .name = name.at,
        .value = value.at,
        .value_length = (uint32_t)value.length,
        .name_length = (uint16_t)name.length,
        .id = (uint16_t)id,
    };
    return true;
}

/* A length says nothing of a tunnel (RFC 9110 section 9.3.6). */
static bool is_dropped(const struct http_header *row)
{
    return row->id == HTTP_HEADER_CONTENT_LENGTH ||
           bytes_equal_fold(http_header_name(row), BYTES(ACCEPT));
}

bool origin_h2_websocket_switch(const struct origin_h2_websocket *websocket,
                                struct http_response *response)
{
    struct http_headers *headers = &response->headers;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < headers->count; i++) {
        if (!is_dropped(&headers->rows[i])) {
            headers->rows[kept++] = headers->rows[i];
        }
    }
    headers->count = kept;
    headers->present &= ~((uint64_t)1 << HTTP_HEADER_CONTENT_LENGTH);
    headers->present |= (uint64_t)1 << HTTP_HEADER_UPGRADE;
    response->status = 101;
    response->reason = http_reason_of(101);
    response->framing = HTTP_NO_BODY;
    return add_row(headers, BYTES("Upgrade"), BYTES(PROTOCOL), HTTP_HEADER_UPGRADE) &&
           add_row(headers, BYTES("Sec-WebSocket-Accept"),
                   (struct bytes){websocket->accept, sizeof(websocket->accept)}, HTTP_HEADER_OTHER);
}
