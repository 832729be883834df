/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring between one worker, which puts whole lines in, and the access log's writer thread,
 * which takes bytes out. Private to access_log. Neither side ever waits for the other: the
 * worker owns `head`, the writer owns `tail`, and each only reads the other's.
 *
 *        tail                 head
 *   .....|line\nline\nline\n..|............   then LINE_MAX bytes of slack, so that a line
 *                                             is always formatted in one piece */
#ifndef OBSERVE_ACCESS_RING_H
#define OBSERVE_ACCESS_RING_H

#include "base/text.h"
#include "observe/access_line.h"

#include <stdatomic.h>

#define ACCESS_RING_BYTES (4u * 1024 * 1024)
/* A ring that is found empty starts over at its beginning once it has come this far, so that
 * a quiet worker touches these few pages only, not all of them in turn; the others go back. */
#define ACCESS_RING_WARM_BYTES (256u * 1024)

/* So much stays of one that is found empty by the clock: who has left was logged, and nobody may
 * come for a long time. */
#define ACCESS_RING_REST_BYTES (32u * 1024)

struct access_log_ring {
    char *bytes;
    _Atomic uint32_t *wakeup; /* of the log this ring belongs to */

    struct {
        uint64_t head;
        uint64_t tail_seen;     /* the writer's tail when last looked at */
        uint64_t asked_at_tail; /* the writer was last woken when its tail was here */
        struct access_memory *memory;
    } worker_only;

    /* Positions count bytes since the start and never wrap; modulo size they are offsets. */
    _Alignas(64) _Atomic uint64_t head; /* written by the worker */
    _Atomic uint64_t jump_from;         /* where it left out what remained of the ring */
    _Atomic uint64_t dropped;           /* lines */
    _Alignas(64) _Atomic uint64_t tail; /* written by the writer */
};

bool access_ring_init(struct access_log_ring *ring, _Atomic uint32_t *wakeup);
void access_ring_release(struct access_log_ring *ring);

/* Worker: room for one line. false when the ring is full, which counts a dropped line. */
bool access_ring_begin(struct access_log_ring *ring, struct text *line);
/* Worker: hands the line over; true when the writer should be woken, that is once each time
 * it has let the ring become more than half full. */
bool access_ring_commit(struct access_log_ring *ring, const struct text *line);
/* Worker: now and then. What a burst of lines has touched goes back. */
void access_ring_rest(struct access_log_ring *ring);

/* Writer: how much is there; always whole lines, unless part of one was consumed. */
size_t access_ring_length(struct access_log_ring *ring);
/* Writer: what is there up to the end of the ring's memory; empty when there is nothing. */
struct bytes access_ring_piece(struct access_log_ring *ring);
/* Writer: the (rest of the) first line in one piece, its newline included. */
struct bytes access_ring_line(struct access_log_ring *ring);
void access_ring_consume(struct access_log_ring *ring, size_t length);

#endif
