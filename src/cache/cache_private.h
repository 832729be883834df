/* SPDX-License-Identifier: BSD-2-Clause */
/* What store and flights share: a shard of one route's space. Nobody outside of cache/ includes this. */
#ifndef CACHE_CACHE_PRIVATE_H
#define CACHE_CACHE_PRIVATE_H

#include "cache/cache_flight.h"
#include "cache/cache_store.h"

#include <pthread.h>

#define CACHE_SHARDS 16
#define CACHE_FLIGHT_CHAINS 64
#define CACHE_EPOCHS 256

struct cache_shard {
    _Alignas(64) pthread_mutex_t lock; /* held for some hundred nanoseconds */
    struct stored **chains;            /* NULL: nothing was ever stored */
    size_t chain_count;                /* a power of two */
    size_t count;
    struct link used; /* the one used last is the first */
    /* How often something was thrown out: what was asked for before is not kept. By bits of the hash,
     * so that what changes one URI costs the others next to nothing. */
    uint32_t emptied;
    uint32_t epochs[CACHE_EPOCHS];
    struct cache_flight *flights[CACHE_FLIGHT_CHAINS];
};

struct cache_space {
    const char *route;
    _Atomic uint64_t print;  /* of the route's settings: others begin with nothing */
    _Atomic uint64_t bytes;  /* of what is stored, and of what is being read to be stored */
    _Atomic uint64_t stored; /* how many */
    struct cache_shard shards[CACHE_SHARDS];
};

static inline struct cache_shard *cache_shard_of(struct cache_space *space, uint64_t hash)
{
    return &space->shards[hash >> 60];
}

static inline uint32_t *cache_epoch_of(struct cache_shard *shard, uint64_t hash)
{
    return &shard->epochs[hash >> 52 & (CACHE_EPOCHS - 1)];
}

/* With the shard's lock held. */
static inline uint64_t cache_shard_epoch(struct cache_shard *shard, uint64_t hash)
{
    return ((uint64_t)shard->emptied << 32) + *cache_epoch_of(shard, hash);
}

/* With the shard's lock held; no reference is taken. NULL: nothing. */
struct stored *cache_shard_find(const struct cache_shard *shard, uint64_t hash, struct bytes key);

#endif
