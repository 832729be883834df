/* SPDX-License-Identifier: BSD-2-Clause */
/* An exchange of a route with `cache` or `coalesce`: whether a stored answer serves it, whether it waits
 * for what another one fetches, and what becomes of the answer that it fetches itself. The rules are
 * in cache/; this is where they meet an exchange. Called by exchange.c before the route's action, by attempt.c
 * and tries.c with what comes of it. */
#ifndef EXCHANGE_CACHING_H
#define EXCHANGE_CACHING_H

#include "cache/cache_flight.h"
#include "exchange/exchange_private.h"

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

/* --- what the files of caching share ---------------------------------------------------------- */

struct caching {
    struct exchange *exchange;
    struct cache_space *space; /* NULL: it takes no part */
    struct bytes primary;      /* key of the URI, and of the client where the request names it */
    uint64_t primary_hash;
    struct bytes uri;  /* in `primary` */
    uint64_t uri_hash; /* of the key that unsafe requests of the URI throw out */
    struct bytes key;  /* the same, or that of a variant */
    uint64_t hash;
    struct cache_request facts;
    const char *forwarded; /* why it goes to an origin: RFC 9211 section 2.2 */
    bool asks_anew;        /* the client wants one that was checked just now */
    bool collapsed;        /* it waited for another one's */

    struct stored *found;        /* what the store had, stale; NULL: nothing */
    struct stored *serves;       /* what the client gets */
    struct cache_flight *flight; /* it leads this one */
    struct cache_waiter *waiter; /* it waits */
    struct timer patience;
    uint64_t waits_from_us;

    bool fetches;   /* what it fetches may be kept */
    bool validates; /* `found` has a validator, and the origin is asked by that */
    uint64_t epoch; /* of the store, before the origin was asked */
    uint64_t asked_us;
    struct stored *draft; /* what is being read, without its body */
    bool stores;          /* it goes into the store; else only to those who wait */
    bool refreshed;       /* `draft` is whole: a 304 came */
    bool for_none;        /* no client gets what it fetches (caching_refresh.c) */
    enum cache_use use;   /* of `draft`, then */
    char *body;
    size_t length;
    size_t room;
    uint64_t reserved;
};

static inline const struct caching_settings *caching_settings_of(const struct exchange *exchange)
{
    return &exchange->routing.route->caching;
}

static inline uint64_t caching_now(const struct exchange *exchange)
{
    return loop_now(exchange->context->worker_context->loop);
}

/* caching_key.c: sets the keys; false: too long, or no memory. */
bool caching_make_key(struct exchange *exchange, struct caching *caching);
/* The same for this method: CACHE_KEY_GET or CACHE_KEY_HEAD. */
void caching_key_for(struct caching *caching, char method);
/* The key of the answers to requests like this one, where `marker` says what they vary by. */
bool caching_make_variant_key(struct exchange *exchange, struct caching *caching,
                              const struct stored *marker);
/* caching.c: what it goes to the origin with; the store is asked nothing any more. */
void caching_go(struct exchange *exchange, struct caching *caching);
/* NULL: no memory. */
struct caching *caching_make(struct exchange *exchange);
/* caching_refresh.c: a fetch for no client, which leads `like`'s flight and takes it over. false: it could
 * not be begun. */
bool caching_refresh(struct exchange *like);

/* caching_reply.c: the stored answer, or the part of it that the client wants. Takes the reference
 * over. */
void caching_reply(struct exchange *exchange, struct stored *stored);
/* Adds Cache-Status of what is forwarded. */
void caching_add_status(const struct exchange *exchange, const struct http_response *response,
                        struct forward_page *page);

/* caching_collect.c: what was fetched goes, unfinished. */
void caching_drop_draft(struct caching *caching);
/* There is no answer: true if a stale one was given instead, also to those who wait. */
bool caching_serves_in_need(struct exchange *exchange);

#endif
