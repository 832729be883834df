/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlines in a wheel with a tick of 10 ms. Setting and clearing cost a list operation;
 * moving a deadline later costs a store, since the wheel looks again when the old one comes.
 * Driven by net/loop (or by a test) with the time passed in; knows no clock. */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include "base/bytes.h"

#define TIMER_TICK_US 10000
#define TIMER_REST_TICKS 6000 /* with nothing to do: a minute */

/* Embedded in its owner; zeroed means not set. */
struct timer {
    struct timer *next;
    struct timer **link; /* what points here; NULL: not in the wheel */
    uint32_t due;        /* tick at which it is really due */
    uint32_t slot_tick;  /* tick at which the wheel will look */
};

struct timer_group;
/* The timer is no longer set when its callback runs; it may be set again there. */
typedef void timer_due(struct timer *timer);

/* When the driver of the groups means to run them next; a timer set for an earlier tick says so. */
struct timer_wake {
    uint32_t tick;
    bool too_late;
};

/* `clock` (microseconds) is read when a timer is set; both are kept by the driver of the group.
 * NULL: out of memory. */
struct timer_group *timer_group_make(timer_due *due, const uint64_t *clock,
                                     struct timer_wake *wake);
void timer_group_free(struct timer_group **group);
/* Calls back what is due up to `now_us`. */
void timer_group_advance(struct timer_group *group, uint64_t now_us);
size_t timer_group_count(const struct timer_group *group);
/* In how many ticks from now timer_group_advance must be called; at most TIMER_REST_TICKS. */
uint32_t timer_group_next(const struct timer_group *group);
uint32_t timer_tick_of(uint64_t us);

/* Due at least `milliseconds` from the group's time, at most 20 ms later. */
void timer_set(struct timer_group *group, struct timer *timer, uint32_t milliseconds);
void timer_clear(struct timer_group *group, struct timer *timer);
/* It will not be due, but stays in the wheel, as if set for some months ahead: setting it again
 * costs a store then. For a timer that is set and cleared with each request. Must be cleared before
 * its memory goes; not set: harmless. */
void timer_rest(struct timer_group *group, struct timer *timer);
bool timer_is_set(const struct timer *timer);

#endif
