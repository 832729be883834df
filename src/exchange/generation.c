/* SPDX-License-Identifier: BSD-2-Clause */
/* Building and counting plans and generations. */
#include "exchange/generation.h"

#include "base/check.h"
#include "base/log.h"
#include "base/rotation.h"

#include <stdatomic.h>
#include <stdlib.h>

struct plan {
    _Atomic uint32_t references;
    struct snapshot *snapshot;
    struct router *router;
    struct tls_store *tls;
};

/* A service and a split outlive the generation they were made for where a reload keeps them. All
 * generations that share one are of one worker: no atomics. */
struct shared_service {
    uint32_t references;
    struct service *service;
    struct plan *plan; /* whose settings the service points to */
};

struct split {
    uint32_t references;
    struct rotation rotation;
    struct rotation_member arms[];
};

struct generation {
    uint32_t references;
    struct plan *plan;
    struct shared_service **services; /* by service index */
    struct split **splits;            /* by route index; NULL: one arm, or none */
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

struct plan *plan_new(struct snapshot *snapshot)
{
    return plan_new_telling(snapshot, log_problem, NULL);
}

struct plan *plan_new_telling(struct snapshot *snapshot, plan_problem *tell, void *owner)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    struct router *router = router_new(snapshot_settings(snapshot));
    struct tls_store *tls = tls_store_new(snapshot_settings(snapshot), tell, owner);

    if (plan == NULL || router == NULL || tls == NULL) {
        if (tls != NULL) {
            tell(owner, "out of memory");
        }
        router_free(&router);
        tls_store_free(&tls);
        free(plan);
        snapshot_unref(&snapshot);
        return NULL;
    }
    plan->references = 1;
    plan->snapshot = snapshot;
    plan->router = router;
    plan->tls = tls;
    return plan;
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
        router_free(&plan->router);
        tls_store_free(&plan->tls);
        snapshot_unref(&plan->snapshot);
        free(plan);
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
    shared->service = service_new(directory, settings);
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
        service_adopt(shared->service, settings);
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

static struct split *split_new(const struct route_settings *route)
{
    struct split *split = calloc(1, sizeof(*split) + route->arm_count * sizeof(split->arms[0]));

    if (split == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < route->arm_count; i++) {
        split->arms[i].weight = route->arms[i].weight;
    }
    split->references = 1;
    rotation_init(&split->rotation, split->arms, route->arm_count, 0);
    return split;
}

static void split_unref(struct split *split)
{
    if (split != NULL && --split->references == 0) {
        free(split);
    }
}

static bool make_split(struct generation *generation, uint32_t index)
{
    const struct route_settings *route = &generation_settings(generation)->routes[index];

    if (route->arm_count < 2) {
        return true;
    }
    if (is_kept(generation, CHANGE_OF_ROUTES, index)) {
        struct split *split =
            generation->former
                ->splits[settings_changes_former(generation->changes, CHANGE_OF_ROUTES, index)];

        split->references++;
        generation->splits[index] = split;
    } else {
        generation->splits[index] = split_new(route);
    }
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

bool generation_dismantle(struct generation *generation, unsigned most)
{
    for (; most > 0; most--) {
        if (generation->services != NULL && generation->services_made > 0) {
            struct shared_service *shared = generation->services[--generation->services_made];

            if (shared != NULL) {
                shared_service_unref(shared);
            }
        } else if (generation->splits != NULL && generation->splits_made > 0) {
            split_unref(generation->splits[--generation->splits_made]);
        } else {
            free(generation->services);
            free(generation->splits);
            plan_unref(&generation->plan);
            free(generation);
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
        generation_dismantle(generation, UINT32_MAX);
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

const struct arm_settings *generation_next_arm(struct generation *generation,
                                               const struct route_settings *route)
{
    struct split *split = generation->splits[route->index];

    return &route->arms[split != NULL ? rotation_next(&split->rotation) : 0];
}
