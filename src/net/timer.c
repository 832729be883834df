/* SPDX-License-Identifier: BSD-2-Clause */
/* Three wheels, each turning 64 or 256 times slower than the one before:
 *   near 256 slots of 10 ms (2.56 s), middle 64 slots of 2.56 s (164 s), far 64 slots of 164 s.
 * A timer further away than that waits in the last far slot and is looked at again there.
 * Of very many that are due in one tick the rest ring in the ticks after it. */
#include "net/timer.h"

#include "base/check.h"

#include <stdlib.h>

#define NEAR_BITS 8
#define UPPER_BITS 6
#define NEAR_SLOTS (1u << NEAR_BITS)
#define UPPER_SLOTS (1u << UPPER_BITS)
#define MIDDLE_SPAN (1u << (NEAR_BITS + UPPER_BITS))
#define FAR_SPAN (1u << (NEAR_BITS + 2 * UPPER_BITS))
/* Thousands that came in one moment are cut in one, too: to end a connection takes some 30 us, and
 * others wait for the loop meanwhile. */
#define RINGS_A_TICK 100
#define FAR_OFF_TICKS \
    (1u << 30) /* beyond what can be set, and not beyond what a difference tells */

struct timer_group {
    timer_due *due;
    const uint64_t *clock;
    struct timer_wake *wake;
    uint32_t now; /* tick up to which the wheel has turned; the clock may be ahead */
    size_t count;
    struct timer *overdue;               /* what its tick had no room for */
    uint64_t near_used[NEAR_SLOTS / 64]; /* a bit a slot that may hold timers */
    struct timer *near_slots[NEAR_SLOTS];
    struct timer *middle_slots[UPPER_SLOTS];
    struct timer *far_slots[UPPER_SLOTS];
};

uint32_t timer_tick_of(uint64_t now_us)
{
    return (uint32_t)(now_us / TIMER_TICK_US);
}

struct timer_group *timer_group_make(timer_due *due, const uint64_t *clock, struct timer_wake *wake)
{
    struct timer_group *group = calloc(1, sizeof(*group));

    if (group != NULL) {
        group->due = due;
        group->clock = clock;
        group->wake = wake;
        group->now = timer_tick_of(*clock);
    }
    return group;
}

void timer_group_free(struct timer_group **group)
{
    free(*group);
    *group = NULL;
}

size_t timer_group_count(const struct timer_group *group)
{
    return group->count;
}

static struct timer **slot_for(struct timer_group *group, uint32_t tick)
{
    uint32_t ahead = tick - group->now;

    if (ahead < NEAR_SLOTS) {
        uint32_t index = tick & (NEAR_SLOTS - 1);

        group->near_used[index / 64] |= 1ull << (index % 64);
        return &group->near_slots[tick & (NEAR_SLOTS - 1)];
    }
    if (ahead < MIDDLE_SPAN) {
        return &group->middle_slots[(tick >> NEAR_BITS) & (UPPER_SLOTS - 1)];
    }
    if (ahead >= FAR_SPAN) {
        tick = group->now + FAR_SPAN - 1;
    }
    return &group->far_slots[(tick >> (NEAR_BITS + UPPER_BITS)) & (UPPER_SLOTS - 1)];
}

static void move_to(struct timer **list, struct timer *timer)
{
    timer->next = *list;
    if (timer->next != NULL) {
        timer->next->link = &timer->next;
    }
    timer->link = list;
    *list = timer;
}

static void insert(struct timer_group *group, struct timer *timer)
{
    struct timer **slot = slot_for(group, timer->due);

    timer->slot_tick = timer->due;
    if ((int32_t)(timer->due - group->wake->tick) < 0) {
        group->wake->too_late = true;
    }
    move_to(slot, timer);
}

static void take_out(struct timer *timer)
{
    *timer->link = timer->next;
    if (timer->next != NULL) {
        timer->next->link = timer->link;
    }
    timer->link = NULL;
    timer->next = NULL;
}

bool timer_is_set(const struct timer *timer)
{
    return timer->link != NULL;
}

