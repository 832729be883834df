/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlines in a wheel with a tick of 10 ms. Setting and clearing cost a list operation;
 * moving a deadline later costs a store, since the wheel looks again when the old one comes.
 * Driven by io/loop (or by a test) with the time passed in; knows no clock. */
#ifndef IO_TIMER_H
#define IO_TIMER_H

#include "base/bytes.h"

#define TIMER_TICK_US 10000

/* Embedded in its owner; zeroed means not set. */
struct timer {
    struct timer *next;
    struct timer **link; /* whoever points here; NULL: not in the wheel */
    uint32_t due;        /* tick at which it is really due */
    uint32_t slot_tick;  /* tick at which the wheel will look */
};

struct timer_group;
/* The timer is no longer set when its callback runs; it may be set again there. */
typedef void timer_due(struct timer *timer);

struct timer_group *timer_group_make(timer_due *due, uint64_t now_us); /* NULL: out of memory */
void timer_group_free(struct timer_group **group);
/* Calls back what is due up to `now_us`. */
void timer_group_advance(struct timer_group *group, uint64_t now_us);
size_t timer_group_count(const struct timer_group *group);

/* Due at least `milliseconds` from the group's time, at most 20 ms later. */
void timer_set(struct timer_group *group, struct timer *timer, uint32_t milliseconds);
void timer_clear(struct timer_group *group, struct timer *timer);
bool timer_is_set(const struct timer *timer);

#endif
