/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files that forward heads (forward_*.c) share. No other file includes this. */
#ifndef EXCHANGE_FORWARD_PRIVATE_H
#define EXCHANGE_FORWARD_PRIVATE_H

#include "exchange/exchange_private.h"

#define FORWARD_BIT(id) (1ull << HTTP_HEADER_##id)

/* Belong to one connection, or are written anew with the head. */
#define FORWARD_ALWAYS_DROPPED \
    (FORWARD_BIT(CONNECTION) | FORWARD_BIT(KEEP_ALIVE) | FORWARD_BIT(PROXY_CONNECTION) | \
     FORWARD_BIT(TE) | FORWARD_BIT(TRANSFER_ENCODING) | FORWARD_BIT(UPGRADE) | \
     FORWARD_BIT(CONTENT_LENGTH) | FORWARD_BIT(PROXY_AUTHENTICATE) | \
     FORWARD_BIT(PROXY_AUTHORIZATION) | FORWARD_BIT(HTTP2_SETTINGS))

/* The rows that Connection takes away, as a bit for each. */
struct forward_taken_away {
    uint64_t rows[HTTP_HEADERS_MAX / 64];
};

/* Which fields of a message do not go on. */
struct forward_passing {
    const struct http_headers *headers; /* of its head */
    uint64_t dropped;                   /* a bit for each id */
    const struct header_edits *edits;
    struct bytes dropped_name; /* one without an id; empty: none */
    bool drops_tracestate;
    bool named;                      /* Connection names fields */
    bool asks_names;                 /* one of these has to look at names */
    struct forward_taken_away taken; /* where it names fields */
};

/* forward_fields.c: which fields of `headers` go on; `edits` may be NULL. It borrows all of them. */
void forward_choose_passing(const struct exchange *exchange, const struct http_headers *headers,
                            uint64_t dropped, const struct header_edits *edits,
                            struct bytes dropped_name, struct forward_passing *passing);
/* `fields` is empty. */
void forward_add_passing(const struct forward_passing *passing, struct http_fields *fields);
bool forward_has_additions(const struct header_edits *edits);
/* false: there is no room. */
bool forward_add_edits(const struct header_edits *edits, struct http_fields *fields);
struct bytes forward_via(const struct exchange *exchange, enum http_version version);

/* forward_request.c: the Host that the origin gets. */
struct bytes forward_authority(const struct exchange *exchange);

#endif
