/* SPDX-License-Identifier: BSD-2-Clause */
/* The limit of an origin of services with `concurrency: auto`, shared by all workers: samples go
 * in, what may be under way comes out, and how long a request of a class would have to wait for it
 * (doc/decisions/018-adaptive-concurrency.md). Part of an origin's entry, so that a reload keeps
 * it. Called by limits.c and pool.c with the time of the loop; the arithmetic is in
 * adaptive_limit.c.
 *
 * No worker waits for another here: a worker that finds another one writing leaves its sample out. */
#ifndef ORIGIN_POOL_ADAPTIVE_H
#define ORIGIN_POOL_ADAPTIVE_H

#include "config/settings.h"
#include "origin/pool/adaptive_limit.h"

#include <stdatomic.h>

#define ADAPTIVE_PROMISE 1000 /* a class has one place of so many, at the least */

/* Zeroed: nothing is known yet. */
struct adaptive {
    _Atomic uint32_t limit;                       /* 0: not known yet */
    _Atomic uint32_t base_us;                     /* of one answer without a queue, for readers */
    _Atomic uint32_t rate;                        /* requests a second that it can serve */
    _Atomic uint32_t class_rates[PRIORITY_COUNT]; /* that it answers */
    _Atomic uint32_t answers[PRIORITY_COUNT];     /* since the last look */
    _Atomic uint32_t shortest_ms[PRIORITY_COUNT]; /* wait of those given, plus one; 0: none was */
    _Atomic bool crowded[PRIORITY_COUNT]; /* its shortest wait was long: a standing queue (CoDel) */
    _Atomic uint32_t waiting[PRIORITY_COUNT];
    _Atomic uint64_t refused[PRIORITY_COUNT]; /* ever */
    _Atomic uint32_t
        kept_rates[PRIORITY_COUNT]; /* class_rates before an outage, for a while after */
    _Atomic uint64_t kept_until_us;

    _Atomic bool busy; /* a worker writes what follows */
    bool begun;
    bool looked_long; /* no answer came for long before that */
    uint64_t looked_us;
    uint64_t latest_us; /* of all workers' clocks, which are not read together */
    struct adaptive_limit found;
};

/* What may be under way at once, at present. */
static inline uint32_t adaptive_now(const struct adaptive *adaptive)
{
    uint32_t limit = atomic_load_explicit(&adaptive->limit, memory_order_relaxed);

    return limit != 0 ? limit : ADAPTIVE_INITIAL;
}

/* A request of that class goes to the origin, after so long in line. */
void adaptive_note_given(struct adaptive *adaptive, enum priority class, uint64_t waited_us);
/* Its answer has begun, and says how long the origin took. */
void adaptive_note_answer(struct adaptive *adaptive, enum priority class,
                          const struct adaptive_sample *sample);
/* An outage that lasted so long has ended. What is sent again then is mostly of the higher classes,
 * since these are more: each class but the first keeps its share of before, so that no lower one waits
 * until all of that is served. */
void adaptive_note_outage(struct adaptive *adaptive, uint64_t lasted_us, uint64_t now_us);
/* For how much a request of the class `served` counts that goes before one of the lower `class`:
 * ADAPTIVE_PROMISE give that its turn. */
uint32_t adaptive_turns(const struct adaptive *adaptive, enum priority served, enum priority class);

/* How long one of that class may wait in line. */
uint32_t adaptive_patience_ms(const struct adaptive *adaptive, enum priority class);
/* How long the next one would have to, at present, where `most` may be under way at once: a
 * number that an operator set may be below the limit. */
uint32_t adaptive_wait_ms(const struct adaptive *adaptive, enum priority class, uint32_t most);
/* The next one would not be served soon enough. One of each class may wait, for its promised share. */
bool adaptive_refuses(const struct adaptive *adaptive, enum priority class, uint32_t most,
                      uint64_t time_left_ms);

#endif
