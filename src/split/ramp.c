/* SPDX-License-Identifier: BSD-2-Clause */
/* The ramps of a split registry: from step to step while the guard finds nothing, back to the old
 * arm at once when it does, and then nowhere until a person says so. All under the registry's lock;
 * workers see only the weights. */
#include "split/ramp.h"

#include "base/siphash.h"
#include "split/split_registry_private.h"

#include <stdio.h>
#include <stdlib.h>

/* --- from the file ------------------------------------------------------------------------ */

static uint64_t add_to_print(uint64_t print, uint64_t more)
{
    const struct siphash_key key = {print, 0};

    return siphash_number(&key, more);
}

static uint64_t print_services(const struct route_settings *route)
{
    const struct siphash_key key = {0, 0};
    uint64_t print = add_to_print(0, route->split.ramp.to);

    for (uint32_t i = 0; i < route->arm_count; i++) {
        print = add_to_print(print, siphash(&key, bytes_of(route->arms[i].service->name)));
    }
    return print;
}

static uint64_t print_steps(const struct ramp_settings *settings)
{
    uint64_t print = settings->step_count;

    for (uint32_t i = 0; i < settings->step_count; i++) {
        print = add_to_print(print, settings->steps[i].weight);
    }
    return print;
}

static bool copy_settings(struct ramp *ramp, const struct ramp_settings *settings)
{
    size_t size = settings->step_count * sizeof(*settings->steps);

    ramp->settings = *settings;
    ramp->settings.steps = malloc(size);
    if (ramp->settings.steps == NULL) {
        return false;
    }
    memcpy(ramp->settings.steps, settings->steps, size);
    return true;
}

static void begin_anew(struct ramp *ramp)
{
    ramp->phase = RAMP_MOVES;
    ramp->step = 0;
    ramp->since_ms = 0;
    ramp->reason[0] = '\0';
}

bool ramp_was_stopped(const struct ramp *ramp)
{
    return ramp->phase != RAMP_MOVES && ramp->phase != RAMP_DONE;
}

/* The same steps: it goes on where it was. Others: it begins anew, unless the analysis or an
 * operator stopped it; that takes a person to undo, not an edit of the steps. */
static void remember(struct ramp *ramp, const struct ramp *old)
{
    bool same_steps = old->steps_print == ramp->steps_print;

    if (old->services_print != ramp->services_print || (!same_steps && !ramp_was_stopped(old))) {
        begin_anew(ramp);
        return;
    }
    ramp->phase = old->phase;
    ramp->step = same_steps && old->step < ramp->settings.step_count ? old->step : 0;
    ramp->since_ms = old->since_ms;
    memcpy(ramp->reason, old->reason, sizeof(ramp->reason));
}

bool ramp_prepare(const struct split_entry *entry, const struct route_settings *route,
                  struct ramp **ramp)
{
    const struct ramp *old = entry->ramp != NULL ? entry->ramp : entry->memory;
    struct ramp *made;

    *ramp = NULL;
    if (route->split.ramp.step_count == 0) {
        return true;
    }
    made = calloc(1, sizeof(*made));
    if (made == NULL || !copy_settings(made, &route->split.ramp)) {
        free(made);
        return false;
    }
    made->services_print = print_services(route);
    made->steps_print = print_steps(&made->settings);
    if (old != NULL) {
        remember(made, old);
    } else {
        begin_anew(made);
    }
    *ramp = made;
    return true;
}

void ramp_free(struct ramp **ramp)
{
    if (*ramp != NULL) {
        free((*ramp)->settings.steps);
    }
    free(*ramp);
    *ramp = NULL;
}

/* --- weights ------------------------------------------------------------------------------ */

static uint32_t weight_of(const struct ramp *ramp)
{
    switch (ramp->phase) {
    case RAMP_MOVES:
    case RAMP_PAUSED:
        return ramp->settings.steps[ramp->step].weight;
    case RAMP_DONE:
        return ramp->settings.steps[ramp->settings.step_count - 1].weight;
    default:
        return 0;
    }
}