void timer_set(struct timer_group *group, struct timer *timer, uint32_t milliseconds)
{
    /* One tick more than asked for: the current one has partly gone by. */
    uint32_t ticks = milliseconds / (TIMER_TICK_US / 1000) + 2;

    if (group->count == 0) {
        group->now = timer_tick_of(*group->clock); /* an empty wheel need not be turned */
    }
    timer->due = timer_tick_of(*group->clock) + ticks;
    if (timer->link != NULL) {
        if ((int32_t)(timer->due - timer->slot_tick) >= 0) {
            return; /* later than the wheel will look: it will look again then */
        }
        take_out(timer);
    } else {
        group->count++;
    }
    insert(group, timer);
}

void timer_clear(struct timer_group *group, struct timer *timer)
{
    if (timer->link != NULL) {
        take_out(timer);
        group->count--;
    }
}

void timer_rest(struct timer_group *group, struct timer *timer)
{
    timer->due = group->now + FAR_OFF_TICKS;
}

/* Moves a slot of a slower wheel down to where its timers belong now. */
static void cascade(struct timer_group *group, struct timer **slot)
{
    struct timer *timer = *slot;

    *slot = NULL;
    while (timer != NULL) {
        struct timer *next = timer->next;

        if ((int32_t)(timer->due - group->now) < 0) {
            timer->due = group->now;
        }
        insert(group, timer);
        timer = next;
    }
}

/* Rings what is due, `most` at most. Returns how many more may ring; those that find no room stay in the
 * list, from which callbacks may clear any timer. */
static uint32_t ring(struct timer_group *group, struct timer **list, uint32_t most)
{
    while (most > 0 && *list != NULL) {
        struct timer *timer = *list;

        take_out(timer);
        if ((int32_t)(timer->due - group->now) > 0) {
            insert(group, timer);
            continue;
        }
        most--;
        group->count--;
        group->due(timer);
    }
    return most;
}

/* After what is overdue. What finds no room now is overdue. */
static void check_at_slot(struct timer_group *group, uint32_t index)
{
    uint32_t most = ring(group, &group->overdue, RINGS_A_TICK);
    struct timer *due_now = group->near_slots[index];

    if ((group->near_used[index / 64] >> (index % 64) & 1) == 0) {
        return;
    }
    group->near_used[index / 64] &= ~(1ull << (index % 64));
    group->near_slots[index] = NULL;
    if (due_now != NULL) {
        due_now->link = &due_now;
    }
    ring(group, &due_now, most);
    while (due_now != NULL) {
        struct timer *timer = due_now;

        take_out(timer);
        move_to(&group->overdue, timer);
    }
}

void timer_group_advance(struct timer_group *group, uint64_t now_us)
{
    uint32_t now = timer_tick_of(now_us);

    while ((int32_t)(now - group->now) > 0) {
        if (group->count == 0) {
            group->now = now;
            return;
        }
        group->now++;
        if ((group->now & (NEAR_SLOTS - 1)) == 0) {
            if ((group->now & (MIDDLE_SPAN - 1)) == 0) {
                cascade(group, &group->far_slots[(group->now >> (NEAR_BITS + UPPER_BITS)) &
                                                 (UPPER_SLOTS - 1)]);
            }
            cascade(group, &group->middle_slots[(group->now >> NEAR_BITS) & (UPPER_SLOTS - 1)]);
        }
        check_at_slot(group, group->now & (NEAR_SLOTS - 1));
    }
}

/* The tick of the next slot that may hold a timer, or at which a slower wheel turns. */
static uint32_t next_tick(const struct timer_group *group)
{
    uint32_t boundary = (group->now | (NEAR_SLOTS - 1)) + 1;

    if (group->overdue != NULL) {
        return group->now + 1;
    }
    for (uint32_t tick = group->now + 1; tick != boundary;) {
        uint32_t index = tick & (NEAR_SLOTS - 1);
        uint64_t used = group->near_used[index / 64] >> (index % 64);

        if (used != 0) {
            return tick + (uint32_t)__builtin_ctzll(used);
        }
        tick += 64 - index % 64;
    }
    return boundary;
}

uint32_t timer_group_next(const struct timer_group *group)
{
    int32_t ahead;

    if (group->count == 0) {
        return TIMER_REST_TICKS;
    }
    ahead = (int32_t)(next_tick(group) - timer_tick_of(*group->clock));
    return ahead > 0 ? (uint32_t)ahead : 1;
}
