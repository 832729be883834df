/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker's counters. Each name has one block of counters that outlives reloads; these only
 * change which index leads to which block. Blocks are appended to a list that other threads walk.
 * Names that are gone keep theirs, for they may come back, and for the next reader; of
 * those that went long ago only some, or reloads with ever new names would grow for good. They
 * are forgotten while a reload is prepared, unless there is a reader.
 *
 * An exchange that began before a reload ends with the indexes of the old settings. Each entry
 * therefore remembers the very pointer of the name it was adopted with: where the outcome's
 * name is another one, the block is looked up by name. */
#include "observe/metrics_private.h"

#include "base/check.h"

#include <stdlib.h>

#define SHORTEST_POWER 6 /* 64 us */
#define LONGEST_POWER 26 /* 67 s */
#define BUCKETS_PER_POWER 4

_Static_assert((LONGEST_POWER - SHORTEST_POWER) * BUCKETS_PER_POWER + 2 == METRICS_DURATION_BUCKETS,
               "one bucket below and one above");

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

/* --- counting ---------------------------------------------------------------------------- */

/* NULL when there is no such block: nothing is counted then. */
static struct metrics_block *block_for(const struct metrics_family *family, int64_t index,
                                       const char *name)
{
    if (index >= 0 && (size_t)index < family->index.count) {
        const struct metrics_entry *entry = &family->index.entries[index];

        if (name == NULL || name == entry->name || strcmp(name, entry->block->name) == 0) {
            return entry->block;
        }
    }
    return index >= 0 && name != NULL ? metrics_find_block(family, name) : NULL;
}

/* What all blocks of an exchange have in common, found out once. */
struct facts {
    unsigned status_class;
    unsigned bucket;
};

static void count_in_block(struct metrics_block *block, const struct outcome *outcome,
                           const struct facts *facts)
{
    if (block == NULL) {
        return;
    }
    if (outcome->course.error != NULL) {
        counter_add(&block->counters.errors, 1);
    }
    counter_add(&block->counters.bytes_in, outcome->course.bytes_in);
    counter_add(&block->counters.bytes_out, outcome->course.bytes_out);
    counter_add(&block->counters.by_status[facts->status_class], 1);
    counter_add(&block->counters.by_end[outcome->course.end], 1);
    counter_add(&block->counters.duration_sum_us, outcome->total_us);
    counter_add(&block->counters.durations[facts->bucket], 1);
}

const uint32_t metrics_seldom_counts[METRICS_SELDOM_KINDS] = {
    [METRICS_SELDOM_CODES] = METRICS_CODES,
    [METRICS_SELDOM_GRPC] = GRPC_STATUS_COUNT,
    [METRICS_SELDOM_CACHES] = OUTCOME_CACHE_COUNT,
};

/* Most routes never need them. Without memory the class alone is counted. */
static void count_seldom(struct metrics_block *block, enum metrics_seldom kind, size_t index)
{
    counter *there = atomic_load_explicit(&block->seldom[kind], memory_order_relaxed);

    if (there == NULL) {
        there = calloc(metrics_seldom_counts[kind], sizeof(*there));
        if (there == NULL) {
            return;
        }
        atomic_store_explicit(&block->seldom[kind], there, memory_order_release);
    }
    counter_add(&there[index], 1);
}

/* Only exchanges with a trace that a collector gets: the others' ids lead nowhere. */
static bool is_sampled(const struct outcome *outcome)
{
    return outcome->trace != NULL && outcome->trace->sampled;
}

void metrics_count(struct metrics *metrics, const struct outcome *outcome)
{
    struct metrics_family *families = metrics->families;
    struct metrics_block *route =
        block_for(&families[METRICS_ROUTES], outcome->route_index, outcome->route);
    struct metrics_block *listener =
        block_for(&families[METRICS_LISTENERS], outcome->listener_index, outcome->listener);
    struct metrics_block *service =
        block_for(&families[METRICS_SERVICES], outcome->service_index, outcome->service);
    unsigned status_class = outcome->course.status / 100u;
    const struct facts facts = {
        .status_class = status_class < METRICS_STATUS_CLASSES ? status_class : 0,
        .bucket = bucket_of(outcome->total_us),
    };

    route = route != NULL ? route : metrics->unrouted;
    count_in_block(route, outcome, &facts);
    if (outcome->course.status >= METRICS_CODES_FIRST &&
        outcome->course.status < METRICS_CODES_FIRST + METRICS_CODES) {
        count_seldom(route, METRICS_SELDOM_CODES, outcome->course.status - METRICS_CODES_FIRST);
    }
    if (outcome->course.is_grpc) {
        count_seldom(route, METRICS_SELDOM_GRPC, outcome->course.grpc_status);
    }
    if (outcome->course.cache != OUTCOME_CACHE_NONE) {
        count_seldom(route, METRICS_SELDOM_CACHES, outcome->course.cache);
    }
    count_in_block(listener, outcome, &facts);
    count_in_block(service, outcome, &facts);
    if (is_sampled(outcome)) {
        metrics_note_exemplar(route, facts.bucket, outcome);
        metrics_note_exemplar(listener, facts.bucket, outcome);
        metrics_note_exemplar(service, facts.bucket, outcome);
    }
    if (outcome->course.cut != CUT_NONE) {
        count_in_block(
            metrics_make_block(metrics, METRICS_CUTS, cut_cause_name(outcome->course.cut)), outcome,
            &facts);
    }
}

