/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of counters by name: each kind's are a family, a list that other threads walk and a hash
 * for the worker whose they are. */
#include "observe/metrics_private.h"

#include <stdlib.h>

struct metrics_block *metrics_block_new(enum metrics_kind kind, const char *name)
{
    size_t size =
        kind == METRICS_ORIGINS ? sizeof(struct metrics_origin) : sizeof(struct metrics_block);
    struct metrics_block *block = calloc(1, size);

    if (block == NULL) {
        return NULL;
    }
    block->name = strdup(name);
    if (block->name == NULL) {
        free(block);
        return NULL;
    }
    block->hash = hash_of_bytes(bytes_of(name));
    return block;
}

/* But its name. */
static void free_block(struct metrics_block *block)
{
    for (int i = 0; i < METRICS_SELDOM_KINDS; i++) {
        free(atomic_load_explicit(&block->seldom[i], memory_order_relaxed));
    }
    free(atomic_load_explicit(&block->exemplars, memory_order_relaxed));
    free(block);
}

void metrics_free_blocks(struct metrics_block *block)
{
    while (block != NULL) {
        struct metrics_block *next = atomic_load_explicit(&block->next, memory_order_relaxed);

        free(block->name);
        free_block(block);
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

void metrics_add_block(struct metrics_family *family, struct metrics_block *block)
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

/* `before` it in the list; NULL: it is the first. No reader is there. */
static void drop_block(struct metrics_family *family, struct metrics_block *before,
                       struct metrics_block *block)
{
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
    free_block(block);
}

static bool keep_name(struct metrics *metrics, const struct metrics_block *block)
{
    struct kept_name *kept = malloc(sizeof(*kept));
    struct kept_name **slot;

    if (kept == NULL) {
        return false;
    }
    slot = &metrics->names[block->hash % METRICS_HASH_SLOTS];
    *kept = (struct kept_name){*slot, block->name};
    *slot = kept;
    return true;
}

bool metrics_forget(struct metrics *metrics, int kind, struct metrics_block *before,
                    struct metrics_block *block)
{
    if (kind != METRICS_ORIGINS) {
        free(block->name);
    } else if (!keep_name(metrics, block)) {
        return false;
    }
    drop_block(&metrics->families[kind], before, block);
    return true;
}

void metrics_hold_block(struct metrics_family *family, struct metrics_block *block)
{
    family->held += block->holders++ == 0;
}

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
