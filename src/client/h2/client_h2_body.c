/* SPDX-License-Identifier: BSD-2-Clause */
/* A request's body on its way in. Small pieces of one read go on together. Bytes that the exchange does
 * not take wait in the stream. Its window bounds them, and opens as the exchange takes bytes. The
 * connection's window opens at once while little waits in all streams together, so that a stream whose
 * origin is slow does not hold up the others. */
#include "client/h2/client_h2_private.h"

/* A smaller piece waits for the others of its read, so that each is not a chunk and a packet of its
 * own at the origin. */
#define GATHER_BELOW_BYTES 1024

static size_t stored_most(const struct client_h2 *h2)
{
    return h2->connection->listener->budgets.limits.http2_connection_window;
}

void client_h2_note_fault(struct client_h2 *h2, enum h2_fault fault)
{
    metrics_note_h2_fault(client_h2_context(h2)->metrics, fault);
}

static void refuse_body(struct client_h2_stream *stream, enum h2_fault fault)
{
    struct client_h2 *h2 = stream->h2;

    client_h2_note_fault(h2, fault);
    client_h2_stream_abandon(stream, OUTCOME_REQUEST_BROKE);
    h2_session_reset(h2->session, stream->id, H2_PROTOCOL_ERROR);
}

/* --- windows ------------------------------------------------------------------------------- */

static void took(struct client_h2_stream *stream, size_t bytes)
{
    struct client_h2 *h2 = stream->h2;

    if (!stream->closed) {
        h2_session_took_of(h2->session, stream->id, bytes);
    }
}

/* Opens the stream's window, and the connection's for the bytes that did not open it on arrival. */
static void took_waiting(struct client_h2_stream *stream, size_t bytes)
{
    size_t unreturned = stream->body->unreturned < bytes ? stream->body->unreturned : bytes;

    stream->h2->stored -= bytes;
    stream->body->unreturned -= (uint32_t)unreturned;
    stream->h2->unreturned -= unreturned;
    h2_session_took(stream->h2->session, unreturned);
    took(stream, bytes);
}

void client_h2_body_drop(struct client_h2_stream *stream)
{
    size_t waits;

    if (stream->body == NULL) {
        return;
    }
    waits = stream->body->in.length;
    stream->h2->lent -= stream->body->lent;
    stream->body->lent = 0;
    list_remove(&stream->body->gathered);
    if (waits > 0) {
        buffer_queue_clear(client_h2_buffers(stream->h2), &stream->body->in);
        took_waiting(stream, waits);
    }
}

/* --- to the exchange ----------------------------------------------------------------------- */

static void count_lent(struct client_h2_stream *stream)
{
    struct client_h2_body *body = stream->body;

    stream->h2->lent -= body->lent;
    body->lent = (uint32_t)(exchange_body_held(stream->exchange) + piece_held(body->kept));
    stream->h2->lent += body->lent;
}

void client_h2_count_lent(struct client_h2 *h2)
{
    h2->counted_us = client_h2_now(h2);
    LIST_EACH (struct client_h2_stream, stream, &h2->streams, link) {
        if (stream->body != NULL && stream->body->lent > 0) {
            count_lent(stream);
        }
    }
}

static size_t offer(struct client_h2_stream *stream, struct bytes bytes)
{
    struct exchange *exchange = stream->exchange;
    size_t taken;

    if (!client_h2_may_hold(stream->h2, bytes.length)) {
        exchange_keep_little(exchange);
    }
    stream->feeding = true;
    taken = exchange_body(exchange, bytes);
    stream->feeding = false;
    if (stream->exchange != exchange) {
        return bytes.length; /* it is over: nothing more is wanted */
    }
    count_lent(stream);
    stream->paused |= taken < bytes.length;
    if (taken < bytes.length) {
        min_rate_hold(&stream->body->min_rate, client_h2_now(stream->h2));
    }
    return taken;
}

/* The library tells of half a window, and more. */
void client_h2_open_window(struct client_h2 *h2)
{
    if (h2->unreturned <= stored_most(h2) / 4) {
        return;
    }
    for (struct link *link = h2->streams.previous; link != &h2->streams; link = link->previous) {
        struct client_h2_stream *stream = CONTAINER_OF(link, struct client_h2_stream, link);

        if (stream->exchange != NULL && stream->body != NULL && stream->body->unreturned > 0 &&
            exchange_is_unsent(stream->exchange)) {
            metrics_note(client_h2_context(h2)->metrics, METRICS_HTTP2_OVER_BUFFER);
            metrics_note(client_h2_context(h2)->metrics, METRICS_HTTP2_REFUSED);
            client_h2_stream_cut(stream, CUT_H2_WINDOW, H2_REFUSED_STREAM);
            return;
        }
    }
}

static void store(struct client_h2_stream *stream, struct bytes bytes)
{
    struct client_h2 *h2 = stream->h2;

    if (!buffer_queue_add(client_h2_buffers(h2), &stream->body->in, bytes)) {
        h2_session_took(h2->session, bytes.length);
        client_h2_stream_abandon(stream, OUTCOME_REQUEST_BROKE);
        h2_session_reset(h2->session, stream->id, H2_INTERNAL_ERROR);
        return;
    }
    h2->stored += bytes.length;
    if (h2->stored <= stored_most(h2) / 2) {
        h2_session_took(h2->session, bytes.length);
    } else {
        stream->body->unreturned += (uint32_t)bytes.length;
        h2->unreturned += bytes.length;
    }
}

