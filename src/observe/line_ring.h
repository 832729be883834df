/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring between one worker, which puts whole lines in, and the thread that writes them somewhere,
 * which takes bytes out. Used by access_log and span_exporter. Neither side ever waits for the other: the
 * worker owns `head`, the writer owns `tail`, and each only reads the other's.
 *
 *        tail                 head
 *   .....|line\nline\nline\n..|............   then LINE_MAX bytes of slack, so that a line
 *                                             is always formatted in one piece */
#ifndef OBSERVE_LINE_RING_H
#define OBSERVE_LINE_RING_H

#include "base/check.h"
#include "base/text.h"

#include <pthread.h>
#include <stdatomic.h>

#define LINE_RING_LINE_MAX (20u * 1024) /* of what is put in at once, newlines included */

#define LINE_RING_BYTES (4u * 1024 * 1024)
/* A ring that is found empty starts over at its beginning once it has come this far, so that
 * a quiet worker touches these few pages only, not all of them in turn; the others go back. */
#define LINE_RING_WARM_BYTES (256u * 1024)

/* So much stays of one that is found empty by the clock: the clients that left were logged, and
 * none may come for a long time. */
#define LINE_RING_REST_BYTES (32u * 1024)

struct line_ring {
    char *bytes;
    _Atomic uint32_t *wakeup; /* of the thread that takes lines out */

    struct {
        uint64_t head;
        uint64_t tail_seen;     /* the writer's tail when last looked at */
        uint64_t asked_at_tail; /* the writer was last woken when its tail was here */
    } worker_only;

    /* Positions count bytes since the start and never wrap; modulo size they are offsets. */
    _Alignas(64) _Atomic uint64_t head; /* written by the worker */
    _Atomic uint64_t jump_from;         /* where it left out what remained of the ring */
    _Atomic uint64_t dropped;           /* lines; written by the worker */
    _Alignas(64) _Atomic uint64_t tail; /* written by the writer */
};

bool line_ring_init(struct line_ring *ring, _Atomic uint32_t *wakeup);
void line_ring_release(struct line_ring *ring);

/* What is rare of the two calls below; theirs alone. */
bool line_ring_make_room(struct line_ring *ring);
void line_ring_copy_slack(struct line_ring *ring, size_t end);
bool line_ring_should_wake(struct line_ring *ring);

/* Worker: room for one line. false when the ring is full, which counts a dropped line. */
static inline bool line_ring_begin(struct line_ring *ring, struct text *line)
{
    uint64_t head = ring->worker_only.head;

    if ((head & (LINE_RING_BYTES - 1)) >= LINE_RING_WARM_BYTES ||
        LINE_RING_BYTES - (head - ring->worker_only.tail_seen) < LINE_RING_LINE_MAX) {
        if (!line_ring_make_room(ring)) {
            return false;
        }
        head = ring->worker_only.head;
    }
    *line = text_over(ring->bytes + (head & (LINE_RING_BYTES - 1)), LINE_RING_LINE_MAX);
    return true;
}

/* Worker: hands the line over; true when the writer should be woken, that is once each time
 * it has let the ring become more than half full. */
static inline bool line_ring_commit(struct line_ring *ring, const struct text *line)
{
    uint64_t head = ring->worker_only.head;
    size_t end = (size_t)(head & (LINE_RING_BYTES - 1)) + text_length(line);

    CHECK(!line->overflowed);
    if (end > LINE_RING_BYTES) { /* what is in the slack belongs at the beginning as well */
        line_ring_copy_slack(ring, end);
    }
    head += text_length(line);
    ring->worker_only.head = head;
    atomic_store_explicit(&ring->head, head, memory_order_release);
    return head - ring->worker_only.tail_seen > LINE_RING_BYTES / 2 && line_ring_should_wake(ring);
}

/* Worker: so many more are dropped than those that line_ring_begin counted. */
void line_ring_count_dropped(struct line_ring *ring, uint64_t more);

/* Worker: now and then. What a burst of lines has touched goes back. */
void line_ring_rest(struct line_ring *ring);

/* Writer: how much is there; always whole lines, unless part of one was consumed. */
size_t line_ring_length(struct line_ring *ring);
/* Writer: what is there up to the end of the ring's memory; empty when there is nothing. */
struct bytes line_ring_piece(struct line_ring *ring);
/* Writer: the (rest of the) first line in one piece, its newline included. */
struct bytes line_ring_line(struct line_ring *ring);
void line_ring_consume(struct line_ring *ring, size_t length);

/* --- the rings of all workers, and the thread that takes lines out of them ------------------------ */

struct line_rings { /* zeroed at first */
    struct line_ring *rings;
    uint32_t count;
    pthread_t thread;
    bool has_thread;
    _Atomic uint32_t wakeup; /* a futex: changes when the thread should look at once */
    _Atomic bool stop;       /* what was put in before is taken out once more */
};

/* false: out of memory; line_rings_release all the same. */
bool line_rings_init(struct line_rings *rings, uint32_t count);
/* Not while there is a thread. */
void line_rings_release(struct line_rings *rings);
/* 0, or an error: without memory, or at the limit of threads. */
int line_rings_start(struct line_rings *rings, const char *name, void *(*run)(void *owner),
                     void *owner);
/* Asks the thread to end and waits for a while. false: it is stuck in the kernel, and is left behind with
 * all it uses: the process is about to end. */
bool line_rings_stop(struct line_rings *rings);
/* Bytes that wait in all of them; the thread's. */
size_t line_rings_length(const struct line_rings *rings);
uint64_t line_rings_dropped(const struct line_rings *rings);

#endif
