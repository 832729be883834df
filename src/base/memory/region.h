/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of one owner that is taken in pieces and given back all at once: an exchange keeps in one
 * what of its request has to outlive the call that brought it. Made of a worker's buffers, so that
 * it counts with them; a small one takes half a kilobyte. Zeroed: empty. */
#ifndef BASE_MEMORY_REGION_H
#define BASE_MEMORY_REGION_H

#include "base/memory/buffer.h"

/* The largest piece. */
#define REGION_PIECE_MOST (BUFFER_LARGE_BYTES - sizeof(struct buffer))

struct region {
    struct buffer *first; /* pieces are cut from this one; NULL: none */
};

/* Aligned for pointers and numbers; holds what was there before. NULL: no memory, or more than the
 * largest piece. */
void *region_take(struct region *region, struct buffer_pool *pool, size_t size);
/* A buffer of which others have pointers goes with the region from now on; *buffer becomes NULL. */
void region_take_over(struct region *region, struct buffer **buffer);
/* All of it, as counted by its buffers. */
size_t region_held(const struct region *region);
void region_release(struct region *region, struct buffer_pool *pool);

#endif
