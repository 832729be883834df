/* SPDX-License-Identifier: BSD-2-Clause */
/* Balancing: rotation, least requests, or the better of two drawn at random. */
#include "origin/service.h"

#include "base/rotation.h"

#include <stdlib.h>

struct service {
    const struct service_settings *settings;
    uint32_t count;
    struct rotation rotation;
    struct rotation_member *turns;
    struct origin **origins;
};

struct service *service_new(struct origin_directory *directory,
                            const struct service_settings *settings)
{
    struct service *service = calloc(1, sizeof(*service));

    if (service == NULL) {
        return NULL;
    }
    service->settings = settings;
    service->turns = calloc(settings->origin_count, sizeof(*service->turns));
    service->origins = calloc(settings->origin_count, sizeof(*service->origins));
    if (service->turns == NULL || service->origins == NULL) {
        service_free(&service);
        return NULL;
    }
    for (uint32_t i = 0; i < settings->origin_count; i++) {
        service->turns[i].weight = settings->origins[i].weight;
        service->origins[i] = origin_get(directory, &settings->origins[i]);
        if (service->origins[i] == NULL) {
            service_free(&service);
            return NULL;
        }
        service->count++;
    }
    rotation_init(&service->rotation, service->turns, service->count, 0);
    return service;
}

void service_adopt(struct service *service, const struct service_settings *settings)
{
    service->settings = settings;
}

void service_free(struct service **service)
{
    if (*service == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*service)->count; i++) {
        origin_put(&(*service)->origins[i]);
    }
    free((*service)->origins);
    free((*service)->turns);
    free(*service);
    *service = NULL;
}

const struct service_settings *service_settings(const struct service *service)
{
    return service->settings;
}

/* a/wa < b/wb without division; the request to come counts too. */
static bool is_less_loaded(const struct service *service, uint32_t a, uint32_t b)
{
    uint64_t load_a = origin_load(service->origins[a]) + 1;
    uint64_t load_b = origin_load(service->origins[b]) + 1;

    return load_a * service->turns[b].weight < load_b * service->turns[a].weight;
}

/* Starts at the rotation's turn, so that equally loaded origins take turns. */
static uint32_t least_loaded(struct service *service)
{
    uint32_t best = rotation_next(&service->rotation);
    uint32_t first = best;

    for (uint32_t i = 1; i < service->count; i++) {
        uint32_t other = (first + i) % service->count;

        if (is_less_loaded(service, other, best)) {
            best = other;
        }
    }
    return best;
}

static uint32_t better_of_two(struct service *service, struct random *random)
{
    uint32_t a = (uint32_t)random_below(random, service->count);
    uint32_t b = (a + 1 + (uint32_t)random_below(random, service->count - 1)) % service->count;

    return is_less_loaded(service, b, a) ? b : a;
}

static uint32_t pick(struct service *service, struct random *random)
{
    switch (service->settings->balance) {
    case BALANCE_LEAST_REQUESTS:
        return least_loaded(service);
    case BALANCE_TWO_CHOICES:
        return better_of_two(service, random);
    case BALANCE_ROUND_ROBIN:
        break;
    }
    return rotation_next(&service->rotation);
}

struct origin *service_pick(struct service *service, struct random *random,
                            const struct origin *avoid)
{
    uint32_t chosen = service->count == 1 ? 0 : pick(service, random);

    for (uint32_t i = 0; i < service->count; i++) {
        struct origin *origin = service->origins[(chosen + i) % service->count];

        if (origin != avoid && !origin_is_unknown(origin)) {
            return origin;
        }
    }
    return service->origins[chosen];
}
