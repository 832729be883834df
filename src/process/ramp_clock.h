/* SPDX-License-Identifier: BSD-2-Clause */
/* Moves the ramps of the split registry once a second, on the main thread, writes each step and
 * breach into the audit log, and has the state store write what has changed. Made by
 * process/process.c before the first plan takes effect. */
#ifndef PROCESS_RAMP_CLOCK_H
#define PROCESS_RAMP_CLOCK_H

#include "net/loop.h"
#include "process/state/audit.h"
#include "process/state/state_store.h"
#include "process/upgrade/handover.h"
#include "split/split_registry.h"

struct ramp_clock;

/* While an upgrade is under way both processes have the ramps: the former one moves them until the new
 * one is ready, and then tells it where they are, by a pipe. Until that has come the new one moves
 * none. */
struct ramp_clock_parts { /* borrowed */
    struct loop *loop;
    struct split_registry *registry;
    struct audit *audit;
    struct state_store *state_store;
    struct handover *handover; /* needed by ramp_clock_new only; NULL: nothing was handed over */
};

/* NULL: out of memory. */
struct ramp_clock *ramp_clock_new(const struct ramp_clock_parts *parts);
/* A successor is about to start: what it needs to hear where the ramps are. */
void ramp_clock_hand_over(struct ramp_clock *clock, struct page *lines);
/* It has not started. */
void ramp_clock_keep(struct ramp_clock *clock);
/* Moves nothing any more: the ramps are a successor's, which is told where they are. */
void ramp_clock_stop(struct ramp_clock *clock);
void ramp_clock_free(struct ramp_clock **clock);

#endif
