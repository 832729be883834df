/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool of slabs a size, by a half and by a third in turn: 32, 48, 64, 96, ... bytes, so that no
 * piece wastes more than a third. */
#include "base/memory/pieces.h"

#include "base/memory/slab.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_SHIFT 5 /* 32 bytes */
#define SIZES 11      /* up to 1,024 bytes */

/* What stands before each piece. */
union head {
    size_t held; /* bytes, these included; and FROM_MALLOC */
    uint64_t aligned;
};

/* Of a size that slabs are for, which had none left. */
#define FROM_MALLOC ((size_t)1 << 63)

struct piece_pool {
    struct slab_pool *slabs[SIZES];
};

static size_t size_of(unsigned which)
{
    size_t power = (size_t)1 << (LEAST_SHIFT + which / 2);

    return which % 2 == 0 ? power : power + power / 2;
}

/* The smallest size of so many bytes or more; SIZES or more: none is. */
static unsigned which_for(size_t held)
{
    size_t last = held - 1;
    unsigned power;

    if (held <= (size_t)1 << LEAST_SHIFT) {
        return 0;
    }
    power = 63 - (unsigned)__builtin_clzll(last);
    return 2 * (power - LEAST_SHIFT) + 1 + (unsigned)(last >> (power - 1) & 1);
}

struct piece_pool *piece_pool_new(void)
{
    struct piece_pool *pool = calloc(1, sizeof(*pool));

    for (unsigned i = 0; pool != NULL && i < SIZES; i++) {
        pool->slabs[i] = slab_pool_new(size_of(i));
        if (pool->slabs[i] == NULL) {
            piece_pool_free(&pool);
        } else {
            slab_pool_keep_from_cores(pool->slabs[i]);
        }
    }
    return pool;
}

void piece_pool_account(struct piece_pool *pool, struct slab_account *account)
{
    for (unsigned i = 0; i < SIZES; i++) {
        slab_pool_account(pool->slabs[i], account);
    }
}

void piece_pool_trim(struct piece_pool *pool)
{
    for (unsigned i = 0; i < SIZES; i++) {
        slab_pool_trim(pool->slabs[i]);
    }
}

void piece_pool_free(struct piece_pool **pool)
{
    if (*pool == NULL) {
        return;
    }
    for (unsigned i = 0; i < SIZES && (*pool)->slabs[i] != NULL; i++) {
        slab_pool_free(&(*pool)->slabs[i]);
    }
    free(*pool);
    *pool = NULL;
}

static struct slab_pool *slabs_for(const struct piece_pool *pool, size_t held)
{
    unsigned which = pool != NULL ? which_for(held) : SIZES;

    return which < SIZES ? pool->slabs[which] : NULL;
}

/* NULL: from malloc. */
static struct slab_pool *slabs_of(const struct piece_pool *pool, const union head *head)
{
    return (head->held & FROM_MALLOC) != 0 ? NULL : slabs_for(pool, head->held);
}

void *piece_take(struct piece_pool *pool, size_t size)
{
    size_t held = size + sizeof(union head);
    struct slab_pool *slabs;
    union head *head = NULL;

    if (held < size) {
        return NULL;
    }
    slabs = slabs_for(pool, held);
    if (slabs != NULL) {
        head = slab_take(slabs);
    }
    if (head != NULL) {
        head->held = held;
        return head + 1;
    }
    head = malloc(held);
    if (head == NULL) {
        return NULL;
    }
    head->held = slabs != NULL ? held | FROM_MALLOC : held;
    return head + 1;
}

void piece_give(struct piece_pool *pool, void *piece)
{
    struct slab_pool *slabs;

    if (piece == NULL) {
        return;
    }
    slabs = slabs_of(pool, (const union head *)piece - 1);
    if (slabs != NULL) {
        slab_give(slabs, (union head *)piece - 1);
    } else {
        free((union head *)piece - 1);
    }
}

static void *move(struct piece_pool *pool, void *piece, size_t size)
{
    size_t before = piece_held(piece) - sizeof(union head);
    void *moved = piece_take(pool, size);

    if (moved != NULL) {
        memcpy(moved, piece, before < size ? before : size);
        piece_give(pool, piece);
    }
    return moved;
}

void *piece_resize(struct piece_pool *pool, void *piece, size_t size)
{
    union head *head = (union head *)piece - 1;
    size_t held = size + sizeof(*head);
    struct slab_pool *slabs;

    if (held < size) {
        return NULL;
    }
    slabs = slabs_for(pool, held);
    if (slabs != slabs_of(pool, head)) {
        return move(pool, piece, size);
    }
    if (slabs == NULL) {
        head = realloc(head, held);
        if (head == NULL) {
            return NULL;
        }
    }
    head->held = held;
    return head + 1;
}

size_t piece_held(const void *piece)
{
    return piece != NULL ? ((const union head *)piece - 1)->held & ~FROM_MALLOC : 0;
}
