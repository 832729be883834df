/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker lends to those who run on it, for tests: a loop that is run until something has
 * come about, buffers, dice. A test that never gets there is ended by SIGALRM. */
#ifndef FAKES_STAGE_H
#define FAKES_STAGE_H

#include "net/worker_context.h"

struct stage {
    struct worker_context worker_context;
    bool (*done)(void *owner);
    void *owner;
};

void stage_init(struct stage *stage);
/* Whatever was built on the worker context must be gone; all buffers must have come back. */
void stage_release(struct stage *stage);

/* Runs the loop until `done(owner)`; not at all when that is so already. */
void stage_run_until(struct stage *stage, bool (*done)(void *owner), void *owner);
/* Runs the loop until nothing is left to do but to wait. */
void stage_settle(struct stage *stage);
/* Puts the clock forward, by up to 40 ms more, and lets happen what is due then. */
void stage_pass(struct stage *stage, uint32_t milliseconds);

#endif
