/* SPDX-License-Identifier: BSD-2-Clause */
/* A watch that tells when a time has passed, where the system has no descriptor for that. Of
 * net/watch_libevent.c only; used by net/tick_posix.c. */
#ifndef NET_WATCH_TIMER_H
#define NET_WATCH_TIMER_H

#include "net/watch.h"

#include <stdint.h>

/* Set to an hour. Stopped by watch_stop, and changed by watch_set_timer alone. false with errno. */
bool watch_start_timer(struct watch *watch, struct watches *watches, watch_ready *ready,
                       void *owner);
/* Tells READABLE then. Cannot fail: its place was taken at the start. */
void watch_set_timer(struct watch *watch, uint64_t after_us);

#endif
