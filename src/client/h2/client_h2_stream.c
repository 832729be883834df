/* SPDX-License-Identifier: BSD-2-Clause */
/* A stream of a client: one request and its answer, for its exchange an implementation of
 * exchange/client_stream.h. It ends when its exchange is over and the session knows it no more. */
#include "client/h2/client_h2_private.h"

#include "base/check.h"

#include <stdlib.h>

/* --- life ---------------------------------------------------------------------------------- */

static bool begin_body(struct client_h2_stream *stream)
{
    struct client_h2_body *body = piece_take(client_h2_pieces(stream->h2), sizeof(*body));

    if (body == NULL) {
        return false;
    }
    *body = (struct client_h2_body){.stream = stream};
    list_init(&body->gathered);
    stream->body = body;
    return true;
}

struct client_h2_stream *client_h2_stream_new(struct client_h2 *h2, int32_t id, bool ends)
{
    struct client_h2_stream *stream = slab_take(client_h2_context(h2)->h2.streams);

    if (stream == NULL) {
        return NULL;
    }
    stream->h2 = h2;
    if (!ends && !begin_body(stream)) {
        slab_give(client_h2_context(h2)->h2.streams, stream);
        return NULL;
    }
    stream->id = id;
    list_add_last(&h2->streams, &stream->link);
    h2_session_own(h2->session, id, stream);
    return stream;
}

void client_h2_stream_opens(struct client_h2 *h2)
{
    h2->stream_count++;
    metrics_note(client_h2_context(h2)->metrics, METRICS_HTTP2_OPENED);
}

void client_h2_stream_closes(struct client_h2 *h2)
{
    h2->stream_count--;
    metrics_note(client_h2_context(h2)->metrics, METRICS_HTTP2_CLOSED);
}

void client_h2_stream_free(struct client_h2_stream *stream, struct piece_pool *pieces)
{
    if (stream->body != NULL) {
        piece_give(pieces, stream->body->kept);
    }
    piece_give(pieces, stream->body);
    piece_give(pieces, stream->answer);
    piece_give(pieces, stream->texts);
}

void client_h2_stream_bury(struct client_h2_stream *stream)
{
    struct client_h2 *h2 = stream->h2;

    CHECK(stream->exchange == NULL && stream->closed);
    client_h2_answer_drop(stream);
    client_h2_body_drop(stream);
    h2->texts -= piece_held(stream->texts);
    list_remove(&stream->link);
    list_add_last(&client_h2_context(h2)->h2.deferred_stream_frees, &stream->link);
}

static void bury_if_done(struct client_h2_stream *stream)
{
    if (stream->exchange == NULL && stream->closed) {
        client_h2_stream_bury(stream);
    }
}

/* The exchange is over, whichever way. */
static void part(struct client_h2_stream *stream)
{
    struct client_h2 *h2 = stream->h2;

    stream->exchange = NULL;
    client_h2_stream_closes(h2);
    if (!stream->ended) {
        stream->ended = true; /* nothing waits for the rest */
        h2->reading--;
    }
    client_h2_body_drop(stream);
    client_h2_flush_later(h2);
}

void client_h2_stream_abandon(struct client_h2_stream *stream, enum outcome_end end)
{
    struct exchange *exchange = stream->exchange;

    if (exchange != NULL) {
        part(stream);
        client_h2_answer_drop(stream);
        exchange_client_gone(exchange, end);
    }
}

void client_h2_stream_reset(struct client_h2_stream *stream, enum h2_code code)
{
    if (!stream->closed && !stream->reset) {
        stream->reset = true;
        h2_session_reset(stream->h2->session, stream->id, code);
        client_h2_flush_later(stream->h2);
    }
}

void client_h2_stream_give_up(struct client_h2_stream *stream, enum outcome_end end)
{
    client_h2_stream_abandon(stream, end);
    client_h2_stream_reset(stream, H2_CANCEL);
}

