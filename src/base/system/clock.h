/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's clocks, for threads that have no loop; a loop reads them once a turn (net/loop.h). */
#ifndef BASE_SYSTEM_CLOCK_H
#define BASE_SYSTEM_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static inline uint64_t clock_ms(clockid_t clock)
{
    return clock_us(clock) / 1000;
}

#endif
