/* SPDX-License-Identifier: BSD-2-Clause */
/* net/tick: a timerfd, set twice a second in a busy loop. With a timer of libevent's own the clock
 * would be read twice a turn. */
#include "net/tick.h"

#include <sys/timerfd.h>
#include <unistd.h>

bool tick_open(struct tick *tick, struct watches *watches, watch_ready *ready, void *owner)
{
    tick->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return tick->fd >= 0 &&
           watch_start(&tick->watch, watches, tick->fd, WATCH_READABLE, ready, owner);
}

void tick_set(struct tick *tick, uint64_t due_us, uint64_t now_us)
{
    const struct itimerspec due = {
        .it_value = {(time_t)(due_us / 1000000), (long)(due_us % 1000000) * 1000}};

    (void)now_us;
    timerfd_settime(tick->fd, TFD_TIMER_ABSTIME, &due, NULL);
}

/* A timerfd that is not read stays readable. */
void tick_stay(struct tick *tick)
{
    (void)tick;
}

void tick_close(struct tick *tick)
{
    watch_stop(&tick->watch);
    if (tick->fd >= 0) {
        close(tick->fd);
        tick->fd = -1;
    }
}
