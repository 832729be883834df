/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring of one worker; access_ring.h tells how the two sides share it. */
#include "observe/access_ring.h"

#include "base/check.h"

#include <stdlib.h>
#include <sys/mman.h>

#define SIZE ((uint64_t)ACCESS_RING_BYTES)
#define MAPPED_BYTES (ACCESS_RING_BYTES + ACCESS_LINE_MAX)
#define NOWHERE UINT64_MAX

_Static_assert((SIZE & (SIZE - 1)) == 0, "offsets are positions with their high bits off");

static size_t offset_of(uint64_t position)
{
    return (size_t)(position & (SIZE - 1));
}

static uint64_t next_beginning(uint64_t position)
{
    return (position + SIZE - 1) & ~(SIZE - 1);
}

bool access_ring_init(struct access_log_ring *ring, _Atomic uint32_t *wakeup)
{
    void *memory = mmap(NULL, MAPPED_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        return false;
    }
    memset(ring, 0, sizeof(*ring));
    ring->worker_only.memory = calloc(1, sizeof(*ring->worker_only.memory));
    if (ring->worker_only.memory == NULL) {
        munmap(memory, MAPPED_BYTES);
        return false;
    }
    ring->bytes = memory;
    ring->wakeup = wakeup;
    ring->worker_only.asked_at_tail = NOWHERE;
    atomic_init(&ring->jump_from, NOWHERE);
    return true;
}

void access_ring_release(struct access_log_ring *ring)
{
    if (ring->bytes != NULL) {
        munmap(ring->bytes, MAPPED_BYTES);
        free(ring->worker_only.memory);
        ring->bytes = NULL;
    }
}

/* --- the worker's side ------------------------------------------------------------------- */

/* The writer's own tail lags behind a jump until the next line comes. */
static void check_at_tail(struct access_log_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    if (tail > ring->worker_only.tail_seen) {
        ring->worker_only.tail_seen = tail;
    }
}

static uint64_t used_bytes(const struct access_log_ring *ring)
{
    return ring->worker_only.head - ring->worker_only.tail_seen;
}

/* A writer that was kept waiting once would otherwise leave the ring's pages behind for good, a few
 * more each time. Neither side has anything in them now, and this one puts the next line there. */
static void forget_burst(struct access_log_ring *ring, size_t stays)
{
    madvise(ring->bytes + stays, MAPPED_BYTES - stays, MADV_DONTNEED);
}

/* The writer has taken everything up to `head`, so nothing lies between it and the next
 * beginning. Only one jump can be on its way: the next one needs an empty ring again. */
static void start_over_if_empty(struct access_log_ring *ring, size_t stays)
{
    uint64_t head = ring->worker_only.head;

    check_at_tail(ring);
    if (ring->worker_only.tail_seen == head) {
        forget_burst(ring, stays);
        atomic_store_explicit(&ring->jump_from, head, memory_order_relaxed);
        ring->worker_only.head = next_beginning(head);
        ring->worker_only.tail_seen = ring->worker_only.head;
    }
}

static void count_dropped(struct access_log_ring *ring)
{
    uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);

    atomic_store_explicit(&ring->dropped, dropped + 1, memory_order_relaxed);
}

bool access_ring_begin(struct access_log_ring *ring, struct text *line)
{
    if (offset_of(ring->worker_only.head) >= ACCESS_RING_WARM_BYTES) {
        start_over_if_empty(ring, ACCESS_RING_WARM_BYTES);
    }
    if (SIZE - used_bytes(ring) < ACCESS_LINE_MAX) {
        check_at_tail(ring);
        if (SIZE - used_bytes(ring) < ACCESS_LINE_MAX) {
            count_dropped(ring);
            return false;
        }
    }
    *line = text_over(ring->bytes + offset_of(ring->worker_only.head), ACCESS_LINE_MAX);
    return true;
}

void access_ring_rest(struct access_log_ring *ring)
{
    if (offset_of(ring->worker_only.head) >= ACCESS_RING_REST_BYTES) {
        start_over_if_empty(ring, ACCESS_RING_REST_BYTES);
    }
}

/* What was written into the slack belongs at the beginning as well. */
static void copy_slack(struct access_log_ring *ring, size_t end)
{
    if (end > ACCESS_RING_BYTES) {
        memcpy(ring->bytes, ring->bytes + ACCESS_RING_BYTES, end - ACCESS_RING_BYTES);
    }
}

static bool should_wake(struct access_log_ring *ring)
{
    if (used_bytes(ring) <= SIZE / 2) {
        return false;
    }
    check_at_tail(ring);
    if (used_bytes(ring) <= SIZE / 2 ||
        ring->worker_only.asked_at_tail == ring->worker_only.tail_seen) {
        return false;
    }
    ring->worker_only.asked_at_tail = ring->worker_only.tail_seen;
    return true;
}

bool access_ring_commit(struct access_log_ring *ring, const struct text *line)
{
    CHECK(!line->overflowed);
    copy_slack(ring, offset_of(ring->worker_only.head) + text_length(line));
    ring->worker_only.head += text_length(line);
    atomic_store_explicit(&ring->head, ring->worker_only.head, memory_order_release);
    return should_wake(ring);
}

/* --- the writer's side ------------------------------------------------------------------- */

static void follow_jump(struct access_log_ring *ring, uint64_t *tail)
{
    if (*tail == atomic_load_explicit(&ring->jump_from, memory_order_relaxed)) {
        *tail = next_beginning(*tail);
        atomic_store_explicit(&ring->tail, *tail, memory_order_release);
    }
}

size_t access_ring_length(struct access_log_ring *ring)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (head != tail) {
        follow_jump(ring, &tail);
    }
    return (size_t)(head - tail);
}

struct bytes access_ring_piece(struct access_log_ring *ring)
{
    size_t length = access_ring_length(ring);
    size_t offset = offset_of(atomic_load_explicit(&ring->tail, memory_order_relaxed));
    size_t most = ACCESS_RING_BYTES - offset;

    return (struct bytes){ring->bytes + offset, length < most ? length : most};
}

struct bytes access_ring_line(struct access_log_ring *ring)
{
    size_t length = access_ring_length(ring);
    size_t offset = offset_of(atomic_load_explicit(&ring->tail, memory_order_relaxed));
    size_t most = MAPPED_BYTES - offset; /* a line that reaches the slack is whole there */
    const char *start = ring->bytes + offset;
    const char *end;

    if (length == 0) {
        return (struct bytes){NULL, 0};
    }
    end = memchr(start, '\n', length < most ? length : most);
    CHECK(end != NULL);
    return (struct bytes){start, (size_t)(end + 1 - start)};
}

void access_ring_consume(struct access_log_ring *ring, size_t length)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    atomic_store_explicit(&ring->tail, tail + length, memory_order_release);
}
