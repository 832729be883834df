/* SPDX-License-Identifier: BSD-2-Clause */
/* After an outage of an origin its limit is not whole at once: who waited for it, here and in others'
 * retries, would all be there in the moment in which it comes up with cold caches. Part of an origin's
 * entry, shared by all workers; limits.c asks only for services with
 * a limit.
 *
 * An outage is five failures in a row, over a second and more. The first success after it begins with
 * a tenth of the limit; each that was sent since adds half a place, which is half as much again with
 * each round trip. A failure adds none. Since answers may go on for hours (WebSockets, events), and none other would
 * ever come, each second adds a tenth of the limit as well. */
#ifndef ORIGIN_POOL_RECOVERY_H
#define ORIGIN_POOL_RECOVERY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zeroed: none has failed. */
struct recovery {
    _Atomic uint32_t failures;    /* in a row, of requests that a limit counts */
    _Atomic uint64_t failing_us;  /* since when */
    _Atomic uint64_t began_us;    /* 0: the limit is whole */
    _Atomic uint32_t whole;       /* places, when it is: the greatest limit that was seen */
    _Atomic uint32_t half_places; /* that successes came to */
};

/* The times are those of a worker's loop; `limit` is that of the request, 0: none. It
 * went to the origin at sent_us. */
void recovery_note_failure(struct recovery *recovery, uint64_t now_us);
void recovery_note_success_in_trouble(struct recovery *recovery, uint32_t limit, uint64_t sent_us,
                                      uint64_t now_us);
/* How many may be under way of `limit`, which is not 0; at least 1. */
uint32_t recovery_places_now(const struct recovery *recovery, uint32_t limit, uint64_t now_us);

static inline bool recovery_is_on(const struct recovery *recovery)
{
    return atomic_load_explicit(&recovery->began_us, memory_order_relaxed) != 0;
}

static inline void recovery_note_success(struct recovery *recovery, uint32_t limit,
                                         uint64_t sent_us, uint64_t now_us)
{
    if (atomic_load_explicit(&recovery->failures, memory_order_relaxed) != 0 ||
        recovery_is_on(recovery)) {
        recovery_note_success_in_trouble(recovery, limit, sent_us, now_us);
    }
}

static inline uint32_t recovery_places(const struct recovery *recovery, uint32_t limit,
                                       uint64_t now_us)
{
    return limit != 0 && recovery_is_on(recovery) ? recovery_places_now(recovery, limit, now_us)
                                                  : limit;
}

#endif
