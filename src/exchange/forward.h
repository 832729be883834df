/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a message goes on, and what is added: hop-by-hop fields (RFC 9110 section 7.6.1),
 * Via, X-Forwarded-*, Forwarded (RFC 7239), X-Request-Id and the route's edits. */
#ifndef EXCHANGE_FORWARD_H
#define EXCHANGE_FORWARD_H

#include "base/text.h"
#include "exchange/exchange_private.h"

#define FORWARD_SCRATCH_BYTES 49152

/* Lives on the caller's stack until the head has been sent; the head's bytes point into it. */
struct forward_page {
    struct http_fields fields;
    struct text text;
    char scratch[FORWARD_SCRATCH_BYTES];
};

/* false: does not fit (the client sent too much, or the edits add too much). */
bool forward_request(const struct exchange *exchange, struct forward_page *page,
                     struct request_head *head);
bool forward_answer(const struct exchange *exchange, const struct http_response *response,
                    struct forward_page *page, struct answer_head *head);
/* RFC 9110 section 6.6.1. */
bool forward_add_date(const struct exchange *exchange, struct forward_page *page);
/* The fields that answers of the gateway's own carry too: request id, route's edits. */
bool forward_common_answer_fields(const struct exchange *exchange, struct forward_page *page);

/* A rule that trailers share with heads: the edits take the field away. */
bool forward_is_edited_away(const struct header_edits *edits, struct bytes name);

#endif