/* Large pieces, and the last of a read, after which no more comes to gather. */
static bool goes_on_alone(const struct client_h2_stream *stream, struct bytes bytes)
{
    return bytes.length >= GATHER_BELOW_BYTES || stream->h2->data_ends;
}

static void feed(struct client_h2_stream *stream, struct bytes bytes)
{
    struct client_h2 *h2 = stream->h2;
    size_t taken = 0;

    if (stream->body->in.length == 0 && !stream->paused && !stream->feeding &&
        goes_on_alone(stream, bytes)) {
        taken = offer(stream, bytes);
        if (!client_h2_stands(h2)) {
            return;
        }
        h2_session_took(h2->session, taken);
        took(stream, taken);
    }
    if (taken < bytes.length) {
        store(stream, bytes_skip(bytes, taken));
    }
    if (stream->body->in.length > 0 && !stream->paused && list_is_empty(&stream->body->gathered)) {
        list_add_last(&h2->gathered, &stream->body->gathered);
    }
}

/* The end of the body comes behind all of it. */
static void end_if_whole(struct client_h2_stream *stream)
{
    if (stream->ended && stream->body->in.length == 0 && stream->exchange != NULL &&
        !stream->reported_end && stream->tunnels == stream->asks_tunnel) {
        stream->reported_end = true;
        exchange_body_end(stream->exchange,
                          stream->body->kept != NULL ? &stream->body->kept->headers : NULL);
    }
}

static void feed_waiting(struct client_h2_stream *stream)
{
    struct client_h2 *h2 = stream->h2;

    while (stream->exchange != NULL && !stream->paused && stream->body->in.length > 0) {
        struct exchange *exchange = stream->exchange;
        size_t taken = offer(stream, buffer_content(stream->body->in.first));

        if (!client_h2_stands(h2) || stream->exchange != exchange) {
            return;
        }
        buffer_queue_drop(client_h2_buffers(h2), &stream->body->in, taken);
        took_waiting(stream, taken);
    }
    end_if_whole(stream);
}

void client_h2_feed_gathered(struct client_h2 *h2)
{
    struct link *link;

    while (client_h2_stands(h2) && (link = list_first(&h2->gathered)) != NULL) {
        list_remove(link);
        feed_waiting(CONTAINER_OF(link, struct client_h2_body, gathered)->stream);
    }
}

void client_h2_want_body(void *owner, bool wanted)
{
    struct client_h2_stream *stream = owner;
    struct client_h2 *h2 = stream->h2;

    stream->paused = !wanted;
    if (!wanted || stream->feeding || stream->body == NULL || !client_h2_stands(h2)) {
        return;
    }
    if (!stream->ended) {
        min_rate_go_on(&stream->body->min_rate, client_h2_now(h2));
    }
    feed_waiting(stream);
    if (client_h2_stands(h2)) {
        client_h2_flush_later(h2); /* windows have opened */
    }
}

/* --- events of the session ----------------------------------------------------------------- */

void client_h2_on_data(void *owner, int32_t id, void *of, struct bytes bytes)
{
    struct client_h2 *h2 = owner;
    struct client_h2_stream *stream = of;

    if (!client_h2_stands(h2)) {
        return;
    }
    if (stream == NULL || stream->exchange == NULL) {
        h2_session_took(h2->session, bytes.length);
        h2_session_took_of(h2->session, id, bytes.length);
        return;
    }
    stream->body->received += bytes.length;
    min_rate_moved(&stream->body->min_rate, client_h2_now(h2));
    if (stream->length_known && bytes.length > stream->body->left) {
        h2_session_took(h2->session, bytes.length);
        refuse_body(stream, H2_FAULT_BODY_LENGTH);
        return;
    }
    stream->body->left -= stream->length_known ? bytes.length : 0;
    feed(stream, bytes);
}

static void request_is_whole(struct client_h2_stream *stream)
{
    stream->ended = true;
    stream->h2->reading--;
    min_rate_end(&stream->body->min_rate);
}

void client_h2_on_ended(void *owner, int32_t id, void *of)
{
    struct client_h2 *h2 = owner;
    struct client_h2_stream *stream = of;

    (void)id;
    if (!client_h2_stands(h2) || stream == NULL || stream->ended) {
        return;
    }
    request_is_whole(stream);
    if (stream->exchange == NULL) {
        return;
    }
    if (stream->length_known && stream->body->left > 0) {
        refuse_body(stream, H2_FAULT_BODY_LENGTH);
    } else {
        end_if_whole(stream);
    }
}

void client_h2_body_ended(struct client_h2_stream *stream, struct client_h2_trailers *trailers)
{
    stream->body->kept = trailers;
    count_lent(stream);
    client_h2_on_ended(stream->h2, stream->id, stream);
}
