/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking up a new configuration while everything runs. Lives on the main thread: reads and
 * checks the file there, has every worker build its part beside the old one, and only when all
 * of them have it do they swap, each between two of its events (process/reload/two_phase). A bad file, a
 * port that is taken or a worker without memory changes nothing.
 *
 * Orders may be given by any thread; one is carried out after the other. */
#ifndef PROCESS_RELOAD_RELOAD_H
#define PROCESS_RELOAD_RELOAD_H

#include "config/reload_order.h"
#include "process/sockets.h"
#include "process/state/audit.h"
#include "process/worker/worker.h"

struct reload; /* one a process */

struct reload_parts {  /* borrowed */
    struct loop *loop; /* main's */
    const char *path;  /* of the configuration */
    struct plan *plan; /* the first one, which stays: what cannot change is in it */
    struct split_registry *splits;
    struct pressure *pressure;
    struct span_exporter *spans;
    struct bytes source; /* of that one; only during reload_new */
    struct sockets **sockets;
    struct worker **workers;
    uint32_t worker_count;
    struct audit *audit;
    const char *state_directory; /* NULL: none */
    bool is_last_good;           /* started with the last good file, for the other was bad */
};

/* NULL: out of memory. */
struct reload *reload_new(const struct reload_parts *parts);
void reload_free(struct reload **reload);
/* The workers have ended, and the loop: orders that are left are answered so. Comes before those
 * go who gave them. NULL is harmless. */
void reload_answer_rest(struct reload *reload);
/* From now on orders are refused, what is under way is given up: the process stops. Main thread. */
void reload_stop(struct reload *reload);

/* A new binary is starting and may have read the file already: orders wait. Either it comes to
 * nothing and they are carried out here (go_on), or it serves, and they are answered so: true where
 * the new process is to read the file again. Main thread. */
void reload_wait(struct reload *reload);
void reload_go_on(struct reload *reload);
bool reload_hand_over(struct reload *reload);

/* Nothing is being taken up, and nothing waits for its confirmation. Main thread. */
bool reload_is_settled(const struct reload *reload);
/* Any thread. false: out of memory, or the process is ending; `done` is not called then. */
bool reload_give_order(struct reload *reload, const struct reload_order *order);
/* Any thread, at any time. */
void reload_check(struct reload *reload, struct reload_status *status);
/* A copy of the text that runs, malloc'd: NULL, out of memory. Any thread but workers. */
char *reload_source(struct reload *reload, size_t *length);
/* The plan that runs, counted: plan_unref. Any thread but workers (it takes a lock). */
struct plan *reload_plan(struct reload *reload);

#endif
