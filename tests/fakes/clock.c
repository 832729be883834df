/* SPDX-License-Identifier: BSD-2-Clause */
/* clock_gettime with an offset on the monotonic clocks. */
#include "clock.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t offset_ms;

void fake_clock_advance(uint32_t milliseconds)
{
    offset_ms += milliseconds;
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
