/* SPDX-License-Identifier: BSD-2-Clause */
/* Building and counting plans: what all workers share of one snapshot. */
#include "exchange/generation.h"

#include "base/log/log.h"

#include <stdatomic.h>
#include <stdlib.h>

struct plan {
    _Atomic uint32_t references;
    struct snapshot *snapshot;
    struct router *router;
    struct tls_store *tls;
    struct split_registry *registry;
    struct live_split **splits;  /* by route index; NULL: fewer than two arms */
    struct cache_space **spaces; /* by route index; NULL: no route stores or shares answers */
};

static void log_problem(void *owner, const char *problem)
{
    (void)owner;
    log_error("%s", problem);
}

static void plan_free(struct plan *plan)
{
    uint32_t count = plan_settings(plan)->route_count;

    for (uint32_t i = 0; plan->splits != NULL && i < count; i++) {
        live_split_unref(&plan->splits[i]);
    }
    for (uint32_t i = 0; plan->spaces != NULL && i < count; i++) {
        cache_space_drop(&plan->spaces[i]);
    }
    free(plan->splits);
    free(plan->spaces);
    router_free(&plan->router);
    tls_store_free(&plan->tls);
    snapshot_unref(&plan->snapshot);
    free(plan);
}

static bool has_space(const struct plan *plan, const struct cache_space *space)
{
    uint32_t count = plan->spaces != NULL ? plan_settings(plan)->route_count : 0;

    for (uint32_t i = 0; i < count; i++) {
        if (plan->spaces[i] == space) {
            return true;
        }
    }
    return false;
}

void plan_close_spaces(struct plan *retired, const struct plan *running)
{
    uint32_t count = retired->spaces != NULL ? plan_settings(retired)->route_count : 0;

    for (uint32_t i = 0; i < count; i++) {
        if (retired->spaces[i] != NULL && !has_space(running, retired->spaces[i])) {
            cache_space_close(retired->spaces[i]);
        }
    }
}

static bool find_splits(struct plan *plan)
{
    const struct settings *settings = plan_settings(plan);

    plan->splits = calloc(settings->route_count + 1, sizeof(*plan->splits));
    for (uint32_t i = 0; plan->splits != NULL && i < settings->route_count; i++) {
        if (settings->routes[i].arm_count < 2) {
            continue;
        }
        plan->splits[i] = plan->registry != NULL
                              ? split_registry_find(plan->registry, &settings->routes[i])
                              : live_split_new(&settings->routes[i], settings->workers);
        if (plan->splits[i] == NULL) {
            return false;
        }
    }
    return plan->splits != NULL;
}

/* Those of the plan before, where their routes have not changed. */
static bool find_spaces(struct plan *plan)
{
    const struct settings *settings = plan_settings(plan);

    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];

        if (!route->has_caching) {
            continue;
        }
        if (plan->spaces == NULL) {
            plan->spaces = calloc(settings->route_count, sizeof(*plan->spaces));
        }
        if (plan->spaces == NULL ||
            (plan->spaces[i] = cache_space_take(route->name, route->print)) == NULL) {
            return false;
        }
    }
    return true;
}

struct plan *plan_new(struct snapshot *snapshot, struct split_registry *registry)
{
    return plan_new_telling(snapshot, registry, log_problem, NULL);
}

struct plan *plan_new_telling(struct snapshot *snapshot, struct split_registry *registry,
                              plan_problem *report, void *owner)
{
    struct plan *plan = calloc(1, sizeof(*plan));

    if (plan == NULL) {
        report(owner, "no memory is left for the routes");
        snapshot_unref(&snapshot);
        return NULL;
    }
    plan->references = 1;
    plan->snapshot = snapshot;
    plan->registry = registry;
    plan->router = router_new(plan_settings(plan));
    if (plan->router == NULL || !find_splits(plan) || !find_spaces(plan)) {
        report(owner, "no memory is left for the routes");
        plan_free(plan);
        return NULL;
    }
    plan->tls = tls_store_new(plan_settings(plan), report, owner);
    if (plan->tls == NULL) {
        plan_free(plan);
        return NULL;
    }
    return plan;
}

/* A route that comes back has the space that was closed when it went. */
static void open_spaces(struct plan *plan)
{
    uint32_t count = plan->spaces != NULL ? plan_settings(plan)->route_count : 0;

    for (uint32_t i = 0; i < count; i++) {
        if (plan->spaces[i] != NULL) {
            cache_space_open(plan->spaces[i]);
        }
    }
}

bool plan_take_effect(struct plan *plan)
{
    if (plan->registry != NULL &&
        !split_registry_adopt(plan->registry, plan_settings(plan), plan->splits)) {
        return false;
    }
    open_spaces(plan);
    return true;
}

struct plan *plan_ref(struct plan *plan)
{
    atomic_fetch_add_explicit(&plan->references, 1, memory_order_relaxed);
    return plan;
}

void plan_unref(struct plan **held)
{
    struct plan *plan = *held;

    *held = NULL;
    if (plan != NULL &&
        atomic_fetch_sub_explicit(&plan->references, 1, memory_order_acq_rel) == 1) {
        plan_free(plan);
    }
}

bool plan_is_unused(const struct plan *plan)
{
    return atomic_load_explicit(&plan->references, memory_order_acquire) == 1;
}

const struct settings *plan_settings(const struct plan *plan)
{
    return snapshot_settings(plan->snapshot);
}

const struct router *plan_router(const struct plan *plan)
{
    return plan->router;
}

const struct tls_store *plan_tls(const struct plan *plan)
{
    return plan->tls;
}

struct split_registry *plan_registry(const struct plan *plan)
{
    return plan->registry;
}

struct live_split *plan_split(const struct plan *plan, uint32_t route)
{
    return plan->splits[route];
}

struct cache_space *plan_space(const struct plan *plan, uint32_t route)
{
    return plan->spaces != NULL ? plan->spaces[route] : NULL;
}
