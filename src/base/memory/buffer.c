/* SPDX-License-Identifier: BSD-2-Clause */
/* The slabs behind a worker's buffers, and the queue operations. */
#include "base/memory/buffer.h"

#include "base/check.h"
#include "base/memory/slab.h"

#include <stdlib.h>

struct buffer_pool {
    struct slab_pool *slabs[BUFFER_SIZE_COUNT];
};

/* What waits in a queue may wait for long: several small buffers then, rather than one large one that
 * is half empty. */
#define LARGE_WORTH_BYTES 24576

static const size_t sizes[BUFFER_SIZE_COUNT] = {BUFFER_TINY_BYTES, BUFFER_SMALL_BYTES,
                                                BUFFER_LARGE_BYTES};

struct buffer_pool *buffer_pool_new(void)
{
    struct buffer_pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL) {
        return NULL;
    }
    for (int size = 0; size < BUFFER_SIZE_COUNT; size++) {
        pool->slabs[size] = slab_pool_new(sizes[size]);
        if (pool->slabs[size] == NULL) {
            buffer_pool_free(&pool);
            return NULL;
        }
        slab_pool_keep_from_cores(pool->slabs[size]);
    }
    return pool;
}

void buffer_pool_free(struct buffer_pool **pool)
{
    if (*pool == NULL) {
        return;
    }
    for (int size = 0; size < BUFFER_SIZE_COUNT; size++) {
        slab_pool_free(&(*pool)->slabs[size]);
    }
    free(*pool);
    *pool = NULL;
}

void buffer_pool_account(struct buffer_pool *pool, struct slab_account *account)
{
    for (int size = 0; size < BUFFER_SIZE_COUNT; size++) {
        slab_pool_account(pool->slabs[size], account);
    }
}

void buffer_pool_trim(struct buffer_pool *pool)
{
    for (int size = 0; size < BUFFER_SIZE_COUNT; size++) {
        slab_pool_trim(pool->slabs[size]);
    }
}

size_t buffer_pool_lent(const struct buffer_pool *pool)
{
    size_t lent = 0;

    for (int size = 0; size < BUFFER_SIZE_COUNT; size++) {
        lent += slab_pool_used(pool->slabs[size]) * sizes[size];
    }
    return lent;
}

struct buffer *buffer_borrow(struct buffer_pool *pool, enum buffer_size size)
{
    struct buffer *buffer = slab_take(pool->slabs[size]);

    if (buffer == NULL) {
        return NULL;
    }
    buffer->next = NULL;
    buffer->start = 0;
    buffer->end = 0;
    buffer->capacity = (uint32_t)(sizes[size] - sizeof(*buffer));
    buffer->size = size;
    return buffer;
}

void buffer_return(struct buffer_pool *pool, struct buffer **buffer)
{
    if (*buffer != NULL) {
        slab_give(pool->slabs[(*buffer)->size], *buffer);
        *buffer = NULL;
    }
}

void buffer_compact(struct buffer *buffer)
{
    size_t length = buffer_length(buffer);

    if (buffer->start > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, length);
        buffer->start = 0;
        buffer->end = (uint32_t)length;
    }
}

static void fill(struct buffer *buffer, struct bytes bytes)
{
    if (bytes.length > 0) {
        memcpy(buffer_tail(buffer), bytes.at, bytes.length);
        buffer->end += (uint32_t)bytes.length;
    }
}

bool buffer_grow(struct buffer_pool *pool, struct buffer **buffer)
{
    struct buffer *larger;
    struct bytes content = buffer_content(*buffer);

    CHECK((*buffer)->size == BUFFER_SMALL);
    larger = buffer_borrow(pool, BUFFER_LARGE);
    if (larger == NULL) {
        return false;
    }
    fill(larger, content);
    buffer_return(pool, buffer);
    *buffer = larger;
    return true;
}

void buffer_shrink(struct buffer_pool *pool, struct buffer **buffer, struct bytes *taken)
{
    struct buffer *smaller;

    if ((*buffer)->size == BUFFER_SMALL ||
        taken->length + buffer_length(*buffer) > sizes[BUFFER_SMALL] - sizeof(*smaller)) {
        return;
    }
    smaller = buffer_borrow(pool, BUFFER_SMALL);
    if (smaller == NULL) {
        return;
    }
    fill(smaller, *taken);
    smaller->start = smaller->end;
    fill(smaller, buffer_content(*buffer));
    taken->at = smaller->bytes;
    buffer_return(pool, buffer);
    *buffer = smaller;
}

void buffer_queue_take(struct buffer_queue *queue, struct buffer **buffer)
{
    (*buffer)->next = NULL;
    if (queue->last != NULL) {
        queue->last->next = *buffer;
    } else {
        queue->first = *buffer;
    }
    queue->last = *buffer;
    queue->length += buffer_length(*buffer);
    *buffer = NULL;
}

static size_t append_to_last(struct buffer_queue *queue, struct bytes bytes)
{
    size_t room = queue->last != NULL ? buffer_room(queue->last) : 0;
    size_t count = bytes.length < room ? bytes.length : room;

    if (count > 0) {
        memcpy(buffer_tail(queue->last), bytes.at, count);
        queue->last->end += (uint32_t)count;
        queue->length += count;
    }
    return count;
}

