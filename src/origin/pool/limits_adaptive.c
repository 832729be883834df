/* SPDX-License-Identifier: BSD-2-Clause */
/* `concurrency: auto` and recovery after an outage, seen from a request: what it is told of the limit, how
 * long it may wait in line, and what its wait and its answer say of the origin. Called by pool.c through
 * limits.h; the limit itself is in adaptive.c. */
#include "origin/pool/limits_private.h"

#define STANDING_LINE_SHARE \
    5 /* so small a part of pool.pending_timeout is waited in a line that stands */

static uint32_t whole_limit(const struct origin_request *request, const struct origin *origin)
{
    uint32_t fixed = limits_settings_of(request)->max_concurrent_requests_per_origin;
    uint32_t now =
        limits_settings_of(request)->adaptive ? adaptive_now(&origin->entry->adaptive) : 0;

    return fixed == 0 || (now != 0 && now < fixed) ? now : fixed;
}

uint32_t limits_most_at_origin(const struct origin_request *request, const struct origin *origin)
{
    return recovery_slots(&origin->entry->recovery, whole_limit(request, origin),
                          limits_now_of(origin));
}

void limits_note_success(const struct origin_request *request)
{
    const struct origin *origin = request->origin;
    struct origin_entry *entry = origin->entry;
    uint32_t limit = whole_limit(request, origin);
    uint64_t outage_us;

    if (limit == 0) {
        return; /* nor was a failure noted of a service without a limit */
    }
    outage_us = recovery_note_success(
        &entry->recovery, limit, atomic_load_explicit(&entry->requests.used, memory_order_relaxed),
        request->bound_us, limits_now_of(origin));
    if (outage_us != 0) {
        adaptive_note_outage(&entry->adaptive, outage_us, limits_now_of(origin));
    }
}

void limits_note_failure(const struct origin_request *request)
{
    if (whole_limit(request, request->origin) != 0) {
        recovery_note_failure(&request->origin->entry->recovery, limits_now_of(request->origin));
    }
}

bool limits_waits_too_long(const struct origin_request *request, const struct origin *origin,
                           uint64_t time_left_ms)
{
    if (!limits_is_adaptive(request) || limits_waits_for_dial(request) ||
        limits_may_go(request, origin)) {
        return false;
    }
    /* After an outage fewer are let in, but not for long enough to tell by how much it delays. */
    return adaptive_refuses(&origin->entry->adaptive, request->priority,
                            whole_limit(request, origin), time_left_ms);
}

bool limits_waits_for_dial(const struct origin_request *request)
{
    return limits_is_adaptive(request) && (request->slots & SLOT_OF_ORIGIN) != 0;
}

/* It waits for what others have, in a line that is longer than what is served and has not been empty for
 * half of the time in which one may wait: what goes in order of arrival then goes just before its client
 * gives up, and all of it is lost. */
static bool line_stands(const struct origin_request *request)
{
    const struct origin *origin = request->origin;

    return (request->pool->limited || request->pool->max_connections != 0) &&
           (request->slots & SLOTS_OF_REQUEST) == 0 && origin->dialing == 0 &&
           TALLY_READ(origin->tally.waiting) > 1 &&
           TALLY_READ(origin->tally.waiting) > TALLY_READ(origin->tally.busy) &&
           limits_now_of(origin) - origin->line_from_us >=
               (uint64_t)request->pool->pending_timeout * 500;
}

uint32_t limits_patience_ms(const struct origin_request *request)
{
    uint32_t most_ms = request->pool->pending_timeout;
    uint32_t patience_ms;

    /* Waiting for a name is not waiting for the origin. */
    if (!origin_has_address(request->origin)) {
        return most_ms;
    }
    if (!limits_is_adaptive(request)) {
        return line_stands(request) ? most_ms / STANDING_LINE_SHARE : most_ms;
    }
    patience_ms = adaptive_patience_ms(&request->origin->entry->adaptive, request->priority);
    return patience_ms < most_ms ? patience_ms : most_ms;
}

bool limits_has_waited_enough(const struct origin_request *request)
{
    return (limits_is_adaptive(request)
                ? !limits_waits_for_dial(request)
                : line_stands(request) && limits_may_go(request, request->origin)) &&
           limits_now_of(request->origin) - request->waits_from_us >
               (uint64_t)limits_patience_ms(request) * 1000;
}

enum origin_failure limits_failure(const struct origin_request *request)
{
    if (!limits_is_adaptive(request)) {
        return ORIGIN_FAILURE_LINE_TIMEOUT;
    }
    limits_note_refused(request);
    return ORIGIN_FAILURE_OVERLOADED;
}

void limits_note_refused(const struct origin_request *request)
{
    atomic_fetch_add_explicit(&request->origin->entry->adaptive.refused[request->priority], 1,
                              memory_order_relaxed);
}

void limits_note_given(struct origin_request *request, uint64_t waited_us)
{
    struct origin_entry *entry = request->origin->entry;

    if (limits_is_adaptive(request)) {
        request->in_flight = atomic_load_explicit(&entry->requests.used, memory_order_relaxed);
        adaptive_note_given(&entry->adaptive, request->priority, waited_us);
    }
}

void limits_note_answer(const struct origin_request *request, uint64_t asked_us)
{
    struct origin_entry *entry = request->origin->entry;
    uint32_t now;

    if (limits_is_adaptive(request)) {
        now = atomic_load_explicit(&entry->requests.used, memory_order_relaxed);
        adaptive_note_answer(
            &entry->adaptive, request->priority,
            &(struct adaptive_sample){asked_us, limits_now_of(request->origin),
                                      now > request->in_flight ? now : request->in_flight});
    }
}
