/* SPDX-License-Identifier: BSD-2-Clause */
/* The entries, sorted by route name, under one lock. */
#include "split/split_registry_private.h"

#include "base/check.h"
#include "split/pin_table.h"
#include "split/ramp.h"

#include <pthread.h>
#include <stdlib.h>

#define PINS 1048576 /* 8 MiB once all of it is in use */

/* --- names ------------------------------------------------------------------------------- */

const char *split_cause_name(enum split_cause cause)
{
    static const char *const names[] = {"file", "operator", "ramp"};

    return names[cause];
}

const char *ramp_phase_name(enum ramp_phase phase)
{
    static const char *const names[] = {
        [RAMP_NONE] = "none",         [RAMP_MOVES] = "moves",     [RAMP_PAUSED] = "paused",
        [RAMP_BREACHED] = "breached", [RAMP_ABORTED] = "aborted", [RAMP_DONE] = "done",
    };

    return names[phase];
}

const char *split_verdict_sentence(enum split_verdict verdict)
{
    static const char *const sentences[] = {
        [SPLIT_DONE] = "done",
        [SPLIT_NO_ROUTE] = "no route of this name has a split",
        [SPLIT_NO_ARM] = "the route's split has no such service",
        [SPLIT_TWICE] = "a service is named twice",
        [SPLIT_BAD_SUM] = ("the weights must add up to 100%; at most one service may be left out, "
                           "which gets the rest"),
        [SPLIT_RAMP_MOVES] = "the route's ramp moves its weights; pause it first",
        [SPLIT_NO_RAMP] = "the route has no ramp",
        [SPLIT_NOT_NOW] = "the ramp is not in a state for this",
        [SPLIT_NO_MEMORY] = "out of memory",
    };

    return sentences[verdict];
}

/* --- entries ----------------------------------------------------------------------------- */

struct split_registry *split_registry_new(uint32_t workers)
{
    struct split_registry *registry = calloc(1, sizeof(*registry));

    if (registry == NULL) {
        return NULL;
    }
    registry->workers = workers;
    registry->pins = pin_table_new(PINS);
    if (registry->pins == NULL) {
        free(registry);
        return NULL;
    }
    pthread_mutex_init(&registry->lock, NULL);
    return registry;
}

struct pin_table *split_registry_pins(struct split_registry *registry)
{
    return registry->pins;
}

int split_entry_compare(const void *a, const void *b)
{
    const struct split_entry *first = a;
    const struct split_entry *second = b;

    return strcmp(first->route, second->route);
}

void split_kept_free(struct split_kept **held)
{
    struct split_kept *kept = *held;

    *held = NULL;
    if (kept == NULL) {
        return;
    }
    for (uint32_t i = 0; i < kept->count; i++) {
        free(kept->services[i]);
    }
    free(kept);
}

void split_entry_release(struct split_entry *entry)
{
    free(entry->route);
    split_kept_free(&entry->kept);
    live_split_unref(&entry->live);
    ramp_free(&entry->ramp);
    ramp_free(&entry->memory);
}

void split_registry_free(struct split_registry **held)
{
    struct split_registry *registry = *held;

    *held = NULL;
    if (registry == NULL) {
        return;
    }
    for (uint32_t i = 0; i < registry->count; i++) {
        split_entry_release(&registry->entries[i]);
    }
    free(registry->entries);
    pin_table_free(&registry->pins);
    pthread_mutex_destroy(&registry->lock);
    free(registry);
}