/* Borrows first, so that running out of memory leaves the queue as it was. */
static bool add(struct buffer_pool *pool, struct buffer_queue *queue, struct bytes bytes,
                size_t worth_large)
{
    size_t room = queue->last != NULL ? buffer_room(queue->last) : 0;
    struct buffer_queue more = {0};
    size_t planned = room;

    if (bytes.length == 0) {
        return true; /* maybe with no address either */
    }
    while (planned < bytes.length) {
        size_t left = bytes.length - planned;
        struct buffer *buffer =
            buffer_borrow(pool, left > worth_large ? BUFFER_LARGE : BUFFER_SMALL);

        if (buffer == NULL) {
            buffer_queue_clear(pool, &more);
            return false;
        }
        planned += buffer->capacity;
        buffer_queue_take(&more, &buffer);
    }
    bytes = bytes_skip(bytes, append_to_last(queue, bytes));
    while (bytes.length > 0) {
        struct buffer *buffer = more.first;

        more.first = buffer->next;
        buffer_queue_take(queue, &buffer);
        bytes = bytes_skip(bytes, append_to_last(queue, bytes));
    }
    return true;
}

bool buffer_queue_add(struct buffer_pool *pool, struct buffer_queue *queue, struct bytes bytes)
{
    return add(pool, queue, bytes, LARGE_WORTH_BYTES);
}

bool buffer_queue_add_to_wait(struct buffer_pool *pool, struct buffer_queue *queue,
                              struct bytes bytes)
{
    return add(pool, queue, bytes, SIZE_MAX);
}

size_t buffer_queue_held(const struct buffer_queue *queue)
{
    size_t held = 0;

    for (const struct buffer *buffer = queue->first; buffer != NULL; buffer = buffer->next) {
        held += sizes[buffer->size];
    }
    return held;
}

int buffer_queue_vectors(const struct buffer_queue *queue, struct iovec *vectors, int most)
{
    int count = 0;

    for (struct buffer *buffer = queue->first; buffer != NULL && count < most;
         buffer = buffer->next) {
        vectors[count].iov_base = buffer->bytes + buffer->start;
        vectors[count].iov_len = buffer_length(buffer);
        count++;
    }
    return count;
}

void buffer_queue_drop(struct buffer_pool *pool, struct buffer_queue *queue, size_t count)
{
    CHECK(count <= queue->length);
    queue->length -= count;
    while (queue->first != NULL) {
        struct buffer *buffer = queue->first;
        size_t length = buffer_length(buffer);

        if (count < length) {
            buffer->start += (uint32_t)count;
            return;
        }
        count -= length;
        queue->first = buffer->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
        buffer_return(pool, &buffer);
    }
}

void buffer_queue_clear(struct buffer_pool *pool, struct buffer_queue *queue)
{
    buffer_queue_drop(pool, queue, queue->length);
}

/* --- regions ------------------------------------------------------------------------------ */

/* The first buffer is cut into pieces from its start, those behind it are full, or were handed over. */
#define PIECE_ALIGNMENT 8

_Static_assert(sizeof(struct buffer) % PIECE_ALIGNMENT == 0, "the first piece is aligned");

static enum buffer_size size_for(size_t size)
{
    if (size <= BUFFER_TINY_BYTES - sizeof(struct buffer)) {
        return BUFFER_TINY;
    }
    return size <= BUFFER_SMALL_BYTES - sizeof(struct buffer) ? BUFFER_SMALL : BUFFER_LARGE;
}

void *region_take(struct region *region, struct buffer_pool *pool, size_t size)
{
    struct buffer *buffer = region->first;
    char *piece;

    size = (size + PIECE_ALIGNMENT - 1) / PIECE_ALIGNMENT * PIECE_ALIGNMENT;
    if (size > REGION_PIECE_MOST) {
        return NULL;
    }
    if (buffer == NULL || buffer_room(buffer) < size) {
        buffer = buffer_borrow(pool, size_for(size));
        if (buffer == NULL) {
            return NULL;
        }
        buffer->next = region->first;
        region->first = buffer;
    }
    piece = buffer_tail(buffer);
    buffer->end += (uint32_t)size;
    return piece;
}

/* Behind the first, and closed to further pieces. */
void region_take_over(struct region *region, struct buffer **buffer)
{
    struct buffer *taken = *buffer;

    *buffer = NULL;
    taken->end = taken->capacity;
    if (region->first == NULL) {
        taken->next = NULL;
        region->first = taken;
    } else {
        taken->next = region->first->next;
        region->first->next = taken;
    }
}

size_t region_held(const struct region *region)
{
    size_t held = 0;

    for (const struct buffer *buffer = region->first; buffer != NULL; buffer = buffer->next) {
        held += buffer_held(buffer);
    }
    return held;
}

void region_release(struct region *region, struct buffer_pool *pool)
{
    struct buffer *buffer;

    while ((buffer = region->first) != NULL) {
        region->first = buffer->next;
        buffer_return(pool, &buffer);
    }
}
