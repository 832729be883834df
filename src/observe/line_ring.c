/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring of one worker; line_ring.h tells how the two sides share it. */
#include "observe/line_ring.h"

#include "base/check.h"
#include "base/system/machine.h"
#include "base/system/thread.h"
#include "base/system/wakeup.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define STOP_WITHIN_S 2

#define SIZE ((uint64_t)LINE_RING_BYTES)
#define MAPPED_BYTES (LINE_RING_BYTES + LINE_RING_LINE_MAX)
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

bool line_ring_init(struct line_ring *ring, _Atomic uint32_t *wakeup)
{
    void *memory = mmap(NULL, MAPPED_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        return false;
    }
    machine_keep_from_cores(memory, MAPPED_BYTES);
    memset(ring, 0, sizeof(*ring));
    ring->bytes = memory;
    ring->wakeup = wakeup;
    ring->worker_only.asked_at_tail = NOWHERE;
    atomic_init(&ring->jump_from, NOWHERE);
    return true;
}

void line_ring_release(struct line_ring *ring)
{
    if (ring->bytes != NULL) {
        munmap(ring->bytes, MAPPED_BYTES);
        ring->bytes = NULL;
    }
}

/* --- the worker's side ------------------------------------------------------------------- */

/* The writer's own tail lags behind a jump until the next line comes. */
static void check_at_tail(struct line_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    if (tail > ring->worker_only.tail_seen) {
        ring->worker_only.tail_seen = tail;
    }
}

static uint64_t used_bytes(const struct line_ring *ring)
{
    return ring->worker_only.head - ring->worker_only.tail_seen;
}

/* A writer that was kept waiting once would otherwise leave the ring's pages behind for good, a few
 * more each time. Neither side has anything in them now, and this one puts the next line there. */
static void forget_burst(struct line_ring *ring, size_t stays)
{
    madvise(ring->bytes + stays, MAPPED_BYTES - stays, MADV_DONTNEED);
}

/* The writer has taken everything up to `head`, so nothing lies between it and the next
 * beginning. Only one jump can be on its way: the next one needs an empty ring again. */
static void start_over_if_empty(struct line_ring *ring, size_t stays)
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

void line_ring_count_dropped(struct line_ring *ring, uint64_t more)
{
    uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);

    atomic_store_explicit(&ring->dropped, dropped + more, memory_order_relaxed);
}

bool line_ring_make_room(struct line_ring *ring)
{
    if (offset_of(ring->worker_only.head) >= LINE_RING_WARM_BYTES) {
        start_over_if_empty(ring, LINE_RING_WARM_BYTES);
    }
    if (SIZE - used_bytes(ring) < LINE_RING_LINE_MAX) {
        check_at_tail(ring);
        if (SIZE - used_bytes(ring) < LINE_RING_LINE_MAX) {
            line_ring_count_dropped(ring, 1);
            return false;
        }
    }
    return true;
}

void line_ring_rest(struct line_ring *ring)
{
    if (offset_of(ring->worker_only.head) >= LINE_RING_REST_BYTES) {
        start_over_if_empty(ring, LINE_RING_REST_BYTES);
    }
}

void line_ring_copy_slack(struct line_ring *ring, size_t end)
{
    memcpy(ring->bytes, ring->bytes + LINE_RING_BYTES, end - LINE_RING_BYTES);
}

bool line_ring_should_wake(struct line_ring *ring)
{
    check_at_tail(ring);
    if (used_bytes(ring) <= SIZE / 2 ||
        ring->worker_only.asked_at_tail == ring->worker_only.tail_seen) {
        return false;
    }
    ring->worker_only.asked_at_tail = ring->worker_only.tail_seen;
    return true;
}

/* --- the writer's side ------------------------------------------------------------------- */

static void follow_jump(struct line_ring *ring, uint64_t *tail)
{
    if (*tail == atomic_load_explicit(&ring->jump_from, memory_order_relaxed)) {
        *tail = next_beginning(*tail);
        atomic_store_explicit(&ring->tail, *tail, memory_order_release);
    }
}

size_t line_ring_length(struct line_ring *ring)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (head != tail) {
        follow_jump(ring, &tail);
    }
    return (size_t)(head - tail);
}

struct bytes line_ring_piece(struct line_ring *ring)
{
    size_t length = line_ring_length(ring);
    size_t offset = offset_of(atomic_load_explicit(&ring->tail, memory_order_relaxed));
    size_t most = LINE_RING_BYTES - offset;

    return (struct bytes){ring->bytes + offset, length < most ? length : most};
}

struct bytes line_ring_line(struct line_ring *ring)
{
    size_t length = line_ring_length(ring);
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

void line_ring_consume(struct line_ring *ring, size_t length)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    atomic_store_explicit(&ring->tail, tail + length, memory_order_release);
}

/* --- all of them ------------------------------------------------------------------------- */

bool line_rings_init(struct line_rings *rings, uint32_t count)
{
    rings->rings = aligned_alloc(_Alignof(struct line_ring), count * sizeof(*rings->rings));
    while (rings->rings != NULL && rings->count < count &&
           line_ring_init(&rings->rings[rings->count], &rings->wakeup)) {
        rings->count++;
    }
    return rings->count == count;
}

void line_rings_release(struct line_rings *rings)
{
    for (uint32_t i = 0; i < rings->count; i++) {
        line_ring_release(&rings->rings[i]);
    }
    free(rings->rings);
}

int line_rings_start(struct line_rings *rings, const char *name, void *(*run)(void *owner),
                     void *owner)
{
    int error = thread_start(&rings->thread, name, run, owner);

    rings->has_thread = error == 0;
    return error;
}

bool line_rings_stop(struct line_rings *rings)
{
    struct timespec until;

    if (!rings->has_thread) {
        return true;
    }
    atomic_store_explicit(&rings->stop, true, memory_order_release);
    wakeup_send(&rings->wakeup);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_WITHIN_S;
    if (pthread_timedjoin_np(rings->thread, NULL, &until) != 0) {
        pthread_detach(rings->thread);
        return false;
    }
    return true;
}

size_t line_rings_length(const struct line_rings *rings)
{
    size_t sum = 0;

    for (uint32_t i = 0; i < rings->count; i++) {
        sum += line_ring_length(&rings->rings[i]);
    }
    return sum;
}

uint64_t line_rings_dropped(const struct line_rings *rings)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < rings->count; i++) {
        sum += atomic_load_explicit(&rings->rings[i].dropped, memory_order_relaxed);
    }
    return sum;
}
