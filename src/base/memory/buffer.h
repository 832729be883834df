/* SPDX-License-Identifier: BSD-2-Clause */
/* Buffers lent by a worker's pool, in three sizes, and a queue of them. A connection borrows
 * one only while bytes wait in it and gives it back when it is empty: idle connections
 * hold none. */
#ifndef BASE_MEMORY_BUFFER_H
#define BASE_MEMORY_BUFFER_H

#include "base/bytes.h"

#include <sys/uio.h>

enum buffer_size { BUFFER_TINY, BUFFER_SMALL, BUFFER_LARGE };
#define BUFFER_SIZE_COUNT 3

/* One cache line more than a power of two each: buffers that follow one another then differ in
 * their cache sets, so the heads of many connections do not push each other out. A large one is
 * what one system call moves; with a small one and the objects of an exchange beside it, a client who
 * does not read makes us hold less than 64 KiB. A tiny one is for what is kept of a request
 * (region.h). */
#define BUFFER_TINY_BYTES 512
#define BUFFER_SMALL_BYTES (4096 + 64)
#define BUFFER_LARGE_BYTES (52 * 1024 + 64)

struct buffer {
    struct buffer *next;
    uint32_t start;    /* first byte that holds something */
    uint32_t end;      /* one past the last one */
    uint32_t capacity; /* of bytes[] */
    enum buffer_size size;
    char bytes[];
};

struct buffer_pool; /* one a worker */

struct buffer_pool *buffer_pool_new(void);
void buffer_pool_free(struct buffer_pool **pool);
struct slab_account;
void buffer_pool_account(struct buffer_pool *pool,
                         struct slab_account *account); /* base/memory/slab.h */
void buffer_pool_trim(struct buffer_pool *pool);
size_t buffer_pool_lent(const struct buffer_pool *pool); /* bytes out */

struct buffer *buffer_borrow(struct buffer_pool *pool, enum buffer_size size); /* NULL: no memory */
void buffer_return(struct buffer_pool *pool, struct buffer **buffer);

/* Its memory; 0 for none. */
static inline size_t buffer_held(const struct buffer *buffer)
{
    return buffer == NULL ? 0 : sizeof(*buffer) + buffer->capacity;
}

static inline struct bytes buffer_content(const struct buffer *buffer)
{
    return (struct bytes){buffer->bytes + buffer->start, buffer->end - buffer->start};
}

static inline size_t buffer_length(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline size_t buffer_room(const struct buffer *buffer)
{
    return buffer->capacity - buffer->end;
}

static inline char *buffer_tail(struct buffer *buffer)
{
    return buffer->bytes + buffer->end;
}

/* Moves what is there to the front, so that all room is behind it. */
void buffer_compact(struct buffer *buffer);
/* Exchanges a small buffer for a large one with the same content. false: no memory. */
bool buffer_grow(struct buffer_pool *pool, struct buffer **buffer);
/* Exchanges a large buffer for a small one, if all that is still wanted fits: the content, and `taken`,
 * which lies before the content and moves along. No memory: it stays as it is. */
void buffer_shrink(struct buffer_pool *pool, struct buffer **buffer, struct bytes *taken);

struct buffer_queue {
    struct buffer *first;
    struct buffer *last;
    size_t length; /* bytes waiting */
};

/* Appends a copy; all or nothing. false: no memory. */
bool buffer_queue_add(struct buffer_pool *pool, struct buffer_queue *queue, struct bytes bytes);
/* The same, of what is known to wait: in no larger buffers than it needs. */
bool buffer_queue_add_to_wait(struct buffer_pool *pool, struct buffer_queue *queue,
                              struct bytes bytes);
/* Takes over a buffer that already has content; *buffer becomes NULL. */
void buffer_queue_take(struct buffer_queue *queue, struct buffer **buffer);
/* Memory of its buffers, full or not. */
size_t buffer_queue_held(const struct buffer_queue *queue);
/* Fills at most `most` entries; returns how many. */
int buffer_queue_vectors(const struct buffer_queue *queue, struct iovec *vectors, int most);
/* Removes `count` bytes at the front, returning emptied buffers. */
void buffer_queue_drop(struct buffer_pool *pool, struct buffer_queue *queue, size_t count);
void buffer_queue_clear(struct buffer_pool *pool, struct buffer_queue *queue);

/* --- regions ---------------------------------------------------------------------------------- */

/* Memory of one owner that is taken in pieces and given back all at once: an exchange keeps in one
 * what of its request has to outlive the call that brought it. Made of a worker's buffers, so that
 * it counts with them; a small one takes half a kilobyte. Zeroed: empty. */

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
