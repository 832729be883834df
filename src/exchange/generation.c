/* SPDX-License-Identifier: BSD-2-Clause */
/* Building and counting plans and generations. */
#include "exchange/generation.h"

#include "base/check.h"
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

/* A service and a split outlive the generation they were made for where a reload keeps them. All
 * generations that share one are of one worker: no atomics. */
struct shared_service {
    uint32_t references;
    struct service *service;
    struct plan *plan; /* whose settings the service points to */
};

struct generation {
    uint32_t references;
    struct plan *plan;
    struct shared_service **services; /* by service index */
    struct split_turn **splits;       /* by route index; NULL: one arm, or none */
    uint32_t services_made;
    uint32_t splits_made;
    struct link link; /* of those being taken apart */

    /* While it grows; borrowed. */
    struct origin_directory *directory;
    struct generation *former;
    const struct settings_changes *changes;
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
        report(owner, "out of memory");
        snapshot_unref(&snapshot);
        return NULL;
    }
    plan->references = 1;
    plan->snapshot = snapshot;
    plan->registry = registry;
    plan->router = router_new(plan_settings(plan));
    if (plan->router == NULL || !find_splits(plan) || !find_spaces(plan)) {
        report(owner, "out of memory");
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

bool plan_adopt_splits(struct plan *plan)
{
    return plan->registry == NULL ||
           split_registry_adopt(plan->registry, plan_settings(plan), plan->splits);
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

/* --- services ---------------------------------------------------------------------------- */

static struct shared_service *shared_service_new(struct plan *plan,
                                                 struct origin_directory *directory,
                                                 const struct service_settings *settings)
{
    struct shared_service *shared = calloc(1, sizeof(*shared));

    if (shared == NULL) {
        return NULL;
    }
    shared->service = service_new(directory, settings, plan_tls(plan));
    if (shared->service == NULL) {
        free(shared);
        return NULL;
    }
    shared->references = 1;
    shared->plan = plan_ref(plan);
    return shared;
}

static void shared_service_unref(struct shared_service *shared)
{
    if (--shared->references == 0) {
        service_free(&shared->service);
        plan_unref(&shared->plan);
        free(shared);
    }
}

/* The settings it was made with may go with their plan, long before the service does. */
static void shared_service_move(struct shared_service *shared, struct plan *plan,
                                const struct service_settings *settings)
{
    if (shared->plan != plan) {
        service_adopt(shared->service, settings, plan_tls(plan));
        plan_unref(&shared->plan);
        shared->plan = plan_ref(plan);
    }
}

static bool is_kept(const struct generation *generation, enum change_kind kind, uint32_t index)
{
    return generation->former != NULL && generation->changes != NULL &&
           settings_changes_is_kept(generation->changes, kind, index);
}

static bool make_service(struct generation *generation, uint32_t index)
{
    struct shared_service *shared;

    if (is_kept(generation, CHANGE_OF_SERVICES, index)) {
        shared =
            generation->former
                ->services[settings_changes_former(generation->changes, CHANGE_OF_SERVICES, index)];
        shared->references++;
    } else {
        shared = shared_service_new(generation->plan, generation->directory,
                                    &generation_settings(generation)->services[index]);
    }
    generation->services[index] = shared;
    return shared != NULL;
}

/* --- splits ------------------------------------------------------------------------------ */

/* One that is kept may still have been dealt anew: by a ramp's, say, that came and went. */
static struct split_turn *former_split(const struct generation *generation, uint32_t index)
{
    struct split_turn *turn;

    if (!is_kept(generation, CHANGE_OF_ROUTES, index)) {
        return NULL;
    }
    turn = generation->former
               ->splits[settings_changes_former(generation->changes, CHANGE_OF_ROUTES, index)];
    return split_turn_is_of(turn, generation->plan->splits[index]) ? turn : NULL;
}

static bool make_split(struct generation *generation, uint32_t index)
{
    const struct route_settings *route = &generation_settings(generation)->routes[index];
    struct split_turn *former;

    if (route->arm_count < 2) {
        return true;
    }
    former = former_split(generation, index);
    generation->splits[index] =
        former != NULL ? split_turn_ref(former)
                       : split_turn_new(generation->plan->splits[index], route->split.salt);
    return generation->splits[index] != NULL;
}

/* --- life -------------------------------------------------------------------------------- */

struct generation *generation_begin(struct plan *plan, struct origin_directory *directory,
                                    struct generation *former,
                                    const struct settings_changes *changes)
{
    const struct settings *settings = plan_settings(plan);
    struct generation *generation = calloc(1, sizeof(*generation));

    if (generation == NULL) {
        return NULL;
    }
    generation->references = 1;
    list_init(&generation->link);
    generation->plan = plan_ref(plan);
    generation->directory = directory;
    generation->former = former;
    generation->changes = changes;
    generation->services = calloc(settings->service_count + 1, sizeof(*generation->services));
    generation->splits = calloc(settings->route_count + 1, sizeof(*generation->splits));
    if (generation->services == NULL || generation->splits == NULL) {
        generation_unref(&generation);
    }
    return generation;
}

enum generation_progress generation_grow(struct generation *generation, unsigned most)
{
    const struct settings *settings = generation_settings(generation);

    for (; most > 0; most--) {
        if (generation->services_made < settings->service_count) {
            if (!make_service(generation, generation->services_made++)) {
                return GENERATION_FAILED;
            }
        } else if (generation->splits_made < settings->route_count) {
            if (!make_split(generation, generation->splits_made++)) {
                return GENERATION_FAILED;
            }
        } else {
            return GENERATION_IS_WHOLE;
        }
    }
    return GENERATION_GROWS;
}

void generation_settle(struct generation *generation)
{
    const struct settings *settings = generation_settings(generation);

    CHECK(generation->splits_made == settings->route_count);
    for (uint32_t i = 0; i < settings->service_count; i++) {
        shared_service_move(generation->services[i], generation->plan, &settings->services[i]);
    }
    origin_directory_follow(generation->directory, settings);
    generation->former = NULL;
    generation->changes = NULL;
}

struct generation *generation_new(struct plan *plan, struct origin_directory *directory)
{
    struct generation *generation = generation_begin(plan, directory, NULL, NULL);

    if (generation == NULL) {
        return NULL;
    }
    if (generation_grow(generation, UINT32_MAX) != GENERATION_IS_WHOLE) {
        generation_unref(&generation);
        return NULL;
    }
    generation_settle(generation);
    return generation;
}

struct generation *generation_ref(struct generation *generation)
{
    generation->references++;
    return generation;
}

bool generation_drop(struct generation *generation)
{
    CHECK(generation->references > 0);
    return --generation->references == 0;
}

bool generation_dismantle(struct generation *generation, unsigned *most)
{
    for (; *most > 0; (*most)--) {
        if (generation->services != NULL && generation->services_made > 0) {
            struct shared_service *shared = generation->services[--generation->services_made];

            if (shared != NULL) {
                shared_service_unref(shared);
            }
        } else if (generation->splits != NULL && generation->splits_made > 0) {
            if (generation->splits[generation->splits_made - 1] == NULL) {
                (*most)++; /* one arm: nothing to do, and nothing spent */
            }
            split_turn_unref(&generation->splits[--generation->splits_made]);
        } else {
            free(generation->services);
            free(generation->splits);
            plan_unref(&generation->plan);
            free(generation);
            (*most)--;
            return true;
        }
    }
    return false;
}

struct link *generation_link(struct generation *generation)
{
    return &generation->link;
}

struct generation *generation_of_link(struct link *link)
{
    return CONTAINER_OF(link, struct generation, link);
}

void generation_unref(struct generation **held)
{
    struct generation *generation = *held;

    *held = NULL;
    if (generation != NULL && generation_drop(generation)) {
        generation_dismantle(generation, &(unsigned){UINT32_MAX});
    }
}

const struct settings *generation_settings(const struct generation *generation)
{
    return plan_settings(generation->plan);
}

const struct tls_store *generation_tls(const struct generation *generation)
{
    return plan_tls(generation->plan);
}

const struct router *generation_router(const struct generation *generation)
{
    return plan_router(generation->plan);
}

struct service *generation_service(struct generation *generation,
                                   const struct service_settings *settings)
{
    return generation->services[settings->index]->service;
}

struct pin_table *generation_pins(const struct generation *generation)
{
    return generation->plan->registry != NULL ? split_registry_pins(generation->plan->registry)
                                              : NULL;
}

struct split_turn *generation_split(struct generation *generation,
                                    const struct route_settings *route)
{
    return generation->splits[route->index];
}

struct cache_space *generation_cache_space(const struct generation *generation,
                                           const struct route_settings *route)
{
    return generation->plan->spaces != NULL ? generation->plan->spaces[route->index] : NULL;
}
