/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and counting splits, and their weights under a version that readers compare. */
#include "split/live_split.h"

#include <stdlib.h>
#include <unistd.h>

static void live_split_free(struct live_split *split)
{
    for (uint32_t i = 0; split->services != NULL && i < split->arm_count; i++) {
        free(split->services[i]);
    }
    free(split->services);
    free(split->file_weights);
    free(split->weights);
    free(split->tallies);
    free(split);
}

static bool keep_arms(struct live_split *split, const struct route_settings *route)
{
    split->arm_count = route->arm_count;
    split->services = calloc(route->arm_count, sizeof(*split->services));
    split->file_weights = calloc(route->arm_count, sizeof(*split->file_weights));
    split->weights = calloc(route->arm_count, sizeof(*split->weights));
    if (split->services == NULL || split->file_weights == NULL || split->weights == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < route->arm_count; i++) {
        split->services[i] = strdup(route->arms[i].service->name);
        split->file_weights[i] = route->arms[i].weight;
        atomic_init(&split->weights[i], route->arms[i].weight);
        if (split->services[i] == NULL) {
            return false;
        }
    }
    return true;
}

static bool make_tallies(struct live_split *split, const struct ramp_settings *ramp)
{
    size_t size = sizeof(*split->tallies) * ARM_GROUP_COUNT * split->worker_count;

    if (ramp->step_count == 0) {
        return true;
    }
    split->to = ramp->to;
    split->tallies = aligned_alloc(_Alignof(struct arm_tally), size);
    if (split->tallies == NULL) {
        return false;
    }
    memset(split->tallies, 0, size);
    return getentropy(&split->secret, sizeof(split->secret)) == 0;
}

struct live_split *live_split_new(const struct route_settings *route, uint32_t workers)
{
    struct live_split *split = calloc(1, sizeof(*split));

    if (split == NULL) {
        return NULL;
    }
    atomic_init(&split->references, 1);
    split->worker_count = workers;
    if (!keep_arms(split, route) || !make_tallies(split, &route->split.ramp)) {
        live_split_free(split);
        return NULL;
    }
    return split;
}

struct live_split *live_split_ref(struct live_split *split)
{
    atomic_fetch_add_explicit(&split->references, 1, memory_order_relaxed);
    return split;
}

void live_split_unref(struct live_split **held)
{
    struct live_split *split = *held;

    *held = NULL;
    if (split != NULL &&
        atomic_fetch_sub_explicit(&split->references, 1, memory_order_acq_rel) == 1) {
        live_split_free(split);
    }
}

static bool has_ramp_of(const struct live_split *split, const struct ramp_settings *ramp)
{
    return (split->tallies != NULL) == (ramp->step_count > 0) &&
           (split->tallies == NULL || split->to == ramp->to);
}

bool live_split_is_of(const struct live_split *split, const struct route_settings *route)
{
    if (split->arm_count != route->arm_count || !has_ramp_of(split, &route->split.ramp)) {
        return false;
    }
    for (uint32_t i = 0; i < split->arm_count; i++) {
        if (strcmp(split->services[i], route->arms[i].service->name) != 0 ||
            split->file_weights[i] != route->arms[i].weight) {
            return false;
        }
    }
    return true;
}

void live_split_set(struct live_split *split, const uint32_t *weights)
{
    uint32_t version = atomic_load_explicit(&split->version, memory_order_relaxed);

    atomic_store_explicit(&split->version, version + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (uint32_t i = 0; i < split->arm_count; i++) {
        atomic_store_explicit(&split->weights[i], weights[i], memory_order_relaxed);
    }
    atomic_store_explicit(&split->version, version + 2, memory_order_release);
}

bool live_split_is_as_in_file(const struct live_split *split, const uint32_t *weights)
{
    return memcmp(weights, split->file_weights, split->arm_count * sizeof(*weights)) == 0;
}

bool live_split_get(const struct live_split *split, uint32_t *weights, uint32_t *version)
{
    uint32_t before = atomic_load_explicit(&split->version, memory_order_acquire);

    for (uint32_t i = 0; i < split->arm_count; i++) {
        weights[i] = atomic_load_explicit(&split->weights[i], memory_order_relaxed);
    }
    atomic_thread_fence(memory_order_acquire);
    *version = before;
    return before % 2 == 0 && atomic_load_explicit(&split->version, memory_order_relaxed) == before;
}

static void add_one(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

uint32_t live_split_user(const struct live_split *split, uint64_t client)
{
    return (uint32_t)(siphash_number(&split->secret, client) % ARM_USERS);
}

void arm_tally_count(struct arm_tally *tally, uint32_t user, bool failed, uint64_t duration_us)
{
    unsigned bucket = metrics_duration_bucket(duration_us);
    _Atomic uint32_t *speed = &tally->user_speeds[user][arm_speed_of(bucket)];

    add_one(&tally->durations[bucket]);
    atomic_store_explicit(speed, atomic_load_explicit(speed, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    add_one(&tally->user_requests[user]);
    if (failed) {
        add_one(&tally->user_failures[user]);
        add_one(&tally->failures);
    }
    add_one(&tally->requests);
}
