/* SPDX-License-Identifier: BSD-2-Clause */
/* New settings come: names that are new get blocks, the indexes are made anew, and of names that went
 * long ago some are forgotten. In pieces, between the events of a worker. */
#include "observe/metrics_private.h"

#include "base/check.h"

#include <stdlib.h>

#define GONE_KEPT 16    /* names of a kind, of which each takes a kilobyte */
#define GONE_RELOADS 10 /* for so long all are kept */

/* The indexes of new settings, made beside the old ones and put in their place at the end. Blocks
 * of new names join their family at once: until something is counted they are rows of zeros. */
struct metrics_staged_config {
    struct metrics *metrics;
    const struct settings *settings;
    struct metrics_index indexes[METRICS_KIND_COUNT];
    size_t made[METRICS_KIND_COUNT];
    int swept;                   /* kinds */
    struct metrics_block *sweep; /* as far as this one; NULL: from the first one on */
};

static const char *name_in(const struct settings *settings, enum metrics_kind kind, size_t index)
{
    switch (kind) {
    case METRICS_ROUTES:
        return settings->routes[index].name;
    case METRICS_LISTENERS:
        return settings->listeners[index].name;
    default:
        return settings->services[index].name;
    }
}

static size_t count_in(const struct settings *settings, enum metrics_kind kind)
{
    switch (kind) {
    case METRICS_ROUTES:
        return settings->route_count;
    case METRICS_LISTENERS:
        return settings->listener_count;
    case METRICS_SERVICES:
        return settings->service_count;
    default:
        return 0; /* origins and causes come by themselves */
    }
}

struct metrics_staged_config *metrics_staged_config_new(struct metrics *metrics,
                                                        const struct settings *settings)
{
    struct metrics_staged_config *staged_config = calloc(1, sizeof(*staged_config));

    if (staged_config == NULL) {
        return NULL;
    }
    staged_config->metrics = metrics;
    staged_config->settings = settings;
    metrics->staged_configs++;
    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        struct metrics_index *index = &staged_config->indexes[kind];

        index->count = count_in(settings, (enum metrics_kind)kind);
        index->entries = calloc(index->count > 0 ? index->count : 1, sizeof(struct metrics_entry));
        if (index->entries == NULL) {
            metrics_staged_config_abandon(&staged_config);
            return NULL;
        }
    }
    return staged_config;
}

static bool adopt_name(struct metrics_staged_config *staged_config, enum metrics_kind kind,
                       size_t index)
{
    const char *name = name_in(staged_config->settings, kind, index);
    struct metrics_block *block = metrics_make_block(staged_config->metrics, kind, name);

    if (block == NULL) {
        return false;
    }
    block->named = staged_config->metrics->round + 1;
    staged_config->indexes[kind].entries[index] = (struct metrics_entry){name, block};
    return true;
}

static size_t count_gone(const struct metrics_staged_config *staged_config, int kind)
{
    const struct metrics_family *family = &staged_config->metrics->families[kind];
    size_t living = family->held + staged_config->indexes[kind].count;

    return family->count > living ? family->count - living : 0;
}

/* What runs has its names from this round at the latest, so none of them is. */
static bool is_long_gone(const struct metrics *metrics, const struct metrics_block *block)
{
    return block->holders == 0 && block->named + GONE_RELOADS <= metrics->round;
}

/* true: done. Those that came first go first. */
static bool sweep(struct metrics_staged_config *staged_config, unsigned most)
{
    for (; staged_config->swept < METRICS_KIND_COUNT;
         staged_config->swept++, staged_config->sweep = NULL) {
        struct metrics_family *family = &staged_config->metrics->families[staged_config->swept];

        for (; count_gone(staged_config, staged_config->swept) > GONE_KEPT; most--) {
            struct metrics_block *before = staged_config->sweep;
            struct metrics_block *block = atomic_load_explicit(
                before != NULL ? &before->next : &family->first, memory_order_relaxed);

            if (block == NULL) {
                break;
            }
            if (most == 0) {
                return false;
            }
            if (is_long_gone(staged_config->metrics, block)) {
                metrics_forget(staged_config->metrics, staged_config->swept, before, block);
            } else {
                staged_config->sweep = block;
            }
        }
    }
    return true;
}

/* Does not wait: a name that cannot be forgotten now, because of a reader, is at the next
 * reload. */
static bool forget_gone(struct metrics_staged_config *staged_config, unsigned most)
{
    struct metrics *metrics = staged_config->metrics;
    bool done;

    if (pthread_mutex_trylock(&metrics->lock) != 0) {
        return true;
    }
    done = metrics->readers > 0 || sweep(staged_config, most);
    pthread_mutex_unlock(&metrics->lock);
    return done;
}

enum metrics_progress metrics_staged_config_grow(struct metrics_staged_config *staged_config,
                                                 unsigned most)
{
    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        size_t *made = &staged_config->made[kind];

        for (; *made < staged_config->indexes[kind].count; most--, (*made)++) {
            if (most == 0) {
                return METRICS_GROW;
            }
            if (!adopt_name(staged_config, (enum metrics_kind)kind, *made)) {
                return METRICS_FAILED;
            }
        }
    }
    return forget_gone(staged_config, most) ? METRICS_ARE_WHOLE : METRICS_GROW;
}

void metrics_staged_config_commit(struct metrics_staged_config **held)
{
    struct metrics_staged_config *staged_config = *held;

    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        struct metrics_family *family = &staged_config->metrics->families[kind];
        struct metrics_index former = family->index;

        CHECK(staged_config->made[kind] == staged_config->indexes[kind].count);
        family->index = staged_config->indexes[kind];
        staged_config->indexes[kind] = former;
    }
    staged_config->metrics->round++;
    metrics_staged_config_abandon(held);
}

void metrics_staged_config_abandon(struct metrics_staged_config **held)
{
    struct metrics_staged_config *staged_config = *held;

    *held = NULL;
    if (staged_config == NULL) {
        return;
    }
    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        free(staged_config->indexes[kind].entries);
    }
    staged_config->metrics->staged_configs--;
    free(staged_config);
}

bool metrics_adopt(struct metrics *metrics, const struct settings *settings)
{
    struct metrics_staged_config *staged_config = metrics_staged_config_new(metrics, settings);

    if (staged_config == NULL ||
        metrics_staged_config_grow(staged_config, UINT32_MAX) != METRICS_ARE_WHOLE) {
        metrics_staged_config_abandon(&staged_config);
        return false;
    }
    metrics_staged_config_commit(&staged_config);
    return true;
}
