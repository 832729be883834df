/* SPDX-License-Identifier: BSD-2-Clause */
/* Which origin of a service gets a request, and what the request and its answer say of it (failures:
 * origin_health.c). Whose turn it is among the origins, and who has a turn at all: what keeps an origin from
 * getting requests (verdicts, ejections, drains, weights that grow) is checked when the registry has
 * changed or a time has come, and the result is an active set that each pick takes from. */
#include "origin/service/service_private.h"

#include "origin/pool/limits.h"

#include <stdio.h>
#include <stdlib.h>

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
        /* While a connect probe is on its way, its result is checked now and then. */
        check_sooner(service, now_us < READ(entry->ejected_until_us) ? READ(entry->ejected_until_us)
                                                                     : now_us + RAMP_CHECK_US);
        return false;
    case ORIGIN_HALF_OPEN:
        if (!origin_is_unknown(origin)) {
            service->host_set.half_open[service->half_open_count++] = origin;
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
    return anyone ? !origin_entry_is_drained(service->host_set.origins[index]->entry)
                  : service->host_set.fit[index];
}

#define NO_RANK UINT32_MAX

static uint32_t best_rank(const struct service *service, bool anyone)
{
    uint32_t best = NO_RANK;

    for (uint32_t i = 0; i < service->host_set.count; i++) {
        if (service->host_set.preferences[i].rank < best && is_eligible(service, i, anyone)) {
            best = service->host_set.preferences[i].rank;
        }
    }
    return best;
}

