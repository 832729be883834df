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
struct metrics_adoption {
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

struct metrics_adoption *metrics_adoption_new(struct metrics *metrics,
                                              const struct settings *settings)
{
    struct metrics_adoption *adoption = calloc(1, sizeof(*adoption));

    if (adoption == NULL) {
        return NULL;
    }
    adoption->metrics = metrics;
    adoption->settings = settings;
    metrics->adoptions++;
    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        struct metrics_index *index = &adoption->indexes[kind];

        index->count = count_in(settings, (enum metrics_kind)kind);
        index->entries = calloc(index->count > 0 ? index->count : 1, sizeof(struct metrics_entry));
        if (index->entries == NULL) {
            metrics_adoption_abandon(&adoption);
            return NULL;
        }
    }
    return adoption;
}

static bool adopt_name(struct metrics_adoption *adoption, enum metrics_kind kind, size_t index)
{
    struct metrics_family *family = &adoption->metrics->families[kind];
    const char *name = name_in(adoption->settings, kind, index);
    struct metrics_block *block = metrics_find_block(family, name);

    if (block == NULL) {
        block = metrics_block_new(kind, name);
        if (block == NULL) {
            return false;
        }
        metrics_add_block(family, block);
    }
    block->named = adoption->metrics->round + 1;
    adoption->indexes[kind].entries[index] = (struct metrics_entry){name, block};
    return true;
}

static size_t count_gone(const struct metrics_adoption *adoption, int kind)
{
    const struct metrics_family *family = &adoption->metrics->families[kind];
    size_t living = family->held + adoption->indexes[kind].count;

    return family->count > living ? family->count - living : 0;
}

/* What runs has its names from this round at the latest, so none of them is. */
static bool is_long_gone(const struct metrics *metrics, const struct metrics_block *block)
{
    return block->holders == 0 && block->named + GONE_RELOADS <= metrics->round;
}

/* true: done. Those that came first go first. */
static bool sweep(struct metrics_adoption *adoption, unsigned most)
{
    for (; adoption->swept < METRICS_KIND_COUNT; adoption->swept++, adoption->sweep = NULL) {
        struct metrics_family *family = &adoption->metrics->families[adoption->swept];

        for (; count_gone(adoption, adoption->swept) > GONE_KEPT; most--) {
            struct metrics_block *before = adoption->sweep;
            struct metrics_block *block = atomic_load_explicit(
                before != NULL ? &before->next : &family->first, memory_order_relaxed);

            if (block == NULL) {
                break;
            }
            if (most == 0) {
                return false;
            }
            if (!is_long_gone(adoption->metrics, block) ||
                !metrics_forget(adoption->metrics, adoption->swept, before, block)) {
                adoption->sweep = block;
            }
        }
    }
    return true;
}

/* Waits for nobody: who cannot be forgotten now, for somebody reads, is at the next reload. */
static bool forget_gone(struct metrics_adoption *adoption, unsigned most)
{
    struct metrics *metrics = adoption->metrics;
    bool done;

    if (pthread_mutex_trylock(&metrics->lock) != 0) {
        return true;
    }
    done = metrics->readers > 0 || sweep(adoption, most);
    pthread_mutex_unlock(&metrics->lock);
    return done;
}

enum metrics_progress metrics_adoption_grow(struct metrics_adoption *adoption, unsigned most)
{
    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        size_t *made = &adoption->made[kind];

        for (; *made < adoption->indexes[kind].count; most--, (*made)++) {
            if (most == 0) {
                return METRICS_GROW;
            }
            if (!adopt_name(adoption, (enum metrics_kind)kind, *made)) {
                return METRICS_FAILED;
            }
        }
    }
    return forget_gone(adoption, most) ? METRICS_ARE_WHOLE : METRICS_GROW;
}

void metrics_adoption_commit(struct metrics_adoption **held)
{
    struct metrics_adoption *adoption = *held;

    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        struct metrics_family *family = &adoption->metrics->families[kind];
        struct metrics_index former = family->index;

        CHECK(adoption->made[kind] == adoption->indexes[kind].count);
        family->index = adoption->indexes[kind];
        adoption->indexes[kind] = former;
    }
    adoption->metrics->round++;
    metrics_adoption_abandon(held);
}

void metrics_adoption_abandon(struct metrics_adoption **held)
{
    struct metrics_adoption *adoption = *held;

    *held = NULL;
    if (adoption == NULL) {
        return;
    }
    for (int kind = 0; kind < METRICS_KIND_COUNT; kind++) {
        free(adoption->indexes[kind].entries);
    }
    adoption->metrics->adoptions--;
    free(adoption);
}

bool metrics_adopt(struct metrics *metrics, const struct settings *settings)
{
    struct metrics_adoption *adoption = metrics_adoption_new(metrics, settings);

    if (adoption == NULL || metrics_adoption_grow(adoption, UINT32_MAX) != METRICS_ARE_WHOLE) {
        metrics_adoption_abandon(&adoption);
        return false;
    }
    metrics_adoption_commit(&adoption);
    return true;
}
