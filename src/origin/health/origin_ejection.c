/* SPDX-License-Identifier: BSD-2-Clause */
/* An origin is sent away: for how long, and whether its services can spare it. */
#include "origin/health/health_private.h"

#include "base/log/log.h"

#define WHOLE 10000 /* shares are in 0.01 % */

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

void origin_entry_forget_failures(struct origin_entry *entry)
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

uint64_t origin_stay_away(struct origin *origin, const struct health_settings *health)
{
    struct origin_entry *entry = origin->entry;
    uint64_t span =
        span_us(health, COUNT(entry->ejections), &origin->directory->worker_context->random);

    WRITE(entry->ejected_until_us, now_of(origin) + span);
    return span;
}

uint64_t origin_send_away(struct origin *origin, const struct health_settings *health,
                          enum pardon pardon)
{
    struct origin_entry *entry = origin->entry;
    uint64_t returned_us = READ(entry->returned_us);
    uint64_t span;

    if (origin_entry_phase(entry) == ORIGIN_SERVES &&
        now_of(origin) - returned_us > (uint64_t)health->max_ejection_time * 1000) {
        WRITE(entry->ejections, 0);
    }
    span = origin_stay_away(origin, health);
    WRITE(entry->half_open_passed, 0);
    WRITE(entry->half_open_was_slow, pardon == SLOW_IS_ENOUGH);
    WRITE(entry->troubled, true);
    origin_entry_forget_failures(entry);
    BUMP(entry->ejected);
    origin_entry_set_phase(entry, ORIGIN_EJECTED);
    return span;
}

void origin_eject(struct service *service, struct origin *origin, enum pardon pardon,
                  const char *why)
{
    struct origin_registry *registry = origin->directory->registry;
    uint64_t span = 0;

    if (!origin_registry_begin_change(registry)) {
        return;
    }
    if (origin_entry_phase(origin->entry) == ORIGIN_SERVES && may_eject(service, origin)) {
        span = origin_send_away(origin, health_of(service), pardon);
    }
    origin_registry_end_change(registry);
    if (span > 0) {
        metrics_note(origin->directory->metrics, METRICS_ORIGIN_EJECTED);
        log_warning("origin %s: ejected for %.1f s: %s", origin->name, (double)span / 1e6, why);
    }
}
