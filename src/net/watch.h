/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors whose readiness one thread waits for: epoll, which shows in watch.c only. Used by
 * net/loop, whose turns these are; everybody else starts a watch by loop_watch. */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include "base/list.h"

enum { WATCH_READABLE = 1, WATCH_WRITABLE = 2 };

struct watch;
struct watches;

struct watches *watches_new(void); /* NULL with errno */
/* Watches that were not stopped must not be touched any more. */
void watches_free(struct watches **watches);
/* Waits until a descriptor is ready or a watch was called by hand, and tells whoever is concerned,
 * a slice of them if they are many. false with errno: it cannot wait. */
bool watches_turn(struct watches *watches);
/* Inside of a turn: whether it found others ready than these two. */
bool watches_found_more(const struct watches *watches, const struct watch *one,
                        const struct watch *two);

typedef void watch_ready(int fd, short what, void *owner);

/* Embedded by its owner, who leaves its members alone; must not move while it is on. Zeroed means
 * stopped. Level-triggered: whoever is told READABLE reads, or asks for less. */
struct watch {
    struct watches *watches; /* NULL: stopped */
    watch_ready *ready;
    void *owner;
    struct link called; /* by hand; or among those that rest */
    int fd;
    short wanted;
    bool is_called;
    bool rests;
};

/* `wanted` may be 0: nothing is reported until watch_change. One watch a descriptor. false with
 * errno: it is stopped. */
bool watch_start(struct watch *watch, struct watches *watches, int fd, short wanted,
                 watch_ready *ready, void *owner);
/* Nothing happens unless `wanted` differs from before; then it costs one system call, and a call by
 * hand that was not told yet is forgotten. false with errno (no memory): nothing is told any more,
 * until it changes again. */
bool watch_change(struct watch *watch, short wanted);
/* Tells READABLE and WRITABLE once, as soon as the loop is back, whatever was wanted. */
void watch_call(struct watch *watch);
/* Tells READABLE no more for a moment (WATCH_REST_MS at most), so that what comes in very small pieces
 * is found together. Any change of what is wanted, and any call by hand, ends it. */
#define WATCH_REST_MS 5
void watch_rest(struct watch *watch);
bool watch_is_on(const struct watch *watch);
/* Must come before close(fd); nothing is told any more, not even what has been found ready already.
 * Stopping twice is harmless. */
void watch_stop(struct watch *watch);

#endif
