/* SPDX-License-Identifier: BSD-2-Clause */
/* What makes a loop's timer wheel turn: one timeout, told as a watch is. Used by net/loop. */
#ifndef NET_TICK_H
#define NET_TICK_H

#include "net/watch.h"

#include <stdint.h>

struct tick {
    struct watch watch;
    int fd; /* -1: none, or not open */
};

/* `ready` is called when it is due, and then sets it anew or has it stay. `owner` has the tick in it. false
 * with errno. */
bool tick_open(struct tick *tick, struct watches *watches, watch_ready *ready, void *owner);
/* By the monotonic clock in microseconds; `now_us` is what that shows. */
void tick_set(struct tick *tick, uint64_t due_us, uint64_t now_us);
/* It was told, and is to be told again as soon as the kernel has been asked for what else came. */
void tick_stay(struct tick *tick);
/* Harmless where it was not opened, but for zeroed memory: `fd` must be -1 then. */
void tick_close(struct tick *tick);

#endif
