/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry takes up a configuration: new entries are put together beside the old ones, and take
 * over what an operator set, how far a ramp was, and what stopped it. Called as a plan takes effect
 * (process/). */
#include "split/split_registry_private.h"

#include "base/check.h"
#include "base/log/log.h"

#include <stdlib.h>

/* The entries of a new configuration, being put together beside the old ones. */
struct staged_config {
    struct split_registry *registry;
    struct split_entry *entries;
    uint32_t count;
};

static bool adopt_route(struct staged_config *staged_config, const struct route_settings *route,
                        struct live_split *live)
{
    static const struct split_entry nothing;
    const struct split_entry *old =
        split_registry_entry(staged_config->registry, bytes_of(route->name));
    struct split_entry *entry = &staged_config->entries[staged_config->count++];

    entry->route = strdup(route->name);
    entry->live = live_split_ref(live);
    if (staged_config->registry->forgoes_ramps && route->split.ramp.step_count > 0) {
        log_error("route %s: its ramp does not move without a state_directory, which would keep a "
                  "breach in mind",
                  route->name);
        return entry->route != NULL;
    }
    return entry->route != NULL && ramp_prepare(old != NULL ? old : &nothing, route, &entry->ramp);
}

/* The file says now what it said when an operator set weights. */
static bool file_says(const struct live_split *live, uint32_t count, char *const *services,
                      const uint32_t *weights)
{
    if (live->arm_count != count || !live_split_is_as_in_file(live, weights)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(live->services[i], services[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* Of the process before: set while its file said the same of this split. */
static void take_kept_weights(struct split_entry *entry, const struct split_kept *kept)
{
    if (file_says(entry->live, kept->count, kept->services, kept->file_weights)) {
        live_split_set(entry->live, kept->weights);
        entry->live->cause = SPLIT_BY_OPERATOR;
    } else {
        log_warning("route %s: its split changed in the file; weights that were set before this "
                    "start end",
                    entry->route);
    }
}

static bool had(const struct split_entry *old, enum split_cause cause)
{
    return old != NULL && old->live != NULL && old->live->cause == cause;
}

/* What an operator set goes on to hold. A split that is gone back to still has its own. */
static void carry_operators_weights(struct split_entry *entry, const struct split_entry *old)
{
    uint32_t weights[SPLIT_ARMS_MAX];
    uint32_t version;

    if (old->live == entry->live) {
        return;
    }
    if (!file_says(entry->live, old->live->arm_count, old->live->services,
                   old->live->file_weights)) {
        log_warning("route %s: its split changed in the file; weights set at run time end",
                    entry->route);
        return;
    }
    CHECK(live_split_get(old->live, weights, &version));
    live_split_set(entry->live, weights);
    entry->live->cause = SPLIT_BY_OPERATOR;
}

static void carry_over(struct split_entry *entry, const struct split_entry *old)
{
    if (had(old, SPLIT_BY_OPERATOR)) {
        carry_operators_weights(entry, old);
    } else if (old != NULL && old->kept != NULL) {
        take_kept_weights(entry, old->kept);
    }
    if (entry->ramp != NULL && entry->live->cause != SPLIT_BY_OPERATOR) {
        ramp_carry_over(entry, old);
    } else if (entry->ramp == NULL && entry->live->cause == SPLIT_BY_RAMP) {
        live_split_set(entry->live, entry->live->file_weights);
        entry->live->cause = SPLIT_AS_IN_FILE;
    }
    if (entry->ramp == NULL && had(old, SPLIT_BY_RAMP)) {
        log_warning("route %s: its ramp is gone from the file, whose weights hold again",
                    entry->route);
    }
}

static struct ramp *take_memory(struct split_entry *old)
{
    struct ramp **held = old->ramp != NULL ? &old->ramp : &old->memory;
    struct ramp *taken = *held;

    if (taken != NULL && !ramp_was_stopped(taken)) {
        return NULL;
    }
    *held = NULL;
    return taken;
}

/* A ramp that was stopped is remembered while it, or all of its route, is not in the file: a
 * breach must not be forgotten by a reload there and back. */
static void keep_memories(struct staged_config *staged_config)
{
    struct split_registry *registry = staged_config->registry;
    uint32_t adopted = staged_config->count;

    for (uint32_t i = 0; i < registry->count; i++) {
        struct split_entry *old = &registry->entries[i];
        struct split_entry *entry =
            bsearch(old, staged_config->entries, adopted, sizeof(*old), split_entry_compare);
        struct ramp *memory = entry == NULL || entry->ramp == NULL ? take_memory(old) : NULL;

        if (memory != NULL && entry == NULL) {
            entry = &staged_config->entries[staged_config->count++];
            entry->route = old->route;
            old->route = NULL;
        }
        if (memory != NULL) {
            entry->memory = memory;
        }
    }
}

static void take_effect(struct staged_config *staged_config)
{
    struct split_registry *registry = staged_config->registry;

    qsort(staged_config->entries, staged_config->count, sizeof(*staged_config->entries),
          split_entry_compare);
    for (uint32_t i = 0; i < staged_config->count; i++) {
        struct split_entry *entry = &staged_config->entries[i];

        carry_over(entry, split_registry_entry(registry, bytes_of(entry->route)));
    }
    keep_memories(staged_config);
    for (uint32_t i = 0; i < registry->count; i++) {
        split_entry_release(&registry->entries[i]);
    }
    free(registry->entries);
    qsort(staged_config->entries, staged_config->count, sizeof(*staged_config->entries),
          split_entry_compare);
    registry->entries = staged_config->entries;
    registry->count = staged_config->count;
}

static void give_up(struct staged_config *staged_config)
{
    for (uint32_t i = 0; i < staged_config->count; i++) {
        split_entry_release(&staged_config->entries[i]);
    }
    free(staged_config->entries);
}

static bool adopt(struct split_registry *registry, const struct settings *settings,
                  struct live_split *const *splits)
{
    struct staged_config staged_config = {.registry = registry};

    staged_config.entries =
        calloc(settings->route_count + registry->count + 1, sizeof(struct split_entry));
    if (staged_config.entries == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < settings->route_count; i++) {
        if (splits[i] != NULL && !adopt_route(&staged_config, &settings->routes[i], splits[i])) {
            give_up(&staged_config);
            return false;
        }
    }
    take_effect(&staged_config);
    return true;
}

bool split_registry_adopt(struct split_registry *registry, const struct settings *settings,
                          struct live_split *const *splits)
{
    bool done;

    pthread_mutex_lock(&registry->lock);
    done = adopt(registry, settings, splits);
    pthread_mutex_unlock(&registry->lock);
    return done;
}
