/* SPDX-License-Identifier: BSD-2-Clause */
/* Which origins of a service get requests now, and how many of them: those that serve, are not
 * drained and not found down, of the best rank; with a share that grows where they came back. */
#include "origin/health/health_private.h"

#define RAMP_LEAST 10        /* percent of its weight that one who is back begins with */
#define RAMP_CHECK_US 100000 /* its share grows in steps */

static void check_sooner(struct service *service, uint64_t at_us)
{
    service->settled = false;
    if (at_us < service->check_again_us) {
        service->check_again_us = at_us;
    }
}

/* Of one that came back, in percent: all at once might take it down again. */
static uint32_t ramp(struct service *service, const struct origin *origin, uint64_t now_us)
{
    uint64_t whole_us = (uint64_t)health_of(service)->slow_start * 1000;
    uint64_t returned_us = READ(origin->entry->returned_us);
    uint64_t since_us = now_us > returned_us ? now_us - returned_us : 0;
    uint64_t percent;

    if (returned_us == 0 || since_us >= whole_us) {
        return 100;
    }
    check_sooner(service, now_us + RAMP_CHECK_US);
    percent = since_us * 100 / whole_us;
    return percent > RAMP_LEAST ? (uint32_t)percent : RAMP_LEAST;
}

/* Answers from before it was away say nothing about it now. */
static void forget_latency_of_returned(struct origin *origin)
{
    uint64_t returned_us = READ(origin->entry->returned_us);

    if (origin->returned_us != returned_us) {
        origin->returned_us = returned_us;
        origin->paces = 0;
        origin->unanswered = 0;
    }
}

static bool check_at(struct service *service, struct origin *origin, uint64_t now_us)
{
    struct origin_entry *entry = origin->entry;

    if (origin_entry_phase(entry) == ORIGIN_EJECTED && now_us >= READ(entry->ejected_until_us)) {
        origin_health_connect_probe(service, origin);
    }
    if (origin_entry_is_drained(entry) || READ(entry->probes_down) > 0) {
        return false;
    }
    switch (origin_entry_phase(entry)) {
    case ORIGIN_EJECTED:
        /* While a connect probe is on its way, somebody looks at its result now and then. */
        check_sooner(service, now_us < READ(entry->ejected_until_us) ? READ(entry->ejected_until_us)
                                                                     : now_us + RAMP_CHECK_US);
        return false;
    case ORIGIN_HALF_OPEN:
        if (!origin_is_unknown(origin)) {
            service->half_open[service->half_open_count++] = origin;
        }
        check_sooner(service, UINT64_MAX);
        return false;
    case ORIGIN_SERVES:
        break;
    }
    forget_latency_of_returned(origin);
    return !origin_is_unknown(origin);
}

/* `anyone`: all that are not drained, as if they were fit. */
static bool is_eligible(const struct service *service, uint32_t index, bool anyone)
{
    return anyone ? !origin_entry_is_drained(service->origins[index]->entry) : service->fit[index];
}

#define NO_RANK UINT32_MAX

static uint32_t best_rank(const struct service *service, bool anyone)
{
    uint32_t best = NO_RANK;

    for (uint32_t i = 0; i < service->count; i++) {
        if (service->standings[i].rank < best && is_eligible(service, i, anyone)) {
            best = service->standings[i].rank;
        }
    }
    return best;
}

/* One whose name is not resolved yet has requests wait: not while another of the rank has not. */
static bool has_address(const struct service *service, uint32_t rank, bool anyone)
{
    for (uint32_t i = 0; i < service->count; i++) {
        if (service->standings[i].rank == rank && origin_has_address(service->origins[i]) &&
            is_eligible(service, i, anyone)) {
            return true;
        }
    }
    return false;
}

/* The best kind of which there is any. */
static void fill_active_set(struct service *service, struct service_active_set *active_set,
                            uint64_t now_us)
{
    uint32_t rank = best_rank(service, false);
    bool anyone = rank == NO_RANK && health_of(service)->when_all_down == ALL_DOWN_TRY;
    bool ramps = false;
    bool resolved;

    if (anyone) {
        rank = best_rank(service, true);
    }
    resolved = has_address(service, rank, anyone);
    active_set->count = 0;
    for (uint32_t i = 0; rank != NO_RANK && i < service->count; i++) {
        struct origin *origin = service->origins[i];

        if (service->standings[i].rank == rank && is_eligible(service, i, anyone) &&
            (origin_has_address(origin) || !resolved)) {
            uint32_t percent = ramp(service, origin, now_us);

            ramps = ramps || percent < 100;
            active_set->origins[active_set->count] = origin;
            active_set->turns[active_set->count++].weight = service->standings[i].weight * percent;
        }
    }
    for (uint32_t i = 0; i < active_set->count && !ramps; i++) {
        active_set->turns[i].weight /= 100;
    }
}

static bool are_same(const struct service_active_set *a, const struct service_active_set *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->origins[i] != b->origins[i] || a->turns[i].weight != b->turns[i].weight) {
            return false;
        }
    }
    return true;
}

static void put_in_force(struct service *service)
{
    struct service_active_set former = service->active_set;
    uint32_t former_total = service->rotation.total;

    service->active_set = service->other_active_set;
    service->other_active_set = former;
    if (service->active_set.count > 0) {
        rotation_init(&service->rotation, service->active_set.turns, service->active_set.count,
                      service->rotation.next);
    }
    /* Or else, looking often and asked seldom, the first would always be first. */
    for (uint32_t i = 0; i < service->active_set.count && i < former.count; i++) {
        if (service->active_set.origins[i] == former.origins[i]) {
            service->active_set.turns[i].credit =
                rotation_carried(&service->rotation, former.turns[i].credit, former_total);
        }
    }
}

void service_refresh(struct service *service, uint64_t now_us)
{
    uint64_t serial = origin_registry_serial(service->directory->registry);

    if (serial == service->serial && service->check_again_us > now_us) {
        return;
    }
    service->settled = true;
    service->check_again_us = UINT64_MAX;
    service->half_open_count = 0;
    for (uint32_t i = 0; i < service->count; i++) {
        service->fit[i] = check_at(service, service->origins[i], now_us);
    }
    fill_active_set(service, &service->other_active_set, now_us);
    if (!are_same(&service->active_set, &service->other_active_set)) {
        put_in_force(service);
    }
    service->serial = serial; /* read before: what changed since then is looked at again */
}
