/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that runs out on demand: a malloc of the program's own, which fails when it is told to,
 * and a base/memory/slab that makes each object an allocation, so that every single one of them can be the
 * one that fails (and so that AddressSanitizer sees objects used after they were given back). It
 * defines what it says: for one source file of a program. */
#ifndef TESTS_UNIT_PROCESS_SHORT_MEMORY_H
#define TESTS_UNIT_PROCESS_SHORT_MEMORY_H

#include "base/check.h"
#include "base/memory/slab.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* --- memory that can run out --------------------------------------------------------------- */

/* The allocator behind ours: that of the C library, or of AddressSanitizer. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *at, size_t size);
extern void *__interceptor_malloc(size_t size) __attribute__((weak));
extern void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
extern void *__interceptor_realloc(void *at, size_t size) __attribute__((weak));

static struct {
    atomic_bool on;
    atomic_uint every; /* each one of so many fails; 0: only the one below */
    atomic_uint only;
    atomic_uint count; /* since it was turned on */
    atomic_uint failed;
} shortage;

/* Threads of the test itself always have memory; so has a thread that only just starts. The
 * worker's is known by its use of slabs. */
static _Thread_local bool may_starve;

/* AddressSanitizer calls malloc before it is ready to check anything. */
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

UNCHECKED static bool runs_out(void)
{
    unsigned every;
    unsigned count;
    bool fails;

    if (!atomic_load(&shortage.on) || !may_starve) {
        return false;
    }
    every = atomic_load(&shortage.every);
    count = atomic_fetch_add(&shortage.count, 1);
    fails = every != 0 ? count % every == every - 1 : count == atomic_load(&shortage.only);
    atomic_fetch_add(&shortage.failed, fails);
    if (fails) {
        errno = ENOMEM;
    }
    return fails;
}

UNCHECKED void *malloc(size_t size)
{
    if (runs_out()) {
        return NULL;
    }
    return __interceptor_malloc != NULL ? __interceptor_malloc(size) : __libc_malloc(size);
}

UNCHECKED void *calloc(size_t count, size_t size)
{
    if (runs_out()) {
        return NULL;
    }
    return __interceptor_calloc != NULL ? __interceptor_calloc(count, size)
                                        : __libc_calloc(count, size);
}

UNCHECKED void *realloc(void *at, size_t size)
{
    if (runs_out()) {
        return NULL;
    }
    return __interceptor_realloc != NULL ? __interceptor_realloc(at, size)
                                         : __libc_realloc(at, size);
}

static void start_shortage(unsigned every, unsigned only)
{
    atomic_store(&shortage.every, every);
    atomic_store(&shortage.only, only);
    atomic_store(&shortage.count, 0);
    atomic_store(&shortage.failed, 0);
    atomic_store(&shortage.on, true);
}

static void end_shortage(void)
{
    atomic_store(&shortage.on, false);
}

/* --- base/memory/slab with an allocation for each object ------------------------------------------ */

struct slab_pool {
    size_t object_size;
    size_t zeros;
    size_t used;
};

struct slab_pool *slab_pool_new(size_t object_size)
{
    struct slab_pool *pool = calloc(1, sizeof(*pool));

    if (pool != NULL) {
        pool->object_size = object_size;
    }
    return pool;
}

void slab_pool_account(struct slab_pool *pool, struct slab_account *account)
{
    (void)pool;
    (void)account;
}

void slab_pool_keep_from_cores(struct slab_pool *pool)
{
    (void)pool;
}

void slab_pool_clear(struct slab_pool *pool, size_t zeros)
{
    pool->zeros = zeros;
}

void slab_pool_free(struct slab_pool **pool)
{
    if (*pool != NULL) {
        CHECK((*pool)->used == 0);
        free(*pool);
        *pool = NULL;
    }
}

void *slab_take(struct slab_pool *pool)
{
    void *object;

    may_starve = true;
    object = malloc(pool->object_size);
    if (object != NULL) {
        memset(object, 0xa5, pool->object_size); /* what its last user left */
        memset(object, 0, pool->zeros);
        pool->used++;
    }
    return object;
}

void slab_give(struct slab_pool *pool, void *object)
{
    CHECK(pool->used > 0);
    pool->used--;
    free(object);
}

void slab_pool_trim(struct slab_pool *pool)
{
    (void)pool;
}

size_t slab_pool_used(const struct slab_pool *pool)
{
    return pool->used;
}

size_t slab_pool_reserved(const struct slab_pool *pool)
{
    return pool->used * pool->object_size;
}

#endif
