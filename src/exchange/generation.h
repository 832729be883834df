/* SPDX-License-Identifier: BSD-2-Clause */
/* All that is built from one snapshot. The plan (settings and router) is immutable and shared by
 * the workers; a generation is one worker's own: services and splits with whose turn it is.
 * An exchange holds the generation it began with until it ends; counting needs no atomics,
 * since all exchanges of a generation run on its worker. */
#ifndef EXCHANGE_GENERATION_H
#define EXCHANGE_GENERATION_H

#include "base/list.h"
#include "cache/cache_store.h"
#include "config/settings_changes.h"
#include "config/snapshot.h"
#include "origin/service/service.h"
#include "route/router.h"
#include "split/split_registry.h"
#include "split/split_turn.h"
#include "tls/tls.h"

struct plan;

/* Takes over the caller's reference to the snapshot. NULL after log_error: out of memory, or a
 * file of TLS that is not good (and the reference is given back). Made away from the loops; the
 * registry must outlive it. Without a registry (NULL) weights stay as in the file. */
struct plan *plan_new(struct snapshot *snapshot, struct split_registry *registry);
/* The same, with a call for each problem. */
typedef void plan_problem(void *owner, const char *problem);
struct plan *plan_new_telling(struct snapshot *snapshot, struct split_registry *registry,
                              plan_problem *report, void *owner);
struct plan *plan_ref(struct plan *plan);
void plan_unref(struct plan **plan); /* from any thread */
/* What only the plan that will not come back has stored goes, while its exchanges may go on. */
void plan_close_spaces(struct plan *retired, const struct plan *running);
/* Only the caller holds it: the holder of a last reference to a plan that ran lets it go
 * then, away from the loops, since freeing ten thousand routes takes a while. */
bool plan_is_unused(const struct plan *plan);
const struct settings *plan_settings(const struct plan *plan);
const struct router *plan_router(const struct plan *plan);
const struct tls_store *plan_tls(const struct plan *plan);
struct split_registry *plan_registry(const struct plan *plan); /* NULL: it has none */
/* Of a route, by its index; NULL: it has none. */
struct live_split *plan_split(const struct plan *plan, uint32_t route);
struct cache_space *plan_space(const struct plan *plan, uint32_t route);
/* What its splits are is what they are from now on, and its caches take answers: once, before workers
 * take the plan up, and again with a plan that is gone back to. false: out of memory, nothing changed. */
bool plan_take_effect(struct plan *plan);

struct generation;

/* Holds its own reference to the plan. NULL: out of memory. */
struct generation *generation_new(struct plan *plan, struct origin_directory *directory);

/* The same a piece at a time, so that a worker with a thousand services to take up answers in
 * between. What `changes` says is kept is shared with `former`, balancer and split states with
 * it. Both are borrowed until it is whole; may be NULL. */
struct generation *generation_begin(struct plan *plan, struct origin_directory *directory,
                                    struct generation *former,
                                    const struct settings_changes *changes);
enum generation_progress { GENERATION_GROWS, GENERATION_IS_WHOLE, GENERATION_FAILED };
/* Makes at most `most` services and splits; out of memory, generation_unref is all that is left. */
enum generation_progress generation_grow(struct generation *generation, unsigned most);

struct generation *generation_ref(struct generation *generation);
void generation_unref(struct generation **generation);
const struct settings *generation_settings(const struct generation *generation);
const struct tls_store *generation_tls(const struct generation *generation);
const struct router *generation_router(const struct generation *generation);
struct service *generation_service(struct generation *generation,
                                   const struct service_settings *settings);
/* NULL for a plan without a registry. */
struct pin_table *generation_pins(const struct generation *generation);
/* Where the answers of this route are stored; NULL: it has neither `cache` nor `coalesce`. */
struct cache_space *generation_cache_space(const struct generation *generation,
                                           const struct route_settings *route);
/* Whose turn it is at this route; NULL for one that has not two arms or more. */
struct split_turn *generation_split(struct generation *generation,
                                    const struct route_settings *route);

#endif
