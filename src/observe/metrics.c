/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker's counters. Each name has one block of counters that outlives reloads; these only
 * change which index leads to which block. Blocks are appended to a list that other threads walk.
 * Names that are gone keep theirs, for they may come back and for whoever reads them next; of
 * those that went long ago only some, or reloads with ever new names would grow for good. They
 * are forgotten while a reload is prepared, unless somebody reads.
 *
 * An exchange that began before a reload ends with the indexes of the old settings. Each entry
 * therefore remembers the very pointer of the name it was adopted with: where the outcome's
 * name is another one, the block is looked up by name. */
#include "observe/metrics.h"

#include "base/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define GONE_KEPT 256   /* names of a kind */
#define GONE_RELOADS 10 /* for so long all are kept */
#define HASH_SLOTS 4096
#define SHORTEST_POWER 6 /* 64 us */
#define LONGEST_POWER 26 /* 67 s */
#define BUCKETS_PER_POWER 4

_Static_assert((LONGEST_POWER - SHORTEST_POWER) * BUCKETS_PER_POWER + 2 == METRICS_DURATION_BUCKETS,
               "one bucket below and one above");

/* Written by one thread alone: a load and a store, without a locked instruction. */
typedef _Atomic uint64_t counter;

struct block {
    struct block *_Atomic next; /* in the order of adoption; read by any thread */
    struct block *next_in_slot; /* worker's thread */
    uint64_t hash;
    uint64_t named;   /* the last round of settings that had this name; worker's thread */
    uint32_t holders; /* without being in any settings; worker's thread */
    counter errors;
    counter retries; /* of services */
    counter retries_denied;
    counter retries_left; /* as of the last telling */
    counter bytes_in;
    counter bytes_out;
    counter duration_sum_us;
    counter by_status[METRICS_STATUS_CLASSES]; /* all exchanges: each has one */
    counter by_end[OUTCOME_END_COUNT];
    counter durations[METRICS_DURATION_BUCKETS];
    char *name;
};

/* Not by an index of the settings: whoever holds an origin holds its block. */
struct metrics_origin {
    struct block block; /* first: it is cast to and fro */
    counter failures[METRICS_FAILURES_MAX];
};

struct entry {
    const char *name; /* the settings' own pointer, compared and never followed */
    struct block *block;
};

struct index {
    struct entry *entries;
    size_t count;
};

/* All blocks of one kind. */
struct family {
    struct block *_Atomic first;
    struct block *last;
    struct block *slots[HASH_SLOTS];
    struct index index;
    size_t count;
    size_t held; /* by holders */
};

/* Of an origin that is forgotten: whoever was sent there may still tell its name. */
struct kept_name {
    struct kept_name *next;
    char *name;
};

struct metrics {
    counter events[METRICS_EVENT_COUNT];
    counter cuts[CUT_CAUSE_COUNT];
    struct block *unrouted;
    struct family families[METRICS_KIND_COUNT];
    struct kept_name *names;
    uint64_t round; /* settings adopted so far */
    pthread_mutex_t lock;
    uint32_t readers; /* while there are some, no block goes */
};

static void add(counter *to, uint64_t count)
{
    uint64_t before = atomic_load_explicit(to, memory_order_relaxed);

    atomic_store_explicit(to, before + count, memory_order_relaxed);
}

static uint64_t read_counter(const counter *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

/* --- durations --------------------------------------------------------------------------- */

/* The bucket's number is the exponent and the two bits behind the leading one. */
static unsigned bucket_of(uint32_t microseconds)
{
    unsigned power;
    unsigned quarter;

    if (microseconds < 1u << SHORTEST_POWER) {
        return 0;
    }
    if (microseconds >= 1u << LONGEST_POWER) {
        return METRICS_DURATION_BUCKETS - 1;
    }
    power = 31 - (unsigned)__builtin_clz(microseconds);
    quarter = (microseconds >> (power - 2)) & 3;
    return 1 + (power - SHORTEST_POWER) * BUCKETS_PER_POWER + quarter;
}

unsigned metrics_duration_bucket(uint64_t microseconds)
{
    return bucket_of(microseconds < UINT32_MAX ? (uint32_t)microseconds : UINT32_MAX);
}

uint64_t metrics_duration_limit(unsigned bucket)
{
    unsigned power = SHORTEST_POWER + (bucket - 1) / BUCKETS_PER_POWER;
    unsigned quarter = (bucket - 1) % BUCKETS_PER_POWER;

    CHECK(bucket < METRICS_DURATION_BUCKETS);
    if (bucket == 0) {
        return 1u << SHORTEST_POWER;
    }
    if (bucket == METRICS_DURATION_BUCKETS - 1) {
        return UINT64_MAX;
    }
    return (uint64_t)(BUCKETS_PER_POWER + quarter + 1) << (power - 2);
}

/* --- blocks ------------------------------------------------------------------------------ */

/* FNV-1a; only names of the configuration come here. */
static uint64_t hash_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
    }
    return hash;
}

