/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client sends: the buffer that a stream reads into (borrowed when bytes may come, moved on
 * from under a head that must stay, given back when it is empty), and the body of a request or the
 * bytes of a tunnel, handed to the exchange without their coding. Called by client_h1.c, a step at a
 * time. */
#include "client/client_private.h"

#include "base/check.h"

#define ROOM_WORTH_READING 256

static struct buffer_pool *buffers_of(const struct client_h1 *h1)
{
    return client_context_of(h1->connection)->worker_context->buffers;
}

/* The head must stay where it is while its exchange lives: what follows it moves instead. */
static bool leave_head_behind(struct client_h1 *h1)
{
    struct bytes content = buffer_content(h1->in);
    struct buffer *fresh = buffer_borrow(buffers_of(h1), BUFFER_LARGE);

    if (fresh == NULL) {
        return false;
    }
    CHECK(content.length <= buffer_room(fresh) && h1->exchange != NULL);
    memcpy(buffer_tail(fresh), content.at, content.length);
    fresh->end += (uint32_t)content.length;
    exchange_take_over(h1->exchange, &h1->in);
    h1->in = fresh;
    h1->head_is_in_input = false;
    return true;
}

/* With a head its whole body may have come, and all of that leaves the buffer at once. */
static bool may_read_much(const struct client_h1 *h1)
{
    return h1->state == CLIENT_H1_READS_HEAD || client_h1_expects_much(h1);
}

bool client_h1_make_room(struct client_h1 *h1)
{
    bool much = may_read_much(h1);

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
    if (h1->in->size == BUFFER_SMALL && (much || buffer_room(h1->in) < ROOM_WORTH_READING)) {
        return buffer_grow(buffers_of(h1), &h1->in);
    }
    if (buffer_room(h1->in) >= ROOM_WORTH_READING) {
        return true;
    }
    /* The rest of a head or of trailers may be short too, and nothing else would ask for it. */
    return h1->state != CLIENT_H1_AWAITS_END && buffer_room(h1->in) > 0;
}

void client_h1_keep_rest(struct client_h1 *h1)
{
    if (h1->in == NULL || h1->head_is_in_input) {
        return;
    }
    if (h1->undelivered.length == 0 && buffer_length(h1->in) == 0) {
        buffer_return(buffers_of(h1), &h1->in);
    } else {
        buffer_shrink(buffers_of(h1), &h1->in, &h1->undelivered);
    }
}

struct buffer *client_h1_head_apart(struct client_h1 *h1)
{
    struct bytes content;
    struct buffer *apart;

    buffer_shrink(buffers_of(h1), &h1->in, &h1->undelivered);
    apart = h1->in->size == BUFFER_LARGE ? buffer_borrow(buffers_of(h1), BUFFER_SMALL) : NULL;
    if (apart != NULL) {
        content = buffer_content(h1->in);
        apart->end = content.length < apart->capacity ? (uint32_t)content.length : apart->capacity;
        memcpy(apart->bytes, content.at, apart->end);
    }
    return apart;
}

void client_h1_await_end(struct client_h1 *h1)
{
    h1->state = CLIENT_H1_AWAITS_END;
    client_h1_awaits_origin(h1);
}

static void body_is_whole(struct client_h1 *h1, const struct http_headers *trailers)
{
    client_h1_await_end(h1);
    exchange_body_end(h1->exchange, trailers);
}

/* false: the exchange took less than there is, or is over. */
static bool hand_over(struct client_h1 *h1)
{
    struct exchange *exchange = h1->exchange;
    size_t taken = exchange_body(exchange, h1->undelivered);

    if (h1->exchange != exchange) {
        return h1->connection->h1 == h1;
    }
    h1->undelivered = bytes_skip(h1->undelivered, taken);
    if (h1->undelivered.length > 0) {
        h1->body_paused = true;
        client_h1_holds_body(h1); /* now we are the slow ones */
        client_h1_want(h1);
        return false;
    }
    return true;
}

static bool take_input(struct client_h1 *h1, uint64_t most)
{
    struct bytes content = buffer_content(h1->in);

    if (content.length > most) {
        content.length = (size_t)most;
    }
    h1->in->start += (uint32_t)content.length;
    h1->undelivered = content;
    return content.length > 0;
}

static bool step_length_known(struct client_h1 *h1)
{
    if (h1->body_left == 0) {
        body_is_whole(h1, NULL);
        return true;
    }
    if (!take_input(h1, h1->body_left)) {
        return false;
    }
    h1->body_left -= h1->undelivered.length;
    return true;
}

/* Where the body ends is not known any more: nothing further is read of it. */
static void refuse_body(struct client_h1 *h1, const struct h1_problem *problem)
{
    h1->closes = true;
    h1->body_paused = true;
    client_h1_want(h1);
    exchange_body_failed(h1->exchange, problem->status, problem->what);
}

static bool step_trailers(struct client_h1 *h1)
{
    const struct h1_limits limits = client_h1_limits(h1);
    struct http_header rows[HTTP_HEADERS_MAX];
    struct http_headers trailers = {.rows = rows};
    struct h1_problem problem;
    size_t consumed = 0;

    if (!h1_is_worth_parsing(buffer_content(h1->in), h1->checked, &limits)) {
        return false;
    }
    switch (h1_parse_trailers(buffer_content(h1->in), &limits, &trailers, &consumed, &problem)) {
    case H1_INCOMPLETE:
        h1->checked = (uint32_t)buffer_length(h1->in);
        return false;
    case H1_REJECTED:
        refuse_body(h1, &problem);
        return false;
    case H1_COMPLETE:
        break;
    }
    h1->checked = 0;
    h1->in->start += (uint32_t)consumed;
    body_is_whole(h1, trailers.count > 0 ? &trailers : NULL);
    return true;
}

static bool step_chunked(struct client_h1 *h1)
{
    struct bytes input = buffer_content(h1->in);
    struct bytes data = {0};
    struct h1_problem problem;
    enum h1_chunked_step step = h1_chunked_gather(&h1->chunked, &input, &data, &problem);

    h1->in->start = h1->in->end - (uint32_t)input.length;
    switch (step) {
    case H1_CHUNKED_DATA:
        h1->undelivered = data;
        return true;
    case H1_CHUNKED_MORE:
        return false;
    case H1_CHUNKED_TRAILERS:
        return step_trailers(h1);
    case H1_CHUNKED_REJECTED:
        break;
    }
    refuse_body(h1, &problem);
    return false;
}

bool client_h1_step_body(struct client_h1 *h1)
{
    if (h1->undelivered.length > 0) {
        return hand_over(h1);
    }
    return h1->framing == HTTP_CHUNKED ? step_chunked(h1) : step_length_known(h1);
}

bool client_h1_step_tunnel(struct client_h1 *h1)
{
    return (h1->undelivered.length > 0 || take_input(h1, UINT64_MAX)) && hand_over(h1);
}
