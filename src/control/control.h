/* SPDX-License-Identifier: BSD-2-Clause */
/* The control interface: a thread with a loop of its own that speaks HTTP/1 through the same
 * code as a worker, on a Unix socket for turnpikectl and on an address for metrics. Neither can
 * traffic starve it nor does it take a turn from traffic. Made and ended by process/, which
 * lends it what it reads and does (struct control_sources). */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "control/sources.h"
#include "net/loop.h"

struct control;

struct control_places {
    int socket;  /* listening; -1: none */
    int metrics; /* the same */
};

/* Takes the descriptors over, whatever happens, and starts the thread. NULL: out of memory, or
 * of threads. */
struct control *control_start(const struct control_places *places,
                              const struct control_sources *sources);
/* The workers are gone. Answers what is under way, as far as clients take it, and ends. */
void control_stop(struct control **control);
/* Another process has the same sockets: clients that wait in the kernel are left to it, and those that
 * are here already are answered. `left` is called on the thread of `control`, once no other comes. */
void control_leave(struct control *control, loop_posted *left, void *owner);

#endif