static struct block *block_new(enum metrics_kind kind, const char *name)
{
    size_t size = kind == METRICS_ORIGINS ? sizeof(struct metrics_origin) : sizeof(struct block);
    struct block *block = calloc(1, size);

    if (block == NULL) {
        return NULL;
    }
    block->name = strdup(name);
    if (block->name == NULL) {
        free(block);
        return NULL;
    }
    block->hash = hash_of(name);
    return block;
}

static void free_blocks(struct block *block)
{
    while (block != NULL) {
        struct block *next = atomic_load_explicit(&block->next, memory_order_relaxed);

        free(block->name);
        free(block);
        block = next;
    }
}

static struct block *find_block(const struct family *family, const char *name)
{
    uint64_t hash = hash_of(name);

    for (struct block *block = family->slots[hash % HASH_SLOTS]; block != NULL;
         block = block->next_in_slot) {
        if (block->hash == hash && strcmp(block->name, name) == 0) {
            return block;
        }
    }
    return NULL;
}

/* From here on other threads see the block, hence release. */
static void add_block(struct family *family, struct block *block)
{
    struct block **slot = &family->slots[block->hash % HASH_SLOTS];

    block->next_in_slot = *slot;
    *slot = block;
    if (family->last == NULL) {
        atomic_store_explicit(&family->first, block, memory_order_release);
    } else {
        atomic_store_explicit(&family->last->next, block, memory_order_release);
    }
    family->last = block;
    family->count++;
}

/* `before` it in the list; NULL: it is the first. Nobody reads. */
static void drop_block(struct family *family, struct block *before, struct block *block)
{
    struct block *next = atomic_load_explicit(&block->next, memory_order_relaxed);
    struct block **slot = &family->slots[block->hash % HASH_SLOTS];

    while (*slot != block) {
        slot = &(*slot)->next_in_slot;
    }
    *slot = block->next_in_slot;
    atomic_store_explicit(before != NULL ? &before->next : &family->first, next,
                          memory_order_release);
    if (family->last == block) {
        family->last = before;
    }
    family->count--;
    free(block);
}

static bool keep_name(struct metrics *metrics, const struct block *block)
{
    struct kept_name *kept = malloc(sizeof(*kept));

    if (kept == NULL) {
        return false;
    }
    *kept = (struct kept_name){metrics->names, block->name};
    metrics->names = kept;
    return true;
}

/* false: it stays. */
static bool forget(struct metrics *metrics, int kind, struct block *before, struct block *block)
{
    if (kind != METRICS_ORIGINS) {
        free(block->name);
    } else if (!keep_name(metrics, block)) {
        return false;
    }
    drop_block(&metrics->families[kind], before, block);
    return true;
}

static void hold_block(struct family *family, struct block *block)
{
    family->held += block->holders++ == 0;
}

/* --- adopting ---------------------------------------------------------------------------- */

/* The indexes of new settings, made beside the old ones and put in their place at the end. Blocks
 * of new names join their family at once: until something is counted they are rows of zeros. */
struct metrics_adoption {
    struct metrics *metrics;
    const struct settings *settings;
    struct index indexes[METRICS_KIND_COUNT];
    size_t made[METRICS_KIND_COUNT];
    int swept;           /* kinds */
    struct block *sweep; /* as far as this one; NULL: from the first one on */
};

static const char *name_in(const struct settings *settings, enum metrics_kind kind, size_t index)
{
    switch (kind) {
    case METRICS_ROUTES:
        return settings->routes[index].name;
    case METRICS_LISTENERS:
        return settings->listeners[index].name;
    default:
        return settings->services[index].name;
    }
}

static size_t count_in(const struct settings *settings, enum metrics_kind kind)
{
    switch (kind) {
    case METRICS_ROUTES:
        return settings->route_count;
    case METRICS_LISTENERS:
        return settings->listener_count;
    case METRICS_SERVICES:
        return settings->service_count;
    default:
        return 0; /* origins and causes come by themselves */
    }
}

