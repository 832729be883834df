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

void quota_mark_waiting(struct quota *quota, uint32_t worker)
{
    atomic_fetch_or(&quota->waiting[worker / 64], UINT64_C(1) << worker % 64);
}

static bool is_waiting(const struct quota *quota, uint32_t worker)
{
    return (atomic_load(&quota->waiting[worker / 64]) >> worker % 64 & 1) != 0;
}

/* false: another thread was faster. */
static bool take_mark(struct quota *quota, uint32_t worker)
{
    uint64_t bit = UINT64_C(1) << worker % 64;

    return (atomic_fetch_and(&quota->waiting[worker / 64], ~bit) & bit) != 0;
}

/* The next one behind `after`, round and round, other than `but`. */
static uint32_t next_waiting(const struct quota *quota, uint32_t after, uint32_t but)
{
    for (uint32_t i = 1; i <= QUOTA_WORKERS; i++) {
        uint32_t worker = (after + i) % QUOTA_WORKERS;

        if (worker % 64 == 0 && atomic_load(&quota->waiting[worker / 64]) == 0) {
            i += 63; /* none of these */
        } else if (worker != but && is_waiting(quota, worker)) {
            return worker;
        }
    }
    return QUOTA_NOBODY;
}

static bool is_any_waiting(const struct quota *quota)
{
    for (uint32_t i = 0; i < QUOTA_WORKERS / 64; i++) {
        if (atomic_load(&quota->waiting[i]) != 0) {
            return true;
        }
    }
    return false;
}

bool quota_is_due_elsewhere(const struct quota *quota, uint32_t worker, uint64_t now_us,
                            bool needed_here)
{
    return is_any_waiting(quota) && next_waiting(quota, worker, worker) != QUOTA_NOBODY &&
           (!needed_here || now_us >= atomic_load(&quota->next_turn_us));
}

static uint32_t keep_for_next(struct quota *quota, uint32_t worker, uint64_t now_us)
{
    uint32_t next = next_waiting(quota, atomic_load(&quota->turn), worker);

    if (next == QUOTA_NOBODY || !take_mark(quota, next)) {
        return QUOTA_NOBODY;
    }
    atomic_store(&quota->turn, next);
    atomic_store(&quota->next_turn_us, now_us + TURN_US);
    atomic_store(&quota->kept, (now_us / 1000 + KEEP_MS) << 16 | (next + 1));
    return next;
}

uint32_t quota_give(struct quota *quota, uint32_t worker, uint64_t now_us)
{
    uint32_t next = QUOTA_NOBODY;

    atomic_fetch_sub(&quota->used, 1);
    if (!is_any_waiting(quota)) {
        return QUOTA_NOBODY;
    }
    if (!is_waiting(quota, worker) || now_us >= atomic_load(&quota->next_turn_us)) {
        next = keep_for_next(quota, worker, now_us);
    }
    if (next == QUOTA_NOBODY && is_waiting(quota, worker) && take_mark(quota, worker)) {
        next = worker;
    }
    return next;
}

uint32_t quota_give_on(struct quota *quota, uint32_t worker, uint64_t now_us)
{
    atomic_fetch_sub(&quota->used, 1);
    return is_any_waiting(quota) ? keep_for_next(quota, worker, now_us) : QUOTA_NOBODY;
}
