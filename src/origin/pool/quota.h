/* SPDX-License-Identifier: BSD-2-Clause */
/* So many at once, counted over all workers, and who among the workers is next when one is given
 * back. Part of the entries of the origin registry; limits.c uses it. Knows no loops and no clock:
 * it says whom to wake, and every call brings the time.
 *
 * No worker is forgotten: one that got none marks itself waiting and then tries once more; a worker
 * that gives one back does so first and looks for those that wait afterwards. Both orders are
 * sequentially consistent, so one of the two sees the other. No worker starves: at least every few
 * milliseconds one that was given back is kept for the next waiting worker, in turn. The turn is
 * among those workers whose need is the first of all; but for one in QUOTA_PROMISE, which is for
 * the last. */
#ifndef ORIGIN_POOL_QUOTA_H
#define ORIGIN_POOL_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define QUOTA_WORKERS 256
#define QUOTA_NOBODY UINT32_MAX

/* What a worker's line would do with one: the lower the sooner. Of each class two: for what is first
 * in line, and for what waits behind others of the class, on whichever worker. */
enum {
    QUOTA_NEED_FIRST = 0,
    QUOTA_NEED_LATER = 1,
    QUOTA_NEEDS_OF_CLASS = 2,
    QUOTA_NEEDS = 6,
    QUOTA_NO_NEED = QUOTA_NEEDS,
};

#define QUOTA_PROMISE 1000

/* Zeroed: none is taken. */
struct quota {
    _Atomic uint32_t used;
    _Atomic uint32_t turn; /* the worker that was woken last */
    _Atomic uint64_t waiting[QUOTA_WORKERS / 64];
    _Atomic uint64_t needs[QUOTA_NEEDS][QUOTA_WORKERS / 64]; /* of these, those with that need */
    _Atomic uint32_t gives;                                  /* while some waited */
    _Atomic uint64_t kept;         /* one is kept: for whom plus one, and until when */
    _Atomic uint64_t next_turn_us; /* before, a worker may give to itself */
};

/* Takes one of `limit` (0: no limit, it only counts). */
bool quota_take(struct quota *quota, uint32_t limit, uint32_t worker, uint64_t now_us);
/* A look only. */
bool quota_has_room(const struct quota *quota, uint32_t limit);
/* A request of this worker waits for one. Try to take once more after this. */
void quota_mark_waiting(struct quota *quota, uint32_t worker, unsigned need);
/* True when another worker is due for the next one that this worker could also use itself. */
bool quota_is_due_elsewhere(const struct quota *quota, uint32_t worker, uint64_t now_us,
                            unsigned here);

/* Gives one back. Returns the worker to be woken, maybe this one; QUOTA_NOBODY: none waits. */
uint32_t quota_give(struct quota *quota, uint32_t worker, uint64_t now_us);
/* The same where this worker has just found that it cannot use it. */
uint32_t quota_give_on(struct quota *quota, uint32_t worker, uint64_t now_us);
/* This worker may not wait any more: its mark is taken back. What has been kept for it by now is there
 * to be taken, or declined. */
void quota_unmark(struct quota *quota, uint32_t worker);
/* Where this worker does not wait: what is kept for it is others'. Returns whom to wake, as above. */
uint32_t quota_decline(struct quota *quota, uint32_t worker, uint64_t now_us);

#endif