struct metrics_adoption *metrics_adoption_new(struct metrics *metrics,
                                              const struct settings *settings)
{
    struct metrics_adoption *adoption = calloc(1, sizeof(*adoption));

    if (adoption == NULL) {
        return NULL;
    }
    adoption->metrics = metrics;
    adoption->settings = settings;
    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        struct index *index = &adoption->indexes[kind];

        index->count = count_in(settings, (enum metrics_kind)kind);
        index->entries = calloc(index->count > 0 ? index->count : 1, sizeof(struct entry));
        if (index->entries == NULL) {
            metrics_adoption_abandon(&adoption);
            return NULL;
        }
    }
    return adoption;
}

static bool adopt_name(struct metrics_adoption *adoption, enum metrics_kind kind, size_t index)
{
    struct family *family = &adoption->metrics->families[kind];
    const char *name = name_in(adoption->settings, kind, index);
    struct block *block = find_block(family, name);

    if (block == NULL) {
        block = block_new(kind, name);
        if (block == NULL) {
            return false;
        }
        add_block(family, block);
    }
    block->named = adoption->metrics->round + 1;
    adoption->indexes[kind].entries[index] = (struct entry){name, block};
    return true;
}

static size_t count_gone(const struct metrics_adoption *adoption, int kind)
{
    const struct family *family = &adoption->metrics->families[kind];
    size_t living = family->held + adoption->indexes[kind].count;

    return family->count > living ? family->count - living : 0;
}

/* What runs has its names from this round at the latest, so none of them is. */
static bool is_long_gone(const struct metrics *metrics, const struct block *block)
{
    return block->holders == 0 && block->named + GONE_RELOADS <= metrics->round;
}

/* true: done. Those that came first go first. */
static bool sweep(struct metrics_adoption *adoption, unsigned most)
{
    for (; adoption->swept < METRICS_KIND_COUNT; adoption->swept++, adoption->sweep = NULL) {
        struct family *family = &adoption->metrics->families[adoption->swept];

        for (; count_gone(adoption, adoption->swept) > GONE_KEPT; most--) {
            struct block *before = adoption->sweep;
            struct block *block = atomic_load_explicit(
                before != NULL ? &before->next : &family->first, memory_order_relaxed);

            if (block == NULL) {
                break;
            }
            if (most == 0) {
                return false;
            }
            if (!is_long_gone(adoption->metrics, block) ||
                !forget(adoption->metrics, adoption->swept, before, block)) {
                adoption->sweep = block;
            }
        }
    }
    return true;
}

/* Waits for nobody: who cannot be forgotten now, for somebody reads, is at the next reload. */
static bool forget_gone(struct metrics_adoption *adoption, unsigned most)
{
    struct metrics *metrics = adoption->metrics;
    bool done;

    if (pthread_mutex_trylock(&metrics->lock) != 0) {
        return true;
    }
    done = metrics->readers > 0 || sweep(adoption, most);
    pthread_mutex_unlock(&metrics->lock);
    return done;
}

enum metrics_progress metrics_adoption_grow(struct metrics_adoption *adoption, unsigned most)
{
    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        size_t *made = &adoption->made[kind];

        for (; *made < adoption->indexes[kind].count; most--, (*made)++) {
            if (most == 0) {
                return METRICS_GROW;
            }
            if (!adopt_name(adoption, (enum metrics_kind)kind, *made)) {
                return METRICS_FAILED;
            }
        }
    }
    return forget_gone(adoption, most) ? METRICS_ARE_WHOLE : METRICS_GROW;
}

void metrics_adoption_commit(struct metrics_adoption **held)
{
    struct metrics_adoption *adoption = *held;

    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        struct family *family = &adoption->metrics->families[kind];
        struct index former = family->index;

        CHECK(adoption->made[kind] == adoption->indexes[kind].count);
        family->index = adoption->indexes[kind];
        adoption->indexes[kind] = former;
    }
    adoption->metrics->round++;
    metrics_adoption_abandon(held);
}

void metrics_adoption_abandon(struct metrics_adoption **held)
{
    struct metrics_adoption *adoption = *held;

    *held = NULL;
    for (int kind = 0; adoption != NULL && kind < METRICS_KIND_COUNT; kind++) {
        free(adoption->indexes[kind].entries);
    }
    free(adoption);
}

bool metrics_adopt(struct metrics *metrics, const struct settings *settings)
{
    struct metrics_adoption *adoption = metrics_adoption_new(metrics, settings);

    if (adoption == NULL || metrics_adoption_grow(adoption, UINT32_MAX) != METRICS_ARE_WHOLE) {
        metrics_adoption_abandon(&adoption);
        return false;
    }
    metrics_adoption_commit(&adoption);
    return true;
}

