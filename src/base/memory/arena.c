/* SPDX-License-Identifier: BSD-2-Clause */
/* An arena as a list of zeroed blocks, each twice the size of the one before up to a bound.
 * Used by config/ while loading; freed with the snapshot. Not for two threads at once. */
#include "base/memory/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGNMENT _Alignof(max_align_t)
#define FIRST_BLOCK (8u * 1024)
#define LARGEST_BLOCK (256u * 1024)
#define LARGEST_REQUEST ((size_t)1 << 30)

struct block {
    struct block *next;
    size_t used;
    size_t size; /* of bytes */
    _Alignas(ALIGNMENT) char bytes[];
};

struct arena {
    struct block *newest;
    size_t next_size;
    bool failed;
};

struct arena *arena_new(void)
{
    struct arena *arena = calloc(1, sizeof(*arena));

    if (arena != NULL) {
        arena->next_size = FIRST_BLOCK;
    }
    return arena;
}

void arena_free(struct arena **arena)
{
    struct block *block;

    if (*arena == NULL) {
        return;
    }
    block = (*arena)->newest;
    while (block != NULL) {
        struct block *next = block->next;

        free(block);
        block = next;
    }
    free(*arena);
    *arena = NULL;
}

static struct block *add_block(struct arena *arena, size_t least)
{
    size_t size = least > arena->next_size ? least : arena->next_size;
    struct block *block = calloc(1, sizeof(*block) + size);

    if (block == NULL) {
        return NULL;
    }
    block->size = size;
    block->next = arena->newest;
    arena->newest = block;
    if (arena->next_size < LARGEST_BLOCK) {
        arena->next_size *= 2;
    }
    return block;
}

void *arena_take(struct arena *arena, size_t size)
{
    struct block *block = arena->newest;
    size_t rounded;
    void *taken;

    if (size > LARGEST_REQUEST) {
        arena->failed = true;
        return NULL;
    }
    rounded = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (block == NULL || block->size - block->used < rounded) {
        block = add_block(arena, rounded);
        if (block == NULL) {
            arena->failed = true;
            return NULL;
        }
    }
    taken = block->bytes + block->used;
    block->used += rounded;
    return taken;
}

char *arena_copy(struct arena *arena, struct bytes bytes)
{
    char *copy = arena_take(arena, bytes.length + 1);

    if (copy != NULL && bytes.length > 0) {
        memcpy(copy, bytes.at, bytes.length);
    }
    return copy;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0) {
        text = arena_take(arena, (size_t)length + 1);
    } else {
        arena->failed = true;
    }
    if (text != NULL) {
        va_start(arguments, format);
        vsnprintf(text, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    return text;
}

bool arena_failed(const struct arena *arena)
{
    return arena->failed;
}
