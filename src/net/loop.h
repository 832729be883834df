/* SPDX-License-Identifier: BSD-2-Clause */
/* One worker's event loop: its turns, clock, timers, watches and mailbox.
 * Everything here belongs to one thread, except loop_post. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/list.h"
#include "net/timer.h"
#include "net/watch.h"

struct loop;

struct loop *loop_new(void); /* NULL with errno */
void loop_free(struct loop **loop);
/* Runs until loop_stop; may be run again after that. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Microseconds of the monotonic clock as last read; loop_read_clock reads it. */
uint64_t loop_now(const struct loop *loop);
uint64_t loop_read_clock(struct loop *loop);
/* Microseconds of processor time that the calling thread has used, ever; a system call. */
uint64_t loop_used_time(void);
/* A callback of a watch that cares about time says so at the start of the callback. Of a
 * turn's events the first reads the clock, and each fourth after it: to read it for each would be
 * 3% of what we do for a request, and three events take some twenty microseconds. */
void loop_note_event(struct loop *loop);
/* The same moment in microseconds since the epoch: for what is written down, not for reckoning.
 * A clock that is set anew is noticed within a second. */
uint64_t loop_realtime(const struct loop *loop);

/* Puts `call(owner)` off to the end of the turn, once all events are dealt with: answers and
 * requests of one turn are written one after the other then, and their reader is woken
 * once instead of for each. Embedded by its owner; zeroed at first. */
typedef void later_call(void *owner);
struct later {
    struct link link;
    later_call *call;
    void *owner;
};
/* Once is enough: further calls before the turn ends change nothing. */
void loop_later(struct loop *loop, struct later *later, later_call *call, void *owner);
void later_cancel(struct later *later);

/* Called after each turn's callbacks, in order of registration: deferred frees are made here. */
typedef void loop_turn_end(void *owner);
void loop_at_turn_end(struct loop *loop, loop_turn_end *call, void *owner);

/* Called at each due timer with how late the loop came to it: what a turn before it took. One caller. */
typedef void loop_came_late(void *owner, uint64_t microseconds);
void loop_report_lag(struct loop *loop, loop_came_late *call, void *owner);

/* Hands `call(owner)` to the loop's thread; safe from any thread. false: out of memory, or the
 * mailbox is closed; there will be no call. */
typedef void loop_posted(void *owner);
bool loop_post(struct loop *loop, loop_posted *call, void *owner);
/* The same with a message that the sender keeps, so that it needs no memory: for what must arrive.
 * The message is not sent again, nor freed, before its call was made. false: the mailbox is closed. */
struct loop_message {
    struct loop_message *next;
    loop_posted *call;
    void *owner;
    bool is_posted; /* allocated by loop_post */
};
bool loop_send(struct loop *loop, struct loop_message *message, loop_posted *call, void *owner);
/* No posted call is taken from now on, so that none is left when the loop stops. false: some have come
 * and not been read; the mailbox stays open. */
bool loop_close_posts(struct loop *loop);

/* See watch_start (net/watch.h). */
bool loop_watch(struct loop *loop, struct watch *watch, int fd, short wanted, watch_ready *ready,
                void *owner);

/* --- timers -------------------------------------------------------------------------- */

/* All timers of one kind share a callback (see net/timer.h). Freed with the loop. */
struct timer_group *timer_group_new(struct loop *loop, timer_due *due);

/* A timer with a callback of its own, for what exists only a few times a worker. */
typedef void alarm_rings(void *owner);
struct alarm {
    struct timer timer;
    alarm_rings *rings;
    void *owner;
};
void alarm_set(struct loop *loop, struct alarm *alarm, uint32_t milliseconds, alarm_rings *rings,
               void *owner);
void alarm_clear(struct loop *loop, struct alarm *alarm);
bool alarm_is_set(const struct alarm *alarm);

#endif