void metrics_report_retries(struct metrics *metrics, const struct service_settings *service,
                            const struct metrics_retries *retries)
{
    struct metrics_block *block =
        block_for(&metrics->families[METRICS_SERVICES], (int32_t)service->index, service->name);

    if (block != NULL) {
        counter_add(&block->counters.retries, retries->made);
        counter_add(&block->counters.retries_denied, retries->denied);
        atomic_store_explicit(&block->counters.retries_left, retries->left, memory_order_relaxed);
    }
}

void metrics_note(struct metrics *metrics, enum metrics_event event)
{
    counter_add(&metrics->events[event], 1);
}

void metrics_note_cut(struct metrics *metrics, enum cut_cause cause)
{
    counter_add(&metrics->cuts[cause], 1);
}

void metrics_note_time(struct metrics *metrics, enum metrics_time time, uint64_t microseconds)
{
    struct metrics_times *times = &metrics->times[time];

    counter_add(&times->sum_us, microseconds);
    counter_add(&times->durations[metrics_duration_bucket(microseconds)], 1);
}

void metrics_note_lag(struct metrics *metrics, uint64_t microseconds, uint64_t now_us)
{
    uint64_t minute = now_us / METRICS_MINUTE_US;
    counter *of = &metrics->lags[minute & 1].minute;
    counter *longest = &metrics->lags[minute & 1].longest_us;

    metrics_note_time(metrics, METRICS_TIME_LAG, microseconds);
    if (counter_read(of) != minute) {
        atomic_store_explicit(longest, 0, memory_order_relaxed);
        atomic_store_explicit(of, minute, memory_order_relaxed);
    }
    if (microseconds > counter_read(longest)) {
        atomic_store_explicit(longest, microseconds, memory_order_relaxed);
    }
}

void metrics_note_h2_fault(struct metrics *metrics, enum h2_fault fault)
{
    counter_add(&metrics->h2_faults[fault], 1);
}

void metrics_origin_begins(struct metrics_origin *origin, uint16_t status)
{
    unsigned status_class = status / 100u;

    counter_add(
        &origin->block.counters.by_status[status_class < METRICS_STATUS_CLASSES ? status_class : 0],
        1);
}

void metrics_origin_ends(struct metrics_origin *origin, uint64_t microseconds)
{
    counter_add(&origin->block.counters.duration_sum_us, microseconds);
    counter_add(
        &origin->block.counters
             .durations[bucket_of(microseconds > UINT32_MAX ? UINT32_MAX : (uint32_t)microseconds)],
        1);
}

void metrics_origin_fails(struct metrics_origin *origin, unsigned failure)
{
    counter_add(&origin->failures[failure < METRICS_FAILURES_MAX ? failure : 0], 1);
}

/* --- beginning and end ------------------------------------------------------------------- */

/* The unrouted come first among the routes, with an empty name that no route can have. */
struct metrics *metrics_new(void)
{
    struct metrics *metrics = calloc(1, sizeof(*metrics));

    if (metrics == NULL) {
        return NULL;
    }
    metrics->unrouted = metrics_make_block(metrics, METRICS_ROUTES, "");
    if (metrics->unrouted == NULL) {
        free(metrics);
        return NULL;
    }
    pthread_mutex_init(&metrics->lock, NULL);
    metrics_hold_block(&metrics->families[METRICS_ROUTES], metrics->unrouted);
    return metrics;
}

static void free_names(struct kept_name **slot)
{
    struct kept_name *kept;

    while ((kept = *slot) != NULL) {
        *slot = kept->next;
        free(kept);
    }
}

void metrics_free(struct metrics **metrics)
{
    if (*metrics == NULL) {
        return;
    }
    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        struct metrics_family *family = &(*metrics)->families[kind];

        metrics_free_blocks(kind, atomic_load_explicit(&family->first, memory_order_relaxed));
        free(family->index.entries);
    }
    for (size_t slot = 0; slot < METRICS_HASH_SLOTS; slot++) {
        free_names(&(*metrics)->names[slot]);
    }
    pthread_mutex_destroy(&(*metrics)->lock);
    free(*metrics);
    *metrics = NULL;
}
