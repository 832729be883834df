/* SPDX-License-Identifier: BSD-2-Clause */
/* clock_gettime with an offset on the monotonic clocks, and timerfd_settime with the same on
 * absolute times. */
#include "clock.h"

#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TIMERS_MAX 16

static uint64_t offset_ms;

static struct {
    int fd;
    struct itimerspec due; /* by the clock that shows the offset */
} timers[TIMERS_MAX];
static int timer_count;

/* Now, where that is in the past. */
static int set_really(int fd, const struct itimerspec *due, struct itimerspec *before)
{
    int64_t ns = due->it_value.tv_sec * INT64_C(1000000000) + due->it_value.tv_nsec -
                 (int64_t)offset_ms * 1000000;
    struct itimerspec really = {{0}, {0}};

    ns = ns > 0 ? ns : 1;
    really.it_value.tv_sec = (time_t)(ns / 1000000000);
    really.it_value.tv_nsec = (long)(ns % 1000000000);
    return (int)syscall(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME, &really, before);
}

static void remember(int fd, const struct itimerspec *due)
{
    int i = 0;

    while (i < timer_count && timers[i].fd != fd) {
        i++;
    }
    if (i < TIMERS_MAX) {
        timers[i].fd = fd;
        timers[i].due = *due;
        timer_count += i == timer_count;
    }
}

int timerfd_settime(int fd, int flags, const struct itimerspec *due, struct itimerspec *before)
{
    if ((flags & TFD_TIMER_ABSTIME) == 0) {
        return (int)syscall(SYS_timerfd_settime, fd, flags, due, before);
    }
    remember(fd, due);
    return set_really(fd, due, before);
}

/* Those that are closed by now say so, without a listener. */
void fake_clock_advance(uint32_t milliseconds)
{
    offset_ms += milliseconds;
    for (int i = 0; i < timer_count; i++) {
        set_really(timers[i].fd, &timers[i].due, NULL);
    }
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);

    if (result == 0 && (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE)) {
        now->tv_sec += (time_t)(offset_ms / 1000);
        now->tv_nsec += (long)(offset_ms % 1000) * 1000000;
        if (now->tv_nsec >= 1000000000) {
            now->tv_sec++;
            now->tv_nsec -= 1000000000;
        }
    }
    return result;
}