void client_h2_streams_give_up(struct client_h2 *h2, enum outcome_end end,
                               bool (*which)(const struct client_h2_stream *stream))
{
    struct link *link = h2->streams.next;

    while (client_h2_stands(h2) && link != &h2->streams) {
        struct client_h2_stream *stream = CONTAINER_OF(link, struct client_h2_stream, link);

        link = link->next;
        if (stream->exchange != NULL && (which == NULL || which(stream))) {
            client_h2_stream_give_up(stream, end);
        }
    }
}

void client_h2_stream_cut(struct client_h2_stream *stream, enum cut_cause cause, enum h2_code code)
{
    metrics_note_cut(client_h2_context(stream->h2)->metrics, cause);
    exchange_note_cut(stream->exchange, cause);
    client_h2_stream_abandon(stream, OUTCOME_CUT_BY_TIMEOUT);
    client_h2_stream_reset(stream, code);
}

size_t client_h2_stream_held(const struct client_h2_stream *stream)
{
    return sizeof(*stream) + piece_held(stream->texts) + piece_held(stream->body) +
           piece_held(stream->answer) +
           (stream->body != NULL
                ? piece_held(stream->body->kept) + buffer_queue_held(&stream->body->in)
                : 0) +
           (stream->answer != NULL ? buffer_queue_held(&stream->answer->out) : 0) +
           (stream->exchange != NULL ? exchange_held(stream->exchange) : 0);
}

void client_h2_stream_written(struct client_h2_stream *stream)
{
    stream->written = true;
    if (stream->exchange != NULL) {
        exchange_answer_written(stream->exchange);
    }
}

void client_h2_stream_go_on(struct client_h2_stream *stream)
{
    if (stream->exchange != NULL) {
        exchange_client_writable(stream->exchange);
    }
}

/* --- what the exchange asks ---------------------------------------------------------------- */

/* The client must be able to tell: a reset, whatever was written already. */
static void on_abort(void *owner)
{
    struct client_h2_stream *stream = owner;

    part(stream);
    client_h2_answer_drop(stream);
    client_h2_stream_reset(stream, H2_INTERNAL_ERROR);
    bury_if_done(stream);
}

/* Of a request that is answered, the rest is not wanted (RFC 9113 section 8.1). */
static void on_over(void *owner)
{
    struct client_h2_stream *stream = owner;
    bool ended = stream->ended;

    part(stream);
    if (!ended || !stream->end_written) {
        client_h2_stream_reset(stream, H2_NO_ERROR);
    }
    bury_if_done(stream);
}

static void on_flush(void *owner)
{
    struct client_h2_stream *stream = owner;

    client_h2_flush_later(stream->h2);
}

/* Where a stream ends is known whatever its request says: on_over resets what is left of it. */
static void on_give_up_request(void *owner)
{
    (void)owner;
}

static void on_retire(void *owner)
{
    const struct client_h2_stream *stream = owner;

    client_h2_leave(stream->h2);
}

static bool on_report_peer(void *owner, struct ip *ip)
{
    const struct client_h2_stream *stream = owner;

    return transport_report_peer_ip(stream->h2->connection->transport.fd, ip);
}

static bool on_report_who(void *owner, struct who *who)
{
    const struct client_h2_stream *stream = owner;

    who->kind = WHO_ADMIN;
    return transport_report_peer(&stream->h2->connection->transport, &who->pid, &who->uid);
}

const struct client_stream_ops client_h2_ops = {
    .send_interim = client_h2_send_interim,
    .give_up_request = on_give_up_request,
    .retire = on_retire,
    .send_head = client_h2_send_head,
    .send_body = client_h2_send_body,
    .room = client_h2_room,
    .flush = on_flush,
    .end = client_h2_send_end,
    .take_back = client_h2_take_back,
    .abort = on_abort,
    .want_body = client_h2_want_body,
    .begin_tunnel = client_h2_begin_tunnel,
    .report_peer = on_report_peer,
    .report_who = on_report_who,
    .over = on_over,
};
