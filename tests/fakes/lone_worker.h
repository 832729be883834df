/* SPDX-License-Identifier: BSD-2-Clause */
/* One worker with all that the process gives it, and nothing else of a process: for tests in which
 * it runs short of something. */
#ifndef FAKES_LONE_WORKER_H
#define FAKES_LONE_WORKER_H

#include "base/address.h"
#include "process/sockets.h"
#include "process/worker/worker.h"

struct lone_worker {
    struct plan *plan;
    struct origin_registry *registry;
    struct client_registry *clients;
    struct pressure *pressure;
    struct sockets *sockets;
    struct worker *workers[1]; /* NULL: not made */
    struct address front;      /* of the first listener */
};

/* A mistake in it ends the test. */
struct plan *lone_worker_plan(const char *yaml);
/* All but the worker itself. Takes the plan over. */
void lone_worker_make(struct lone_worker *lone, struct plan *plan);
void lone_worker_open_sockets(struct lone_worker *lone);
/* A worker of it, which the caller frees; NULL: out of memory. */
struct worker *lone_worker_new(struct lone_worker *lone);
void lone_worker_start(struct lone_worker *lone);
/* Drains the worker if it was started, and frees everything. */
void lone_worker_end(struct lone_worker *lone);

/* A client's connection to the front, on which nothing is waited for any longer than that. */
int lone_worker_connect(const struct lone_worker *lone, unsigned patience_s);

#endif
