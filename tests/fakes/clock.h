/* SPDX-License-Identifier: BSD-2-Clause */
/* The monotonic clock of a test program, which can be put forward, so that no test waits for a
 * timeout. Linking this file replaces clock_gettime, for libraries too, and timerfd_settime. */
#ifndef FAKES_CLOCK_H
#define FAKES_CLOCK_H

#include <stdint.h>

/* Only while no loop runs, or from inside one of its callbacks. */
void fake_clock_advance(uint32_t milliseconds);

#endif
