/* SPDX-License-Identifier: BSD-2-Clause */
/* net/tick: a timer of libevent's. */
#include "net/tick.h"

#include "net/watch_timer.h"

bool tick_open(struct tick *tick, struct watches *watches, watch_ready *ready, void *owner)
{
    tick->fd = -1;
    return watch_start_timer(&tick->watch, watches, ready, owner);
}

void tick_set(struct tick *tick, uint64_t due_us, uint64_t now_us)
{
    watch_set_timer(&tick->watch, due_us > now_us ? due_us - now_us : 0);
}

void tick_stay(struct tick *tick)
{
    watch_set_timer(&tick->watch, 0);
}

void tick_close(struct tick *tick)
{
    watch_stop(&tick->watch);
}
