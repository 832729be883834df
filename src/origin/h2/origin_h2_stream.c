/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of an HTTP/2 stream to an origin. To the pool a stream is an origin_connection that can
 * carry one request. Events of the session (http/h2) report its frames. A stream outlives its
 * request until the session has closed it: an origin that got RST_STREAM may still send, and the
 * stream still counts against the origin's limit of concurrent streams. */
#include "origin/h2/origin_h2.h"

#include <stdlib.h>

struct origin_connection *origin_h2_stream_open(struct origin_h2 *h2)
{
    struct origin_directory *directory = origin_h2_directory(h2);
    struct origin *origin = h2->connection->origin;
    struct origin_connection *connection = slab_take(directory->connections);
    struct origin_h2_stream *stream = connection != NULL ? slab_take(directory->streams) : NULL;

    if (stream == NULL) {
        slab_give(directory->connections, connection);
        return NULL;
    }
    memset(connection, 0, sizeof(*connection));
    memset(stream, 0, sizeof(*stream));
    connection->transport.fd = -1;
    connection->ops = &origin_h2_ops;
    connection->origin = origin;
    connection->stream = stream;
    connection->state = ORIGIN_CONNECTION_IDLE;
    connection->opened_us = origin_h2_now(h2);
    connection->carried = h2->connection->carried++;
    list_init(&connection->link);
    stream->directory = directory;
    stream->connection = connection;
    stream->h2 = h2;
    list_init(&stream->moved);
    list_init(&stream->touched);
    list_add_last(&h2->streams, &stream->link);
    h2->stream_count++;
    directory->stream_count++;
    TALLY_ADD(origin->tally.http2_streams, 1);
    list_add_first(&origin->idle, &connection->link);
    origin->idle_count++;
    return connection;
}

void origin_h2_stream_free(struct origin_h2_stream *stream)
{
    list_remove(&stream->moved);
    buffer_queue_clear(stream->directory->worker_context->buffers, &stream->out);
    free(stream->trailers);
    free(stream->answer_trailers);
    free(stream->websocket);
    slab_give(stream->directory->streams, stream);
}

/* --- events of the session ------------------------------------------------------------------ */

static bool on_frame(void *owner, const struct h2_frame *frame)
{
    struct origin_h2 *h2 = owner;
    bool brings = frame->type == H2_FRAME_HEADERS ||
                  (frame->type == H2_FRAME_DATA && (frame->length > 0 || frame->ends));

    h2->frame_type = frame->type;
    h2->sent_since_ping = h2->sent_since_ping || brings;
    if (frame->type == H2_FRAME_DATA) {
        h2->data_left = (uint32_t)frame->length;
        h2->data_ends = frame->ends;
    }
    if (!brings && !h2->doomed && !origin_h2_budget_spend(h2)) {
        h2_session_end(h2->session, H2_ENHANCE_YOUR_CALM);
        origin_h2_fail(h2, ORIGIN_FAILURE_H2_FLOOD, NULL);
        return false;
    }
    return true;
}

static void on_ready(void *owner)
{
    struct origin_h2 *h2 = owner;

    h2->is_ready = true;
}

static void forget(struct origin_h2_stream *stream)
{
    list_remove(&stream->link);
    list_remove(&stream->moved);
    list_remove(&stream->touched);
    stream->h2->stream_count--;
    origin_h2_flush_later(stream->h2); /* one more stream may open */
    stream->h2 = NULL;
}

/* The reset was the library's answer to a frame, or came from the origin. */
static void fail_closed(struct origin_h2_stream *stream, uint32_t code)
{
    struct origin_h2 *h2 = stream->h2;
    struct origin_connection *connection = stream->connection;
    bool leaves = h2->frame_type == H2_FRAME_GOAWAY;

    if (!stream->head_written) {
        origin_connection_fail(connection, ORIGIN_FAILURE_CLOSED); /* GOAWAY: the origin closes */
        return;
    }
    if (h2->frame_type != H2_FRAME_RST_STREAM && !leaves) {
        origin_h2_refuse_answer(stream, ORIGIN_FAILURE_MALFORMED,
                                "a frame that HTTP/2 does not allow there");
        return;
    }
    stream->refused = code == H2_REFUSED_STREAM && !connection->heard;
    connection->request->was_reset = !leaves;
    connection->request->stream_was_reset = !leaves;
    connection->request->reset_code = code;
    if (stream->refused) {
        origin_connection_fail(connection,
                               leaves ? ORIGIN_FAILURE_CLOSED : ORIGIN_FAILURE_STREAM_REFUSED);
    } else {
        origin_connection_fail(connection, connection->state == ORIGIN_CONNECTION_AWAITS_HEAD
                                               ? ORIGIN_FAILURE_STREAM_RESET
                                               : ORIGIN_FAILURE_INCOMPLETE);
    }
}

/* An answer that is whole may still wait for its client. */
static void on_closed(void *owner, int32_t id, void *of, uint32_t code)
{
    struct origin_h2 *h2 = owner;
    struct origin_h2_stream *stream = of;
    struct origin_connection *connection = stream != NULL ? stream->connection : NULL;

    (void)id;
    if (stream == NULL || h2->over) {
        return;
    }
    stream->id = 0;
    if (connection != NULL && !stream->ended) {
        fail_closed(stream, code); /* frees the stream, as it has no id */
        return;
    }
    forget(stream);
    if (connection == NULL) {
        origin_h2_stream_free(stream);
    }
}

static void on_leaves(void *owner)
{
    struct origin_h2 *h2 = owner;

    h2->leaves = true;
    origin_h2_flush_later(h2);
}

static void on_pong(void *owner)
{
    struct origin_h2 *h2 = owner;

    h2->pinged_us = 0;
    h2->asked = false;
    origin_h2_flush_later(h2); /* pending requests may go */
}

static void on_opened(void *owner)
{
    origin_h2_flush_later(owner);
}

const struct h2_session_events origin_h2_events = {
    .to_origin = true,
    .frame = on_frame,
    .ready = on_ready,
    .section = origin_h2_on_section,
    .field = origin_h2_on_field,
    .section_ended = origin_h2_on_section_ended,
    .data = origin_h2_on_data,
    .ended = origin_h2_on_ended,
    .closed = on_closed,
    .leaves = on_leaves,
    .pong = on_pong,
    .opened = on_opened,
    .write = origin_h2_on_write,
    .begins = origin_h2_on_begins,
    .pull = origin_h2_on_pull,
    .write_data = origin_h2_on_write_data,
};

/* --- reports that wait for the end of the session's call -------------------------------------- */

static void each_once(struct link *from, size_t offset,
                      void (*report)(struct origin_h2_stream *stream))
{
    struct link line;
    struct link *link;

    list_init(&line);
    if (list_is_empty(from)) {
        return;
    }
    list_take_all(&line, from);
    while ((link = list_first(&line)) != NULL) {
        struct origin_h2_stream *stream = (struct origin_h2_stream *)((char *)link - offset);

        list_remove(link);
        if (stream->connection != NULL) {
            report(stream);
        }
    }
}

void origin_h2_report_moved(struct origin_h2 *h2)
{
    each_once(&h2->moved, offsetof(struct origin_h2_stream, moved), origin_h2_request_moved);
}

static void report_drained(struct origin_h2_stream *stream)
{
    struct origin_request *request = stream->connection->request;

    request->events->drained(request->owner);
}

void origin_h2_report_touched(struct origin_h2 *h2)
{
    each_once(&h2->touched, offsetof(struct origin_h2_stream, touched), report_drained);
}
