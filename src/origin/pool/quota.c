/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting, and the round of those that wait. */
#include "origin/pool/quota.h"

#define TURN_US 10000 /* so long a worker may give to its own line before it is others' turn */
#define KEEP_MS 50    /* a worker that does not come for what is kept for it loses it */

/* kept: milliseconds in the upper 48 bits, worker + 1 in the lower 16. */
static bool is_kept_for_another(uint64_t kept, uint32_t worker, uint64_t now_us)
{
    return kept != 0 && (kept & 0xffff) != worker + 1 && now_us / 1000 < kept >> 16;
}

bool quota_take(struct quota *quota, uint32_t limit, uint32_t worker, uint64_t now_us)
{
    uint32_t used = atomic_load(&quota->used);
    uint64_t kept;

    if (limit == 0) {
        atomic_fetch_add(&quota->used, 1);
        return true;
    }
    kept = atomic_load(&quota->kept);
    if (is_kept_for_another(kept, worker, now_us)) {
        limit--;
    }
    do {
        if (used >= limit) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&quota->used, &used, used + 1));
    if (kept != 0 && (kept & 0xffff) == worker + 1) {
        atomic_compare_exchange_strong(&quota->kept, &kept, 0);
    }
    return true;
}

bool quota_has_room(const struct quota *quota, uint32_t limit)
{
    return limit == 0 || atomic_load_explicit(&quota->used, memory_order_relaxed) < limit;
}

void quota_mark_waiting(struct quota *quota, uint32_t worker, unsigned need)
{
    uint64_t bit = UINT64_C(1) << worker % 64;

    atomic_fetch_or(&quota->needs[need][worker / 64], bit);
    atomic_fetch_or(&quota->waiting[worker / 64], bit);
}

static bool is_in(const _Atomic uint64_t *marks, uint32_t worker)
{
    return (atomic_load(&marks[worker / 64]) >> worker % 64 & 1) != 0;
}

/* false: another thread was faster. A mark that comes in between may lose its need, and never is one
 * of these alone. */
static bool take_mark(struct quota *quota, uint32_t worker)
{
    uint64_t bit = UINT64_C(1) << worker % 64;
    bool was_there = (atomic_fetch_and(&quota->waiting[worker / 64], ~bit) & bit) != 0;

    for (unsigned need = 0; need < QUOTA_NEEDS; need++) {
        if (is_in(quota->needs[need], worker)) {
            atomic_fetch_and(&quota->needs[need][worker / 64], ~bit);
        }
    }
    return was_there;
}

static bool is_any_in(const _Atomic uint64_t *marks)
{
    for (uint32_t i = 0; i < QUOTA_WORKERS / 64; i++) {
        if (atomic_load(&marks[i]) != 0) {
            return true;
        }
    }
    return false;
}

/* The first need that any has; QUOTA_NO_NEED: none is known. */
static unsigned first_need(const struct quota *quota)
{
    unsigned need = 0;

    while (need < QUOTA_NEEDS && !is_any_in(quota->needs[need])) {
        need++;
    }
    return need;
}

static unsigned last_need(const struct quota *quota)
{
    unsigned need = QUOTA_NEEDS;

    while (need > 0 && !is_any_in(quota->needs[need - 1])) {
        need--;
    }
    return need > 0 ? need - 1 : QUOTA_NO_NEED;
}

static const _Atomic uint64_t *marks_of(const struct quota *quota, unsigned need)
{
    return need < QUOTA_NEEDS ? quota->needs[need] : quota->waiting;
}

/* The marks among which the turn goes. */
static const _Atomic uint64_t *candidates(struct quota *quota)
{
    uint32_t gives = (uint32_t)atomic_fetch_add_explicit(&quota->gives, 1, memory_order_relaxed);
    bool promised = gives % QUOTA_PROMISE == QUOTA_PROMISE - 1;

    if (gives % 8 == 3) {
        return quota->waiting; /* the first ones may have a lower limit than others */
    }
    return marks_of(quota, promised ? last_need(quota) : first_need(quota));
}

