/* SPDX-License-Identifier: BSD-2-Clause */
/* One worker's part of a reload: everything that the new plan needs on it, built beside what
 * runs, a piece a turn, and then put in its place at once, or dropped. On the worker's thread. */
#ifndef PROCESS_WORKER_ADOPTION_H
#define PROCESS_WORKER_ADOPTION_H

#include "client/client.h"

struct adoption;

/* What it works on; borrowed, as all of it is the worker's. */
struct adoption_parts {
    struct metrics *metrics;
    struct origin_directory *origins;
    struct exchange_desk *exchanges;
    struct client_desk *clients;
};

/* `plan` and `changes` (from what runs to the plan) are borrowed until it is over; `sockets`, in
 * order of the plan's listeners, lose what is taken. NULL: out of memory. */
struct adoption *adoption_new(const struct adoption_parts *parts, struct plan *plan,
                              const struct settings_changes *changes,
                              struct client_socket *sockets);
enum adoption_progress { ADOPTION_GROWS, ADOPTION_IS_READY, ADOPTION_FAILED };
/* A piece: some tens of microseconds. */
enum adoption_progress adoption_grow(struct adoption *adoption);
/* Once ready; cannot fail. */
void adoption_commit(struct adoption **adoption);
/* At any time before that; NULL is nothing to do. */
void adoption_abandon(struct adoption **adoption);

#endif