static int compare_names(struct bytes a, struct bytes b)
{
    size_t least = a.length < b.length ? a.length : b.length;
    int order = least > 0 ? memcmp(a.at, b.at, least) : 0;

    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

uint32_t split_registry_place(const struct split_registry *registry, struct bytes route)
{
    uint32_t from = 0;
    uint32_t to = registry->count;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;

        if (compare_names(route, bytes_of(registry->entries[middle].route)) <= 0) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    return from;
}

struct split_entry *split_registry_entry(const struct split_registry *registry, struct bytes route)
{
    uint32_t at = split_registry_place(registry, route);

    return at < registry->count && bytes_equal(route, bytes_of(registry->entries[at].route))
               ? &registry->entries[at]
               : NULL;
}

static struct split_entry *find_live(const struct split_registry *registry, struct bytes route)
{
    struct split_entry *entry = split_registry_entry(registry, route);

    return entry != NULL && entry->live != NULL ? entry : NULL;
}

/* --- orders ------------------------------------------------------------------------------ */

static uint32_t arm_of(const struct live_split *live, struct bytes service)
{
    uint32_t arm = 0;

    while (arm < live->arm_count && !bytes_equal(service, bytes_of(live->services[arm]))) {
        arm++;
    }
    return arm;
}

/* `out` has all arms; one that is not named gets what is left. */
static enum split_verdict complete(const struct live_split *live,
                                   const struct split_weight *weights, uint32_t count,
                                   uint32_t *out)
{
    uint64_t sum = 0;
    uint32_t unnamed = 0;

    for (uint32_t i = 0; i < live->arm_count; i++) {
        out[i] = UINT32_MAX;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t arm = arm_of(live, weights[i].service);

        if (arm == live->arm_count) {
            return SPLIT_NO_ARM;
        }
        if (out[arm] != UINT32_MAX) {
            return SPLIT_TWICE;
        }
        if (weights[i].weight > SPLIT_WHOLE) {
            return SPLIT_BAD_SUM;
        }
        out[arm] = weights[i].weight;
        sum += weights[i].weight;
    }
    for (uint32_t i = 0; i < live->arm_count && sum <= SPLIT_WHOLE; i++) {
        if (out[i] == UINT32_MAX && unnamed++ == 0) {
            out[i] = (uint32_t)(SPLIT_WHOLE - sum);
        }
    }
    if (sum > SPLIT_WHOLE || unnamed > 1 || (unnamed == 0 && sum != SPLIT_WHOLE)) {
        return SPLIT_BAD_SUM;
    }
    return SPLIT_DONE;
}

static enum split_verdict set_weights(struct split_entry *entry, const struct split_weight *weights,
                                      uint32_t count)
{
    uint32_t all[SPLIT_ARMS_MAX];
    enum split_verdict verdict;

    if (entry == NULL) {
        return SPLIT_NO_ROUTE;
    }
    if (entry->ramp != NULL && entry->ramp->phase == RAMP_MOVES) {
        return SPLIT_RAMP_MOVES;
    }
    verdict = complete(entry->live, weights, count, all);
    if (verdict == SPLIT_DONE) {
        live_split_set(entry->live, all);
        entry->live->cause =
            live_split_is_as_in_file(entry->live, all) ? SPLIT_AS_IN_FILE : SPLIT_BY_OPERATOR;
    }
    return verdict;
}

enum split_verdict split_registry_set(struct split_registry *registry, struct bytes route,
                                      const struct split_weight *weights, uint32_t count)
{
    enum split_verdict verdict;

    pthread_mutex_lock(&registry->lock);
    verdict = set_weights(find_live(registry, route), weights, count);
    pthread_mutex_unlock(&registry->lock);
    return verdict;
}

static enum split_verdict reset(struct split_entry *entry)
{
    if (entry == NULL) {
        return SPLIT_NO_ROUTE;
    }
    if (entry->ramp != NULL && entry->ramp->phase == RAMP_MOVES) {
        return SPLIT_RAMP_MOVES;
    }
    live_split_set(entry->live, entry->live->file_weights);
    entry->live->cause = SPLIT_AS_IN_FILE;
    return SPLIT_DONE;
}

enum split_verdict split_registry_reset(struct split_registry *registry, struct bytes route)
{
    enum split_verdict verdict;

    pthread_mutex_lock(&registry->lock);
    verdict = reset(find_live(registry, route));
    pthread_mutex_unlock(&registry->lock);
    return verdict;
}

enum split_verdict split_registry_order_ramp(struct split_registry *registry, struct bytes route,
                                             enum ramp_order order)
{
    struct split_entry *entry;
    enum split_verdict verdict;

    pthread_mutex_lock(&registry->lock);
    entry = find_live(registry, route);
    verdict = entry == NULL         ? SPLIT_NO_ROUTE
              : entry->ramp == NULL ? SPLIT_NO_RAMP
                                    : ramp_order(entry, order);
    pthread_mutex_unlock(&registry->lock);
    return verdict;
}

/* --- reading ----------------------------------------------------------------------------- */

static void show(const struct split_entry *entry, split_seen *seen, void *owner)
{
    const struct live_split *live = entry->live;
    struct split_arm_reading arms[SPLIT_ARMS_MAX];
    uint32_t weights[SPLIT_ARMS_MAX];
    uint32_t version;
    struct split_reading reading = {
        .route = entry->route,
        .arms = arms,
        .arm_count = live->arm_count,
        .cause = entry->live->cause,
    };

    CHECK(live_split_get(live, weights, &version)); /* no writer: the lock is held */
    reading.differs = !live_split_is_as_in_file(live, weights);
    for (uint32_t i = 0; i < live->arm_count; i++) {
        arms[i] = (struct split_arm_reading){live->services[i], live->file_weights[i], weights[i]};
    }
    ramp_check(entry, &reading.ramp);
    seen(owner, &reading);
}

void split_registry_read(struct split_registry *registry, split_seen *seen, void *owner)
{
    pthread_mutex_lock(&registry->lock);
    for (uint32_t i = 0; i < registry->count; i++) {
        if (registry->entries[i].live != NULL) {
            show(&registry->entries[i], seen, owner);
        }
    }
    pthread_mutex_unlock(&registry->lock);
}

/* --- workers ---------------------------------------------------------------------------- */

struct live_split *split_registry_find(struct split_registry *registry,
                                       const struct route_settings *route)
{
    struct split_entry *entry;
    struct live_split *live = NULL;

    CHECK(route->arm_count > 1);
    pthread_mutex_lock(&registry->lock);
    entry = find_live(registry, bytes_of(route->name));
    if (entry != NULL && live_split_is_of(entry->live, route)) {
        live = live_split_ref(entry->live);
    }
    pthread_mutex_unlock(&registry->lock);
    return live != NULL ? live : live_split_new(route, registry->workers);
}

/* --- the ramps' clock --------------------------------------------------------------------- */

bool split_registry_tick(struct split_registry *registry, uint64_t now_ms, uint32_t *cursor,
                         struct ramp_event *event)
{
    bool moved = false;

    pthread_mutex_lock(&registry->lock);
    while (!moved && *cursor < registry->count) {
        struct split_entry *entry = &registry->entries[(*cursor)++];

        moved = entry->live != NULL && entry->ramp != NULL && ramp_tick(entry, now_ms, event);
    }
    pthread_mutex_unlock(&registry->lock);
    return moved;
}

void split_registry_forgo_ramps(struct split_registry *registry)
{
    pthread_mutex_lock(&registry->lock);
    registry->forgoes_ramps = true;
    pthread_mutex_unlock(&registry->lock);
}
