/* SPDX-License-Identifier: BSD-2-Clause */
/* A stored answer: one piece of memory that never changes once it is whole, counted by those who use
 * it. Any number of clients on any worker are sent the same bytes, without a copy and without a lock. */
#ifndef CACHE_STORED_H
#define CACHE_STORED_H

#include "base/list.h"
#include "cache/cache_answer.h"

#include <stdatomic.h>

enum stored_kind {
    STORED_ANSWER,
    STORED_VARY, /* the body names the fields that choose among several */
    STORED_PASS, /* what was answered last is for one client each: no request waits for such */
};

struct stored {
    _Atomic uint32_t references;
    /* The next five belong to the store, under its lock. */
    bool is_in_store;
    struct cache_space *space;
    uint64_t hash;
    struct stored *next;
    struct link used; /* the one used last is the first */

    enum stored_kind kind;
    uint16_t status;
    uint64_t number;      /* of all that were ever made: no two have the same */
    uint64_t came_us;     /* by the monotonic clock */
    uint64_t age_s;       /* at that time */
    uint64_t fresh_ms;    /* until it is so old, counted from when it came */
    uint64_t swr_ms;      /* and so long after that it may be served while it is fetched anew */
    uint64_t sie_ms;      /* the same where that fails */
    uint64_t keep_ms;     /* and after so long it is of no use at all */
    bool must_revalidate; /* never served stale */
    bool has_length;      /* of the body that a GET would have, where this answered HEAD */
    bool origin_tls;
    uint64_t head_length;
    size_t size; /* of all of it, with its body */
    struct bytes key;
    struct bytes body;
    struct stored *body_of; /* a reference to the one that has the body's memory; NULL: this one */
    struct bytes etag;      /* these point into the fields */
    struct bytes last_modified;
    struct bytes vary;    /* names of the fields that choose it; empty: none */
    struct bytes variant; /* and what the request had in them (cache_vary_add_key) */
    const char *origin;
    struct http_headers headers;
};

/* A marker; texts are copied. NULL: no memory. */
struct stored *stored_new(enum stored_kind kind, struct bytes key, struct bytes body);
/* An answer. Fields that are none of the next client's business do not come along: those about the
 * connection, Age, Set-Cookie. Its body is still to be given. */
struct stored *stored_answer(struct bytes key, const struct http_response *response,
                             const char *origin, struct bytes vary, struct bytes variant);
/* Memory of malloc, or NULL with a length of 0: taken over. Before others see it. */
void stored_give_body(struct stored *stored, struct bytes body);
/* The same answer, refreshed: `response` is a 304, whose fields take the place of the old ones (RFC
 * 9111 section 3.2). Both have the same body, in the same memory. */
struct stored *stored_refreshed(struct stored *stored, const struct http_response *response);
struct stored *stored_ref(struct stored *stored);
void stored_unref(struct stored **stored);

/* Milliseconds since it came. */
static inline uint64_t stored_lasts_ms(const struct stored *stored, uint64_t now_us)
{
    return now_us > stored->came_us ? (now_us - stored->came_us) / 1000 : 0;
}

static inline bool stored_is_fresh(const struct stored *stored, uint64_t now_us)
{
    return stored_lasts_ms(stored, now_us) < stored->fresh_ms;
}

/* How old it is, for Age. */
static inline uint64_t stored_age_s(const struct stored *stored, uint64_t now_us)
{
    return stored->age_s + stored_lasts_ms(stored, now_us) / 1000;
}

#endif
