/* SPDX-License-Identifier: BSD-2-Clause */
/* Spaces are added behind the others and never taken away, so that workers find theirs without a
 * lock. A space is sixteen shards, each a hash table and a list by use under a lock of its own. */
#include "cache/cache_store.h"

#include "base/siphash.h"
#include "base/system/random.h"
#include "cache/cache_private.h"

#include <stdlib.h>

#define SPACES_MOST 1024
#define LEAST_CHAINS 64
#define SWEEP_MOST 2048 /* of a shard at once */

static struct cache_space *_Atomic spaces[SPACES_MOST];
static _Atomic uint32_t space_count;
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static struct siphash_key hash_key;

static void choose_key(void)
{
    struct random random;

    random_init(&random);
    hash_key = (struct siphash_key){random_next(&random), random_next(&random)};
}

uint64_t cache_hash(struct bytes key)
{
    pthread_once(&key_once, choose_key);
    return siphash(&hash_key, key);
}

bool cache_store_is_used(void)
{
    return atomic_load_explicit(&space_count, memory_order_relaxed) > 0;
}

/* --- a shard, its lock held ---------------------------------------------------------------- */

struct stored *cache_shard_find(const struct cache_shard *shard, uint64_t hash, struct bytes key)
{
    struct stored *stored =
        shard->chains != NULL ? shard->chains[hash & (shard->chain_count - 1)] : NULL;

    while (stored != NULL && (stored->hash != hash || !bytes_equal(stored->key, key))) {
        stored = stored->next;
    }
    return stored;
}

static void take_out(struct cache_space *space, struct cache_shard *shard, struct stored *stored)
{
    struct stored **link = &shard->chains[stored->hash & (shard->chain_count - 1)];

    while (*link != stored) {
        link = &(*link)->next;
    }
    *link = stored->next;
    list_remove(&stored->used);
    stored->is_in_store = false;
    shard->count--;
    atomic_fetch_sub_explicit(&space->bytes, stored->size, memory_order_relaxed);
    atomic_fetch_sub_explicit(&space->stored, 1, memory_order_relaxed);
    stored_unref(&stored);
}

static bool grow(struct cache_shard *shard)
{
    size_t count = shard->chain_count > 0 ? shard->chain_count * 2 : LEAST_CHAINS;
    struct stored **chains = calloc(count, sizeof(struct stored *));

    if (chains == NULL) {
        return shard->chains != NULL;
    }
    for (size_t i = 0; i < shard->chain_count; i++) {
        struct stored *stored;

        while ((stored = shard->chains[i]) != NULL) {
            shard->chains[i] = stored->next;
            stored->next = chains[stored->hash & (count - 1)];
            chains[stored->hash & (count - 1)] = stored;
        }
    }
    free(shard->chains);
    shard->chains = chains;
    shard->chain_count = count;
    return true;
}

static void put_in(struct cache_space *space, struct cache_shard *shard, struct stored *stored)
{
    struct stored **chain = &shard->chains[stored->hash & (shard->chain_count - 1)];

    stored->next = *chain;
    *chain = stored;
    stored->is_in_store = true;
    list_add_first(&shard->used, &stored->used);
    shard->count++;
    atomic_fetch_add_explicit(&space->bytes, stored->size, memory_order_relaxed);
    atomic_fetch_add_explicit(&space->stored, 1, memory_order_relaxed);
}

static struct stored *oldest_of(struct cache_shard *shard)
{
    struct link *link = list_last(&shard->used);

    return link != NULL ? CONTAINER_OF(link, struct stored, used) : NULL;
}

static void empty(struct cache_space *space, struct cache_shard *shard)
{
    struct stored *stored;

    pthread_mutex_lock(&shard->lock);
    while ((stored = oldest_of(shard)) != NULL) {
        take_out(space, shard, stored);
    }
    shard->emptied++;
    pthread_mutex_unlock(&shard->lock);
}

static void empty_all(struct cache_space *space)
{
    for (int i = 0; i < CACHE_SHARDS; i++) {
        empty(space, &space->shards[i]);
    }
}

/* --- spaces -------------------------------------------------------------------------------- */

