/* SPDX-License-Identifier: BSD-2-Clause */
/* Sixty-four shards, each a hash table under a lock of its own; for each space a list by use in each. A
 * space's references are counted without a lock: once the last one is gone none is added, and what held it
 * takes it off the list of all. */
#include "cache/cache_store.h"

#include "base/siphash.h"
#include "base/system/random.h"
#include "cache/cache_private.h"

#include <stdlib.h>

#define LEAST_CHAINS 64
#define SPACE_CHAINS 256
#define SWEEP_MOST 512     /* of a shard at once */
#define EMPTIED_AT_ONCE 64 /* while others wait for the shard */
#define LOOKED_AT_ONCE 256 /* chains and answers, in the same way */

struct cache_shard cache_shards[CACHE_SHARDS] = {
    [0 ... CACHE_SHARDS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static struct {
    pthread_mutex_t lock; /* for long during a sweep: workers try it, and only others wait for it */
    struct cache_space *chains[SPACE_CHAINS];
} spaces = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Atomic uint32_t space_count;
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

static struct link *used_in(struct cache_space *space, const struct cache_shard *shard)
{
    return &space->used[shard - cache_shards];
}

/* --- a shard, its lock held ---------------------------------------------------------------- */

struct stored *cache_shard_find(const struct cache_shard *shard, const struct cache_space *space,
                                uint64_t hash, struct bytes key)
{
    struct stored *stored =
        shard->chains != NULL ? shard->chains[hash & (shard->chain_count - 1)] : NULL;

    while (stored != NULL &&
           (stored->hash != hash || stored->space != space || !bytes_equal(stored->key, key))) {
        stored = stored->next;
    }
    return stored;
}

static void take_out(struct cache_shard *shard, struct stored *stored)
{
    struct cache_space *space = stored->space;
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
    stored->space = space;
    list_add_first(used_in(space, shard), &stored->used);
    shard->count++;
    atomic_fetch_add_explicit(&space->bytes, stored->size, memory_order_relaxed);
    atomic_fetch_add_explicit(&space->stored, 1, memory_order_relaxed);
}

static struct stored *oldest_of(struct cache_space *space, const struct cache_shard *shard)
{
    struct link *link = list_last(used_in(space, shard));

    return link != NULL ? CONTAINER_OF(link, struct stored, used) : NULL;
}

/* --- spaces -------------------------------------------------------------------------------- */

/* All of one route stand in one. */
static struct cache_space **chain_of(const char *route)
{
    return &spaces.chains[cache_hash(bytes_of(route)) % SPACE_CHAINS];
}

/* false: its last reference has gone. */
static bool revive(struct cache_space *space)
{
    uint32_t references = atomic_load_explicit(&space->references, memory_order_relaxed);

    while (references > 0 &&
           !atomic_compare_exchange_weak_explicit(&space->references, &references, references + 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
    return references > 0;
}

static struct cache_space *make(const char *route, uint64_t print)
{
    size_t length = strlen(route) + 1;
    struct cache_space *space = calloc(1, sizeof(*space) + length);

    if (space == NULL) {
        return NULL;
    }
    atomic_init(&space->references, 1);
    space->print = print;
    memcpy(space->route, route, length);
    for (int i = 0; i < CACHE_SHARDS; i++) {
        list_init(&space->used[i]);
    }
    return space;
}

struct cache_space *cache_space_take(const char *route, uint64_t print)
{
    struct cache_space **chain = chain_of(route);
    struct cache_space *space;

    pthread_mutex_lock(&spaces.lock);
    space = *chain;
    while (space != NULL &&
           (space->print != print || strcmp(space->route, route) != 0 || !revive(space))) {
        space = space->next;
    }
    if (space == NULL && (space = make(route, print)) != NULL) {
        space->next = *chain;
        *chain = space;
        atomic_fetch_add_explicit(&space_count, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&spaces.lock);
    return space;
}

struct cache_space *cache_space_ref(struct cache_space *space)
{
    atomic_fetch_add_explicit(&space->references, 1, memory_order_relaxed);
    return space;
}

static void take_off(struct cache_space *space)
{
    struct cache_space **link = chain_of(space->route);

    pthread_mutex_lock(&spaces.lock);
    while (*link != space) {
        link = &(*link)->next;
    }
    *link = space->next;
    pthread_mutex_unlock(&spaces.lock);
    atomic_fetch_sub_explicit(&space_count, 1, memory_order_relaxed);
}

/* Nothing is put there any more. Hits of other spaces go in between. */
static void empty(struct cache_space *space, struct cache_shard *shard)
{
    struct stored *stored;
    unsigned taken = 0;

    pthread_mutex_lock(&shard->lock);
    while ((stored = oldest_of(space, shard)) != NULL) {
        take_out(shard, stored);
        if (++taken % EMPTIED_AT_ONCE == 0) {
            pthread_mutex_unlock(&shard->lock);
            pthread_mutex_lock(&shard->lock);
        }
    }
    pthread_mutex_unlock(&shard->lock);
}

static void empty_all(struct cache_space *space)
{
    for (int i = 0; i < CACHE_SHARDS; i++) {
        empty(space, &cache_shards[i]);
    }
}

void cache_space_close(struct cache_space *space)
{
    atomic_store(&space->is_closed, true);
    empty_all(space);
}

void cache_space_open(struct cache_space *space)
{
    atomic_store(&space->is_closed, false);
}

void cache_space_drop(struct cache_space **held)
{
    struct cache_space *space = *held;

    *held = NULL;
    if (space == NULL ||
        atomic_fetch_sub_explicit(&space->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    take_off(space);
    empty_all(space);
    free(space);
}

typedef void visit(struct cache_space *space, void *owner);

/* With the lock of the list held: none of them goes meanwhile. */
static void visit_all(visit *seen, void *owner)
{
    for (int i = 0; i < SPACE_CHAINS; i++) {
        for (struct cache_space *space = spaces.chains[i]; space != NULL; space = space->next) {
            seen(space, owner);
        }
    }
}

struct reader {
    cache_seen *seen;
    void *owner;
};

/* false: there is another one of this route before it, which has told for both. */
static bool is_first_of_route(struct cache_space *space)
{
    struct cache_space *first = *chain_of(space->route);

    while (strcmp(first->route, space->route) != 0) {
        first = first->next;
    }
    return first == space;
}

/* From this space of the chain on. true: one of them is open. */
static bool add_up(const struct cache_space *space, struct cache_reading *reading)
{
    bool is_open = false;

    for (; space != NULL; space = space->next) {
        if (strcmp(space->route, reading->route) == 0) {
            is_open = is_open || !atomic_load(&space->is_closed);
            reading->bytes += atomic_load_explicit(&space->bytes, memory_order_relaxed);
            reading->stored += atomic_load_explicit(&space->stored, memory_order_relaxed);
        }
    }
    return is_open;
}

static void read_space(struct cache_space *space, void *owner)
{
    const struct reader *reader = owner;
    struct cache_reading reading = {.route = space->route};

    if (is_first_of_route(space) && (add_up(space, &reading) || reading.bytes > 0)) {
        reader->seen(reader->owner, &reading);
    }
}

void cache_store_read(cache_seen *seen, void *owner)
{
    struct reader reader = {seen, owner};

    pthread_mutex_lock(&spaces.lock);
    visit_all(read_space, &reader);
    pthread_mutex_unlock(&spaces.lock);
}

struct cache_reading cache_store_read_route(const char *route)
{
    struct cache_reading reading = {.route = route};

    pthread_mutex_lock(&spaces.lock);
    add_up(*chain_of(route), &reading);
    pthread_mutex_unlock(&spaces.lock);
    return reading;
}

/* --- finding and putting ------------------------------------------------------------------- */

struct stored *cache_store_find(struct cache_space *space, uint64_t hash, struct bytes key)
{
    struct cache_shard *shard = cache_shard_of(hash);
    struct stored *stored;

    pthread_mutex_lock(&shard->lock);
    stored = cache_shard_find(shard, space, hash, key);
    if (stored != NULL) {
        stored_ref(stored);
        if (used_in(space, shard)->next != &stored->used) {
            list_remove(&stored->used);
            list_add_first(used_in(space, shard), &stored->used);
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return stored;
}

uint64_t cache_store_epoch(uint64_t hash)
{
    struct cache_shard *shard = cache_shard_of(hash);
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
    while (is_full(space, more, max_bytes) && (stored = oldest_of(space, shard)) != NULL) {
        take_out(shard, stored);
    }
    pthread_mutex_unlock(&shard->lock);
}

/* Of its own shard first: the least recently used is near enough what is found there. */
static bool make_room(struct cache_space *space, uint64_t hash, uint64_t more, uint64_t max_bytes)
{
    for (int i = 0; is_full(space, more, max_bytes) && i < CACHE_SHARDS; i++) {
        evict_from(space, &cache_shards[(cache_shard_of(hash) - cache_shards) ^ i], more,
                   max_bytes);
    }
    return !is_full(space, more, max_bytes);
}

/* What it counts beyond the one whose place it takes, where both have one body. */
static uint64_t adds(struct cache_space *space, uint64_t hash, const struct stored *stored)
{
    struct cache_shard *shard = cache_shard_of(hash);
    const struct stored *former;
    bool shares;

    if (stored->body_of == NULL) {
        return stored->size;
    }
    pthread_mutex_lock(&shard->lock);
    former = cache_shard_find(shard, space, hash, stored->key);
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
    struct stored *former = cache_shard_find(shard, space, stored->hash, stored->key);

    /* Asked under the lock, so that a space that was closed and emptied stays empty. */
    if (atomic_load(&space->is_closed) || (former != NULL && !may_replace(former, stored)) ||
        (shard->count >= shard->chain_count && !grow(shard))) {
        return false;
    }
    if (former != NULL) {
        take_out(shard, former);
    }
    put_in(space, shard, stored_ref(stored));
    return true;
}

bool cache_store_put(struct cache_space *space, uint64_t hash, uint64_t epoch, uint64_t max_bytes,
                     struct stored *stored)
{
    struct cache_shard *shard = cache_shard_of(hash);
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

bool cache_store_reserve(struct cache_space *space, uint64_t held, uint64_t bytes,
                         uint64_t max_bytes)
{
    uint64_t reserved = atomic_load_explicit(&space->reserved, memory_order_relaxed);

    if ((reserved > held && reserved + bytes > max_bytes / 2) || bytes > max_bytes ||
        !make_room(space, 0, bytes, max_bytes)) {
        return false;
    }
    atomic_fetch_add_explicit(&space->reserved, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&space->bytes, bytes, memory_order_relaxed);
    return true;
}

void cache_store_give_back(struct cache_space *space, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&space->reserved, bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&space->bytes, bytes, memory_order_relaxed);
}

/* --- throwing out -------------------------------------------------------------------------- */

static void drop(struct bytes key)
{
    uint64_t hash = cache_hash(key);
    struct cache_shard *shard = cache_shard_of(hash);
    struct stored *stored;

    pthread_mutex_lock(&shard->lock);
    (*cache_epoch_of(shard, hash))++;
    stored = shard->chains != NULL ? shard->chains[hash & (shard->chain_count - 1)] : NULL;
    while (stored != NULL) {
        struct stored *next = stored->next;

        if (stored->hash == hash && bytes_equal(stored->key, key)) {
            take_out(shard, stored);
        }
        stored = next;
    }
    pthread_mutex_unlock(&shard->lock);
}

void cache_store_invalidate(struct bytes uri)
{
    char key[CACHE_KEY_MOST];

    if (uri.length >= sizeof(key)) {
        return;
    }
    memcpy(key + 1, uri.at, uri.length);
    key[0] = CACHE_KEY_GET;
    drop((struct bytes){key, uri.length + 1});
    key[0] = CACHE_KEY_HEAD;
    drop((struct bytes){key, uri.length + 1});
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

/* How many it looked at. */
static size_t purge_chain(struct cache_shard *shard, struct stored *stored, struct bytes prefix,
                          uint64_t *purged)
{
    size_t looked = 0;

    while (stored != NULL) {
        struct stored *next = stored->next;

        if (begins_so(stored->key, prefix)) {
            *purged += stored->kind == STORED_ANSWER;
            take_out(shard, stored);
        }
        stored = next;
        looked++;
    }
    return looked;
}

/* Hits go in between. Where the table has grown meanwhile, a chain is now two: itself, and one behind all
 * that there were. */
static uint64_t purge_shard(struct cache_shard *shard, struct bytes prefix)
{
    uint64_t purged = 0;
    size_t looked = 0;

    pthread_mutex_lock(&shard->lock);
    shard->emptied++;
    for (size_t i = 0; i < shard->chain_count; i++) {
        looked += 1 + purge_chain(shard, shard->chains[i], prefix, &purged);
        if (looked >= LOOKED_AT_ONCE) {
            looked = 0;
            pthread_mutex_unlock(&shard->lock);
            pthread_mutex_lock(&shard->lock);
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return purged;
}

uint64_t cache_store_purge(struct bytes prefix)
{
    uint64_t purged = 0;

    for (int i = 0; i < CACHE_SHARDS; i++) {
        purged += purge_shard(&cache_shards[i], prefix);
    }
    return purged;
}

struct sweep {
    uint64_t now_us;
    bool memory_is_short;
};

/* As far as it matters: no more than SWEEP_MOST go at once. */
static size_t length_of(const struct link *list)
{
    size_t length = 0;

    for (const struct link *link = list->next; link != list && length < (size_t)2 * SWEEP_MOST;
         link = link->next) {
        length++;
    }
    return length;
}

/* From the one that was used longest ago. */
static void sweep_shard(struct cache_space *space, struct cache_shard *shard,
                        const struct sweep *sweep)
{
    struct link *used = used_in(space, shard);
    struct link *link;
    size_t surplus;
    unsigned most = SWEEP_MOST;

    pthread_mutex_lock(&shard->lock);
    surplus = sweep->memory_is_short ? (length_of(used) + 1) / 2 : 0;
    for (link = used->previous; link != used && most > 0; most--) {
        struct stored *stored = CONTAINER_OF(link, struct stored, used);

        link = link->previous;
        if (surplus > 0 || stored_lasts_ms(stored, sweep->now_us) > stored->keep_ms) {
            surplus -= surplus > 0;
            take_out(shard, stored);
        }
    }
    pthread_mutex_unlock(&shard->lock);
}

static void sweep_space(struct cache_space *space, void *owner)
{
    for (int i = 0;
         atomic_load_explicit(&space->stored, memory_order_relaxed) > 0 && i < CACHE_SHARDS; i++) {
        sweep_shard(space, &cache_shards[i], owner);
    }
}

void cache_store_sweep(uint64_t now_us, bool memory_is_short)
{
    struct sweep sweep = {now_us, memory_is_short};

    if (pthread_mutex_trylock(&spaces.lock) != 0) {
        return; /* another worker sweeps, or a reload changes what there is: next time */
    }
    visit_all(sweep_space, &sweep);
    pthread_mutex_unlock(&spaces.lock);
}
