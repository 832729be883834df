/* SPDX-License-Identifier: BSD-2-Clause */
/* Moves the ramps of the split book once a second, on the main thread: writes each step and
 * breach into the audit log, and where every ramp is into the state directory, so that a breach
 * outlives a restart. Made by process/process.c before the first plan takes effect. */
#ifndef PROCESS_RAMP_CLOCK_H
#define PROCESS_RAMP_CLOCK_H

#include "exchange/split_book.h"
#include "io/loop.h"
#include "process/audit.h"

struct ramp_clock;

struct ramp_clock_parts { /* borrowed */
    struct loop *loop;
    struct split_book *book;
    struct audit *audit;
    const char *state_directory; /* NULL: no ramp moves */
};

/* Reads what the last process left. NULL: out of memory. */
struct ramp_clock *ramp_clock_new(const struct ramp_clock_parts *parts);
/* Writes what a successor is to read; pins that come later are not in it. */
void ramp_clock_save(struct ramp_clock *clock);
/* The files are a successor's from now on: moves nothing and writes nothing any more. */
void ramp_clock_retire(struct ramp_clock *clock);
/* Saves, unless it was retired. */
void ramp_clock_free(struct ramp_clock **clock);

#endif
