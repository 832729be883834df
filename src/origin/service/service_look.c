/* SPDX-License-Identifier: BSD-2-Clause */
/* Which origins of a service get requests now, and how many of them: those that serve, are not
 * drained and not found down, of the best rank; with a share that grows where they came back. */
#include "origin/health/health_private.h"

#define RAMP_LEAST 10       /* percent of its weight that one who is back begins with */
#define RAMP_LOOK_US 100000 /* its share grows in steps */

static void look_sooner(struct service *service, uint64_t at_us)
{
    service->settled = false;
    if (at_us < service->look_again_us) {
        service->look_again_us = at_us;
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
    look_sooner(service, now_us + RAMP_LOOK_US);
    percent = since_us * 100 / whole_us;
    return percent > RAMP_LEAST ? (uint32_t)percent : RAMP_LEAST;
}

/* Answers from before it was away say nothing about it now. */
static void forget_pace_of_returned(struct origin *origin)
{
    uint64_t returned_us = READ(origin->entry->returned_us);

    if (origin->returned_us != returned_us) {
        origin->returned_us = returned_us;
        origin->paces = 0;
        origin->unanswered = 0;
    }
}

static bool look_at(struct service *service, struct origin *origin, uint64_t now_us)
{
    struct origin_entry *entry = origin->entry;

    if (origin_entry_phase(entry) == ORIGIN_EJECTED && now_us >= READ(entry->ejected_until_us)) {
        origin_health_knock(service, origin);
    }
    if (origin_entry_is_drained(entry) || READ(entry->probes_down) > 0) {
        return false;
    }
    switch (origin_entry_phase(entry)) {
    case ORIGIN_EJECTED:
        /* While a knock is on its way, somebody looks at its result now and then. */
        look_sooner(service, now_us < READ(entry->ejected_until_us) ? READ(entry->ejected_until_us)
                                                                    : now_us + RAMP_LOOK_US);
        return false;
    case ORIGIN_ON_TRIAL:
        if (!origin_is_unknown(origin)) {
            service->trials[service->trial_count++] = origin;
        }
        look_sooner(service, UINT64_MAX);
        return false;
    case ORIGIN_SERVES:
        break;
    }
    forget_pace_of_returned(origin);
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
static void fill_view(struct service *service, struct service_view *view, uint64_t now_us)
{
    uint32_t rank = best_rank(service, false);
    bool anyone = rank == NO_RANK && health_of(service)->when_all_down == ALL_DOWN_TRY;
    bool ramps = false;
    bool resolved;

    if (anyone) {
        rank = best_rank(service, true);
    }
    resolved = has_address(service, rank, anyone);
    view->count = 0;
    for (uint32_t i = 0; rank != NO_RANK && i < service->count; i++) {
        struct origin *origin = service->origins[i];

        if (service->standings[i].rank == rank && is_eligible(service, i, anyone) &&
            (origin_has_address(origin) || !resolved)) {
            uint32_t percent = ramp(service, origin, now_us);

            ramps = ramps || percent < 100;
            view->origins[view->count] = origin;
            view->turns[view->count++].weight = service->standings[i].weight * percent;
        }
    }
    for (uint32_t i = 0; i < view->count && !ramps; i++) {
        view->turns[i].weight /= 100;
    }
}

static bool are_same(const struct service_view *a, const struct service_view *b)
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
    struct service_view former = service->view;
    uint32_t former_total = service->rotation.total;

    service->view = service->other_view;
    service->other_view = former;
    if (service->view.count > 0) {
        rotation_init(&service->rotation, service->view.turns, service->view.count,
                      service->rotation.next);
    }
    /* Or else, looking often and asked seldom, the first would always be first. */
    for (uint32_t i = 0; i < service->view.count && i < former.count; i++) {
        if (service->view.origins[i] == former.origins[i]) {
            service->view.turns[i].credit =
                rotation_carried(&service->rotation, former.turns[i].credit, former_total);
        }
    }
}

void service_look(struct service *service, uint64_t now_us)
{
    uint64_t serial = origin_book_serial(service->directory->book);

    if (serial == service->serial && service->look_again_us > now_us) {
        return;
    }
    service->settled = true;
    service->look_again_us = UINT64_MAX;
    service->trial_count = 0;
    for (uint32_t i = 0; i < service->count; i++) {
        service->fit[i] = look_at(service, service->origins[i], now_us);
    }
    fill_view(service, &service->other_view, now_us);
    if (!are_same(&service->view, &service->other_view)) {
        put_in_force(service);
    }
    service->serial = serial; /* read before: what changed since then is looked at again */
}
