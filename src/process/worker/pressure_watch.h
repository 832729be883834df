/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker's part in guarding the memory and descriptors of the process: looks at what it holds,
 * at most ten times a second and only while it is awake anyway, and does what the level asks. */
#ifndef PROCESS_WORKER_PRESSURE_WATCH_H
#define PROCESS_WORKER_PRESSURE_WATCH_H

#include "client/client.h"
#include "net/pressure.h"

struct pressure_watch {
    struct worker_context *worker_context;
    struct client_context *clients;
    struct exchange_context *exchanges;
    struct origin_directory *origins;
    uint64_t check_us;       /* when a look is due */
    uint64_t check_reserved; /* from how many bytes of slabs on it is due at once */
    uint64_t resident_us;
    struct alarm again; /* while there is pressure */
};

/* Embedded in the worker, whose parts it borrows; nothing to do where the worker context has no pressure. */
void pressure_watch_start(struct pressure_watch *watch, struct worker_context *worker_context,
                          struct client_context *clients, struct exchange_context *exchanges,
                          struct origin_directory *origins);
void pressure_watch_stop(struct pressure_watch *watch);

/* For the process: its budgets as the settings have them, and after a reload as they have them
 * now. */
struct pressure *pressure_watch_plan(const struct settings *settings);
void pressure_watch_follow(struct pressure *pressure, const struct settings *settings);
/* Once all is open: descriptors that are no connection. */
void pressure_watch_count_others(struct pressure *pressure);

#endif