static struct cache_space *find(const char *route, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct cache_space *space = atomic_load_explicit(&spaces[i], memory_order_acquire);

        if (strcmp(space->route, route) == 0) {
            return space;
        }
    }
    return NULL;
}

static struct cache_space *make(const char *route, uint64_t print)
{
    struct cache_space *space = aligned_alloc(64, (sizeof(*space) + 63) / 64 * 64);

    if (space == NULL) {
        return NULL;
    }
    memset(space, 0, sizeof(*space));
    space->route = strdup(route);
    if (space->route == NULL) {
        free(space);
        return NULL;
    }
    atomic_init(&space->print, print);
    for (int i = 0; i < CACHE_SHARDS; i++) {
        pthread_mutex_init(&space->shards[i].lock, NULL);
        list_init(&space->shards[i].used);
    }
    return space;
}

static struct cache_space *add(const char *route, uint64_t print)
{
    uint32_t count;
    struct cache_space *space;

    pthread_mutex_lock(&writers);
    count = atomic_load_explicit(&space_count, memory_order_relaxed);
    space = find(route, count);
    if (space == NULL && count < SPACES_MOST && (space = make(route, print)) != NULL) {
        atomic_store_explicit(&spaces[count], space, memory_order_release);
        atomic_store_explicit(&space_count, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&writers);
    return space;
}

struct cache_space *cache_space_find(const char *route, uint64_t print)
{
    struct cache_space *space =
        find(route, atomic_load_explicit(&space_count, memory_order_acquire));

    if (space == NULL) {
        return add(route, print);
    }
    if (atomic_load_explicit(&space->print, memory_order_relaxed) != print) {
        atomic_store_explicit(&space->print, print, memory_order_relaxed);
        empty_all(space);
    }
    return space;
}

bool cache_space_is_of(const struct cache_space *space, uint64_t print)
{
    return atomic_load_explicit(&space->print, memory_order_relaxed) == print;
}

static bool is_kept(const struct settings *settings, const char *route)
{
    for (uint32_t i = 0; i < settings->route_count; i++) {
        if (settings->routes[i].has_caching && strcmp(settings->routes[i].name, route) == 0) {
            return true;
        }
    }
    return false;
}

void cache_store_keep(const struct settings *settings)
{
    uint32_t count = atomic_load_explicit(&space_count, memory_order_acquire);

    for (uint32_t i = 0; i < count; i++) {
        struct cache_space *space = atomic_load_explicit(&spaces[i], memory_order_acquire);

        if (atomic_load_explicit(&space->stored, memory_order_relaxed) > 0 &&
            !is_kept(settings, space->route)) {
            empty_all(space);
        }
    }
}

void cache_store_read(cache_seen *seen, void *owner)
{
    uint32_t count = atomic_load_explicit(&space_count, memory_order_acquire);

    for (uint32_t i = 0; i < count; i++) {
        struct cache_space *space = atomic_load_explicit(&spaces[i], memory_order_acquire);
        const struct cache_reading reading = {
            space->route, atomic_load_explicit(&space->bytes, memory_order_relaxed),
            atomic_load_explicit(&space->stored, memory_order_relaxed)};

        seen(owner, &reading);
    }
}

/* --- finding and putting ------------------------------------------------------------------- */

struct stored *cache_store_find(struct cache_space *space, uint64_t hash, struct bytes key)
{
    struct cache_shard *shard = cache_shard_of(space, hash);
    struct stored *stored;