/* The next one behind `after`, round and round, other than `but`. */
static uint32_t next_in(const _Atomic uint64_t *marks, uint32_t after, uint32_t but)
{
    for (uint32_t i = 1; i <= QUOTA_WORKERS; i++) {
        uint32_t worker = (after + i) % QUOTA_WORKERS;

        if (worker % 64 == 0 && atomic_load(&marks[worker / 64]) == 0) {
            i += 63; /* none of these */
        } else if (worker != but && is_in(marks, worker)) {
            return worker;
        }
    }
    return QUOTA_NOBODY;
}

bool quota_is_due_elsewhere(const struct quota *quota, uint32_t worker, uint64_t now_us,
                            unsigned here)
{
    unsigned best;

    if (!is_any_in(quota->waiting)) {
        return false;
    }
    best = first_need(quota);
    return best <= here && next_in(marks_of(quota, best), worker, worker) != QUOTA_NOBODY &&
           (here == QUOTA_NO_NEED || best < here || now_us >= atomic_load(&quota->next_turn_us));
}

static uint32_t keep_for_next(struct quota *quota, const _Atomic uint64_t *marks, uint32_t worker,
                              uint64_t now_us)
{
    uint32_t next;

    while ((next = next_in(marks, atomic_load(&quota->turn), worker)) != QUOTA_NOBODY) {
        uint64_t kept = (now_us / 1000 + KEEP_MS) << 16 | (next + 1);

        /* Before its mark goes: a worker that finds no mark of its own to take back sees this. */
        atomic_store(&quota->kept, kept);
        if (take_mark(quota, next)) {
            atomic_store(&quota->turn, next);
            atomic_store(&quota->next_turn_us, now_us + TURN_US);
            return next;
        }
        atomic_compare_exchange_strong(&quota->kept, &kept, 0);
        marks = quota->waiting; /* any may have found it kept in the meantime */
    }
    return QUOTA_NOBODY;
}

uint32_t quota_give(struct quota *quota, uint32_t worker, uint64_t now_us)
{
    const _Atomic uint64_t *marks;
    uint32_t next = QUOTA_NOBODY;

    atomic_fetch_sub(&quota->used, 1);
    if (!is_any_in(quota->waiting)) {
        return QUOTA_NOBODY;
    }
    marks = candidates(quota);
    if (!is_in(marks, worker) || now_us >= atomic_load(&quota->next_turn_us)) {
        next = keep_for_next(quota, marks, worker, now_us);
    }
    if (next == QUOTA_NOBODY && is_in(quota->waiting, worker) && take_mark(quota, worker)) {
        next = worker;
    }
    return next;
}

uint32_t quota_give_on(struct quota *quota, uint32_t worker, uint64_t now_us)
{
    const _Atomic uint64_t *marks;

    atomic_fetch_sub(&quota->used, 1);
    marks = candidates(quota);
    if (next_in(marks, worker, worker) == QUOTA_NOBODY) {
        marks = quota->waiting; /* this worker alone is first, and cannot use it */
    }
    return is_any_in(marks) ? keep_for_next(quota, marks, worker, now_us) : QUOTA_NOBODY;
}

void quota_unmark(struct quota *quota, uint32_t worker)
{
    if (is_in(quota->waiting, worker)) {
        take_mark(quota, worker);
    }
}

uint32_t quota_decline(struct quota *quota, uint32_t worker, uint64_t now_us)
{
    uint64_t kept = atomic_load(&quota->kept);

    if ((kept & 0xffff) != worker + 1 || is_in(quota->waiting, worker) ||
        !atomic_compare_exchange_strong(&quota->kept, &kept, 0)) {
        return QUOTA_NOBODY;
    }
    return keep_for_next(quota, candidates(quota), worker, now_us);
}
