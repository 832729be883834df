/* SPDX-License-Identifier: BSD-2-Clause */
/* What caching.c, caching_collect.c and caching_reply.c share. */
#ifndef EXCHANGE_CACHING_PRIVATE_H
#define EXCHANGE_CACHING_PRIVATE_H

#include "cache/cache_flight.h"
#include "exchange/caching.h"

struct caching {
    struct exchange *exchange;
    struct cache_space *space; /* NULL: it takes no part */
    struct bytes primary;      /* key of the URI */
    uint64_t primary_hash;
    struct bytes key; /* the same, or that of a variant */
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
