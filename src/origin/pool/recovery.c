/* SPDX-License-Identifier: BSD-2-Clause */
/* What is left of a limit, after an outage. */
#include "origin/pool/recovery.h"

#define OUTAGE_FAILURES 5
#define OUTAGE_US 1000000
#define FIRST_SHARE 10 /* one in so many */
#define STEP_US 1000000

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define STORE(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

/* Each worker reads its own clock, once a turn. */
static uint64_t span_us(uint64_t from_us, uint64_t now_us)
{
    return now_us > from_us ? now_us - from_us : 0;
}

static uint32_t first_slots(uint32_t whole)
{
    return whole > FIRST_SHARE ? whole / FIRST_SHARE : 1;
}

static uint64_t began_us_of(const struct recovery *recovery)
{
    return atomic_load_explicit(&recovery->began_us, memory_order_acquire);
}

static uint64_t slots_at(const struct recovery *recovery, uint64_t began_us, uint64_t now_us)
{
    uint64_t whole = LOAD(recovery->whole);
    uint64_t by_time =
        span_us(began_us, now_us) / (STEP_US / 1000) * whole / (UINT64_C(1000) * FIRST_SHARE);

    return LOAD(recovery->half_slots) / 2 + by_time;
}

void recovery_note_failure(struct recovery *recovery, uint64_t now_us)
{
    if (atomic_fetch_add_explicit(&recovery->failures, 1, memory_order_relaxed) == 0) {
        STORE(recovery->failing_us, now_us);
    }
}

static void begin(struct recovery *recovery, uint32_t limit, uint32_t under_way, uint64_t now_us)
{
    STORE(recovery->older, under_way);
    STORE(recovery->whole, limit);
    STORE(recovery->half_slots, first_slots(limit) * 2);
    atomic_store_explicit(&recovery->began_us, now_us, memory_order_release); /* the others first */
}

/* What was sent before it began says nothing of what the origin bears since. */
static void go_on(struct recovery *recovery, uint32_t limit, uint64_t sent_us, uint64_t now_us)
{
    uint64_t began_us = began_us_of(recovery);

    if (limit > LOAD(recovery->whole)) {
        STORE(recovery->whole, limit);
    }
    if (sent_us >= began_us) {
        (void)atomic_fetch_add_explicit(&recovery->half_slots, 1, memory_order_relaxed);
    }
    /* Another worker may just have begun anew: that one stays. */
    if (began_us != 0 && slots_at(recovery, began_us, now_us) >= LOAD(recovery->whole)) {
        (void)atomic_compare_exchange_strong(&recovery->began_us, &began_us, 0);
    }
}

uint64_t recovery_note_success_in_trouble(struct recovery *recovery, uint32_t limit,
                                          uint32_t under_way, uint64_t sent_us, uint64_t now_us)
{
    /* Of several workers' at once, one finds them. */
    uint32_t failures = LOAD(recovery->failures) != 0
                            ? atomic_exchange_explicit(&recovery->failures, 0, memory_order_relaxed)
                            : 0;
    uint64_t lasted_us = span_us(LOAD(recovery->failing_us), now_us);

    if (limit > 1 && failures >= OUTAGE_FAILURES && lasted_us >= OUTAGE_US) {
        begin(recovery, limit, under_way, now_us);
        return lasted_us;
    }
    if (limit != 0 && recovery_is_on(recovery)) {
        go_on(recovery, limit, sent_us, now_us);
    }
    return 0;
}

void recovery_note_slot_given(struct recovery *recovery, uint64_t taken_us)
{
    uint32_t older = LOAD(recovery->older);

    if (taken_us >= began_us_of(recovery)) {
        return;
    }
    while (older > 0 && !atomic_compare_exchange_weak(&recovery->older, &older, older - 1)) {
    }
}

uint32_t recovery_slots_now(const struct recovery *recovery, uint32_t limit, uint64_t now_us)
{
    uint64_t slots = slots_at(recovery, began_us_of(recovery), now_us);

    /* Another worker may have ended it just now: a look that comes too late is right soon. */
    slots = (slots > 0 ? slots : 1) + LOAD(recovery->older);
    return slots >= limit ? limit : (uint32_t)slots;
}

uint32_t recovery_slots_shown(const struct recovery *recovery, uint64_t now_us)
{
    uint32_t whole = LOAD(recovery->whole);
    uint32_t slots = recovery_is_on(recovery) ? recovery_slots_now(recovery, whole, now_us) : whole;

    return slots < whole ? slots : 0;
}
