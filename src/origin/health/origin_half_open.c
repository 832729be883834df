/* SPDX-License-Identifier: BSD-2-Clause */
/* An ejected origin comes back: its time over, it is probed by a connection, and a few requests are risked on
 * it one at a time, which it passes or fails. */
#include "origin/health/health_private.h"

#include "base/log/log.h"

#include <stdio.h>

#define PATIENT_HALF_OPEN_US \
    2000000 /* so long a half-open request is left to requests that are free to repeat */

static void begin_half_open(struct origin_entry *entry, uint64_t now_us)
{
    if (!origin_registry_begin_change(entry->common.registry)) {
        return;
    }
    if (origin_entry_phase(entry) == ORIGIN_EJECTED && now_us >= READ(entry->ejected_until_us)) {
        WRITE(entry->half_open_since_us, now_us);
        WRITE(entry->half_open_taken, false);
        origin_entry_set_phase(entry, ORIGIN_HALF_OPEN);
    }
    origin_registry_end_change(entry->common.registry);
}

static void on_connect_probed(struct origin *origin, struct service *service, const char *why)
{
    struct origin_entry *entry = origin->entry;
    uint64_t span = 0;

    if (why == NULL) {
        begin_half_open(entry, now_of(origin));
    } else if (origin_registry_begin_change(entry->common.registry)) {
        if (origin_entry_phase(entry) == ORIGIN_EJECTED) {
            span = origin_stay_away(origin, health_of(service));
        }
        origin_registry_end_change(entry->common.registry);
    }
    atomic_store_explicit(&entry->connect_probing, false, memory_order_release);
    if (span > 0) {
        log_warning("origin %s: stays ejected, for %.1f s more: %s", origin->name,
                    (double)span / 1e6, why);
    }
}

void origin_health_connect_probe(struct service *service, struct origin *origin)
{
    struct origin_entry *entry = origin->entry;

    if (origin_has_address(origin) &&
        !atomic_exchange_explicit(&entry->connect_probing, true, memory_order_acq_rel)) {
        origin_connect_probe(origin, service, on_connect_probed);
    }
}

/* What may not be repeated is not risked, unless nothing else comes along. */
struct origin *service_take_half_open(struct service *service, struct origin_request *request,
                                      uint64_t now_us)
{
    for (uint32_t i = 0; i < service->half_open_count; i++) {
        struct origin_entry *entry = service->host_set.half_open[i]->entry;

        if ((request->replayable ||
             now_us - READ(entry->half_open_since_us) > PATIENT_HALF_OPEN_US) &&
            origin_entry_phase(entry) == ORIGIN_HALF_OPEN &&
            !atomic_exchange_explicit(&entry->half_open_taken, true, memory_order_acq_rel)) {
            request->half_open = true;
            return service->host_set.half_open[i];
        }
    }
    return NULL;
}

static void end_half_open(struct origin_request *request)
{
    request->half_open = false;
    atomic_store_explicit(&request->origin->entry->half_open_taken, false, memory_order_release);
}

void origin_half_open_failed(struct origin_request *request, enum pardon pardon, const char *why)
{
    struct origin *origin = request->origin;
    uint64_t span = 0;

    if (origin_registry_begin_change(origin->directory->registry)) {
        if (origin_entry_phase(origin->entry) == ORIGIN_HALF_OPEN) {
            span = origin_send_away(origin, health_of(request->service), pardon);
        }
        origin_registry_end_change(origin->directory->registry);
    }
    end_half_open(request);
    if (span > 0) {
        metrics_note(origin->directory->metrics, METRICS_ORIGIN_EJECTED);
        log_warning("origin %s: failed its half-open probe, ejected for %.1f s: %s", origin->name,
                    (double)span / 1e6, why);
    }
}

static void half_open_passed(struct origin_request *request)
{
    struct origin *origin = request->origin;
    struct origin_entry *entry = origin->entry;
    bool back = false;

    WRITE(entry->half_open_was_slow, false);
    if (COUNT(entry->half_open_passed) >= health_of(request->service)->half_open_requests &&
        origin_registry_begin_change(origin->directory->registry)) {
        back = origin_entry_phase(entry) == ORIGIN_HALF_OPEN;
        if (back) {
            WRITE(entry->returned_us, now_of(origin));
            origin_entry_forget_failures(entry);
            WRITE(entry->troubled, false);
            origin_entry_set_phase(entry, ORIGIN_SERVES);
        }
        origin_registry_end_change(origin->directory->registry);
    }
    end_half_open(request);
    if (back) {
        metrics_note(origin->directory->metrics, METRICS_ORIGIN_RETURNED);
        log_info("origin %s: passed its half-open probe, gets requests again", origin->name);
    }
}

/* Slow once is forgiven: it may have hung with the origin and come back with it. Not so where slow
 * is what the origin was: each further half-open request is one more client that waits. */
void origin_half_open_was_slow(struct origin_request *request, const char *did, uint64_t waited_us)
{
    char why[64];

    if (!atomic_exchange_explicit(&request->origin->entry->half_open_was_slow, true,
                                  memory_order_relaxed)) {
        end_half_open(request);
        return;
    }
    snprintf(why, sizeof(why), "%s %.2f s", did, (double)waited_us / 1e6);
    origin_half_open_failed(request, SLOW_IS_ENOUGH, why);
}

void origin_half_open_judge(struct origin_request *request, uint64_t waited_us)
{
    const struct service *service = request->service;
    const struct origin *fastest = service_fastest_but(service, request->origin);

    if (health_of(service)->slow_factor > 0 && fastest != NULL &&
        waited_us > service_slow_limit_us(service, fastest)) {
        origin_half_open_was_slow(request, "to answer took it", waited_us);
    } else {
        half_open_passed(request);
    }
}

/* A client should not have to wait because we want to know: what is safe to repeat goes to another
 * one after that time, if there is one that answers. */
uint32_t origin_health_patience_ms(struct origin_request *request)
{
    uint32_t first_byte = request->timeouts->first_byte;
    const struct origin *fastest;
    uint64_t limit_ms;

    if (!request->half_open || !request->replayable || !http_method_is_safe(request->method) ||
        health_of(request->service)->slow_factor == 0) {
        return first_byte;
    }
    fastest = service_fastest_but(request->service, request->origin);
    if (fastest == NULL || READ(fastest->entry->failures_in_row) > 0) {
        return first_byte;
    }
    limit_ms = service_slow_limit_us(request->service, fastest) / 1000 + 1;
    if (limit_ms >= first_byte) {
        return first_byte;
    }
    request->hurried = true;
    return (uint32_t)limit_ms;
}

/* A client that has no patience with a half-open request says as much as a slow answer; else the next one
 * would be tried at once, and the next. */
void origin_health_given_up(struct origin_request *request)
{
    const struct origin_connection *connection = request->connection;

    if (!request->half_open) {
        return;
    }
    if (connection != NULL && connection->request_whole &&
        now_of(request->origin) - connection->asked_us >
            (uint64_t)health_of(request->service)->slow_min_time * 1000) {
        origin_half_open_failed(request, SLOW_IS_ENOUGH, "a client gave up waiting for it");
        return;
    }
    end_half_open(request);
}
