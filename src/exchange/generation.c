/* SPDX-License-Identifier: BSD-2-Clause */
/* Building and counting plans and generations. */
#include "exchange/generation.h"

#include "base/check.h"
#include "base/rotation.h"

#include <stdatomic.h>
#include <stdlib.h>

struct plan {
    _Atomic uint32_t references;
    struct snapshot *snapshot;
    struct router *router;
};

struct generation {
    uint32_t references;
    struct plan *plan;
    struct service **services;    /* by service index */
    struct rotation *splits;      /* by route index */
    struct rotation_member *arms; /* of all splits, one after the other */
};

struct plan *plan_new(struct snapshot *snapshot)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    struct router *router = router_new(snapshot_settings(snapshot));

    if (plan == NULL || router == NULL) {
        router_free(&router);
        free(plan);
        snapshot_unref(&snapshot);
        return NULL;
    }
    plan->references = 1;
    plan->snapshot = snapshot;
    plan->router = router;
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
        snapshot_unref(&plan->snapshot);
        free(plan);
    }
}

const struct settings *plan_settings(const struct plan *plan)
{
    return snapshot_settings(plan->snapshot);
}

const struct router *plan_router(const struct plan *plan)
{
    return plan->router;
}

static void generation_free(struct generation *generation)
{
    uint32_t count = generation_settings(generation)->service_count;

    for (uint32_t i = 0; generation->services != NULL && i < count; i++) {
        service_free(&generation->services[i]);
    }
    free(generation->services);
    free(generation->splits);
    free(generation->arms);
    plan_unref(&generation->plan);
    free(generation);
}

static bool make_services(struct generation *generation, struct origin_directory *directory)
{
    const struct settings *settings = generation_settings(generation);

    generation->services = calloc(settings->service_count + 1, sizeof(struct service *));
    for (uint32_t i = 0; generation->services != NULL && i < settings->service_count; i++) {
        generation->services[i] = service_new(directory, &settings->services[i]);
        if (generation->services[i] == NULL) {
            return false;
        }
    }
    return generation->services != NULL;
}

static uint32_t count_arms(const struct settings *settings)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < settings->route_count; i++) {
        count += settings->routes[i].arm_count;
    }
    return count;
}

static bool make_splits(struct generation *generation)
{
    const struct settings *settings = generation_settings(generation);
    struct rotation_member *arm;

    generation->splits = calloc(settings->route_count + 1, sizeof(*generation->splits));
    generation->arms = calloc(count_arms(settings) + 1, sizeof(*generation->arms));
    if (generation->splits == NULL || generation->arms == NULL) {
        return false;
    }
    arm = generation->arms;
    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];

        if (route->arm_count == 0) {
            continue;
        }
        for (uint32_t j = 0; j < route->arm_count; j++) {
            arm[j].weight = route->arms[j].weight;
        }
        rotation_init(&generation->splits[i], arm, route->arm_count, 0);
        arm += route->arm_count;
    }
    return true;
}

struct generation *generation_new(struct plan *plan, struct origin_directory *directory)
{
    struct generation *generation = calloc(1, sizeof(*generation));

    if (generation == NULL) {
        return NULL;
    }
    generation->references = 1;
    generation->plan = plan_ref(plan);
    if (!make_services(generation, directory) || !make_splits(generation)) {
        generation_free(generation);
        return NULL;
    }
    return generation;
}

struct generation *generation_ref(struct generation *generation)
{
    generation->references++;
    return generation;
}

void generation_unref(struct generation **held)
{
    struct generation *generation = *held;

    *held = NULL;
    if (generation != NULL) {
        CHECK(generation->references > 0);
        if (--generation->references == 0) {
            generation_free(generation);
        }
    }
}

const struct settings *generation_settings(const struct generation *generation)
{
    return plan_settings(generation->plan);
}

const struct router *generation_router(const struct generation *generation)
{
    return plan_router(generation->plan);
}

struct service *generation_service(struct generation *generation,
                                   const struct service_settings *settings)
{
    return generation->services[settings->index];
}

const struct arm_settings *generation_next_arm(struct generation *generation,
                                               const struct route_settings *route)
{
    return &route->arms[rotation_next(&generation->splits[route->index])];
}