static bool compares(const struct split_entry *entry)
{
    const struct ramp *ramp = entry->ramp;

    return (ramp->phase == RAMP_MOVES || ramp->phase == RAMP_PAUSED) &&
           entry->live->cause == SPLIT_BY_RAMP && weight_of(ramp) < SPLIT_WHOLE;
}

static void read_tallies(const struct live_split *live, struct group_counts out[ARM_GROUP_COUNT])
{
    memset(out, 0, ARM_GROUP_COUNT * sizeof(*out));
    for (uint32_t i = 0; i < live->worker_count * ARM_GROUP_COUNT; i++) {
        const struct arm_tally *tally = &live->tallies[i];
        struct group_counts *counts = &out[i % ARM_GROUP_COUNT];

        counts->requests += atomic_load_explicit(&tally->requests, memory_order_relaxed);
        counts->failures += atomic_load_explicit(&tally->failures, memory_order_relaxed);
        for (int j = 0; j < METRICS_DURATION_BUCKETS; j++) {
            counts->durations[j] +=
                atomic_load_explicit(&tally->durations[j], memory_order_relaxed);
        }
        for (int j = 0; j < ARM_USERS; j++) {
            counts->user_requests[j] +=
                atomic_load_explicit(&tally->user_requests[j], memory_order_relaxed);
            counts->user_failures[j] +=
                atomic_load_explicit(&tally->user_failures[j], memory_order_relaxed);
            for (int k = 0; k < ARM_SPEEDS && counts->user_requests[j] > 0; k++) {
                counts->user_speeds[j][k] +=
                    atomic_load_explicit(&tally->user_speeds[j][k], memory_order_relaxed);
            }
        }
    }
}

/* A step's guard knows nothing of the steps before it. */
static void begin_guarding(struct split_entry *entry, uint64_t now_ms)
{
    struct ramp *ramp = entry->ramp;

    memset(&ramp->before, 0, sizeof(ramp->before));
    memset(&ramp->now, 0, sizeof(ramp->now));
    read_tallies(entry->live, ramp->seen);
    ramp->window_ms = now_ms;
    ramp->windows = 0;
}

/* Its first step is taken by the clock. */
static bool has_begun(const struct ramp *ramp)
{
    return ramp->phase != RAMP_MOVES || ramp->step > 0 || ramp->since_ms > 0;
}

static void ramp_apply(struct split_entry *entry)
{
    uint32_t to = entry->ramp->settings.to;
    uint32_t weights[2];

    if (!has_begun(entry->ramp)) {
        return;
    }
    weights[to] = weight_of(entry->ramp);
    weights[1 - to] = SPLIT_WHOLE - weights[to];
    live_split_set(entry->live, weights);
    entry->live->cause = SPLIT_BY_RAMP;
    begin_guarding(entry, 0);
    atomic_store_explicit(&entry->live->counts, compares(entry), memory_order_relaxed);
}

/* The guard's windows, while it is about the same step of the same split; a reload is no reason
 * to begin them again. */
void ramp_carry_over(struct split_entry *entry, const struct split_entry *old)
{
    struct ramp *ramp = entry->ramp;
    const struct ramp *before = old != NULL ? old->ramp : NULL;

    if (before == NULL || old->live != entry->live || before->phase != ramp->phase ||
        before->step != ramp->step || before->steps_print != ramp->steps_print) {
        ramp_apply(entry);
        return;
    }
    memcpy(ramp->seen, before->seen, sizeof(ramp->seen));
    ramp->before = before->before;
    ramp->now = before->now;
    ramp->window_ms = before->window_ms;
    ramp->windows = before->windows;
}

bool ramp_follow(struct split_entry *entry, const struct ramp *former)
{
    struct ramp *ramp = entry->ramp;

    if (ramp->ordered || entry->live->cause == SPLIT_BY_OPERATOR ||
        former->services_print != ramp->services_print ||
        former->steps_print != ramp->steps_print ||
        (former->phase == ramp->phase && former->step == ramp->step &&
         former->since_ms == ramp->since_ms)) {
        return false;
    }
    remember(ramp, former);
    ramp_apply(entry);
    return true;
}

/* --- orders ------------------------------------------------------------------------------- */