/* --- counting ---------------------------------------------------------------------------- */

/* NULL when there is no such block: nothing is counted then. */
static struct block *block_for(const struct family *family, int64_t index, const char *name)
{
    if (index >= 0 && (size_t)index < family->index.count) {
        const struct entry *entry = &family->index.entries[index];

        if (name == NULL || name == entry->name || strcmp(name, entry->block->name) == 0) {
            return entry->block;
        }
    }
    return index >= 0 && name != NULL ? find_block(family, name) : NULL;
}

/* What all blocks of an exchange have in common, found out once. */
struct facts {
    unsigned status_class;
    unsigned bucket;
};

static void count_in_block(struct block *block, const struct outcome *outcome,
                           const struct facts *facts)
{
    if (block == NULL) {
        return;
    }
    if (outcome->error != NULL) {
        add(&block->errors, 1);
    }
    add(&block->bytes_in, outcome->bytes_in);
    add(&block->bytes_out, outcome->bytes_out);
    add(&block->by_status[facts->status_class], 1);
    add(&block->by_end[outcome->end], 1);
    add(&block->duration_sum_us, outcome->total_us);
    add(&block->durations[facts->bucket], 1);
}

/* A block that no settings name, made when it is first asked for; NULL: no memory. */
static struct block *make_block(struct metrics *metrics, enum metrics_kind kind, const char *name)
{
    struct family *family = &metrics->families[kind];
    struct block *block = find_block(family, name);

    if (block == NULL) {
        block = block_new(kind, name);
        if (block != NULL) {
            add_block(family, block);
        }
    }
    return block;
}

void metrics_count(struct metrics *metrics, const struct outcome *outcome)
{
    struct family *families = metrics->families;
    struct block *route =
        block_for(&families[METRICS_ROUTES], outcome->route_index, outcome->route);
    unsigned status_class = outcome->status / 100u;
    const struct facts facts = {
        .status_class = status_class < METRICS_STATUS_CLASSES ? status_class : 0,
        .bucket = bucket_of(outcome->total_us),
    };

    count_in_block(route != NULL ? route : metrics->unrouted, outcome, &facts);
    count_in_block(
        block_for(&families[METRICS_LISTENERS], outcome->listener_index, outcome->listener),
        outcome, &facts);
    count_in_block(block_for(&families[METRICS_SERVICES], outcome->service_index, outcome->service),
                   outcome, &facts);
    if (outcome->cut != CUT_NONE) {
        count_in_block(make_block(metrics, METRICS_CUTS, cut_cause_name(outcome->cut)), outcome,
                       &facts);
    }
}

void metrics_tell_retries(struct metrics *metrics, const struct outcome *outcome,
                          const struct metrics_retries *retries)
{
    struct block *block =
        block_for(&metrics->families[METRICS_SERVICES], outcome->service_index, outcome->service);

    if (block != NULL) {
        add(&block->retries, retries->made);
        add(&block->retries_denied, retries->denied);
        atomic_store_explicit(&block->retries_left, retries->left, memory_order_relaxed);
    }
}

void metrics_note(struct metrics *metrics, enum metrics_event event)
{
    add(&metrics->events[event], 1);
}

void metrics_note_cut(struct metrics *metrics, enum cut_cause cause)
{
    add(&metrics->cuts[cause], 1);
}

struct metrics_origin *metrics_origin(struct metrics *metrics, const char *name)
{
    struct block *block = make_block(metrics, METRICS_ORIGINS, name);

    if (block != NULL) {
        hold_block(&metrics->families[METRICS_ORIGINS], block);
    }
    return (struct metrics_origin *)block;
}

void metrics_origin_leaves(struct metrics *metrics, struct metrics_origin **origin)
{
    struct block *block = (struct block *)*origin;

    *origin = NULL;
    if (block != NULL && --block->holders == 0) {
        metrics->families[METRICS_ORIGINS].held--;
        block->named = metrics->round;
    }
}

const char *metrics_origin_name(const struct metrics_origin *origin)
{
    return origin->block.name;
}

void metrics_origin_begins(struct metrics_origin *origin, uint16_t status)
{
    unsigned status_class = status / 100u;

    add(&origin->block.by_status[status_class < METRICS_STATUS_CLASSES ? status_class : 0], 1);
}

void metrics_origin_ends(struct metrics_origin *origin, uint64_t microseconds)
{
    add(&origin->block.duration_sum_us, microseconds);
    add(&origin->block
             .durations[bucket_of(microseconds > UINT32_MAX ? UINT32_MAX : (uint32_t)microseconds)],
        1);
}

