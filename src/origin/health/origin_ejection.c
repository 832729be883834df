/* SPDX-License-Identifier: BSD-2-Clause */
/* An origin is sent away: for how long, and whether its services can spare it. And it comes back:
 * its time over, it is probed by a connection, and a few requests are risked on it one at a time,
 * which it passes or fails. */
#include "origin/service/service_private.h"

#include "base/log/log.h"
#include "net/dial.h"

#include <errno.h>
#include <stdio.h>

#define WHOLE 10000 /* shares are in 0.01 % */
#define CONNECT_PROBE_MS 2000
#define PATIENT_HALF_OPEN_US \
    2000000 /* so long a half-open request is left to requests that are free to repeat */
#define RECALL_EVERY_US 200000 /* a connect probe each, where all origins are down */

/* --- away ------------------------------------------------------------------------------------ */

static bool is_available(const struct origin *origin)
{
    const struct origin_entry *entry = origin->entry;

    return origin_entry_phase(entry) == ORIGIN_SERVES && !origin_entry_is_drained(entry) &&
           READ(entry->probes_down) == 0 && !origin_is_unknown(origin);
}

/* Within the share of a service's origins, rounded up, and never the last one that serves: a
 * service without any origin is worse than one with bad ones. */
static bool may_eject(const struct service *service, const struct origin *origin)
{
    uint64_t share = health_of(service)->max_ejected_share;
    uint32_t others = 0;
    uint32_t away = 0;

    for (uint32_t i = 0; i < service->host_set.count; i++) {
        const struct origin *other = service->host_set.origins[i];

        away += origin_entry_phase(other->entry) != ORIGIN_SERVES;
        others += other != origin && is_available(other);
    }
    return others > 0 && away < (service->host_set.count * share + WHOLE - 1) / WHOLE;
}

static void forget_failures(struct origin_entry *entry)
{
    WRITE(entry->failures_in_row, 0);
    WRITE(entry->window_until_us, 0);
    WRITE(entry->window_answers, 0);
    WRITE(entry->window_failures, 0);
    WRITE(entry->window_seen, 0);
}

static uint64_t span_us(const struct health_settings *health, uint32_t ejections,
                        struct random *random)
{
    uint64_t most = (uint64_t)health->max_ejection_time * 1000;
    uint64_t span = (uint64_t)health->ejection_time * 1000;

    for (uint32_t i = 1; i < ejections && span < most; i++) {
        span *= 2;
    }
    span += random_below(random, span / 5 + 1); /* not all origins at the same moment */
    return span < most ? span : most;
}

static uint64_t stay_away(struct origin *origin, const struct health_settings *health)
{
    struct origin_entry *entry = origin->entry;
    uint64_t span =
        span_us(health, COUNT(entry->ejections), &origin->directory->worker_context->random);

    WRITE(entry->ejected_until_us, origin_now(origin) + span);
    return span;
}

static uint64_t send_away(struct origin *origin, const struct health_settings *health,
                          enum slow_rule rule)
{
    struct origin_entry *entry = origin->entry;
    uint64_t returned_us = READ(entry->returned_us);
    uint64_t span;

    if (origin_entry_phase(entry) == ORIGIN_SERVES &&
        origin_now(origin) - returned_us > (uint64_t)health->max_ejection_time * 1000) {
        WRITE(entry->ejections, 0);
    }
    span = stay_away(origin, health);
    WRITE(entry->half_open_passed, 0);
    WRITE(entry->half_open_was_slow, rule == SLOW_IS_ENOUGH);
    WRITE(entry->troubled, true);
    forget_failures(entry);
    BUMP(entry->ejected);
    origin_entry_set_phase(entry, ORIGIN_EJECTED);
    return span;
}

static bool is_last(const struct service *service, const struct origin *origin)
{
    for (uint32_t i = 0; i < service->host_set.count; i++) {
        if (service->host_set.origins[i] != origin && is_available(service->host_set.origins[i])) {
            return false;
        }
    }
    return true;
}

/* The last origin that serves fails: an ejected one may be better by now, and cannot be worse. The time of
 * those is over at once, so that each is probed by a connection, and tried. */
static void recall_ejected(struct service *service, uint64_t now_us)
{
    if (now_us < service->recalled_us + RECALL_EVERY_US) {
        return;
    }
    service->recalled_us = now_us;
    for (uint32_t i = 0; i < service->host_set.count; i++) {
        struct origin_entry *entry = service->host_set.origins[i]->entry;

        if (origin_entry_phase(entry) == ORIGIN_EJECTED && now_us < READ(entry->ejected_until_us)) {
            WRITE(entry->ejected_until_us, now_us);
        }
    }
}

void origin_eject(struct service *service, struct origin *origin, enum slow_rule rule,
                  const char *why)
{
    struct origin_registry *registry = origin->directory->registry;
    uint64_t span = 0;

    if (!origin_registry_begin_change(registry)) {
        return;
    }
    if (origin_entry_phase(origin->entry) == ORIGIN_SERVES && may_eject(service, origin)) {
        span = send_away(origin, health_of(service), rule);
    } else if (is_last(service, origin)) {
        recall_ejected(service, origin_now(origin));
    }
    origin_registry_end_change(registry);
    if (span > 0) {
        metrics_note(origin->directory->metrics, METRICS_ORIGIN_EJECTED);
        log_warning("origin %s: ejected for %.1f s: %s", origin->name, (double)span / 1e6, why);
    }
}

/* --- back: a connection is opened first ----------------------------------------------------- */

/* A TCP connection to an ejected origin whose time is over, with nothing sent on it: a request is
 * risked only if the origin accepts it. Begun on whichever worker notices first, one at a time for
 * the whole process. */