    pthread_mutex_lock(&shard->lock);
    stored = cache_shard_find(shard, hash, key);
    if (stored != NULL) {
        stored_ref(stored);
        if (shard->used.next != &stored->used) {
            list_remove(&stored->used);
            list_add_first(&shard->used, &stored->used);
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return stored;
}

uint64_t cache_store_epoch(struct cache_space *space, uint64_t hash)
{
    struct cache_shard *shard = cache_shard_of(space, hash);
    uint64_t epoch;

    pthread_mutex_lock(&shard->lock);
    epoch = cache_shard_epoch(shard, hash);
    pthread_mutex_unlock(&shard->lock);
    return epoch;
}

static bool is_full(const struct cache_space *space, uint64_t more, uint64_t max_bytes)
{
    return atomic_load_explicit(&space->bytes, memory_order_relaxed) + more > max_bytes;
}

static void evict_from(struct cache_space *space, struct cache_shard *shard, uint64_t more,
                       uint64_t max_bytes)
{
    struct stored *stored;

    pthread_mutex_lock(&shard->lock);
    while (is_full(space, more, max_bytes) && (stored = oldest_of(shard)) != NULL) {
        take_out(space, shard, stored);
    }
    pthread_mutex_unlock(&shard->lock);
}

/* Of its own shard first: the least recently used is near enough what is found there. */
static bool make_room(struct cache_space *space, uint64_t hash, uint64_t more, uint64_t max_bytes)
{
    for (int i = 0; is_full(space, more, max_bytes) && i < CACHE_SHARDS; i++) {
        evict_from(space, &space->shards[(hash >> 60 ^ (unsigned)i) % CACHE_SHARDS], more,
                   max_bytes);
    }
    return !is_full(space, more, max_bytes);
}

/* What it counts beyond the one whose place it takes, where both have one body. */
static uint64_t adds(struct cache_space *space, uint64_t hash, const struct stored *stored)
{
    struct cache_shard *shard = cache_shard_of(space, hash);
    const struct stored *former;
    bool shares;

    if (stored->body_of == NULL) {
        return stored->size;
    }
    pthread_mutex_lock(&shard->lock);
    former = cache_shard_find(shard, hash, stored->key);
    shares = former != NULL && former->body.at == stored->body.at;
    pthread_mutex_unlock(&shard->lock);
    return shares ? stored->size - stored->body.length : stored->size;
}

/* A second time, as the former may have gone to make room. */
static bool make_room_for(struct cache_space *space, uint64_t hash, uint64_t max_bytes,
                          const struct stored *stored)
{
    bool has_room = make_room(space, hash, adds(space, hash, stored), max_bytes);

    return has_room && make_room(space, hash, adds(space, hash, stored), max_bytes);
}

/* That some request went alone says nothing against what serves others. */
static bool may_replace(const struct stored *former, const struct stored *stored)
{
    return stored->kind != STORED_PASS || former->kind == STORED_PASS ||
           (former->kind == STORED_ANSWER && !stored_is_fresh(former, stored->came_us));
}

static bool put_locked(struct cache_space *space, struct cache_shard *shard, struct stored *stored)
{
    struct stored *former = cache_shard_find(shard, stored->hash, stored->key);

    if ((former != NULL && !may_replace(former, stored)) ||
        (shard->count >= shard->chain_count && !grow(shard))) {
        return false;
    }
    if (former != NULL) {
        take_out(space, shard, former);
    }
    put_in(space, shard, stored_ref(stored));
    return true;
}

bool cache_store_put(struct cache_space *space, uint64_t hash, uint64_t epoch, uint64_t max_bytes,
                     struct stored *stored)
{
    struct cache_shard *shard = cache_shard_of(space, hash);
    bool put;

    stored->hash = hash;
    if (stored->size > max_bytes || !make_room_for(space, hash, max_bytes, stored)) {
        return false;
    }
    pthread_mutex_lock(&shard->lock);
    put = cache_shard_epoch(shard, hash) == epoch && put_locked(space, shard, stored);
    pthread_mutex_unlock(&shard->lock);
    return put;
}

bool cache_store_reserve(struct cache_space *space, uint64_t bytes, uint64_t max_bytes)
{
    if (bytes > max_bytes || !make_room(space, 0, bytes, max_bytes)) {
        return false;
    }
    atomic_fetch_add_explicit(&space->bytes, bytes, memory_order_relaxed);
    return true;
}

void cache_store_give_back(struct cache_space *space, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&space->bytes, bytes, memory_order_relaxed);
}

/* --- throwing out -------------------------------------------------------------------------- */

static void drop(struct cache_space *space, struct bytes key)
{
    uint64_t hash = cache_hash(key);
    struct cache_shard *shard = cache_shard_of(space, hash);
    struct stored *stored;

    pthread_mutex_lock(&shard->lock);
    (*cache_epoch_of(shard, hash))++;
    stored = cache_shard_find(shard, hash, key);
    if (stored != NULL) {
        take_out(space, shard, stored);
    }
    pthread_mutex_unlock(&shard->lock);
}

void cache_store_invalidate(struct bytes uri)
{
    uint32_t count = atomic_load_explicit(&space_count, memory_order_acquire);
    char *key = malloc(uri.length + 1);

    for (uint32_t i = 0; i < count; i++) {
        struct cache_space *space = atomic_load_explicit(&spaces[i], memory_order_acquire);

        if (key == NULL) {
            empty_all(space); /* rather than one that is wrong */
            continue;
        }
        memcpy(key + 1, uri.at, uri.length);
        key[0] = CACHE_KEY_GET;
        drop(space, (struct bytes){key, uri.length + 1});
        key[0] = CACHE_KEY_HEAD;
        drop(space, (struct bytes){key, uri.length + 1});
    }
    free(key);
}

/* "Ghttps://host/path": what stands behind the host. */
static struct bytes target_of(struct bytes key)
{
    const char *host = memchr(key.at, '/', key.length);
    struct bytes rest;
    const char *slash;

