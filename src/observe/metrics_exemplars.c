/* SPDX-License-Identifier: BSD-2-Clause */
/* Exemplars of the histograms: which sampled exchange fell into a bucket last. Written by the worker
 * as it counts (metrics.c), read by any thread.
 *
 * An exemplar is several words, so a reader could meet half of a new one. `turn` is odd while the
 * worker writes; a reader takes only what stood between two equal, even turns. Each word is stored
 * with release and loaded with acquire: who saw a new word sees the odd turn as well. */
#include "observe/metrics_private.h"

#include <stdlib.h>

#define ID_WORDS (TRACE_ID_LENGTH / sizeof(uint64_t))
#define TRIES_MAX 4 /* of a reader; a worker that writes all the time must not hold it */

struct slot {
    counter turn;
    counter trace_id[ID_WORDS];
    counter duration_us;
    counter ended_us;
};

struct metrics_exemplars {
    struct slot slots[METRICS_EXEMPLARS];
};

/* Of the fine buckets, four belong to each one that is shown; the first and the last stand alone. */
static unsigned shown_bucket(unsigned fine)
{
    return (fine + 3) / 4;
}

_Static_assert((METRICS_DURATION_BUCKETS - 1 + 3) / 4 == METRICS_EXEMPLARS - 1,
               "the last fine bucket is the last one shown");

static void write_slot(struct slot *slot, const struct outcome *outcome)
{
    uint64_t turn = counter_read(&slot->turn);
    uint64_t words[ID_WORDS];

    memcpy(words, outcome->trace->trace_id, sizeof(words));
    atomic_store_explicit(&slot->turn, turn + 1, memory_order_relaxed);
    for (size_t i = 0; i < ID_WORDS; i++) {
        atomic_store_explicit(&slot->trace_id[i], words[i], memory_order_release);
    }
    atomic_store_explicit(&slot->duration_us, outcome->total_us, memory_order_release);
    atomic_store_explicit(&slot->ended_us, outcome->course.start_realtime_us + outcome->total_us,
                          memory_order_release);
    atomic_store_explicit(&slot->turn, turn + 2, memory_order_release);
}

/* `block` NULL: harmless. Without memory there are no exemplars. */
void metrics_note_exemplar(struct metrics_block *block, unsigned bucket,
                           const struct outcome *outcome)
{
    struct metrics_exemplars *there;

    if (block == NULL) {
        return;
    }
    there = atomic_load_explicit(&block->exemplars, memory_order_relaxed);
    if (there == NULL) {
        there = calloc(1, sizeof(*there));
        if (there == NULL) {
            return;
        }
        atomic_store_explicit(&block->exemplars, there, memory_order_release);
    }
    write_slot(&there->slots[shown_bucket(bucket)], outcome);
}

/* false: the worker was writing. */
static bool copy_slot(const struct slot *slot, struct metrics_exemplar *copy)
{
    uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
    uint64_t words[ID_WORDS];

    for (size_t i = 0; i < ID_WORDS; i++) {
        words[i] = atomic_load_explicit(&slot->trace_id[i], memory_order_acquire);
    }
    memcpy(copy->trace_id, words, sizeof(words));
    copy->duration_us = atomic_load_explicit(&slot->duration_us, memory_order_acquire);
    copy->ended_us = atomic_load_explicit(&slot->ended_us, memory_order_acquire);
    return turn % 2 == 0 && counter_read(&slot->turn) == turn;
}

static void read_slot(const struct slot *slot, struct metrics_exemplar *exemplar)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        if (copy_slot(slot, exemplar)) {
            return;
        }
    }
    *exemplar = (struct metrics_exemplar){.ended_us = 0};
}

void metrics_read_exemplars(const struct metrics *metrics, enum metrics_kind kind,
                            metrics_exemplars_seen *seen, void *owner)
{
    const struct metrics_block *block =
        atomic_load_explicit(&metrics->families[kind].first, memory_order_acquire);

    for (; block != NULL; block = atomic_load_explicit(&block->next, memory_order_acquire)) {
        const struct metrics_exemplars *there =
            atomic_load_explicit(&block->exemplars, memory_order_acquire);
        struct metrics_exemplar copy[METRICS_EXEMPLARS];

        for (unsigned i = 0; there != NULL && i < METRICS_EXEMPLARS; i++) {
            read_slot(&there->slots[i], &copy[i]);
        }
        if (there != NULL) {
            seen(owner, block->name, copy);
        }
    }
}