static struct loop *loop_of(const struct origin *origin)
{
    return origin->directory->worker_context->loop;
}

static void stop_connecting(struct origin *origin)
{
    alarm_clear(loop_of(origin), &origin->connect_probe.alarm);
    if (origin->connect_probe.service != NULL) {
        transport_close(&origin->connect_probe.transport);
        origin->connect_probe.service = NULL;
    }
}

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

/* `why` the origin did not accept a connection; NULL: it did, or it is we who cannot open one. */
static void connect_probed(struct origin *origin, const struct service *service, const char *why)
{
    struct origin_entry *entry = origin->entry;
    uint64_t span = 0;

    if (why == NULL) {
        begin_half_open(entry, origin_now(origin));
    } else if (origin_registry_begin_change(entry->common.registry)) {
        if (origin_entry_phase(entry) == ORIGIN_EJECTED) {
            span = stay_away(origin, health_of(service));
        }
        origin_registry_end_change(entry->common.registry);
    }
    atomic_store_explicit(&entry->connect_probing, false, memory_order_release);
    if (span > 0) {
        log_warning("origin %s: stays ejected, for %.1f s more: %s", origin->name,
                    (double)span / 1e6, why);
    }
}

static void end_connect_probe(struct origin *origin, const char *why)
{
    const struct service *service = origin->connect_probe.service;

    stop_connecting(origin);
    connect_probed(origin, service, why);
}

static void on_ready(int fd, short what, void *owner)
{
    struct origin *origin = owner;
    int error = dial_error(fd);

    (void)what;
    loop_read_clock(loop_of(origin));
    end_connect_probe(origin, error != 0 ? strerror(error) : NULL);
}

static void on_timeout(void *owner)
{
    end_connect_probe(owner, "it does not accept connections");
}

void origin_health_connect_probe(struct service *service, struct origin *origin)
{
    struct origin_entry *entry = origin->entry;
    int fd;

    if (!origin_has_address(origin) ||
        atomic_exchange_explicit(&entry->connect_probing, true, memory_order_acq_rel)) {
        return;
    }
    fd = dial(&origin->address);
    if (fd < 0 || !transport_start_tcp(&origin->connect_probe.transport, loop_of(origin), fd,
                                       WATCH_WRITABLE, on_ready, origin)) {
        connect_probed(origin, service, dial_lacks_resources(errno) ? NULL : strerror(errno));
        return;
    }
    origin->connect_probe.service = service;
    alarm_set(loop_of(origin), &origin->connect_probe.alarm, CONNECT_PROBE_MS, on_timeout, origin);
}

void origin_connect_probe_cancel(struct origin *origin)
{
    if (origin->connect_probe.service != NULL) {
        stop_connecting(origin);
        atomic_store_explicit(&origin->entry->connect_probing, false, memory_order_release);
    }
}

/* --- back: a few requests -------------------------------------------------------------------- */

/* Each origin that gets requests has failed since its last success. */
static bool all_fail(const struct service *service)
{
    for (uint32_t i = 0; i < service->host_set.active_set.count; i++) {
        if (READ(service->host_set.active_set.origins[i]->entry->failures_in_row) == 0) {
            return false;
        }
    }
    return true;
}

/* What may not be repeated is not risked, unless nothing else comes along, or nothing else is better. */
static bool may_risk(const struct service *service, const struct origin_request *request,
                     const struct origin_entry *entry, uint64_t now_us)
{
    return request->replayable || now_us - READ(entry->half_open_since_us) > PATIENT_HALF_OPEN_US ||
           all_fail(service);
}

struct origin *service_take_half_open(struct service *service, struct origin_request *request,
                                      uint64_t now_us)
{
    for (uint32_t i = 0; i < service->half_open_count; i++) {
        struct origin_entry *entry = service->host_set.half_open[i]->entry;

        if (may_risk(service, request, entry, now_us) &&
            origin_entry_phase(entry) == ORIGIN_HALF_OPEN &&
            !atomic_exchange_explicit(&entry->half_open_taken, true, memory_order_acq_rel)) {
            request->half_open = true;
            return service->host_set.half_open[i];
        }
    }
    return NULL;
}

struct origin *service_last_resort(const struct service *service, const struct origin *failed)
{
    for (uint32_t i = 0; i < service->host_set.count; i++) {
        struct origin *origin = service->host_set.origins[i];

        if (origin != failed && origin_entry_phase(origin->entry) != ORIGIN_SERVES &&
            !origin_entry_is_drained(origin->entry) && READ(origin->entry->probes_down) == 0 &&
            origin_has_address(origin)) {
            return origin;
        }
    }
    return NULL;
}

static void end_half_open(struct origin_request *request)
{
    request->half_open = false;
    atomic_store_explicit(&request->origin->entry->half_open_taken, false, memory_order_release);
}

void origin_half_open_failed(struct origin_request *request, enum slow_rule rule, const char *why)
{
    struct origin *origin = request->origin;
    uint64_t span = 0;

    if (origin_registry_begin_change(origin->directory->registry)) {
        if (origin_entry_phase(origin->entry) == ORIGIN_HALF_OPEN) {
            span = send_away(origin, health_of(request->service), rule);
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
            WRITE(entry->returned_us, origin_now(origin));
            forget_failures(entry);
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
        origin_now(request->origin) - connection->asked_us >
            (uint64_t)health_of(request->service)->slow_min_time * 1000) {
        origin_half_open_failed(request, SLOW_IS_ENOUGH, "a client gave up waiting for it");
        return;
    }
    end_half_open(request);
}
