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

void metrics_free_blocks(struct metrics_block *block)
{
    while (block != NULL) {
        struct metrics_block *next = atomic_load_explicit(&block->next, memory_order_relaxed);

        free(block->name);
        free(atomic_load_explicit(&block->codes, memory_order_relaxed));
        free(block);
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

/* `before` it in the list; NULL: it is the first. Nobody reads. */
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
    free(atomic_load_explicit(&block->codes, memory_order_relaxed));
    free(block);
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
