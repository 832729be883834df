/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker: one thread with one loop, and everything that runs on it. Workers share nothing on
 * a request's way; they talk by mail (loop_post). Made, told and ended by process/process. */
#ifndef PROCESS_WORKER_H
#define PROCESS_WORKER_H

#include "client/client.h"

struct worker;

struct worker_plan {
    uint32_t index;
    struct plan *plan;           /* borrowed during worker_new */
    struct access_log_ring *log; /* may be NULL */
    struct origin_book *origin_book;
    struct client_book *client_book;
    int *listeners;      /* descriptors in order of settings.listeners; each taken becomes -1 */
    struct worker **all; /* where new connections may be placed; filled before start */
    uint32_t count;
};

/* NULL after log_error. */
struct worker *worker_new(const struct worker_plan *plan);
bool worker_start(struct worker *worker);
/* Any thread: answer what is under way, then stop; cut what is left after `deadline_ms`. */
void worker_drain(struct worker *worker, uint32_t deadline_ms);
/* Any thread. */
const struct metrics *worker_metrics(const struct worker *worker);
uint32_t worker_connections(const struct worker *worker);
uint64_t worker_begun(const struct worker *worker); /* exchanges, ever */
/* Waits for the thread; true when nothing had to be cut. */
bool worker_join(struct worker *worker);
void worker_free(struct worker **worker);

#endif