static void enter(struct split_entry *entry, enum ramp_phase phase, uint64_t now_ms)
{
    entry->ramp->phase = phase;
    entry->ramp->since_ms = now_ms;
    ramp_apply(entry);
}

static enum split_verdict resume(struct split_entry *entry)
{
    switch (entry->ramp->phase) {
    case RAMP_PAUSED:
        enter(entry, RAMP_MOVES, 0);
        return SPLIT_DONE;
    case RAMP_BREACHED:
    case RAMP_ABORTED:
        begin_anew(entry->ramp);
        ramp_apply(entry);
        return SPLIT_DONE;
    default:
        return SPLIT_NOT_NOW;
    }
}

static enum split_verdict carry_out(struct split_entry *entry, enum ramp_order order)
{
    struct ramp *ramp = entry->ramp;

    switch (order) {
    case RAMP_PAUSE:
        if (ramp->phase != RAMP_MOVES) {
            return SPLIT_NOT_NOW;
        }
        ramp->phase = RAMP_PAUSED; /* weights and guard stay as they are */
        return SPLIT_DONE;
    case RAMP_RESUME:
        return resume(entry);
    case RAMP_ABORT:
        if (ramp->phase == RAMP_ABORTED) {
            return SPLIT_NOT_NOW;
        }
        enter(entry, RAMP_ABORTED, 0);
        return SPLIT_DONE;
    }
    return SPLIT_NOT_NOW;
}

enum split_verdict ramp_order(struct split_entry *entry, enum ramp_order order)
{
    enum split_verdict verdict = carry_out(entry, order);

    entry->ramp->ordered = entry->ramp->ordered || verdict == SPLIT_DONE;
    return verdict;
}

/* --- the clock ---------------------------------------------------------------------------- */

static void describe(const struct live_split *live, char *out, size_t size)
{
    uint32_t weights[SPLIT_ARMS_MAX];
    uint32_t version;

    live_split_get(live, weights, &version);
    snprintf(out, size, "%s: %u.%02u%%, %s: %u.%02u%%", live->services[0], weights[0] / 100,
             weights[0] % 100, live->services[1], weights[1] / 100, weights[1] % 100);
}

static void fill_event(const struct split_entry *entry, struct ramp_event *event, const char *what)
{
    snprintf(event->route, sizeof(event->route), "%s", entry->route);
    snprintf(event->what, sizeof(event->what), "%s", what);
    event->step = entry->ramp->step + 1;
    event->step_count = entry->ramp->settings.step_count;
    snprintf(event->why, sizeof(event->why), "%s", entry->ramp->reason);
    describe(entry->live, event->after, sizeof(event->after));
}

static bool enter_step(struct split_entry *entry, uint32_t step, uint64_t now_ms,
                       struct ramp_event *event)
{
    struct ramp *ramp = entry->ramp;
    bool is_last = ramp->settings.steps[step].weight == SPLIT_WHOLE;

    ramp->step = step;
    /* With the old arm gone there is nothing to compare with. */
    enter(entry, is_last ? RAMP_DONE : RAMP_MOVES, now_ms);
    begin_guarding(entry, now_ms);
    fill_event(entry, event, is_last ? "done" : "step");
    return true;
}

static void take_new_counts(struct split_entry *entry)
{
    struct ramp *ramp = entry->ramp;
    struct group_counts counts[ARM_GROUP_COUNT];

    read_tallies(entry->live, counts);
    for (int i = 0; i < ARM_GROUP_COUNT; i++) {
        guard_add(&ramp->now.groups[i], &ramp->seen[i], &counts[i]);
        ramp->seen[i] = counts[i];
    }
}

/* The window that is open, alone and together with the one before: what starts in the middle of
 * one is seen whole by the end of the next. */
static enum guard_verdict judge(struct ramp *ramp, uint64_t now_ms)
{
    static const struct group_counts nothing;
    struct guard_window both = ramp->before;
    enum guard_verdict verdict;

