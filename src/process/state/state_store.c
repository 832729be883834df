/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of the state store, and its clock: each second it moves the ramps and has written what changed. What
 * stands in the files is of state_lines.c and state_pins.c. */
#include "process/state/state_store_private.h"

#include "base/log/log.h"
#include "base/system/clock.h"
#include "exchange/waiting/rooms.h"
#include "split/pin_table.h"
#include "split/ramp.h"

#include <stdio.h>
#include <stdlib.h>

#define PINS_KIND "pins" /* among the handover */
#define TICK_MS 1000
#define PATIENCE_TICKS 30 /* the former process has long left by then, mostly */

bool state_has_directory(const struct state_store *state_store)
{
    return state_store->parts.state_directory != NULL;
}

struct pin_table *state_pins(const struct state_store *state_store)
{
    return split_registry_pins(state_store->parts.splits);
}

/* --- what is kept ---------------------------------------------------------------------------- */

static bool restore(struct state_store *state_store, struct handover *handover)
{
    int memory = handover_take_one(handover, PINS_KIND, HANDOVER_MEMORY);
    bool has_pins = memory >= 0 && pin_table_adopt(state_pins(state_store), memory);

    if (!state_has_directory(state_store)) {
        return true;
    }
    if (!has_pins) {
        state_pins_restore(state_store);
    }
    return state_lines_restore(state_store);
}

static bool may_write(const struct state_store *state_store)
{
    return state_has_directory(state_store) && state_store->began && !state_store->retired;
}

static int keep(struct state_store *state_store, bool with_pins, bool lasting)
{
    int failure = 0;

    pthread_mutex_lock(&state_store->lock);
    if (may_write(state_store)) {
        failure = state_lines_keep_orders(state_store);
        if (with_pins) {
            state_lines_keep_rooms(state_store);
            state_pins_keep(state_store, lasting);
        }
    }
    pthread_mutex_unlock(&state_store->lock);
    return failure;
}

int state_store_save(struct state_store *state_store)
{
    return keep(state_store, false, false);
}

/* --- the clock ------------------------------------------------------------------------------ */

static void report_ramp(struct state_store *state_store, const struct ramp_event *event)
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
    audit_write(state_store->parts.audit, &entry);
    if (event->why[0] != '\0') {
        log_warning("route %s: the ramp went back: %s (%s)", event->route, event->why,
                    event->after);
    } else {
        log_info("route %s: ramp, %s (%s)", event->route, change, event->after);
    }
}

static void on_tick(void *owner)
{
    struct state_store *state_store = owner;
    struct ramp_event event;
    uint32_t cursor = 0;

    if (state_store->former >= 0 && ++state_store->waited > PATIENCE_TICKS) {
        log_warning("the process before does not say where its ramps are: they go on from where "
                    "its state says");
        state_former_forget(state_store);
    }
    while (
        state_store->former < 0 &&
        split_registry_tick(state_store->parts.splits, clock_ms(CLOCK_REALTIME), &cursor, &event)) {
        report_ramp(state_store, &event);
    }
    rooms_tick(clock_ms(CLOCK_REALTIME));
    keep(state_store, true, false);
    alarm_set(state_store->parts.loop, &state_store->tick, TICK_MS, on_tick, state_store);
}

void state_store_start(struct state_store *state_store, struct handover *handover)
{
    state_secret_keep_first(state_store);
    state_lines_note_weights(state_store);
    state_former_follow(state_store, handover);
    alarm_set(state_store->parts.loop, &state_store->tick, TICK_MS, on_tick, state_store);
}

/* --- life --------------------------------------------------------------------------------- */

struct state_store *state_store_new(const struct state_store_parts *parts,
                                    struct handover *handover)
{
    struct state_store *state_store = calloc(1, sizeof(*state_store));

    if (state_store == NULL) {
        return NULL;
    }
    state_store->parts = *parts;
    state_store->successor[0] = state_store->successor[1] = state_store->former = -1;
    pthread_mutex_init(&state_store->lock, NULL);
    if (!state_has_directory(state_store)) {
        split_registry_forgo_ramps(parts->splits);
    }
    if (!restore(state_store, handover)) {
        state_store_free(&state_store);
    }
    return state_store;
}

void state_store_begin(struct state_store *state_store)
{
    pthread_mutex_lock(&state_store->lock);
    state_store->began = true;
    pthread_mutex_unlock(&state_store->lock);
}

static void set_retired(struct state_store *state_store, bool retired)
{
    pthread_mutex_lock(&state_store->lock);
    state_store->retired = retired;
    pthread_mutex_unlock(&state_store->lock);
}

void state_store_hand_over(struct state_store *state_store, struct page *lines)
{
    keep(state_store, true, false);
    set_retired(state_store, true);
    handover_add_one(lines, PINS_KIND, HANDOVER_MEMORY, pin_table_memory(state_pins(state_store)));
    state_successor_expect(state_store, lines);
}

void state_store_return(struct state_store *state_store)
{
    state_successor_forget(state_store);
    set_retired(state_store, false);
}

void state_store_stop(struct state_store *state_store)
{
    alarm_clear(state_store->parts.loop, &state_store->tick);
    if (state_store->successor[1] >= 0) {
        state_successor_inform(state_store);
    }
    state_successor_forget(state_store);
}

void state_store_free(struct state_store **held)
{
    struct state_store *state_store = *held;

    *held = NULL;
    if (state_store == NULL) {
        return;
    }
    alarm_clear(state_store->parts.loop, &state_store->tick);
    state_successor_forget(state_store);
    if (state_store->former >= 0) {
        state_former_forget(state_store);
    }
    keep(state_store, true, true);
    pthread_mutex_destroy(&state_store->lock);
    for (int i = 0; i < STATE_LINES_COUNT; i++) {
        free(state_store->kept[i]);
    }
    free(state_store);
}
