/* SPDX-License-Identifier: BSD-2-Clause */
/* What store and flights share: the shards. No file outside of cache/ includes this. */
#ifndef CACHE_CACHE_PRIVATE_H
#define CACHE_CACHE_PRIVATE_H

#include "cache/cache_flight.h"
#include "cache/cache_store.h"

#include <pthread.h>

#define CACHE_SHARD_BITS 6
#define CACHE_SHARDS (1 << CACHE_SHARD_BITS)
#define CACHE_FLIGHT_CHAINS 64
#define CACHE_EPOCHS 256

/* A part of the answers of all spaces, by bits of the hash: those of one URI stand in one chain, whatever
 * the route, so that a change of it is one look-up. */
struct cache_shard {
    _Alignas(64) pthread_mutex_t lock; /* held for some hundred nanoseconds */
    struct stored **chains;            /* NULL: nothing was ever stored */
    size_t chain_count;                /* a power of two */
    size_t count;
    /* How often something was thrown out: what was asked for before is not kept. By bits of the hash,
     * so that what changes one URI costs the others next to nothing. */
    uint32_t emptied;
    uint32_t epochs[CACHE_EPOCHS];
    struct cache_flight *flights[CACHE_FLIGHT_CHAINS];
};

struct cache_space {
    struct cache_space *next; /* of all, under the lock of these */
    _Atomic uint32_t references;
    _Atomic bool is_closed;    /* no plan that runs has it: nothing is stored */
    uint64_t print;            /* of the route's settings: others are another space */
    _Atomic uint64_t bytes;    /* of what is stored, and of what is being read to be stored */
    _Atomic uint64_t reserved; /* of these, what is being read */
    _Atomic uint64_t stored;   /* how many */
    struct link
        used[CACHE_SHARDS]; /* of each shard, under its lock; the one used last is the first */
    char route[];
};

extern struct cache_shard cache_shards[CACHE_SHARDS];

static inline struct cache_shard *cache_shard_of(uint64_t hash)
{
    return &cache_shards[hash >> (64 - CACHE_SHARD_BITS)];
}

static inline uint32_t *cache_epoch_of(struct cache_shard *shard, uint64_t hash)
{
    return &shard->epochs[hash >> 48 & (CACHE_EPOCHS - 1)];
}

/* With the shard's lock held. */
static inline uint64_t cache_shard_epoch(struct cache_shard *shard, uint64_t hash)
{
    return ((uint64_t)shard->emptied << 32) + *cache_epoch_of(shard, hash);
}

/* With the shard's lock held; no reference is taken. NULL: nothing. */
struct stored *cache_shard_find(const struct cache_shard *shard, const struct cache_space *space,
                                uint64_t hash, struct bytes key);

#endif
