/* SPDX-License-Identifier: BSD-2-Clause */
/* Brings one plan to all workers: all of them build their part, and only when each has it do all
 * of them swap; when one cannot, all drop theirs. Runs on the main thread's loop. */
#ifndef PROCESS_RELOAD_TWO_PHASE_H
#define PROCESS_RELOAD_TWO_PHASE_H

#include "process/sockets.h"
#include "process/worker/worker.h"

struct two_phase;

struct two_phase_plan { /* all borrowed until `done` */
    struct loop *loop;
    struct worker **workers;
    uint32_t worker_count;
    struct sockets *sockets;   /* of the plan */
    struct worker_order order; /* what each worker gets, but for its own sockets */
};

/* `good`: it runs on all workers; otherwise what ran before still does. `longest_us`: CPU time
 * of the longest piece that one of them did for it. */
typedef void two_phase_done(void *owner, bool good, uint32_t longest_us);

/* NULL: out of memory; `done` is not called then. */
struct two_phase *two_phase_begin(const struct two_phase_plan *plan, two_phase_done *done,
                                  void *owner);
/* The workers have ended meanwhile; `done` is not called. NULL is harmless. */
void two_phase_forget(struct two_phase **two_phase);

#endif
