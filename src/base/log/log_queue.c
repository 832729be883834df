/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of slots for many producers and one reader; log_queue.h tells how they share it. */
#include "base/log/log_queue.h"

#include <string.h>

static struct log_slot *slot_of(struct log_queue *queue, uint64_t position)
{
    return &queue->slots[position & (LOG_QUEUE_LINES - 1)];
}

void log_queue_init(struct log_queue *queue)
{
    atomic_init(&queue->next, 0);
    atomic_init(&queue->taken, 0);
    atomic_init(&queue->dropped, 0);
    for (uint64_t i = 0; i < LOG_QUEUE_LINES; i++) {
        atomic_init(&queue->slots[i].turn, i);
    }
}

/* The slot of the next position, which is this producer's alone from now on; NULL: full. */
static struct log_slot *claim(struct log_queue *queue, uint64_t *position)
{
    *position = atomic_load_explicit(&queue->next, memory_order_relaxed);
    for (;;) {
        struct log_slot *slot = slot_of(queue, *position);
        uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);

        if (turn < *position) {
            return NULL;
        }
        if (turn > *position) {
            *position = atomic_load_explicit(&queue->next, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&queue->next, position, *position + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            return slot;
        }
    }
}

bool log_queue_put(struct log_queue *queue, struct bytes line)
{
    uint64_t position;
    struct log_slot *slot = claim(queue, &position);

    if (slot == NULL) {
        atomic_fetch_add_explicit(&queue->dropped, 1, memory_order_relaxed);
        return false;
    }
    slot->length = (uint32_t)(line.length < LOG_LINE_MAX ? line.length : LOG_LINE_MAX);
    memcpy(slot->text, line.at, slot->length);
    atomic_store_explicit(&slot->turn, position + 1, memory_order_release);
    return true;
}

struct bytes log_queue_first(struct log_queue *queue)
{
    uint64_t position = atomic_load_explicit(&queue->taken, memory_order_relaxed);
    struct log_slot *slot = slot_of(queue, position);

    if (atomic_load_explicit(&slot->turn, memory_order_acquire) != position + 1) {
        return (struct bytes){NULL, 0};
    }
    return (struct bytes){slot->text, slot->length};
}

void log_queue_take(struct log_queue *queue)
{
    uint64_t position = atomic_load_explicit(&queue->taken, memory_order_relaxed);

    atomic_store_explicit(&slot_of(queue, position)->turn, position + LOG_QUEUE_LINES,
                          memory_order_release);
    atomic_store_explicit(&queue->taken, position + 1, memory_order_release);
}

bool log_queue_is_empty(struct log_queue *queue)
{
    return atomic_load_explicit(&queue->taken, memory_order_acquire) ==
           atomic_load_explicit(&queue->next, memory_order_acquire);
}
