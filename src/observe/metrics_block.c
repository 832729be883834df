/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of counters by name: each kind's are a family, a list that other threads walk and a hash
 * for the worker whose they are. */
#include "observe/metrics_private.h"

#include <stdlib.h>

/* A request that was sent to an origin may log its name when its block is gone. */
static char *keep_name(struct metrics *metrics, const char *name)
{
    struct kept_name **slot = &metrics->names[hash_of_bytes(bytes_of(name)) % METRICS_HASH_SLOTS];
    struct kept_name *kept;

    for (kept = *slot; kept != NULL; kept = kept->next) {
        if (strcmp(kept->name, name) == 0) {
            return kept->name;
        }
    }
    kept = malloc(sizeof(*kept) + strlen(name) + 1);
    if (kept == NULL) {
        return NULL;
    }
    kept->next = *slot;
    memcpy(kept->name, name, strlen(name) + 1);
    *slot = kept;
    return kept->name;
}

static struct metrics_block *block_new(struct metrics *metrics, enum metrics_kind kind,
                                       const char *name)
{
    bool is_origin = kind == METRICS_ORIGINS;
    struct metrics_block *block =
        calloc(1, is_origin ? sizeof(struct metrics_origin) : sizeof(struct metrics_block));

    if (block == NULL) {
        return NULL;
    }
    block->name = is_origin ? keep_name(metrics, name) : strdup(name);
    if (block->name == NULL) {
        free(block);
        return NULL;
    }
    block->hash = hash_of_bytes(bytes_of(name));
    return block;
}

static void free_block(int kind, struct metrics_block *block)
{
    if (kind != METRICS_ORIGINS) {
        free(block->name);
    }
    for (int i = 0; i < METRICS_SELDOM_KINDS; i++) {
        free(atomic_load_explicit(&block->seldom[i], memory_order_relaxed));
    }
    free(atomic_load_explicit(&block->exemplars, memory_order_relaxed));
    free(block);
}

void metrics_free_blocks(int kind, struct metrics_block *block)
{
    while (block != NULL) {
        struct metrics_block *next = atomic_load_explicit(&block->next, memory_order_relaxed);

        free_block(kind, block);
        block = next;
    }
}

struct metrics_block *metrics_find_block(const struct metrics_family *family, const char *name)
{
    uint64_t hash = hash_of_bytes(bytes_of(name));

    for (struct metrics_block *block = family->slots[hash % METRICS_HASH_SLOTS]; block != NULL;
         block = block->next_in_slot) {
        if (block->hash == hash && strcmp(block->name, name) == 0) {
            return block;
        }
    }
    return NULL;
}

static void add_block(struct metrics_family *family, struct metrics_block *block)
{
    struct metrics_block **slot = &family->slots[block->hash % METRICS_HASH_SLOTS];

    block->next_in_slot = *slot;
    *slot = block;
    /* From here on other threads see the block, hence release. */
    if (family->last == NULL) {
        atomic_store_explicit(&family->first, block, memory_order_release);
    } else {
        atomic_store_explicit(&family->last->next, block, memory_order_release);
    }
    family->last = block;
    family->count++;
}

struct metrics_block *metrics_make_block(struct metrics *metrics, enum metrics_kind kind,
                                         const char *name)
{
    struct metrics_family *family = &metrics->families[kind];
    struct metrics_block *block = metrics_find_block(family, name);

    if (block == NULL) {
        block = block_new(metrics, kind, name);
        if (block != NULL) {
            add_block(family, block);
        }
    }
    return block;
}

void metrics_forget(struct metrics *metrics, int kind, struct metrics_block *before,
                    struct metrics_block *block)
{
    struct metrics_family *family = &metrics->families[kind];
    struct metrics_block *next = atomic_load_explicit(&block->next, memory_order_relaxed);
    struct metrics_block **slot = &family->slots[block->hash % METRICS_HASH_SLOTS];

    while (*slot != block) {
        slot = &(*slot)->next_in_slot;
    }
    *slot = block->next_in_slot;
    atomic_store_explicit(before != NULL ? &before->next : &family->first, next,
                          memory_order_release);
    if (family->last == block) {
        family->last = before;
    }
    family->count--;
    free_block(kind, block);
}

void metrics_hold_block(struct metrics_family *family, struct metrics_block *block)
{
    family->held += block->holders++ == 0;
}

#define GONE_KEPT 256       /* more than of other names: how long ago they went is not known */
#define FORGOTTEN_FOR_ONE 2 /* more than come, so that there are no more and more of them */

/* Those that came first go first. */
static void forget_some(struct metrics *metrics, unsigned most)
{
    struct metrics_family *family = &metrics->families[METRICS_ORIGINS];
    struct metrics_block *before = NULL;
    struct metrics_block *block = atomic_load_explicit(&family->first, memory_order_relaxed);

    while (block != NULL && most > 0 && family->count > family->held + GONE_KEPT) {
        struct metrics_block *next = atomic_load_explicit(&block->next, memory_order_relaxed);

        if (block->holders == 0) {
            metrics_forget(metrics, METRICS_ORIGINS, before, block);
            most--;
        } else {
            before = block;
        }
        block = next;
    }
}

/* Does not wait for readers. A reload that is under way stands at a block, and forgets itself. */
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

    if (block == NULL) {
        block = metrics_make_block(metrics, METRICS_ORIGINS, name);
        if (block == NULL) {
            return NULL;
        }
        metrics_hold_block(family, block);
        make_room(metrics);
    } else {
        metrics_hold_block(family, block);
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
