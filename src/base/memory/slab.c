/* SPDX-License-Identifier: BSD-2-Clause */
/* Slabs of a power-of-two size, aligned to it, so that an object finds its slab by masking.
 * A slab's list of free objects is an array of indexes in its own first bytes, never inside
 * the free objects: those pages stay untouched and can be dropped. */
#include "base/memory/slab.h"

#include "base/check.h"
#include "base/list.h"
#include "base/system/machine.h"
#include "base/system/sanitizer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#define GUARD 64 /* bytes behind each object that stay poisoned: a read beyond it is found */
#else            /* objects that are free cannot be told from others then */
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define GUARD 0
#endif

#define SLAB_SMALL (64u * 1024)
#define SLAB_LARGE (1024u * 1024)
#define SMALL_OBJECT 2048
#define ALIGNMENT 16
#define PAGE 4096 /* objects of whole pages are aligned to pages */
#define WORTH_FORGETTING (16u * 1024)
#define SPARES 32
#define BURST 4 /* so many times what was needed since the last trim was needed once */

struct slab {
    struct link link; /* in pool->open while an object is free, in pool->full otherwise */
    struct slab_pool *pool;
    uint32_t used;
    uint32_t fresh;   /* objects never taken yet start at this index */
    uint32_t touched; /* most of them that ever were taken at once, and so have pages */
    uint32_t free_count;
    uint16_t free_index[];
};

struct slab_pool {
    struct link open;
    struct link full;
    size_t object_size;
    size_t slab_size;
    size_t first_offset;
    uint32_t objects_per_slab;
    uint32_t slab_count;
    uint32_t empty_count;
    size_t zeros;    /* not known to the compiler, which would clear a kilobyte in a slower way */
    size_t out;      /* of their slabs: in use, or a spare */
    size_t out_peak; /* since the last trim */
    struct slab_account *account;
    bool keeps_from_cores;
    uint32_t spare_count;
    void *spares[SPARES]; /* given back, and not yet to their slabs: most are taken again soon */
};

static void lay_out(struct slab_pool *pool)
{
    size_t count = (pool->slab_size - sizeof(struct slab)) / (pool->object_size + sizeof(uint16_t));
    size_t alignment = pool->object_size % PAGE == 0 ? PAGE : ALIGNMENT;
    size_t head;

    for (;;) {
        head = sizeof(struct slab) + count * sizeof(uint16_t);
        head = (head + alignment - 1) / alignment * alignment;
        if (head + count * pool->object_size <= pool->slab_size) {
            break;
        }
        count--;
    }
    pool->first_offset = head;
    pool->objects_per_slab = (uint32_t)count;
}

struct slab_pool *slab_pool_new(size_t object_size)
{
    struct slab_pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL) {
        return NULL;
    }
    pool->object_size = (object_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + GUARD;
    pool->slab_size = object_size > SMALL_OBJECT ? SLAB_LARGE : SLAB_SMALL;
    list_init(&pool->open);
    list_init(&pool->full);
    lay_out(pool);
    CHECK(pool->objects_per_slab >= 2);
    return pool;
}

