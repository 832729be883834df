/* SPDX-License-Identifier: BSD-2-Clause */
/* What answers say of an origin, and who gets requests because of it.
 *
 *   serves --failures, slowness, silence--> ejected --it accepts a connection again--> half-open
 *   half-open --enough requests went well--> serves, with a share that grows
 *   half-open --a failure, or slow--> ejected, for twice as long; slow once is forgiven, where it
 *                                    was not ejected for that
 *
 * The phase and all that belongs to it are in the origin registry, so one worker's finding holds
 * for all. An answer that is well costs a comparison with what is shared (`troubled`) and a few
 * numbers of this worker's own; everything else happens seldom.
 *
 * Here is what each failure does; what each answer does, in service.c. Who is slower than others: service_review.c; what stops
 * after its head: origin_stall.c; the way out and back: origin_ejection.c; who
 * gets requests then: service.c. */
#include "origin/service/service_private.h"
#include "origin/pool/limits.h"

#include <stdio.h>

struct leaders service_leaders(const struct service *service)
{
    struct leaders leaders = {NULL, NULL};

    for (uint32_t i = 0; i < service->host_set.count; i++) {
        const struct origin *origin = service->host_set.origins[i];

        if (!origin_latency_is_known(origin) ||
            origin_entry_phase(origin->entry) != ORIGIN_SERVES) {
            continue;
        }
        if (leaders.first == NULL || origin->latency < leaders.first->latency) {
            leaders.second = leaders.first;
            leaders.first = origin;
        } else if (leaders.second == NULL || origin->latency < leaders.second->latency) {
            leaders.second = origin;
        }
    }
    return leaders;
}

const struct origin *leaders_but(const struct leaders *leaders, const struct origin *origin)
{
    return leaders->first != origin ? leaders->first : leaders->second;
}

const struct origin *service_fastest_but(const struct service *service, const struct origin *origin)
{
    struct leaders leaders = service_leaders(service);

    return leaders_but(&leaders, origin);
}

uint64_t service_slow_limit_us(const struct service *service, const struct origin *fastest)
{
    const struct health_settings *health = health_of(service);
    uint64_t least = (uint64_t)health->slow_min_time * 1000;
    uint64_t factored = origin_latency_us(fastest) * health->slow_factor;

    return factored > least ? factored : least;
}

#define WHOLE 10000         /* shares are in 0.01 % */
#define SEEN_COUNTS 5       /* a failure that a client saw, beside one that another try hid */
#define SEEN_LEAST 2        /* one alone may be the fault of its request */
#define RELAPSE_US 60000000 /* one is enough for an origin that came back so lately */

/* The first failure opens a window; while it is open, answers are counted, too. */
static void count_in_window(struct origin_entry *entry, const struct health_settings *health,
                            uint64_t now_us)
{
    if (now_us >= READ(entry->window_until_us)) {
        WRITE(entry->window_answers, 0);
        WRITE(entry->window_failures, 0);
        WRITE(entry->window_seen, 0);
        WRITE(entry->window_until_us, now_us + (uint64_t)health->window * 1000);
    }
    BUMP(entry->window_answers);
    BUMP(entry->window_failures);
}

static void note_failure(struct service *service, struct origin *origin, const char *what)
{
    struct origin_entry *entry = origin->entry;
    const struct health_settings *health = health_of(service);
    uint32_t in_row = COUNT(entry->failures_in_row);
    uint32_t answers;
    uint32_t failures;
    char why[160];

    count_in_window(entry, health, origin_now(origin));
    WRITE(entry->troubled, true);
    if (origin_entry_phase(entry) != ORIGIN_SERVES) {
        return;
    }
    answers = READ(entry->window_answers);
    failures = READ(entry->window_failures);
    if (health->consecutive_failures > 0 && in_row >= health->consecutive_failures) {
        snprintf(why, sizeof(why), "%u attempts in a row failed, the last since %s", in_row, what);
        origin_eject(service, origin, SLOW_ONCE_IS_FORGIVEN, why);
    } else if (health->failed_share > 0 && answers >= health->min_attempts &&
               (uint64_t)failures * WHOLE >= (uint64_t)answers * health->failed_share) {
        snprintf(why, sizeof(why), "%u of %u attempts failed, the last since %s", failures, answers,
                 what);
        origin_eject(service, origin, SLOW_ONCE_IS_FORGIVEN, why);
    }
}

