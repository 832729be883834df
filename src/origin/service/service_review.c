/* SPDX-License-Identifier: BSD-2-Clause */
/* Compares the origins of a service with each other: one that is much slower than the others, or
 * has fallen silent while they answer, is ejected. Looked at every few picks (service.c), and by a
 * guard where no request picks an origin. */
#include "origin/service/service_private.h"

#include <stdio.h>

#define SUSPECTED_MS 120 /* between the two times that an origin is found silent */

bool service_another_answers(const struct service *service, const struct origin *origin,
                             uint64_t since_us, uint64_t lately_us)
{
    for (uint32_t i = 0; i < service->host_set.count; i++) {
        const struct origin *other = service->host_set.origins[i];

        if (other != origin && origin_entry_phase(other->entry) == ORIGIN_SERVES &&
            other->answered_us > since_us &&
            (other->unanswered == 0 || other->answered_us > lately_us)) {
            return true;
        }
    }
    return false;
}

/* An origin that stalls fails nothing until some timeout: requests just stay with it. */
static bool is_silent(const struct service *service, const struct origin *origin,
                      const struct origin *fastest, uint64_t now_us)
{
    uint64_t limit_us = service_slow_limit_us(service, fastest);

    return origin->unanswered >= ORIGIN_SILENT_REQUESTS && now_us - origin->silent_us > limit_us &&
           service_another_answers(service, origin, origin->silent_us, now_us - limit_us / 2);
}

static void stand_guard(struct origin *origin, struct service *service, uint32_t milliseconds);

/* The second time that it is found so, a moment after the first: where all of them have stalled,
 * one is the first to come back, and its answers say nothing yet about the others. */
static bool stays_silent(struct service *service, struct origin *origin,
                         const struct origin *fastest, uint64_t now_us)
{
    if (!is_silent(service, origin, fastest, now_us)) {
        origin->suspected_us = 0;
        return false;
    }
    if (origin->suspected_us < origin->silent_us) {
        origin->suspected_us = now_us;
        stand_guard(origin, service, SUSPECTED_MS);
    }
    return now_us - origin->suspected_us >= (uint64_t)SUSPECTED_MS * 1000;
}

static void on_guard(void *owner)
{
    struct origin *origin = owner;
    struct service *service = origin->guards;

    origin->guards = NULL;
    service_review(service, origin_now(origin));
    if (origin->unanswered >= ORIGIN_SILENT_REQUESTS &&
        origin_entry_phase(origin->entry) == ORIGIN_SERVES) {
        origin_guard_against_silence(origin, service); /* not for long enough yet */
    }
}

void origin_unguard(struct origin *origin, const struct service *service)
{
    if (origin->connect_probe.service == service) {
        origin_connect_probe_cancel(origin);
    }
    if (origin->guards == service) {
        origin->guards = NULL;
        alarm_clear(origin->directory->worker_context->loop, &origin->guard);
    }
}

/* Where all clients wait for that one origin, no request picks an origin, so none would review. */
static void stand_guard(struct origin *origin, struct service *service, uint32_t milliseconds)
{
    if (origin->guards == NULL) {
        origin->guards = service;
        alarm_set(origin->directory->worker_context->loop, &origin->guard, milliseconds, on_guard,
                  origin);
    }
}

void origin_guard_against_silence(struct origin *origin, struct service *service)
{
    if (service != NULL && service->host_set.count > 1 && health_of(service)->slow_factor > 0) {
        stand_guard(origin, service, health_of(service)->slow_min_time + 20);
    }
}

static void review_origin(struct service *service, struct origin *origin,
                          const struct origin *fastest, uint64_t now_us)
{
    uint64_t limit_us;
    char why[96];

    if (fastest == NULL) {
        return;
    }
    limit_us = service_slow_limit_us(service, fastest);
    if (origin_latency_is_known(origin) && origin_latency_us(origin) > limit_us) {
        snprintf(why, sizeof(why), "it takes %.2f s to answer, another %.2f s",
                 (double)origin_latency_us(origin) / 1e6, (double)origin_latency_us(fastest) / 1e6);
        origin_eject(service, origin, SLOW_IS_ENOUGH, why);
    } else if (stays_silent(service, origin, fastest, now_us)) {
        snprintf(why, sizeof(why), "%u requests since its last answer, %.2f s ago",
                 origin->unanswered, (double)(now_us - origin->silent_us) / 1e6);
        origin_eject(service, origin, SLOW_ONCE_IS_FORGIVEN, why);
    }
}

/* The fastest are looked for once, not for each of a thousand origins; again when one has gone. */
void service_review(struct service *service, uint64_t now_us)
{
    struct leaders leaders;

    if (health_of(service)->slow_factor == 0 || service->host_set.count < 2) {
        return;
    }
    leaders = service_leaders(service);
    for (uint32_t i = 0; i < service->host_set.count; i++) {
        struct origin *origin = service->host_set.origins[i];

        if (origin_entry_phase(origin->entry) != ORIGIN_SERVES) {
            continue;
        }
        review_origin(service, origin, leaders_but(&leaders, origin), now_us);
        if (origin_entry_phase(origin->entry) != ORIGIN_SERVES) {
            leaders = service_leaders(service);
        }
    }
}
