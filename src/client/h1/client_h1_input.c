/* SPDX-License-Identifier: BSD-2-Clause */
/* The buffer that a stream reads into: borrowed when bytes may come, moved on from under a head that
 * must stay, given back when it is empty. */
#include "client/client_private.h"

#include "base/check.h"

#define ROOM_WORTH_READING 256

static struct buffer_pool *buffers_of(const struct client_h1 *h1)
{
    return client_desk_of(h1->connection)->bench->buffers;
}

/* The head must stay where it is while its exchange lives: what follows it moves instead. */
static bool leave_head_behind(struct client_h1 *h1)
{
    struct bytes content = buffer_content(h1->in);
    struct buffer *fresh = buffer_borrow(buffers_of(h1), BUFFER_LARGE);

    if (fresh == NULL) {
        return false;
    }
    CHECK(content.length <= buffer_room(fresh));
    memcpy(buffer_tail(fresh), content.at, content.length);
    fresh->end += (uint32_t)content.length;
    h1->head = h1->in;
    h1->in = fresh;
    h1->head_is_in_input = false;
    return true;
}

bool client_h1_make_room(struct client_h1 *h1)
{
    bool much = client_h1_expects_much(h1);

    if (h1->in == NULL) {
        h1->in = buffer_borrow(buffers_of(h1), much ? BUFFER_LARGE : BUFFER_SMALL);
        return h1->in != NULL;
    }
    if (h1->head_is_in_input) {
        bool enough = buffer_room(h1->in) >= ROOM_WORTH_READING && !much;

        /* Behind a whole request only the next one can come: it may wait. */
        return enough || (h1->state != CLIENT_H1_AWAITS_END && leave_head_behind(h1));
    }
    if (h1->undelivered.length > 0) {
        return buffer_room(h1->in) >= ROOM_WORTH_READING; /* it lies in there: nothing moves */
    }
    buffer_compact(h1->in);
    if (buffer_room(h1->in) >= ROOM_WORTH_READING) {
        return true;
    }
    if (h1->in->size == BUFFER_SMALL) {
        return buffer_grow(buffers_of(h1), &h1->in);
    }
    /* The rest of a head or of trailers may be short too, and nothing else would ask for it. */
    return h1->state != CLIENT_H1_AWAITS_END && buffer_room(h1->in) > 0;
}

/* A client that is waited for holds no buffer meanwhile: it may be long. */
void client_h1_give_back_empty(struct client_h1 *h1)
{
    if (h1->in != NULL && !h1->head_is_in_input && h1->undelivered.length == 0 &&
        buffer_length(h1->in) == 0) {
        buffer_return(buffers_of(h1), &h1->in);
    }
}
