/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes on their way out of one transport: what could not be written yet waits in a queue of
 * borrowed buffers. Used by client/ and origin/, for HTTP/1 and HTTP/2; small pieces are added
 * first and leave in one system call. */
#ifndef NET_OUTBOX_H
#define NET_OUTBOX_H

#include "base/memory/buffer.h"
#include "net/transport.h"

#define OUTBOX_PIECES 16 /* that one send takes behind what is queued */
#define OUTBOX_SEND_MOST \
    (128u * 1024) /* bytes: the thread does nothing else while the kernel copies them */

struct outbox {
    struct buffer_queue queue;
    bool blocked;      /* the transport took less than offered: wait for WRITABLE */
    bool broken;       /* writing failed; everything further is dropped. The transport's owner is
                       * called; the read side tells why, where it knows. */
    bool ends;         /* set by the owner: nothing will be added any more */
    uint64_t written;  /* bytes the transport took, ever */
    size_t frame_left; /* data of the frame under way that has not been taken; see below */
};

/* Room for at least `least` bytes (at most BUFFER_LARGE_BYTES less its head) at the end of the
 * queue; NULL: no memory. Fill it and call outbox_filled. */
char *outbox_room(struct outbox *outbox, struct buffer_pool *pool, size_t least, size_t *room);
void outbox_filled(struct outbox *outbox, size_t count);

/* A copy; false: no memory. */
bool outbox_add(struct outbox *outbox, struct buffer_pool *pool, struct bytes bytes);
/* Writes what is queued and then `more` (at most OUTBOX_PIECES). Returns how many bytes of `more`
 * were taken; sets `blocked` when not everything went, also where there was more than
 * OUTBOX_SEND_MOST: the next turn goes on. */
size_t outbox_send(struct outbox *outbox, struct buffer_pool *pool, struct transport *transport,
                   const struct iovec *more, int count);
/* The same, but what the transport does not take is copied: for what may not stop half way. */
void outbox_send_whole(struct outbox *outbox, struct buffer_pool *pool, struct transport *transport,
                       const struct iovec *more, int count);
/* Head, data and end, a chunk for example: begins a frame of all of `data`, or goes on with the one
 * under way (frame_left; `head` is empty then). What the transport does not take of the data stays
 * with the caller, so that it is held once; of head and end the rest is copied. While blocked all
 * is copied, for callers who have room. Returns how much of `data` was taken. */
size_t outbox_send_frame(struct outbox *outbox, struct buffer_pool *pool,
                         struct transport *transport, struct bytes head, struct bytes data,
                         struct bytes end);
void outbox_flush(struct outbox *outbox, struct buffer_pool *pool, struct transport *transport);
/* Half of something may be gone already, and there is no memory for the rest. */
void outbox_break(struct outbox *outbox, struct buffer_pool *pool, struct transport *transport);
/* The transport is ready for WRITABLE: flushes, and is no longer blocked if all went. */
void outbox_ready(struct outbox *outbox, struct buffer_pool *pool, struct transport *transport);
void outbox_clear(struct outbox *outbox, struct buffer_pool *pool);

static inline bool outbox_is_empty(const struct outbox *outbox)
{
    return outbox->queue.length == 0;
}

#endif