void origin_health_note_success(struct origin *origin)
{
    struct origin_entry *entry = origin->entry;

    WRITE(entry->failures_in_row, 0);
    if (origin_now(origin) < READ(entry->window_until_us)) {
        BUMP(entry->window_answers);
    } else if (origin_entry_phase(entry) == ORIGIN_SERVES) {
        WRITE(entry->troubled, false);
    }
}

void origin_health_blame(struct origin_request *request, const char *what)
{
    TALLY_ADD(request->origin->tally.failures, 1);
    if (request->pool->limited) {
        limits_note_failure(request);
    }
    if (request->half_open) {
        origin_half_open_failed(request, SLOW_ONCE_IS_FORGIVEN, what);
    } else {
        note_failure(request->service, request->origin, what);
    }
}

static bool speaks_against(const struct origin_request *request, enum origin_failure failure)
{
    enum origin_blame blame = origin_failures[failure].blame;
    bool was_stale =
        request->evidence.kept_connection && request->evidence.delivery <= ORIGIN_DELIVERY_UNREAD;

    return blame == ORIGIN_BLAMED || (blame == ORIGIN_BLAMED_SOMETIMES && !was_stale);
}

void origin_health_failed(struct origin_request *request, enum origin_failure failure)
{
    if (request->service == NULL) {
        return;
    }
    if (failure == ORIGIN_FAILURE_HALF_OPEN_TIMEOUT) {
        origin_half_open_was_slow(request, "without an answer for",
                                  origin_now(request->origin) - request->bound_us);
    } else if (speaks_against(request, failure)) {
        WRITE(request->origin->entry->risky_until_us,
              origin_now(request->origin) + (uint64_t)health_of(request->service)->window * 1000);
        origin_health_blame(request, origin_failures[failure].sentence);
    } else {
        origin_health_given_up(request);
    }
}

static bool is_relapse(const struct origin *origin)
{
    const struct origin_entry *entry = origin->entry;
    uint64_t returned_us = READ(entry->returned_us);

    return READ(entry->ejections) > 0 && returned_us != 0 &&
           origin_now(origin) - returned_us < RELAPSE_US;
}

/* Another try hides a failure, so a share of them may be borne; not so where clients see it, as those
 * do who sent what must not be repeated. `failed` has counted it already, as one of all. */
void origin_request_failure_seen(struct origin_request *request, enum origin_failure failure)
{
    struct origin *origin = request->origin;
    const struct health_settings *health;
    uint32_t answers;
    uint32_t seen;
    char why[160];

    if (origin == NULL || request->service == NULL || !speaks_against(request, failure) ||
        origin_entry_phase(origin->entry) != ORIGIN_SERVES) {
        return;
    }
    health = health_of(request->service);
    seen = COUNT(origin->entry->window_seen);
    answers = READ(origin->entry->window_answers);
    if (health->failed_share == 0 || (seen < SEEN_LEAST && !is_relapse(origin)) ||
        (uint64_t)seen * SEEN_COUNTS * WHOLE < (uint64_t)answers * health->failed_share) {
        return;
    }
    snprintf(why, sizeof(why), "clients saw %u of %u attempts fail, the last since %s", seen,
             answers, origin_failures[failure].sentence);
    origin_eject(request->service, origin, SLOW_ONCE_IS_FORGIVEN, why);
}

void origin_request_grpc_ended(struct origin_request *request, enum grpc_status status)
{
    char what[64];

    if (!request->is_grpc || request->service == NULL) {
        return;
    }
    request->is_grpc = false;
    if ((health_of(request->service)->failed_grpc_status >> status & 1) != 0) {
        snprintf(what, sizeof(what), "it answered grpc-status %u (%s)", status,
                 grpc_status_name(status));
        origin_health_blame(request, what);
        return;
    }
    origin_health_pass(request);
    if (request->half_open) {
        origin_half_open_judge(request, request->half_open_waited_us);
    }
}
