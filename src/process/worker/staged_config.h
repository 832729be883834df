/* SPDX-License-Identifier: BSD-2-Clause */
/* One worker's part of a reload: everything that the new plan needs on it, built beside what
 * runs, a piece a turn, and then put in its place at once, or dropped. On the worker's thread. */
#ifndef PROCESS_WORKER_STAGED_CONFIG_H
#define PROCESS_WORKER_STAGED_CONFIG_H

#include "client/client.h"

struct staged_config;

/* What it works on; borrowed, as all of it is the worker's. */
struct staged_config_parts {
    struct metrics *metrics;
    struct origin_directory *origins;
    struct exchange_context *exchanges;
    struct client_context *clients;
};

/* `plan` and `changes` (from what runs to the plan) are borrowed until it is over; `sockets`, in
 * order of the plan's listeners, lose what is taken. NULL: out of memory. */
struct staged_config *staged_config_new(const struct staged_config_parts *parts, struct plan *plan,
                                        const struct settings_changes *changes,
                                        struct client_socket *sockets);
enum staged_config_progress { STAGED_CONFIG_BUILDS, STAGED_CONFIG_IS_READY, STAGED_CONFIG_FAILED };
/* A piece: some tens of microseconds. */
enum staged_config_progress staged_config_build(struct staged_config *staged_config);
/* Once ready; cannot fail. */
void staged_config_commit(struct staged_config **staged_config);
/* At any time before that; NULL is nothing to do. */
void staged_config_abandon(struct staged_config **staged_config);

#endif
