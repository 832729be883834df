/* SPDX-License-Identifier: BSD-2-Clause */
/* A tick a second. */
#include "process/ramp_clock.h"

#include "base/log/log.h"
#include "split/ramp.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TICK_MS 1000

struct ramp_clock {
    struct ramp_clock_parts parts;
    struct alarm tick;
};

/* --- ticks -------------------------------------------------------------------------------- */

static void report(struct ramp_clock *clock, const struct ramp_event *event)
{
    char change[64];
    const struct audit_entry entry = {
        .who = {.kind = WHO_GATEWAY},
        .action = "ramp",
        .subject = event->route,
        .before = event->before,
        .after = event->after,
        .change = change,
        .ok = true,
        .why = event->why[0] != '\0' ? event->why : NULL,
    };

    snprintf(change, sizeof(change), "%s %u of %u", event->what, event->step, event->step_count);
    audit_write(clock->parts.audit, &entry);
    if (event->why[0] != '\0') {
        log_warning("route %s: the ramp went back: %s (%s)", event->route, event->why,
                    event->after);
    } else {
        log_info("route %s: ramp, %s (%s)", event->route, change, event->after);
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void on_tick(void *owner)
{
    struct ramp_clock *clock = owner;
    struct ramp_event event;
    uint32_t cursor = 0;

    while (split_registry_tick(clock->parts.registry, now_ms(), &cursor, &event)) {
        report(clock, &event);
    }
    state_store_save_all(clock->parts.state_store);
    alarm_set(clock->parts.loop, &clock->tick, TICK_MS, on_tick, clock);
}

/* --- life --------------------------------------------------------------------------------- */

struct ramp_clock *ramp_clock_new(const struct ramp_clock_parts *parts)
{
    struct ramp_clock *clock = calloc(1, sizeof(*clock));

    if (clock != NULL) {
        clock->parts = *parts;
        alarm_set(parts->loop, &clock->tick, TICK_MS, on_tick, clock);
    }
    return clock;
}

void ramp_clock_stop(struct ramp_clock *clock)
{
    alarm_clear(clock->parts.loop, &clock->tick);
}

void ramp_clock_free(struct ramp_clock **held)
{
    if (*held != NULL) {
        ramp_clock_stop(*held);
    }
    free(*held);
    *held = NULL;
}
