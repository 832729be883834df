/* SPDX-License-Identifier: BSD-2-Clause */
/* The samples of all workers, and what follows from the limit for those in line. */
#include "origin/pool/adaptive.h"

#include <string.h>

#define LOOK_US 100000
#define LOOK_LONG_US 1000000 /* without an answer: may be an outage, which tells nothing of rates */
#define RATE_STEP 4          /* a look counts for a quarter */
#define KEPT_LONG 2 /* times as long as an outage the shares of before are kept after it, */
#define KEPT_MOST_US 10000000 /* at the most */

#define PATIENCE_MS 90 /* in line; longer where the origin itself takes longer */
#define CROWDED_MS \
    5 /* CoDel's target: the shortest wait of a look is longer, with a standing queue */
#define CROWDED_PATIENCE_MS 10

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define STORE(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

static uint32_t base_ms(const struct adaptive *adaptive)
{
    return LOAD(adaptive->base_us) / 1000;
}

/* --- looks: ten a second ------------------------------------------------------------------- */

/* The shortest wait shows a standing queue, whatever bursts there were. */
static void look_at_class(struct adaptive *adaptive, unsigned class, uint64_t since_us,
                          bool tells_rates)
{
    uint32_t answers = atomic_exchange_explicit(&adaptive->answers[class], 0, memory_order_relaxed);
    uint32_t shortest =
        atomic_exchange_explicit(&adaptive->shortest_ms[class], 0, memory_order_relaxed);
    uint64_t rate = answers * UINT64_C(1000000) / since_us;
    uint64_t before = LOAD(adaptive->class_rates[class]);
    uint32_t target = base_ms(adaptive) / 2 > CROWDED_MS ? base_ms(adaptive) / 2 : CROWDED_MS;

    if (tells_rates) {
        STORE(adaptive->class_rates[class],
              (uint32_t)((before * (RATE_STEP - 1) + rate) / RATE_STEP));
    }
    STORE(adaptive->crowded[class],
          shortest > 0 ? shortest > target + 1 : LOAD(adaptive->waiting[class]) > 0);
}

static void end_keeping(struct adaptive *adaptive)
{
    for (unsigned class = 0; class < PRIORITY_COUNT; class ++) {
        STORE(adaptive->kept_rates[class], 0);
    }
}

static void look(struct adaptive *adaptive, uint64_t now_us)
{
    const struct adaptive_limit *found = &adaptive->found;
    uint64_t since_us = now_us - adaptive->looked_us;
    bool is_long = since_us >= LOOK_LONG_US;
    bool tells_rates =
        !is_long || adaptive->looked_long; /* one after the other: answers are rare */

    if (since_us < LOOK_US) {
        return;
    }
    adaptive->looked_us = now_us;
    adaptive->looked_long = is_long;
    for (unsigned class = 0; class < PRIORITY_COUNT; class ++) {
        look_at_class(adaptive, class, since_us, tells_rates);
    }
    if (now_us >= LOAD(adaptive->kept_until_us)) {
        end_keeping(adaptive);
    }
    if (found->recent_us > 0) {
        double rate = found->limit * 1e6 / found->recent_us;

        STORE(adaptive->rate, rate < 1 ? 1 : rate > 1e9 ? 1000000000u : (uint32_t)rate);
        STORE(adaptive->base_us, found->base_us < 4e9 ? (uint32_t)found->base_us : UINT32_MAX);
    }
}

/* --- from requests ------------------------------------------------------------------------- */

void adaptive_note_given(struct adaptive *adaptive, enum priority class, uint64_t waited_us)
{
    uint32_t waited_ms = waited_us / 1000 < UINT32_MAX - 1 ? (uint32_t)(waited_us / 1000) : 0;
    uint32_t shortest = LOAD(adaptive->shortest_ms[class]);

    if (shortest == 0 || waited_ms + 1 < shortest) {
        STORE(adaptive->shortest_ms[class], waited_ms + 1);
    }
}

/* Each worker reads its own clock, once a turn: a sample of an older one counts as of now. */
void adaptive_note_answer(struct adaptive *adaptive, enum priority class,
                          const struct adaptive_sample *sample)
{
    struct adaptive_sample at = *sample;

    atomic_fetch_add_explicit(&adaptive->answers[class], 1, memory_order_relaxed);
    if (atomic_exchange_explicit(&adaptive->busy, true, memory_order_acquire)) {
        return;
    }
    if (at.now_us < adaptive->latest_us) {
        at.begun_us += adaptive->latest_us - at.now_us;
        at.now_us = adaptive->latest_us;
    }
    adaptive->latest_us = at.now_us;
    if (!adaptive->begun) {
        adaptive->begun = true;
        adaptive->looked_us = at.now_us;
        adaptive_limit_init(&adaptive->found, at.now_us);
    }
    if (adaptive_limit_note(&adaptive->found, &at)) {
        STORE(adaptive->limit, adaptive_limit_now(&adaptive->found));
    }
    look(adaptive, at.now_us);
    atomic_store_explicit(&adaptive->busy, false, memory_order_release);
}

/* --- after an outage ------------------------------------------------------------------------ */

void adaptive_note_outage(struct adaptive *adaptive, uint64_t lasted_us, uint64_t now_us)
{
    uint64_t keep_us = lasted_us * KEPT_LONG;

    STORE(adaptive->kept_until_us, now_us + (keep_us < KEPT_MOST_US ? keep_us : KEPT_MOST_US));
    for (unsigned class = 0; class < PRIORITY_COUNT; class ++) {
        STORE(adaptive->kept_rates[class], LOAD(adaptive->class_rates[class]));
    }
}

uint32_t adaptive_turns(const struct adaptive *adaptive, enum priority served, enum priority class)
{
    uint64_t own = LOAD(adaptive->kept_rates[class]);
    uint64_t theirs = LOAD(adaptive->kept_rates[served]);

    if (served == PRIORITY_CRITICAL || own * ADAPTIVE_PROMISE <= theirs) {
        return 1;
    }
    return own < theirs ? (uint32_t)(own * ADAPTIVE_PROMISE / theirs) : ADAPTIVE_PROMISE;
}

/* --- for those in line --------------------------------------------------------------------- */

uint32_t adaptive_patience_ms(const struct adaptive *adaptive, enum priority class)
{
    uint32_t base = base_ms(adaptive);

    if (LOAD(adaptive->crowded[class])) {
        return base > CROWDED_PATIENCE_MS ? base : CROWDED_PATIENCE_MS;
    }
    return base + base / 4 > PATIENCE_MS ? base + base / 4 : PATIENCE_MS;
}

/* A second, that higher classes leave. */
static uint32_t rate_for(const struct adaptive *adaptive, enum priority class, uint32_t most)
{
    uint32_t limit = adaptive_now(adaptive);
    uint32_t rate = LOAD(adaptive->rate);
    uint32_t least;

    if (most < limit) {
        rate = (uint32_t)((uint64_t)rate * most / limit);
    }
    least = rate / ADAPTIVE_PROMISE + 1;
    for (unsigned higher = 0; higher < class; higher++) {
        uint32_t theirs = LOAD(adaptive->class_rates[higher]);

        rate = rate > theirs ? rate - theirs : 0;
    }
    return rate > least ? rate : least;
}

uint32_t adaptive_wait_ms(const struct adaptive *adaptive, enum priority class, uint32_t most)
{
    uint32_t kept = class != PRIORITY_CRITICAL ? LOAD(adaptive->kept_rates[class]) : 0;
    uint64_t before = 1;
    uint64_t wait_ms;

    if (LOAD(adaptive->rate) == 0) {
        return 0; /* nothing is known yet */
    }
    for (unsigned each = 0; each <= class; each++) {
        before += LOAD(adaptive->waiting[each]);
    }
    wait_ms = before * 1000 / rate_for(adaptive, class, most);
    if (kept != 0) {
        uint64_t of_its_own_ms = (LOAD(adaptive->waiting[class]) + UINT64_C(1)) * 1000 / kept;

        wait_ms = of_its_own_ms < wait_ms ? of_its_own_ms : wait_ms;
    }
    return (uint32_t)wait_ms;
}

bool adaptive_refuses(const struct adaptive *adaptive, enum priority class, uint32_t most,
                      uint64_t time_left_ms)
{
    uint32_t wait_ms = adaptive_wait_ms(adaptive, class, most);

    return wait_ms > time_left_ms ||
           (wait_ms > adaptive_patience_ms(adaptive, class) && LOAD(adaptive->waiting[class]) > 0);
}
