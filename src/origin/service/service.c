/* SPDX-License-Identifier: BSD-2-Clause */
/* Balancing: rotation, least requests, or the better of two drawn at random, among those origins
 * that service_refresh (origin_health.c) found fit. */
#include "origin/service/service_private.h"

#include <stdlib.h>

#define REVIEW_PICKS 16

struct service *service_new(struct origin_directory *directory,
                            const struct service_settings *settings, const struct tls_store *tls)
{
    struct service *service = calloc(1, sizeof(*service));

    if (service == NULL) {
        return NULL;
    }
    service->settings = settings;
    service->directory = directory;
    service->picks_to_review = REVIEW_PICKS;
    list_init(&service->limited);
    list_init(&service->named);
    service->entry = service_entry_get(directory->registry, settings->name);
    if (service->entry == NULL || !service_take_origins(service)) {
        service_free(&service);
        return NULL;
    }
    service_dial_with(service, tls);
    if (settings->limits.max_connections != 0) {
        list_add_last(&directory->limited, &service->limited);
    }
    service_refresh(service, loop_now(directory->worker_context->loop));
    return service;
}

void service_adopt(struct service *service, const struct service_settings *settings,
                   const struct tls_store *tls)
{
    service->settings = settings;
    service_dial_with(service, tls);
}

void service_free(struct service **held)
{
    struct service *service = *held;

    *held = NULL;
    if (service == NULL) {
        return;
    }
    service_drop_origins(service);
    list_remove(&service->limited);
    service_entry_put(&service->entry);
    free(service);
}

uint32_t service_origin_count(const struct service *service)
{
    return service->count;
}

struct retry_budget *service_retry_budget(struct service *service)
{
    return &service->retries;
}

const struct service_settings *service_settings(const struct service *service)
{
    return service->settings;
}

/* a/wa < b/wb without division; the request to come counts too. */
static bool is_less_loaded(const struct service_active_set *active_set, uint32_t a, uint32_t b)
{
    uint64_t load_a = origin_load(active_set->origins[a]) + 1;
    uint64_t load_b = origin_load(active_set->origins[b]) + 1;

    return load_a * active_set->turns[b].weight < load_b * active_set->turns[a].weight;
}

/* Starts at the rotation's turn, so that equally loaded origins take turns. */
static uint32_t least_loaded(struct service *service)
{
    const struct service_active_set *active_set = &service->active_set;
    uint32_t best = rotation_next(&service->rotation);
    uint32_t first = best;

    for (uint32_t i = 1; i < active_set->count; i++) {
        uint32_t other = (first + i) % active_set->count;

        if (is_less_loaded(active_set, other, best)) {
            best = other;
        }
    }
    return best;
}

static uint32_t better_of_two(const struct service_active_set *active_set, struct random *random)
{
    uint32_t a = (uint32_t)random_below(random, active_set->count);
    uint32_t b =
        (a + 1 + (uint32_t)random_below(random, active_set->count - 1)) % active_set->count;

    return is_less_loaded(active_set, b, a) ? b : a;
}

static uint32_t pick(struct service *service, struct random *random)
{
    switch (service->settings->balance) {
    case BALANCE_LEAST_REQUESTS:
        return least_loaded(service);
    case BALANCE_TWO_CHOICES:
        return better_of_two(&service->active_set, random);
    case BALANCE_ROUND_ROBIN:
        break;
    }
    return rotation_next(&service->rotation);
}

/* One of those that are fit, with `avoid` as the last resort. */
static struct origin *pick_fit(struct service *service, struct random *random,
                               const struct origin *avoid)
{
    const struct service_active_set *active_set = &service->active_set;
    uint32_t chosen;

    if (active_set->count == 1) {
        return active_set->origins[0];
    }
    if (active_set->count == 0) {
        return NULL;
    }
    chosen = pick(service, random);
    if (active_set->origins[chosen] == avoid) {
        chosen = chosen + 1 < active_set->count ? chosen + 1 : 0;
    }
    return active_set->origins[chosen];
}

static bool is_risky(const struct origin *origin, uint64_t now_us)
{
    return TALLY_READ(origin->entry->risky_until_us) > now_us;
}

/* For what may not be repeated: rather one that broke nothing lately, as long as there is one. Whose
 * turn it is does not change. */
static struct origin *safer_than(struct service *service, struct origin *chosen)
{
    const struct service_active_set *active_set = &service->active_set;
    uint64_t now_us = loop_now(service->directory->worker_context->loop);
    uint32_t first;

    if (chosen == NULL || !is_risky(chosen, now_us)) {
        return chosen;
    }
    first = (uint32_t)random_below(&service->directory->worker_context->random, active_set->count);
    for (uint32_t i = 0; i < active_set->count; i++) {
        struct origin *other = active_set->origins[(first + i) % active_set->count];

        if (!is_risky(other, now_us)) {
            return other;
        }
    }
    return chosen;
}

struct origin *service_pick(struct service *service, struct random *random,
                            const struct origin *avoid, struct origin_request *request)
{
    struct origin *tried = NULL;

    /* All of this is two comparisons and a count while nothing is wrong. */
    if (service->serial != origin_registry_serial(service->directory->registry) ||
        !service->settled) {
        uint64_t now_us = loop_now(service->directory->worker_context->loop);

        service_refresh(service, now_us);
        if (service->half_open_count > 0 && request != NULL && avoid == NULL) {
            tried = service_take_half_open(service, request, now_us);
        }
    }
    if (--service->picks_to_review == 0) {
        service->picks_to_review = REVIEW_PICKS + 4 * service->count;
        service_review(service, loop_now(service->directory->worker_context->loop));
    }
    if (request != NULL) {
        request->service = service;
    }
    if (tried != NULL) {
        return tried;
    }
    if (request == NULL || request->replayable) {
        return pick_fit(service, random, avoid);
    }
    return safer_than(service, pick_fit(service, random, avoid));
}
