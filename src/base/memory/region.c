/* SPDX-License-Identifier: BSD-2-Clause */
/* A chain of buffers: the first is cut into pieces from its start, those behind it are full, or
 * were handed over. */
#include "base/memory/region.h"

#define ALIGNMENT 8

_Static_assert(sizeof(struct buffer) % ALIGNMENT == 0, "the first piece is aligned");

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

    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
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
