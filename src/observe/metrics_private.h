/* SPDX-License-Identifier: BSD-2-Clause */
/* What counting (metrics.c), the blocks that are counted in (metrics_block.c), their exemplars
 * (metrics_exemplars.c), new settings (metrics_staged.c) and reading (metrics_read.c) share. */
#ifndef OBSERVE_METRICS_PRIVATE_H
#define OBSERVE_METRICS_PRIVATE_H

#include "base/hash.h"
#include "observe/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

#define METRICS_HASH_SLOTS 4096
#define METRICS_MINUTE_US 60000000u

/* Written by one thread alone: a load and a store, without a locked instruction. */
typedef _Atomic uint64_t counter;

struct metrics_exemplars;

/* In the order of struct metrics_reading, where the rest of it is read from elsewhere. */
struct metrics_counters {
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
};

struct metrics_block {
    struct metrics_block *_Atomic next; /* in the order of staged config; read by any thread */
    struct metrics_block *next_in_slot; /* worker's thread */
    uint64_t hash;
    uint64_t named;   /* the last round of settings that had this name; worker's thread */
    uint32_t holders; /* without being in any settings; worker's thread */
    struct metrics_counters counters;
    counter *_Atomic seldom[METRICS_SELDOM_KINDS]; /* of routes; from the first one on */
    struct metrics_exemplars *_Atomic exemplars;   /* from the first sampled exchange on */
    char *name;
};

struct metrics_times {
    counter sum_us;
    counter durations[METRICS_DURATION_BUCKETS];
};

/* Not by an index of the settings: the holder of an origin holds its block. */
struct metrics_origin {
    struct metrics_block block; /* first: it is cast to and fro */
    counter failures[METRICS_FAILURES_MAX];
};

struct metrics_entry {
    const char *name; /* the settings' own pointer, compared and never followed */
    struct metrics_block *block;
};

struct metrics_index {
    struct metrics_entry *entries;
    size_t count;
};

/* All blocks of one kind. */
struct metrics_family {
    struct metrics_block *_Atomic first;
    struct metrics_block *last;
    struct metrics_block *slots[METRICS_HASH_SLOTS];
    struct metrics_index index;
    size_t count;
    size_t held; /* by holders */
};

/* Of an origin, as long as the metrics. */
struct kept_name {
    struct kept_name *next;
    char name[];
};

struct metrics {
    counter events[METRICS_EVENT_COUNT];
    counter cuts[CUT_CAUSE_COUNT];
    struct metrics_times times[METRICS_TIME_COUNT];
    struct {
        counter minute;
        counter longest_us;
    } lags[2]; /* of this minute and the one before, by its parity */
    counter h2_faults[H2_FAULT_COUNT];
    struct metrics_block *unrouted;
    struct metrics_family families[METRICS_KIND_COUNT];
    struct kept_name *names[METRICS_HASH_SLOTS];
    uint64_t round;          /* settings adopted so far */
    uint32_t staged_configs; /* under way */
    pthread_mutex_t lock;
    uint32_t readers; /* while there are some, no block goes */
};

static inline void counter_add(counter *to, uint64_t count)
{
    uint64_t before = atomic_load_explicit(to, memory_order_relaxed);

    atomic_store_explicit(to, before + count, memory_order_relaxed);
}

static inline uint64_t counter_read(const counter *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

extern const uint32_t metrics_seldom_counts[METRICS_SELDOM_KINDS];

/* --- metrics_exemplars.c --- */

/* A sampled exchange was counted in `block`, in the bucket `bucket` of the fine ones. */
void metrics_note_exemplar(struct metrics_block *block, unsigned bucket,
                           const struct outcome *outcome);

/* --- metrics_block.c --- */

struct metrics_block *metrics_find_block(const struct metrics_family *family, const char *name);
/* The same, made where there is none: the family's from then on, and seen by those who read. NULL: out of
 * memory. */
struct metrics_block *metrics_make_block(struct metrics *metrics, enum metrics_kind kind,
                                         const char *name);
/* It stays though no settings name it. */
void metrics_hold_block(struct metrics_family *family, struct metrics_block *block);
/* `before` it in the list; NULL: it is the first. No reader is there. */
void metrics_forget(struct metrics *metrics, int kind, struct metrics_block *before,
                    struct metrics_block *block);
/* All from this one on. */
void metrics_free_blocks(int kind, struct metrics_block *block);

#endif