/* mmap aligns to pages only: ask for twice as much and return what sticks out. */
static void *map_aligned(size_t size)
{
    char *area = mmap(NULL, size * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t start;
    size_t before;

    if (area == MAP_FAILED) {
        return NULL;
    }
    start = ((uintptr_t)area + size - 1) / size * size;
    before = start - (uintptr_t)area;
    if (before > 0) {
        munmap(area, before);
    }
    munmap((char *)start + size, size - before);
    return (void *)start;
}

void slab_pool_account(struct slab_pool *pool, struct slab_account *account)
{
    CHECK(pool->slab_count == 0);
    pool->account = account;
}

void slab_pool_keep_from_cores(struct slab_pool *pool)
{
    CHECK(pool->slab_count == 0);
    pool->keeps_from_cores = true;
}

void slab_pool_clear(struct slab_pool *pool, size_t zeros)
{
    CHECK(zeros <= pool->object_size);
    pool->zeros = zeros;
}

/* false: beyond the ceiling. */
static bool enter_account(struct slab_pool *pool)
{
    struct slab_account *account = pool->account;
    uint64_t ceiling;
    uint64_t before;

    if (account == NULL) {
        return true;
    }
    ceiling = atomic_load_explicit(&account->ceiling, memory_order_relaxed);
    before = atomic_fetch_add_explicit(&account->reserved, pool->slab_size, memory_order_relaxed);
    if (ceiling == 0 || before + pool->slab_size <= ceiling) {
        return true;
    }
    atomic_fetch_sub_explicit(&account->reserved, pool->slab_size, memory_order_relaxed);
    return false;
}

static void leave_account(struct slab_pool *pool)
{
    if (pool->account != NULL) {
        atomic_fetch_sub_explicit(&pool->account->reserved, pool->slab_size, memory_order_relaxed);
    }
}

static struct slab *slab_new(struct slab_pool *pool)
{
    struct slab *slab;

    if (!enter_account(pool)) {
        return NULL;
    }
    slab = map_aligned(pool->slab_size);
    if (slab == NULL) {
        leave_account(pool);
        return NULL;
    }
    if (pool->keeps_from_cores) {
        machine_keep_from_cores(slab, pool->slab_size);
    }
    ASAN_POISON_MEMORY_REGION((char *)slab + pool->first_offset,
                              pool->slab_size - pool->first_offset);
    slab->pool = pool;
    list_add_first(&pool->open, &slab->link);
    pool->slab_count++;
    pool->empty_count++;
    return slab;
}

static void slab_free(struct slab *slab)
{
    struct slab_pool *pool = slab->pool;

    list_remove(&slab->link);
    pool->slab_count--;
    pool->empty_count--;
    leave_account(pool);
    ASAN_UNPOISON_MEMORY_REGION(slab, pool->slab_size);
    munmap(slab, pool->slab_size);
}

static struct slab *slab_of(const struct slab_pool *pool, const void *object)
{
    return (struct slab *)((uintptr_t)object & ~(uintptr_t)(pool->slab_size - 1));
}

/* Kept apart: it would cost the short way registers to save. */
static __attribute__((noinline)) void *take_from_slab(struct slab_pool *pool)
{
    struct link *link = list_first(&pool->open);
    struct slab *slab = link != NULL ? CONTAINER_OF(link, struct slab, link) : slab_new(pool);
    uint32_t index;

    if (slab == NULL) {
        return NULL;
    }
    if (++pool->out > pool->out_peak) {
        pool->out_peak = pool->out;
    }
    index = slab->free_count > 0 ? slab->free_index[--slab->free_count] : slab->fresh++;
    if (slab->used++ == 0) {
        pool->empty_count--;
    }
    if (slab->used == pool->objects_per_slab) {
        list_remove(&slab->link);
        list_add_first(&pool->full, &slab->link);
    }
    return (char *)slab + pool->first_offset + (size_t)index * pool->object_size;
}

static void give_to_slab(struct slab_pool *pool, void *object)
{
    struct slab *slab = slab_of(pool, object);
    size_t offset = (size_t)((char *)object - (char *)slab) - pool->first_offset;

    pool->out--;
    if (slab->used == pool->objects_per_slab) {
        list_remove(&slab->link);
        list_add_first(&pool->open, &slab->link);
    }
    slab->free_index[slab->free_count++] = (uint16_t)(offset / pool->object_size);
    if (--slab->used == 0) {
        pool->empty_count++;
        /* Emptied slabs go to the back, so that the others fill up first. */
        list_remove(&slab->link);
        list_add_last(&pool->open, &slab->link);
        if (slab->fresh > slab->touched) {
            slab->touched = slab->fresh;
        }
        slab->free_count = 0;
        slab->fresh = 0;
    }
}

/* In the order in which they came, so that the one given back last is still taken first. */
static void give_spares_to_slabs(struct slab_pool *pool)
{
    for (uint32_t i = 0; i < pool->spare_count; i++) {
        give_to_slab(pool, pool->spares[i]);
    }
    pool->spare_count = 0;
}

void slab_pool_free(struct slab_pool **pool)
{
    struct link *link;

    if (*pool == NULL) {
        return;
    }
    give_spares_to_slabs(*pool);
    CHECK((*pool)->out == 0);
    while ((link = list_first(&(*pool)->open)) != NULL) {
        slab_free(CONTAINER_OF(link, struct slab, link));
    }
    free(*pool);
    *pool = NULL;
}

void *slab_take(struct slab_pool *pool)
{
    void *object = pool->spare_count > 0 ? pool->spares[--pool->spare_count] : take_from_slab(pool);

    if (object == NULL) {
        return NULL;
    }
    ASAN_UNPOISON_MEMORY_REGION(object, pool->object_size - GUARD);
    return pool->zeros == 0 ? object : memset(object, 0, pool->zeros);
}

void slab_give(struct slab_pool *pool, void *object)
{
    CHECK(slab_of(pool, object)->pool == pool);
    ASAN_POISON_MEMORY_REGION(object, pool->object_size);
    if (pool->spare_count < SPARES) {
        pool->spares[pool->spare_count++] = object;
    } else {
        give_to_slab(pool, object);
    }
}

/* A spare slab stays, but not the pages that only a burst has touched: it starts anew. */
static void forget_pages(struct slab *slab)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)slab + slab->pool->first_offset + page - 1) / page * page;

    slab->touched = 0;
    madvise((void *)from, (uintptr_t)slab + slab->pool->slab_size - from, MADV_DONTNEED);
}

void slab_pool_trim(struct slab_pool *pool)
{
    uint32_t per_slab = pool->objects_per_slab;
    size_t wanted = (pool->out_peak + per_slab - 1) / per_slab + 1;
    struct link *link;

    give_spares_to_slabs(pool);
    link = pool->open.previous;
    while (pool->slab_count > wanted && pool->empty_count > 0 && link != &pool->open) {
        struct slab *slab = CONTAINER_OF(link, struct slab, link);

        link = link->previous;
        if (slab->used == 0) {
            slab_free(slab);
        }
    }
    for (link = pool->open.next; link != &pool->open; link = link->next) {
        struct slab *slab = CONTAINER_OF(link, struct slab, link);

        if (slab->used == 0 && slab->touched > BURST * pool->out_peak &&
            slab->touched * pool->object_size > WORTH_FORGETTING) {
            forget_pages(slab);
        }
    }
    pool->out_peak = pool->out;
}

size_t slab_pool_used(const struct slab_pool *pool)
{
    return pool->out - pool->spare_count;
}

size_t slab_pool_reserved(const struct slab_pool *pool)
{
    return pool->slab_count * pool->slab_size;
}