    ramp->now.has_lasted = now_ms - ramp->window_ms >= ramp->settings.window;
    both.has_lasted = ramp->now.has_lasted;
    verdict = guard_judge(&ramp->settings, &ramp->now, ramp->reason);
    if (verdict == GUARD_BREACH || ramp->windows == 0) {
        return verdict;
    }
    for (int i = 0; i < ARM_GROUP_COUNT; i++) {
        guard_add(&both.groups[i], &nothing, &ramp->now.groups[i]);
    }
    return guard_judge(&ramp->settings, &both, ramp->reason) == GUARD_BREACH ? GUARD_BREACH
                                                                             : verdict;
}

static void close_window(struct ramp *ramp, enum guard_verdict verdict, uint64_t now_ms)
{
    if (verdict == GUARD_FINE && now_ms - ramp->window_ms >= ramp->settings.window) {
        ramp->before = ramp->now;
        memset(&ramp->now, 0, sizeof(ramp->now));
        ramp->window_ms = now_ms;
        ramp->windows++;
    }
}

static bool guard(struct split_entry *entry, uint64_t now_ms, struct ramp_event *event)
{
    struct ramp *ramp = entry->ramp;
    enum guard_verdict verdict;

    if (ramp->window_ms == 0) {
        ramp->window_ms = now_ms;
    }
    take_new_counts(entry);
    verdict = judge(ramp, now_ms);
    if (verdict == GUARD_BREACH) {
        enter(entry, RAMP_BREACHED, now_ms);
        fill_event(entry, event, "breach");
        return true;
    }
    close_window(ramp, verdict, now_ms);
    return false;
}

static bool step_is_over(const struct ramp *ramp, uint64_t now_ms)
{
    /* A clock that was set back: the hold starts over rather than last for years. */
    return ramp->windows > 0 && now_ms >= ramp->since_ms &&
           now_ms - ramp->since_ms >= ramp->settings.steps[ramp->step].hold;
}

static bool finish(struct split_entry *entry, uint64_t now_ms, struct ramp_event *event)
{
    enter(entry, RAMP_DONE, now_ms);
    fill_event(entry, event, "done");
    return true;
}

bool ramp_tick(struct split_entry *entry, uint64_t now_ms, struct ramp_event *event)
{
    struct ramp *ramp = entry->ramp;

    memset(event, 0, sizeof(*event));
    describe(entry->live, event->before, sizeof(event->before));
    if (ramp->since_ms == 0 || ramp->since_ms > now_ms) {
        if (ramp->phase == RAMP_MOVES) {
            return enter_step(entry, ramp->step, now_ms, event);
        }
        ramp->since_ms = now_ms;
    }
    if (compares(entry) && guard(entry, now_ms, event)) {
        return true;
    }
    if (ramp->phase != RAMP_MOVES || !step_is_over(ramp, now_ms)) {
        return false;
    }
    return ramp->step + 1 < ramp->settings.step_count
               ? enter_step(entry, ramp->step + 1, now_ms, event)
               : finish(entry, now_ms, event);
}

/* --- reading ------------------------------------------------------------------------------ */

static void check_at_group(const struct group_counts *counts, struct ramp_group_reading *reading)
{
    *reading = (struct ramp_group_reading){counts->requests, counts->failures, guard_p99(counts)};
}

void ramp_check(const struct split_entry *entry, struct ramp_reading *reading)
{
    const struct ramp *ramp = entry->ramp;
    uint32_t next;

    *reading = (struct ramp_reading){.phase = RAMP_NONE, .reason = ""};
    if (ramp == NULL) {
        return;
    }
    next = ramp->step + 1;
    reading->phase = ramp->phase;
    reading->step = ramp->step;
    reading->step_count = ramp->settings.step_count;
    reading->weight = weight_of(ramp);
    reading->next = (ramp->phase == RAMP_MOVES || ramp->phase == RAMP_PAUSED) &&
                            next < ramp->settings.step_count
                        ? ramp->settings.steps[next].weight
                        : 0;
    reading->since_ms = ramp->since_ms;
    reading->hold_ms = ramp->settings.steps[ramp->step].hold;
    reading->to = entry->live->services[ramp->settings.to];
    reading->reason = ramp->reason;
    check_at_group(&ramp->now.groups[ARM_GROUP_NEW], &reading->new_arm);
    check_at_group(&ramp->now.groups[ARM_GROUP_CONTROL], &reading->control);
}
