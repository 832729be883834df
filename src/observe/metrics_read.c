/* SPDX-License-Identifier: BSD-2-Clause */
/* What was counted, for those who show it (control/); from any thread. */
#include "observe/metrics_private.h"

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

uint64_t metrics_noted(const struct metrics *metrics, unsigned event)
{
    return counter_read(&metrics->events[event]);
}

uint64_t metrics_cuts(const struct metrics *metrics, unsigned cause)
{
    return counter_read(&metrics->cuts[cause]);
}

uint64_t metrics_h2_faults(const struct metrics *metrics, unsigned fault)
{
    return counter_read(&metrics->h2_faults[fault]);
}

static const struct metrics_block *first_block(const struct metrics_family *family)
{
    return atomic_load_explicit(&family->first, memory_order_acquire);
}

static const struct metrics_block *next_block(const struct metrics_block *block)
{
    return atomic_load_explicit(&block->next, memory_order_acquire);
}

static uint64_t count_of(const struct metrics_block *block)
{
    uint64_t sum = 0;

    for (int i = 0; i < METRICS_STATUS_CLASSES; i++) {
        sum += counter_read(&block->counters.by_status[i]);
    }
    return sum;
}

uint64_t metrics_exchanges(const struct metrics *metrics)
{
    uint64_t sum = 0;

    for (const struct metrics_block *block = first_block(&metrics->families[METRICS_ROUTES]);
         block != NULL; block = next_block(block)) {
        sum += count_of(block);
    }
    return sum;
}

static void read_counters(const counter *from, uint64_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = counter_read(&from[i]);
    }
}

#define COUNTERS (sizeof(struct metrics_counters) / sizeof(counter))
_Static_assert(offsetof(struct metrics_reading, by_cache) -
                       offsetof(struct metrics_reading, errors) ==
                   COUNTERS * sizeof(uint64_t),
               "a reading has the counters of a block in their order");

static void read_block(const struct metrics_block *block, enum metrics_kind kind,
                       struct metrics_reading *reading)
{
    const struct metrics_origin *origin = (const struct metrics_origin *)block;
    const counter *caches =
        atomic_load_explicit(&block->seldom[METRICS_SELDOM_CACHES], memory_order_acquire);

    reading->name = block->name;
    reading->exchanges = count_of(block);
    read_counters(&block->counters.errors, &reading->errors, COUNTERS);
    memset(reading->by_cache, 0, sizeof(reading->by_cache));
    if (caches != NULL) {
        read_counters(caches, reading->by_cache, OUTCOME_CACHE_COUNT);
    }
    memset(reading->by_failure, 0, sizeof(reading->by_failure));
    if (kind == METRICS_ORIGINS) {
        read_counters(origin->failures, reading->by_failure, METRICS_FAILURES_MAX);
    }
}

void metrics_read(const struct metrics *metrics, enum metrics_kind kind, metrics_seen *seen,
                  void *owner)
{
    for (const struct metrics_block *block = first_block(&metrics->families[kind]); block != NULL;
         block = next_block(block)) {
        struct metrics_reading reading;

        read_block(block, kind, &reading);
        seen(owner, &reading);
    }
}

void metrics_read_time(const struct metrics *metrics, enum metrics_time time,
                       struct metrics_reading *reading)
{
    const struct metrics_times *times = &metrics->times[time];

    reading->duration_sum_us += counter_read(&times->sum_us);
    for (unsigned i = 0; i < METRICS_DURATION_BUCKETS; i++) {
        reading->durations[i] += counter_read(&times->durations[i]);
    }
}

uint64_t metrics_longest_lag(const struct metrics *metrics, uint64_t now_us)
{
    uint64_t minute = now_us / METRICS_MINUTE_US;
    uint64_t longest = 0;

    for (int i = 0; i < 2; i++) {
        uint64_t lag = counter_read(&metrics->lags[i].longest_us);

        if (counter_read(&metrics->lags[i].minute) + 1 >= minute && lag > longest) {
            longest = lag;
        }
    }
    return longest;
}

void metrics_read_seldom(const struct metrics *metrics, enum metrics_seldom kind,
                         metrics_seldom_seen *seen, void *owner)
{
    uint32_t count = metrics_seldom_counts[kind];

    for (const struct metrics_block *block = first_block(&metrics->families[METRICS_ROUTES]);
         block != NULL; block = next_block(block)) {
        const counter *counters = atomic_load_explicit(&block->seldom[kind], memory_order_acquire);
        uint64_t copy[METRICS_CODES]; /* the most */

        if (counters != NULL) {
            read_counters(counters, copy, count);
            seen(owner, block->name, copy, count);
        }
    }
}