void metrics_origin_fails(struct metrics_origin *origin, unsigned failure)
{
    add(&origin->failures[failure < METRICS_FAILURES_MAX ? failure : 0], 1);
}

/* --- reading ----------------------------------------------------------------------------- */

void metrics_hold(struct metrics *metrics)
{
    pthread_mutex_lock(&metrics->lock);
    metrics->readers++;
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_let_go(struct metrics *metrics)
{
    pthread_mutex_lock(&metrics->lock);
    metrics->readers--;
    pthread_mutex_unlock(&metrics->lock);
}

uint64_t metrics_noted(const struct metrics *metrics, enum metrics_event event)
{
    return read_counter(&metrics->events[event]);
}

uint64_t metrics_cuts(const struct metrics *metrics, enum cut_cause cause)
{
    return read_counter(&metrics->cuts[cause]);
}

static const struct block *first_block(const struct family *family)
{
    return atomic_load_explicit(&family->first, memory_order_acquire);
}

static const struct block *next_block(const struct block *block)
{
    return atomic_load_explicit(&block->next, memory_order_acquire);
}

static uint64_t count_of(const struct block *block)
{
    uint64_t sum = 0;

    for (int i = 0; i < METRICS_STATUS_CLASSES; i++) {
        sum += read_counter(&block->by_status[i]);
    }
    return sum;
}

uint64_t metrics_exchanges(const struct metrics *metrics)
{
    uint64_t sum = 0;

    for (const struct block *block = first_block(&metrics->families[METRICS_ROUTES]); block != NULL;
         block = next_block(block)) {
        sum += count_of(block);
    }
    return sum;
}

static void read_counters(const counter *from, uint64_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = read_counter(&from[i]);
    }
}

static void read_block(const struct block *block, enum metrics_kind kind,
                       struct metrics_reading *reading)
{
    const struct metrics_origin *origin = (const struct metrics_origin *)block;

    reading->name = block->name;
    reading->exchanges = count_of(block);
    reading->errors = read_counter(&block->errors);
    reading->retries = read_counter(&block->retries);
    reading->retries_denied = read_counter(&block->retries_denied);
    reading->retries_left = read_counter(&block->retries_left);
    reading->bytes_in = read_counter(&block->bytes_in);
    reading->bytes_out = read_counter(&block->bytes_out);
    reading->duration_sum_us = read_counter(&block->duration_sum_us);
    read_counters(block->by_status, reading->by_status, METRICS_STATUS_CLASSES);
    read_counters(block->by_end, reading->by_end, OUTCOME_END_COUNT);
    read_counters(block->durations, reading->durations, METRICS_DURATION_BUCKETS);
    memset(reading->by_failure, 0, sizeof(reading->by_failure));
    if (kind == METRICS_ORIGINS) {
        read_counters(origin->failures, reading->by_failure, METRICS_FAILURES_MAX);
    }
}

void metrics_read(const struct metrics *metrics, enum metrics_kind kind, metrics_seen *seen,
                  void *owner)
{
    for (const struct block *block = first_block(&metrics->families[kind]); block != NULL;
         block = next_block(block)) {
        struct metrics_reading reading;

        read_block(block, kind, &reading);
        seen(owner, &reading);
    }
}

/* --- beginning and end ------------------------------------------------------------------- */

/* The unrouted come first among the routes, with an empty name that no route can have. */
struct metrics *metrics_new(void)
{
    struct metrics *metrics = calloc(1, sizeof(*metrics));
    struct block *unrouted;

    if (metrics == NULL) {
        return NULL;
    }
    unrouted = block_new(METRICS_ROUTES, "");
    if (unrouted == NULL) {
        free(metrics);
        return NULL;
    }
    metrics->unrouted = unrouted;
    pthread_mutex_init(&metrics->lock, NULL);
    add_block(&metrics->families[METRICS_ROUTES], unrouted);
    hold_block(&metrics->families[METRICS_ROUTES], unrouted);
    return metrics;
}

void metrics_free(struct metrics **metrics)
{
    struct kept_name *kept;

    if (*metrics == NULL) {
        return;
    }
    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        struct family *family = &(*metrics)->families[kind];

        free_blocks(atomic_load_explicit(&family->first, memory_order_relaxed));
        free(family->index.entries);
    }
    while ((kept = (*metrics)->names) != NULL) {
        (*metrics)->names = kept->next;
        free(kept->name);
        free(kept);
    }
    pthread_mutex_destroy(&(*metrics)->lock);
    free(*metrics);
    *metrics = NULL;
}
