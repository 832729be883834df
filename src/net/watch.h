/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors whose readiness one thread waits for. Used by net/loop, whose turns these are; all
 * others start a watch by loop_watch. Two engines stand behind it, one of which is built:
 * watch_libevent.c (the default) and watch_epoll.c (--with-events=epoll). */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include <stdbool.h>

enum { WATCH_READABLE = 1, WATCH_WRITABLE = 2 };

struct watch;
struct watches;

struct watches *watches_new(void); /* NULL with errno */
/* Watches that were not stopped must not be touched any more. */
void watches_free(struct watches **watches);
/* Which engine this is, for operators; a static text. */
const char *watches_engine(void);

/* The end of a turn; false: it was the last one. */
typedef bool watches_turn_ends(void *owner);
/* Waits until descriptors are ready or watches were called by hand, and tells their owners. After
 * at most WATCHES_A_TURN of them the turn ends: with more, a burst would keep the first waiting for
 * what was put off; with fewer, each would pay a larger share of a turn. false with errno: it
 * cannot wait. */
#define WATCHES_A_TURN 64
bool watches_run(struct watches *watches, watches_turn_ends *ends, void *owner);
/* Inside of a turn: when the kernel was last asked it had others ready than these two, or a watch was
 * called by hand. */
bool watches_found_more(const struct watches *watches, const struct watch *one,
                        const struct watch *two);

typedef void watch_ready(int fd, short what, void *owner);

/* What an engine keeps of a watch. */
#ifdef EVENTS_EPOLL
#define WATCH_BYTES 48
#else
#define WATCH_BYTES 144
#endif

/* Embedded by its owner; must not move while it is on. Zeroed means stopped. Level-triggered: an
 * owner that is told READABLE reads, or asks for less. */
struct watch {
    _Alignas(8) unsigned char bytes[WATCH_BYTES];
};

/* `wanted` may be 0: nothing is reported until watch_change. One watch a descriptor. `owner` has the
 * watch in it. false with errno: it is stopped. */
bool watch_start(struct watch *watch, struct watches *watches, int fd, short wanted,
                 watch_ready *ready, void *owner);
/* Nothing happens unless `wanted` differs from before; then it costs one system call (two from
 * READABLE to WRITABLE with libevent, and back), and a call by hand that was not told yet is
 * forgotten. false with errno (no memory): nothing is told any more, until it changes again. */
bool watch_change(struct watch *watch, short wanted);
/* Tells READABLE and WRITABLE once, as soon as the loop is back, whatever was wanted. */
void watch_call(struct watch *watch);
/* Where READABLE alone is wanted: tells nothing for a moment (WATCH_REST_MS at most), so that what
 * comes in very small pieces is found together; a call by hand that was not told yet is told behind
 * it. Any change of what is wanted, and any further call by hand, ends it. */
#define WATCH_REST_MS 5
void watch_rest(struct watch *watch);
bool watch_rests(const struct watch *watch);
bool watch_is_on(const struct watch *watch);
/* Must come before close(fd); nothing is told any more, not even what has been found ready already.
 * Stopping twice is harmless. */
void watch_stop(struct watch *watch);

#endif
