/* SPDX-License-Identifier: BSD-2-Clause */
/* All that is built from one snapshot. The plan (settings and router) is immutable and shared by
 * the workers; a generation is one worker's own: services and splits with whose turn it is.
 * An exchange holds the generation it began with until it ends; counting needs no atomics,
 * since all exchanges of a generation run on its worker. */
#ifndef EXCHANGE_GENERATION_H
#define EXCHANGE_GENERATION_H

#include "config/snapshot.h"
#include "exchange/router.h"
#include "origin/service.h"

struct plan;

/* Takes over the caller's reference to the snapshot. NULL: out of memory (and the reference is
 * given back). Made away from the loops. */
struct plan *plan_new(struct snapshot *snapshot);
struct plan *plan_ref(struct plan *plan);
void plan_unref(struct plan **plan); /* from any thread */
const struct settings *plan_settings(const struct plan *plan);
const struct router *plan_router(const struct plan *plan);

struct generation;

/* Holds its own reference to the plan. NULL: out of memory. */
struct generation *generation_new(struct plan *plan, struct origin_directory *directory);
struct generation *generation_ref(struct generation *generation);
void generation_unref(struct generation **generation);
const struct settings *generation_settings(const struct generation *generation);
const struct router *generation_router(const struct generation *generation);
struct service *generation_service(struct generation *generation,
                                   const struct service_settings *settings);
/* The arm whose turn it is; the route forwards. */
const struct arm_settings *generation_next_arm(struct generation *generation,
                                               const struct route_settings *route);

#endif
