/* SPDX-License-Identifier: BSD-2-Clause */
/* A tick a second, and the word between two processes. */
#include "process/ramp_clock.h"

#include "base/log/log.h"
#include "base/system/descriptor.h"
#include "exchange/waiting/rooms.h"
#include "split/ramp.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 1000
#define KIND "ramps"
#define PATIENCE_TICKS 30 /* the former process has long left by then, mostly */

struct ramp_clock {
    struct ramp_clock_parts parts;
    struct alarm tick;
    int successor[2]; /* the pipe to it: to read from, to write to; -1 */
    int former;       /* to read from; -1: its word has come, or there is none */
    uint32_t waited;  /* ticks, for that */
    struct watch watch;
    struct page word;
};

/* --- from one process to the next --------------------------------------------------------- */

void ramp_clock_hand_over(struct ramp_clock *clock, struct page *lines)
{
    if (descriptor_pipe(clock->successor)) {
        handover_add_one(lines, KIND, HANDOVER_PIPE, clock->successor[0]);
    } else {
        log_warning("out of descriptors: what a ramp does while the upgrade lasts is not carried");
        clock->successor[0] = clock->successor[1] = -1;
    }
}

void ramp_clock_keep(struct ramp_clock *clock)
{
    for (int i = 0; i < 2; i++) {
        if (clock->successor[i] >= 0) {
            close(clock->successor[i]);
        }
        clock->successor[i] = -1;
    }
}

/* More than a pipe holds is many hundred ramps: the successor goes by what it has read then. */
static void inform_successor(struct ramp_clock *clock)
{
    struct page text = {0};

    split_registry_save_ramps(clock->parts.registry, &text);
    if (text.failed || write(clock->successor[1], text.at, text.length) != (ssize_t)text.length) {
        log_warning("what ramps did while the upgrade lasted is not carried, or not all of it");
    }
    page_release(&text);
}

static void stop_waiting(struct ramp_clock *clock)
{
    watch_stop(&clock->watch);
    close(clock->former);
    clock->former = -1;
    page_release(&clock->word);
}

static void follow_former(struct ramp_clock *clock)
{
    page_add_char(&clock->word, '\0');
    if (!clock->word.failed) {
        split_registry_follow_ramps(clock->parts.registry, clock->word.at);
    }
    stop_waiting(clock);
}

static void on_word(int fd, short what, void *owner)
{
    struct ramp_clock *clock = owner;
    char bytes[4096];
    ssize_t count;

    (void)what;
    while ((count = read(fd, bytes, sizeof(bytes))) > 0) {
        page_add(&clock->word, (struct bytes){bytes, (size_t)count});
    }
    if (count == 0) {
        follow_former(clock);
    }
}

static void await_former(struct ramp_clock *clock)
{
    clock->former = handover_take_one(clock->parts.handover, KIND, HANDOVER_PIPE);
    if (clock->former >= 0 && !loop_watch(clock->parts.loop, &clock->watch, clock->former,
                                          WATCH_READABLE, on_word, clock)) {
        stop_waiting(clock);
    }
}

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

    if (clock->former >= 0 && ++clock->waited > PATIENCE_TICKS) {
        log_warning("the process before does not say where its ramps are: they go on from where "
                    "its state says");
        stop_waiting(clock);
    }
    while (clock->former < 0 &&
           split_registry_tick(clock->parts.registry, now_ms(), &cursor, &event)) {
        report(clock, &event);
    }
    rooms_tick(now_ms());
    state_store_save_all(clock->parts.state_store);
    alarm_set(clock->parts.loop, &clock->tick, TICK_MS, on_tick, clock);
}

/* --- life --------------------------------------------------------------------------------- */

struct ramp_clock *ramp_clock_new(const struct ramp_clock_parts *parts)
{
    struct ramp_clock *clock = calloc(1, sizeof(*clock));

    if (clock != NULL) {
        clock->parts = *parts;
        clock->successor[0] = clock->successor[1] = -1;
        await_former(clock);
        clock->parts.handover = NULL;
        alarm_set(parts->loop, &clock->tick, TICK_MS, on_tick, clock);
    }
    return clock;
}

void ramp_clock_stop(struct ramp_clock *clock)
{
    alarm_clear(clock->parts.loop, &clock->tick);
    if (clock->successor[1] >= 0) {
        inform_successor(clock);
    }
    ramp_clock_keep(clock);
}

void ramp_clock_free(struct ramp_clock **held)
{
    if (*held != NULL) {
        alarm_clear((*held)->parts.loop, &(*held)->tick);
        ramp_clock_keep(*held);
        if ((*held)->former >= 0) {
            stop_waiting(*held);
        }
    }
    free(*held);
    *held = NULL;
}
