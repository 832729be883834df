/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of one size for one worker: taken and given back in a few instructions, the one
 * given back last is taken first (it is still in the cache), and whole slabs go back to the
 * kernel when all their objects are free, so that a burst leaves no memory behind. */
#ifndef BASE_MEMORY_SLAB_H
#define BASE_MEMORY_SLAB_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* What all pools together have had from the kernel, and may have; shared by all threads, touched
 * only when a slab comes or goes. Zeroed at first. */
struct slab_account {
    _Atomic uint64_t reserved;
    _Atomic uint64_t ceiling; /* 0: none */
};

struct slab_pool;

/* NULL: out of memory. Objects are aligned to 16 bytes, to 4 KiB where their size is a multiple of
 * that, and hold what their last user left. */
struct slab_pool *slab_pool_new(size_t object_size);
/* From now on its slabs count there, and none comes beyond the ceiling. Before the first object
 * is taken; NULL: nowhere. */
void slab_pool_account(struct slab_pool *pool, struct slab_account *account);
/* Its slabs, which hold what others sent, stay out of a core file, where the system can leave memory out
 * (Linux). Before the first object is taken. */
void slab_pool_keep_from_cores(struct slab_pool *pool);
/* From now on objects come with so many zeros at their start. */
void slab_pool_clear(struct slab_pool *pool, size_t zeros);
/* All objects must have been given back. */
void slab_pool_free(struct slab_pool **pool);

void *slab_take(struct slab_pool *pool); /* NULL: out of memory */
void slab_give(struct slab_pool *pool, void *object);

/* Gives empty slabs back to the kernel, all but as many as the last interval needed at its
 * busiest. To be called every few seconds. */
void slab_pool_trim(struct slab_pool *pool);

size_t slab_pool_used(const struct slab_pool *pool);     /* objects out */
size_t slab_pool_reserved(const struct slab_pool *pool); /* bytes had from the kernel */

#endif