    if (host == NULL || (size_t)(host - key.at) + 2 > key.length) {
        return (struct bytes){key.at, 0};
    }
    rest = bytes_skip(key, (size_t)(host - key.at) + 2);
    slash = memchr(rest.at, '/', rest.length);
    return slash != NULL ? bytes_skip(rest, (size_t)(slash - rest.at)) : bytes_first(rest, 0);
}

static bool begins_so(struct bytes key, struct bytes prefix)
{
    if (prefix.length > 0 && prefix.at[0] == '/') {
        return bytes_start_with(target_of(key), prefix);
    }
    return bytes_start_with(bytes_skip(key, 1), prefix);
}

static uint64_t purge_shard(struct cache_space *space, struct cache_shard *shard,
                            struct bytes prefix)
{
    struct link *link;
    uint64_t purged = 0;

    pthread_mutex_lock(&shard->lock);
    shard->emptied++;
    for (link = shard->used.next; link != &shard->used;) {
        struct stored *stored = CONTAINER_OF(link, struct stored, used);

        link = link->next;
        if (begins_so(stored->key, prefix)) {
            purged += stored->kind == STORED_ANSWER;
            take_out(space, shard, stored);
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return purged;
}

uint64_t cache_store_purge(struct bytes prefix)
{
    uint32_t count = atomic_load_explicit(&space_count, memory_order_acquire);
    uint64_t purged = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct cache_space *space = atomic_load_explicit(&spaces[i], memory_order_acquire);

        for (int j = 0; j < CACHE_SHARDS; j++) {
            purged += purge_shard(space, &space->shards[j], prefix);
        }
    }
    return purged;
}

/* From the one that was used longest ago. */
static void sweep_shard(struct cache_space *space, struct cache_shard *shard, uint64_t now_us,
                        bool memory_is_short)
{
    struct link *link;
    size_t left;
    unsigned most = SWEEP_MOST;

    pthread_mutex_lock(&shard->lock);
    left = shard->count / 2;
    for (link = shard->used.previous; link != &shard->used && most > 0; most--) {
        struct stored *stored = CONTAINER_OF(link, struct stored, used);

        link = link->previous;
        if ((memory_is_short && shard->count > left) ||
            stored_lasts_ms(stored, now_us) > stored->keep_ms) {
            take_out(space, shard, stored);
        }
    }
    pthread_mutex_unlock(&shard->lock);
}

void cache_store_sweep(uint64_t now_us, bool memory_is_short)
{
    uint32_t count = atomic_load_explicit(&space_count, memory_order_acquire);

    for (uint32_t i = 0; i < count; i++) {
        struct cache_space *space = atomic_load_explicit(&spaces[i], memory_order_acquire);

        if (atomic_load_explicit(&space->stored, memory_order_relaxed) == 0) {
            continue;
        }
        for (int j = 0; j < CACHE_SHARDS; j++) {
            sweep_shard(space, &space->shards[j], now_us, memory_is_short);
        }
    }
}
