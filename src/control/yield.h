/* SPDX-License-Identifier: BSD-2-Clause */
/* A scrape or an update of the live page with a thousand routes is milliseconds of work. Where a worker
 * shares the core of the control thread, its requests would wait for as long; so work over many rows
 * gives the core up after every piece. On a core that nothing else wants this is a short system call. */
#ifndef CONTROL_YIELD_H
#define CONTROL_YIELD_H

#include <sched.h>
#include <stddef.h>

/* Some 20 microseconds of work each. */
#define YIELD_BYTES 32768u /* of a page */
#define YIELD_ROWS 32u     /* of counters */

/* Work grew by `more` and is `now`: gives up the core when it has come past a multiple of `piece`. */
static inline void yield_each(size_t now, size_t more, size_t piece)
{
    if (now / piece != (now - more) / piece) {
        sched_yield();
    }
}

#endif
