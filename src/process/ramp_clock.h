/* SPDX-License-Identifier: BSD-2-Clause */
/* Moves the ramps of the split registry once a second, on the main thread, writes each step and
 * breach into the audit log, and has the state store write what has changed. Made by
 * process/process.c before the first plan takes effect. */
#ifndef PROCESS_RAMP_CLOCK_H
#define PROCESS_RAMP_CLOCK_H

#include "net/loop.h"
#include "process/state/audit.h"
#include "process/state/state_store.h"
#include "split/split_registry.h"

struct ramp_clock;

struct ramp_clock_parts { /* borrowed */
    struct loop *loop;
    struct split_registry *registry;
    struct audit *audit;
    struct state_store *state_store;
};

/* NULL: out of memory. */
struct ramp_clock *ramp_clock_new(const struct ramp_clock_parts *parts);
/* Moves nothing any more: the ramps are a successor's. */
void ramp_clock_stop(struct ramp_clock *clock);
void ramp_clock_free(struct ramp_clock **clock);

#endif
