/* SPDX-License-Identifier: BSD-2-Clause */
/* Which fields a Connection header names (RFC 9110 section 7.6.1). A sender may name thousands, and
 * send a hundred fields: each token is looked up once, in a table of the fields' names, which the
 * sender cannot steer without its key. Called by exchange/ for heads and trailers. */
#ifndef HTTP_CONNECTION_NAMES_H
#define HTTP_CONNECTION_NAMES_H

#include "base/siphash.h"
#include "http/fields.h"

/* Whether Connection names anything beside the usual options, which most messages do not. */
bool http_connection_names_fields(const struct http_headers *head);

/* Those of a message, or of its trailers. */
struct http_connection_names {
    uint32_t count;
    struct bytes names[HTTP_FIELDS_MAX]; /* an empty one is never named */
    bool named[HTTP_FIELDS_MAX];
};

/* Sets `named` for each name that Connection of `head` has among its options. */
void http_connection_names_find(struct http_connection_names *names,
                                const struct http_headers *head, const struct siphash_key *key);

#endif
