/* SPDX-License-Identifier: BSD-2-Clause */
/* One fetch for many: the first request of a key leads, others with the same key wait for what it
 * brings, on whatever worker they are. A leader that fails is followed by one of those who wait. */
#ifndef CACHE_CACHE_FLIGHT_H
#define CACHE_CACHE_FLIGHT_H

#include "cache/cache_store.h"
#include "net/loop.h"

struct cache_flight;
struct cache_waiter;

/* What those who waited are told. */
enum cache_news {
    CACHE_NEWS_SHARED, /* there is an answer for them */
    CACHE_NEWS_ALONE,  /* each asks again, from the beginning */
    CACHE_NEWS_LEADS,  /* this one leads now */
    CACHE_NEWS_FAILED, /* a leader failed, and this one has waited for long */
};

/* On the loop of who waits, once. Whatever it is handed is the callee's. */
typedef void cache_told(void *owner, enum cache_news news, struct stored *stored,
                        struct cache_flight *flight);

struct cache_joining {
    struct cache_space *space;
    uint64_t hash;
    struct bytes key;
    const struct stored *seen; /* what the store had when it was asked; NULL: nothing */
    uint32_t max_waiting;
    bool may_wait;
    bool wants_new; /* no answer whose head came before this request did */
    uint64_t now_us;
    struct loop *loop;
    cache_told *told;
    void *owner;
};

enum cache_joined {
    CACHE_LEADS, /* *flight is to be ended */
    CACHE_WAITS, /* *waiter is to be left, unless it was told */
    CACHE_AGAIN, /* the store has another answer by now */
    CACHE_FLIES, /* there is one under way, and this request may not or cannot wait for it */
    CACHE_FAILS, /* no memory */
};
enum cache_joined cache_flight_join(const struct cache_joining *joining,
                                    struct cache_flight **flight, struct cache_waiter **waiter);

/* The head of the leader's answer is there: a request that wants a new one does not wait for this flight any
 * more, and leads another one. */
void cache_flight_answered(struct cache_flight *flight);
/* The leader has it: all who wait get a reference. NULL: they ask again, each by itself. */
void cache_flight_land(struct cache_flight **flight, struct stored *stored);
/* The leader got no answer, or one that is an error: one of those who wait leads now, unless another
 * leader is still at it. Then the others that have waited for `patience_us` are told that it failed. */
void cache_flight_fail(struct cache_flight **flight, uint64_t now_us, uint64_t patience_us);
/* The leader got an answer that turns its own client down: one of those who wait leads now, unless another
 * leader is still at it. From the second one on each is followed by two, as all clients may be turned down.
 * What many are at is no more than what was turned down already: one answer that may be shared ends it. */
void cache_flight_refuse(struct cache_flight **flight, uint64_t now_us);
/* The leader goes, which says nothing about the origin: one of those who wait leads now. */
void cache_flight_leave(struct cache_flight **flight, uint64_t now_us);

/* The last leader has taken longer than `patience_us`: this one leads beside it from now on, and *waiter is
 * NULL then. false: another one does, or it has been told meanwhile. */
bool cache_waiter_takes_over(struct cache_waiter **waiter, uint64_t now_us, uint64_t patience_us,
                             struct cache_flight **flight);
/* A leader of what it waits for has failed, in place of which another one tries. */
bool cache_waiter_saw_failure(const struct cache_waiter *waiter);
/* Waits no more; what it would be told is dealt with. */
void cache_waiter_leave(struct cache_waiter **waiter);

#endif
