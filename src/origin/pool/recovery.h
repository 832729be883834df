/* SPDX-License-Identifier: BSD-2-Clause */
/* After an outage of an origin its limit is not whole at once: who waited for it, here and in others'
 * retries, would all be there in the moment in which it comes up with cold caches. Part of an origin's
 * entry, shared by all workers; limits.c asks only for services with
 * a limit.
 *
 * An outage is five failures in a row, with a second and more from the first of them to the success
 * that ends it. That success begins with a tenth of the limit; each that was sent since adds half a
 * slot, which is half as much again with each round trip. A failure adds none. Since answers may go on
 * for hours (WebSockets, events), and none other would ever come, each second adds a tenth of the limit
 * as well. What was under way before it began has its slot beside these, until it ends. */
#ifndef ORIGIN_POOL_RECOVERY_H
#define ORIGIN_POOL_RECOVERY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zeroed: none has failed. */
struct recovery {
    _Atomic uint32_t failures;   /* in a row, of requests that a limit counts */
    _Atomic uint64_t failing_us; /* since when */
    _Atomic uint64_t began_us;   /* 0: the limit is whole */
    _Atomic uint32_t whole;      /* slots, when it is: the greatest limit that was seen */
    _Atomic uint32_t half_slots; /* that successes came to */
    _Atomic uint32_t older;      /* requests under way since before began_us */
};

/* The times are those of a worker's loop; `limit` is that of the request, 0: none. It
 * went to the origin at sent_us; under_way are all requests there. */
void recovery_note_failure(struct recovery *recovery, uint64_t now_us);
uint64_t recovery_note_success_in_trouble(struct recovery *recovery, uint32_t limit,
                                          uint32_t under_way, uint64_t sent_us, uint64_t now_us);
/* A request gives its slot back, which it took at taken_us. */
void recovery_note_slot_given(struct recovery *recovery, uint64_t taken_us);
/* How many may be under way of `limit`, which is not 0; at least 1. */
uint32_t recovery_slots_now(const struct recovery *recovery, uint32_t limit, uint64_t now_us);

/* The same for who looks at it; 0: its limit is whole, by time also where nothing was sent since. */
uint32_t recovery_slots_shown(const struct recovery *recovery, uint64_t now_us);

static inline bool recovery_is_on(const struct recovery *recovery)
{
    return atomic_load_explicit(&recovery->began_us, memory_order_relaxed) != 0;
}

/* Returns how long an outage was that this ends; 0: it ends none. */
static inline uint64_t recovery_note_success(struct recovery *recovery, uint32_t limit,
                                             uint32_t under_way, uint64_t sent_us, uint64_t now_us)
{
    if (atomic_load_explicit(&recovery->failures, memory_order_relaxed) == 0 &&
        !recovery_is_on(recovery)) {
        return 0;
    }
    return recovery_note_success_in_trouble(recovery, limit, under_way, sent_us, now_us);
}

static inline uint32_t recovery_slots(const struct recovery *recovery, uint32_t limit,
                                      uint64_t now_us)
{
    return limit != 0 && recovery_is_on(recovery) ? recovery_slots_now(recovery, limit, now_us)
                                                  : limit;
}

#endif
