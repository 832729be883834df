/* SPDX-License-Identifier: BSD-2-Clause */
/* An exchange of a route with `cache` or `coalesce`: whether a stored answer serves it, whether it waits
 * for what another one fetches, and what becomes of the answer that it fetches itself. The rules are
 * in cache/; this is where they meet an exchange. Called by exchange.c before the route's action, by attempt.c
 * and tries.c with what comes of it. */
#ifndef EXCHANGE_CACHING_H
#define EXCHANGE_CACHING_H

#include "exchange/exchange_private.h"

struct stored;

/* false: it goes to an origin. True: it was answered, or waits (QUEUE_SHARED). */
bool caching_begin(struct exchange *exchange);
/* It was held, and is not any more. */
void caching_leaves_queue(struct exchange *exchange);
/* Of the patience of one that waits. */
void caching_wait_is_over(struct timer *timer);

/* What the origin is asked in place of the client's own conditions. */
bool caching_edit_request(const struct exchange *exchange, struct forward_page *page);

/* A head came. True: it is not for the client, who gets, or has got, a stored answer. */
bool caching_takes_head(struct exchange *exchange, const struct http_response *response);
/* It is for the client: Cache-Status is added, and the answer is collected if it may be shared. */
void caching_head(struct exchange *exchange, const struct http_response *response,
                  struct forward_page *page);
void caching_body(struct exchange *exchange, struct bytes bytes);
/* false: no client gets what is still to come, and the store does not either. */
bool caching_is_of_use(const struct exchange *exchange);
/* The answer is whole. True: it was not for the client, who is answered now. */
bool caching_ended(struct exchange *exchange, const struct http_headers *trailers);
/* There is no answer, and no other try. True: a stored one was given instead. */
bool caching_failed(struct exchange *exchange);

/* A method that changes something went well: what is stored of its URI is thrown out. */
void caching_invalidate(const struct exchange *exchange);
/* What cache_store_invalidate is to be told when it did, in the exchange's memory: for one that outlives
 * its client. Empty: it is too long to be stored, or there is no memory. */
struct bytes caching_keep_uri(struct exchange *exchange);

/* The stored answer that the client gets; NULL: none. */
const struct stored *caching_serves(const struct exchange *exchange);

/* The exchange is over; and its memory goes. */
void caching_over(struct exchange *exchange);
void caching_release(struct exchange *exchange);

#endif
