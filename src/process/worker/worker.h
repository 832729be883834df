/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker: one thread with one loop, and everything that runs on it. Workers share nothing on
 * a request's way; they talk by posted calls (loop_post). Made, told and ended by process/process. */
#ifndef PROCESS_WORKER_WORKER_H
#define PROCESS_WORKER_WORKER_H

#include "client/guard/client_list.h"
#include "client/client.h"
#include "process/sockets.h"

struct worker;

struct worker_plan {
    uint32_t index;
    struct plan *plan;           /* borrowed during worker_new */
    struct access_log_ring *log; /* may be NULL */
    struct span_ring *spans;
    struct origin_registry *origin_registry;
    struct client_registry *client_registry;
    struct pressure *pressure;     /* NULL: memory and descriptors are not watched */
    struct client_socket *sockets; /* in order of settings.listeners; each fd taken becomes -1 */
    struct extra_socket *extras;   /* of all workers; those of this one are taken likewise */
    uint32_t extra_count;
    struct worker **all; /* where new connections may be placed; filled before start */
    uint32_t count;
};

/* NULL after log_error. */
struct worker *worker_new(const struct worker_plan *plan);
bool worker_start(struct worker *worker);
/* Any thread: answer what is under way, then stop; cut what is left after `deadline_ms`. */
void worker_drain(struct worker *worker, uint32_t deadline_ms);
/* The same, gently: another process serves the same sockets now, so that idle connections may end
 * over timeouts.drain. A deadline of 0 ms: none. `left` is called on the worker's thread, once it
 * accepts no more; never if the worker has ended. */
void worker_leave(struct worker *worker, uint32_t deadline_ms, loop_posted *left, void *owner);
/* Any thread: has the worker make the call at its next turn (loop_send). */
bool worker_send(struct worker *worker, struct loop_message *message, loop_posted *call,
                 void *owner);
/* Any thread. */
struct metrics *worker_metrics(const struct worker *worker);
uint32_t worker_connections(const struct worker *worker);
uint32_t worker_handshakes(const struct worker *worker); /* of TLS, under way */
uint64_t worker_begun(const struct worker *worker);      /* exchanges, ever */

/* A new plan for a running worker, in two steps (process/reload/two_phase). Lives until the last answer,
 * with everything it points to. */
struct worker_order {
    struct worker *worker;
    struct plan *plan;
    const struct settings_changes *changes; /* from what runs to the plan */
    struct client_socket *sockets;          /* of this worker, for the plan's listeners */
    uint64_t generation;
    uint32_t longest_us; /* the worker writes down the CPU time of its longest piece of it */
    void (*answer)(void *owner, bool ready); /* called on the worker's thread, for each step */
    void *owner;
    struct loop_message message;
};
/* Preparing builds everything beside what runs; then it is either put in its place or dropped. */
enum worker_step { WORKER_PREPARE, WORKER_COMMIT, WORKER_ABANDON };
/* Any thread. false: the worker has ended; no answer comes. */
bool worker_carry_out(struct worker_order *order, enum worker_step step);

/* Any thread: the worker's costliest connections (client/guard/client_list.h). `listed` is called
 * once, on the worker's thread; with no rows when it cannot be done now. false: there will be no
 * call. */
bool worker_list_connections(struct worker *worker, size_t most, client_listed *listed,
                             void *owner);
/* Waits for the thread; true when nothing had to be cut. */
bool worker_join(struct worker *worker);
void worker_free(struct worker **worker);

#endif