/* One whose name is not resolved yet has requests wait: not while another of the rank has not. */
static bool has_address(const struct service *service, uint32_t rank, bool anyone)
{
    for (uint32_t i = 0; i < service->host_set.count; i++) {
        if (service->host_set.preferences[i].rank == rank &&
            origin_has_address(service->host_set.origins[i]) && is_eligible(service, i, anyone)) {
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
    for (uint32_t i = 0; rank != NO_RANK && i < service->host_set.count; i++) {
        struct origin *origin = service->host_set.origins[i];

        if (service->host_set.preferences[i].rank == rank && is_eligible(service, i, anyone) &&
            (origin_has_address(origin) || !resolved)) {
            uint32_t percent = ramp(service, origin, now_us);

            ramps = ramps || percent < 100;
            active_set->origins[active_set->count] = origin;
            active_set->turns[active_set->count++].weight =
                service->host_set.preferences[i].weight * percent;
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
    struct service_active_set former = service->host_set.active_set;
    uint32_t former_total = service->rotation.total;

    service->host_set.active_set = service->host_set.other_active_set;
    service->host_set.other_active_set = former;
    if (service->host_set.active_set.count > 0) {
        rotation_init(&service->rotation, service->host_set.active_set.turns,
                      service->host_set.active_set.count, service->rotation.next);
    }
    /* Or else, looking often and asked seldom, the first would always be first. */
    for (uint32_t i = 0; i < service->host_set.active_set.count && i < former.count; i++) {
        if (service->host_set.active_set.origins[i] == former.origins[i]) {
            service->host_set.active_set.turns[i].credit =
                rotation_carried(&service->rotation, former.turns[i].credit, former_total);
        }
    }
}

void service_refresh(struct service *service, uint64_t now_us)
{
    uint64_t serial = atomic_load_explicit(service->registry_serial, memory_order_acquire);

    if (serial == service->serial && service->check_again_us > now_us) {
        return;
    }
    service->settled = true;
    service->check_again_us = UINT64_MAX;
    service->half_open_count = 0;
    for (uint32_t i = 0; i < service->host_set.count; i++) {
        service->host_set.fit[i] = check_at(service, service->host_set.origins[i], now_us);
    }
    fill_active_set(service, &service->host_set.other_active_set, now_us);
    if (!are_same(&service->host_set.active_set, &service->host_set.other_active_set)) {
        put_in_force(service);
    }
    service->serial = serial; /* read before: what changed since then is looked at again */
}

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
    service->registry_serial = origin_registry_serial(directory->registry);
    service->picks_to_review = REVIEW_PICKS;
    list_init(&service->limited);
    list_init(&service->blocked);
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
    list_remove(&service->blocked);
    service_entry_put(&service->entry);
    free(service);
}

uint32_t service_origin_count(const struct service *service)
{
    return service->host_set.count;
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
    const struct service_active_set *active_set = &service->host_set.active_set;
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
        return better_of_two(&service->host_set.active_set, random);
    case BALANCE_ROUND_ROBIN:
        break;
    }
    return rotation_next(&service->rotation);
}

/* For the next attempt of a request that the only origin that serves has failed. */
static struct origin *other_than(const struct service *service, const struct origin *failed)
{
    struct origin *other = service_last_resort(service, failed);

    return other != NULL ? other : service->host_set.active_set.origins[0];
}

/* One of those that are fit, with an ejected one, and then `avoid`, as the last resort. */
static struct origin *pick_fit(struct service *service, struct random *random,
                               const struct origin *avoid)
{
    const struct service_active_set *active_set = &service->host_set.active_set;
    uint32_t chosen;

    if (active_set->count == 0) {
        return NULL;
    }
    if (active_set->count == 1) {
        return active_set->origins[0] == avoid ? other_than(service, avoid)
                                               : active_set->origins[0];
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
    const struct service_active_set *active_set = &service->host_set.active_set;
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
    if (service->serial != atomic_load_explicit(service->registry_serial, memory_order_acquire) ||
        !service->settled) {
        uint64_t now_us = loop_now(service->directory->worker_context->loop);

        service_refresh(service, now_us);
        if (service->half_open_count > 0 && request != NULL && avoid == NULL) {
            tried = service_take_half_open(service, request, now_us);
        }
    }
    if (--service->picks_to_review == 0) {
        service->picks_to_review = REVIEW_PICKS + 4 * service->host_set.count;
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

const char *origin_name(const struct origin *origin)
{
    return origin->name;
}

bool retry_budget_note_request(struct retry_budget *budget, bool is_repeat, uint64_t now_us)
{
    uint32_t *counts = is_repeat ? budget->repeats : budget->requests;
    bool advances = now_us >> RETRY_BUDGET_SHIFT != budget->slot;

    if (advances) {
        retry_budget_advance(budget, now_us);
    }
    counts[budget->slot % RETRY_BUDGET_SLOTS]++;
    return advances;
}

/* --- what its requests and their answers say of an origin ---------------------------------- */

#define LATENCY_FRACTION 12 /* binary digits behind the point of a pace */
#define LATENCY_STEP 4      /* a new one counts for 1/16 */
#define PACES_ENOUGH 16     /* before they say anything */

/* The binary logarithm, so that the mean is that of ratios: one answer of half a minute among
 * those of five milliseconds does not make an origin slow, eighteen of two seconds do. */
static int32_t latency_of(uint64_t us)
{
    uint64_t x = us + 1;
    int power = 63 - __builtin_clzll(x);
    uint64_t rest = power == 0 ? 0 : x << (64 - power) >> (64 - LATENCY_FRACTION);

    return (int32_t)((uint64_t)power << LATENCY_FRACTION | rest);
}

static uint64_t us_of_latency(int32_t latency)
{
    uint64_t power = UINT64_C(1) << (latency >> LATENCY_FRACTION);

    return power +
           (power * (uint64_t)(latency & ((1 << LATENCY_FRACTION) - 1)) >> LATENCY_FRACTION);
}

uint64_t origin_latency_us(const struct origin *origin)
{
    return us_of_latency(origin->latency);
}

bool origin_latency_is_known(const struct origin *origin)
{
    return origin->paces >= PACES_ENOUGH;
}

static void origin_note_latency(struct origin *origin, uint64_t us)
{
    int32_t latency = latency_of(us);

    if (origin->paces == 0) {
        origin->latency = latency;
    }
    origin->latency += (latency - origin->latency) / (1 << LATENCY_STEP);
    if (origin->paces < PACES_ENOUGH) {
        origin->paces++;
    }
}

void origin_health_asked(struct origin *origin, struct origin_request *request)
{
    if (origin->unanswered++ == 0) {
        origin->silent_us = loop_now(origin->directory->worker_context->loop);
    }
    if (origin->unanswered == ORIGIN_SILENT_REQUESTS) {
        origin_guard_against_silence(origin, request->service);
    }
}

void origin_health_pass(struct origin_request *request)
{
    if (request->pool->limited) {
        limits_note_success(request);
    }
    if (READ(request->origin->entry->troubled)) {
        origin_health_note_success(request->origin);
    }
}

/* A head with 200 says nothing of a gRPC call: how it went stands in its trailers. */
static bool is_judged_later(struct origin_request *request, uint16_t status)
{
    request->is_grpc = request->is_grpc && status == 200;
    return request->is_grpc;
}

void origin_health_answered(struct origin_connection *connection, uint16_t status, bool is_long)
{
    struct origin *origin = connection->origin;
    struct origin_request *request = connection->request;
    uint64_t now_us = loop_now(origin->directory->worker_context->loop);
    uint64_t waited_us = connection->request_whole ? now_us - connection->asked_us : 0;

    origin->unanswered = 0;
    origin->answered_us = now_us;
    if (connection->request_whole) {
        origin_note_latency(origin, waited_us);
    }
    if (request->service == NULL) {
        return;
    }
    if (request->pool->limited && connection->request_whole && status < 500) {
        limits_note_answer(request, connection->asked_us);
    }
    if (is_judged_later(request, status)) {
        request->half_open_waited_us = waited_us;
        return;
    }
    if (status_set_has(&request->service->settings->health.failed_status, status)) {
        char what[64];

        snprintf(what, sizeof(what), "it answered %u", status);
        origin_health_blame(request, what);
        return;
    }
    origin_health_pass(request);
    if (request->half_open && is_long) {
        request->half_open_waited_us = waited_us;
    } else if (request->half_open) {
        origin_half_open_judge(request, waited_us);
    }
}

void origin_health_body_is_whole(struct origin_request *request)
{
    if (request->half_open && !request->is_grpc) {
        origin_half_open_judge(request, request->half_open_waited_us);
    }
}
