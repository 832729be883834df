/* SPDX-License-Identifier: BSD-2-Clause */
/* Which origins have counters: those that are held, and of those that went some, for whoever reads
 * them next. A reload forgets as it does other names (metrics_staged.c); but where DNS says who
 * the origins are they come and go without one, and each that comes so makes room for itself. */
#include "observe/metrics_private.h"

#include <stdlib.h>

#define GONE_KEPT 256       /* more than of other names: how long ago they went is not known */
#define FORGOTTEN_FOR_ONE 2 /* more than come, so that there are no more and more of them */

/* One that may still be told of; NULL: there is none. It is the caller's. */
static char *take_kept_name(struct metrics *metrics, const char *name)
{
    struct kept_name **slot = &metrics->names[hash_of_bytes(bytes_of(name)) % METRICS_HASH_SLOTS];

    for (struct kept_name **place = slot; *place != NULL; place = &(*place)->next) {
        struct kept_name *kept = *place;

        if (strcmp(kept->name, name) == 0) {
            char *taken = kept->name;

            *place = kept->next;
            free(kept);
            return taken;
        }
    }
    return NULL;
}

static struct metrics_block *make_block(struct metrics *metrics, const char *name)
{
    struct metrics_block *block = metrics_block_new(METRICS_ORIGINS, name);
    char *kept = block != NULL ? take_kept_name(metrics, name) : NULL;

    if (kept != NULL) {
        free(block->name);
        block->name = kept;
    }
    if (block != NULL) {
        metrics_add_block(&metrics->families[METRICS_ORIGINS], block);
    }
    return block;
}

/* Those that came first go first. */
static void forget_some(struct metrics *metrics, unsigned most)
{
    struct metrics_family *family = &metrics->families[METRICS_ORIGINS];
    struct metrics_block *before = NULL;
    struct metrics_block *block = atomic_load_explicit(&family->first, memory_order_relaxed);

    while (block != NULL && most > 0 && family->count > family->held + GONE_KEPT) {
        struct metrics_block *next = atomic_load_explicit(&block->next, memory_order_relaxed);

        if (block->holders == 0 && metrics_forget(metrics, METRICS_ORIGINS, before, block)) {
            most--;
        } else {
            before = block;
        }
        block = next;
    }
}

/* Waits for nobody who reads. A reload that is under way stands at a block, and forgets itself. */
static void make_room(struct metrics *metrics)
{
    if (metrics->staged_configs > 0 || pthread_mutex_trylock(&metrics->lock) != 0) {
        return;
    }
    if (metrics->readers == 0) {
        forget_some(metrics, FORGOTTEN_FOR_ONE);
    }
    pthread_mutex_unlock(&metrics->lock);
}

struct metrics_origin *metrics_origin(struct metrics *metrics, const char *name)
{
    struct metrics_family *family = &metrics->families[METRICS_ORIGINS];
    struct metrics_block *block = metrics_find_block(family, name);
    bool is_new = block == NULL;

    if (is_new) {
        block = make_block(metrics, name);
    }
    if (block != NULL) {
        metrics_hold_block(family, block);
    }
    if (is_new) {
        make_room(metrics);
    }
    return (struct metrics_origin *)block;
}

void metrics_origin_leaves(struct metrics *metrics, struct metrics_origin **origin)
{
    struct metrics_block *block = (struct metrics_block *)*origin;

    *origin = NULL;
    if (block != NULL && --block->holders == 0) {
        metrics->families[METRICS_ORIGINS].held--;
        block->named = metrics->round;
    }
}

const char *metrics_origin_name(const struct metrics_origin *origin)
{
    return origin->block.name;
}
