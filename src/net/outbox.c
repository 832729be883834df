/* SPDX-License-Identifier: BSD-2-Clause */
/* Queue first, then what is offered, in one writev; the rest stays. */
#include "net/outbox.h"

#include "base/check.h"

#include <errno.h>

/* What one write takes, in small buffers, the first and the last of which are not full. */
#define QUEUED_VECTORS (TRANSPORT_WRITE_LEAST / (BUFFER_SMALL_BYTES - sizeof(struct buffer)) + 2)
#define FRAME_PIECES 3

char *outbox_room(struct outbox *outbox, struct buffer_pool *pool, size_t least, size_t *room)
{
    struct buffer *last = outbox->queue.last;

    if (last == NULL || buffer_room(last) < least) {
        struct buffer *fresh = buffer_borrow(
            pool, least <= BUFFER_SMALL_BYTES - sizeof(*fresh) ? BUFFER_SMALL : BUFFER_LARGE);

        if (fresh == NULL) {
            return NULL;
        }
        last = fresh;
        buffer_queue_take(&outbox->queue, &fresh);
    }
    *room = buffer_room(last);
    return buffer_tail(last);
}

void outbox_filled(struct outbox *outbox, size_t count)
{
    outbox->queue.last->end += (uint32_t)count;
    outbox->queue.length += count;
}

bool outbox_add(struct outbox *outbox, struct buffer_pool *pool, struct bytes bytes)
{
    if (outbox->broken) {
        return true;
    }
    return outbox->blocked ? buffer_queue_add_to_wait(pool, &outbox->queue, bytes)
                           : buffer_queue_add(pool, &outbox->queue, bytes);
}

static size_t total_of(const struct iovec *pieces, int count)
{
    size_t total = 0;

    for (int i = 0; i < count; i++) {
        total += pieces[i].iov_len;
    }
    return total;
}

/* Cuts the pieces off behind OUTBOX_SEND_MOST; returns how many are left. */
static int first_of(struct iovec *pieces, int count)
{
    size_t most = OUTBOX_SEND_MOST;

    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len >= most) {
            pieces[i].iov_len = most;
            return i + 1;
        }
        most -= pieces[i].iov_len;
    }
    return count;
}

void outbox_break(struct outbox *outbox, struct buffer_pool *pool, struct transport *transport)
{
    outbox->broken = true;
    outbox_clear(outbox, pool);
    transport_break(transport);
}

size_t outbox_send(struct outbox *outbox, struct buffer_pool *pool, struct transport *transport,
                   const struct iovec *more, int count)
{
    struct iovec vectors[QUEUED_VECTORS + OUTBOX_PIECES];
    size_t queued = outbox->queue.length;
    size_t offered = total_of(more, count);
    int used;
    ssize_t written;

    CHECK(count <= OUTBOX_PIECES);
    if (outbox->broken) {
        return offered;
    }
    if (queued + offered == 0) {
        return 0;
    }
    used = buffer_queue_vectors(&outbox->queue, vectors, QUEUED_VECTORS);
    if (count > 0 && total_of(vectors, used) == queued) {
        for (int i = 0; i < count; i++) {
            vectors[used++] = more[i];
        }
    }
    if (queued + offered > OUTBOX_SEND_MOST) {
        used = first_of(vectors, used);
    }
    transport->ends = outbox->ends && total_of(vectors, used) == queued + offered;
    written = transport_write(transport, vectors, used);
    if (written < 0) {
        if (errno == EAGAIN) {
            outbox->blocked = true;
            return 0;
        }
        outbox_break(outbox, pool, transport);
        return offered;
    }
    outbox->written += (uint64_t)written;
    outbox->blocked = (size_t)written < queued + offered;
    if ((size_t)written < queued) {
        buffer_queue_drop(pool, &outbox->queue, (size_t)written);
        return 0;
    }
    buffer_queue_drop(pool, &outbox->queue, queued);
    return (size_t)written - queued;
}

void outbox_flush(struct outbox *outbox, struct buffer_pool *pool, struct transport *transport)
{
    if (outbox->queue.length > 0) {
        outbox_send(outbox, pool, transport, NULL, 0);
    }
}

void outbox_ready(struct outbox *outbox, struct buffer_pool *pool, struct transport *transport)
{
    outbox->blocked = false;
    outbox_flush(outbox, pool, transport);
}

void outbox_send_whole(struct outbox *outbox, struct buffer_pool *pool, struct transport *transport,
                       const struct iovec *more, int count)
{
    size_t taken = outbox->blocked ? 0 : outbox_send(outbox, pool, transport, more, count);

    for (int i = 0; i < count; i++) {
        size_t skip = taken < more[i].iov_len ? taken : more[i].iov_len;

        taken -= skip;
        if (!outbox_add(
                outbox, pool,
                (struct bytes){(const char *)more[i].iov_base + skip, more[i].iov_len - skip})) {
            outbox_break(outbox, pool, transport);
        }
    }
}

static void send_rest(struct outbox *outbox, struct buffer_pool *pool, struct transport *transport,
                      struct bytes piece, size_t taken)
{
    const struct iovec rest = {(void *)(piece.at + taken), piece.length - taken};

    if (rest.iov_len > 0) {
        outbox_send_whole(outbox, pool, transport, &rest, 1);
    }
}

size_t outbox_send_frame(struct outbox *outbox, struct buffer_pool *pool,
                         struct transport *transport, struct bytes head, struct bytes data,
                         struct bytes end)
{
    size_t left = outbox->frame_left > 0 ? outbox->frame_left : data.length;
    struct bytes wanted = bytes_first(data, left);
    bool ends = wanted.length == left;
    const struct iovec pieces[FRAME_PIECES] = {{(void *)head.at, head.length},
                                               {(void *)wanted.at, wanted.length},
                                               {(void *)end.at, ends ? end.length : 0}};
    size_t taken;

    if (outbox->blocked) {
        outbox_send_whole(outbox, pool, transport, pieces, FRAME_PIECES);
        outbox->frame_left = left - wanted.length;
        return wanted.length;
    }
    taken = outbox_send(outbox, pool, transport, pieces, FRAME_PIECES);
    if (taken == 0) {
        return 0; /* one that was to begin has not */
    }
    if (taken < head.length) {
        send_rest(outbox, pool, transport, head, taken);
        taken = head.length;
    }
    taken -= head.length;
    if (ends && taken >= wanted.length) {
        send_rest(outbox, pool, transport, end, taken - wanted.length);
        taken = wanted.length;
    }
    outbox->frame_left = left - taken;
    return taken;
}

void outbox_clear(struct outbox *outbox, struct buffer_pool *pool)
{
    buffer_queue_clear(pool, &outbox->queue);
    outbox->blocked = false;
}
