/* SPDX-License-Identifier: BSD-2-Clause */
/* A request on its way to an origin by a stream. The exchange pushes its body in, up to a bound; the
 * session pulls frames out, as the origin's windows allow. What went is told at the end of the turn
 * (origin_h2_request_moved). */
#include "base/check.h"
#include "base/text.h"
#include "http/h2/h2_field.h"
#include "origin/h2/origin_h2.h"

#include <stdlib.h>

#define STREAM_ROOM_BYTES (32 * 1024)
#define FIELDS_BESIDES \
    6 /* four pseudo fields, content-length, te; of a WebSocket :protocol, no length */
#define FRAMES_A_REQUEST 16
#define LEFT_MOST_BYTES (256 * 1024) /* of clients that have left, on a connection */

/* --- its head ------------------------------------------------------------------------------ */

/* A switch of protocols is no part of HTTP/2 (section 8.6); the origin is asked without it. */
static bool is_dropped(const struct request_head *head, struct bytes name, bool is_websocket)
{
    return head->upgrades && (bytes_equal_fold(name, BYTES("upgrade")) ||
                              (is_websocket && origin_h2_websocket_drops(name)));
}

static uint32_t fill_fields(const struct request_head *head, bool is_websocket, struct bytes scheme,
                            struct text *text, struct http_field *fields)
{
    uint32_t count = 0;

    fields[count++] =
        (struct http_field){BYTES(":method"), is_websocket ? BYTES("CONNECT") : head->method};
    if (is_websocket) {
        fields[count++] = (struct http_field){BYTES(":protocol"), BYTES("websocket")};
    }
    fields[count++] = (struct http_field){BYTES(":scheme"), scheme};
    if (head->authority.length > 0) {
        fields[count++] = (struct http_field){BYTES(":authority"), head->authority};
    }
    fields[count++] = (struct http_field){BYTES(":path"), head->target};
    for (uint32_t i = 0; i < head->fields->count; i++) {
        const struct http_field *row = &head->fields->rows[i];

        if (!is_dropped(head, row->name, is_websocket)) {
            fields[count++] = (struct http_field){h2_add_name(text, row->name), row->value};
        }
    }
    if (head->framing == HTTP_LENGTH_KNOWN && !is_websocket) { /* what follows is its tunnel */
        fields[count++] =
            (struct http_field){BYTES("content-length"), text_number(text, head->body_length)};
    }
    if (head->takes_trailers) {
        fields[count++] = (struct http_field){BYTES("te"), BYTES("trailers")};
    }
    return count;
}

/* false: it has failed. */
static bool begin_websocket(struct origin_connection *connection, const struct request_head *head)
{
    struct origin_h2_stream *stream = connection->stream;

    if (!h2_session_takes_protocols(stream->h2->session)) {
        origin_connection_fail(connection, ORIGIN_FAILURE_UPGRADE_UNKNOWN);
        return false;
    }
    stream->websocket = origin_h2_websocket_new(head);
    if (stream->websocket != NULL) {
        return true;
    }
    origin_connection_fail(connection, origin_h2_websocket_key_fits(head)
                                           ? ORIGIN_FAILURE_LOCAL_RESOURCE
                                           : ORIGIN_FAILURE_WEBSOCKET_KEY); /* frees the stream */
    return false;
}

static bool send_head(struct origin_connection *connection, const struct request_head *head)
{
    struct origin_h2_stream *stream = connection->stream;
    struct origin_h2 *h2 = stream->h2;
    struct http_field fields[HTTP_FIELDS_MAX + FIELDS_BESIDES];
    struct buffer *scratch;
    struct text text;
    uint32_t count;

    if (head->fields->bytes + TEXT_NUMBER_MAX > BUFFER_LARGE_BYTES - sizeof(struct buffer)) {
        return false;
    }
    if (origin_h2_websocket_is_wanted(head) && !begin_websocket(connection, head)) {
        return true;
    }
    scratch = buffer_borrow(origin_h2_buffers(h2), BUFFER_LARGE);
    if (scratch == NULL) {
        origin_connection_fail(connection, ORIGIN_FAILURE_LOCAL_RESOURCE);
        return true;
    }
    text = text_over(buffer_tail(scratch), buffer_room(scratch));
    count = fill_fields(head, stream->websocket != NULL, h2->connection->transport.ops->scheme,
                        &text, fields);
    CHECK(!text.overflowed);
    connection->request_framing =
        http_has_body(head->framing, head->body_length) ? head->framing : HTTP_NO_BODY;
    connection->request_upgrades = stream->websocket != NULL;
    stream->id = h2_session_request(
        h2->session, fields, count,
        http_has_body(head->framing, head->body_length) || stream->websocket != NULL, stream);
    buffer_return(origin_h2_buffers(h2), &scratch);
    if (stream->id == 0) {
        h2->leaves = true; /* its numbers have run out, or memory has */
        origin_connection_fail(connection, ORIGIN_FAILURE_LOCAL_RESOURCE);
        return true;
    }
    origin_h2_budget_earn(h2, FRAMES_A_REQUEST);
    if (http_has_body(head->framing, head->body_length)) {
        reserve_client_waited_for(connection);
    }
    origin_h2_flush_later(h2);
    return true;
}

/* --- its body ------------------------------------------------------------------------------ */

static void mind_the_request(struct origin_connection *connection)
{
    bool waits = connection->request_whole && !connection->stream->sent;

    origin_connection_mind_request(connection, connection->out.blocked || waits);
}

static size_t add_piece(struct origin_connection *connection, struct bytes piece)
{
    struct origin_h2_stream *stream = connection->stream;
    size_t room =
        stream->out.length < STREAM_ROOM_BYTES ? STREAM_ROOM_BYTES - stream->out.length : 0;

    piece = bytes_first(piece, piece.length < room ? piece.length : room);
    if (piece.length == 0 ||
        !buffer_queue_add(origin_h2_buffers(stream->h2), &stream->out, piece)) {
        return 0;
    }
    return piece.length;
}

static size_t send_body(struct origin_connection *connection, const struct bytes *pieces, int count)
{
    struct origin_h2_stream *stream = connection->stream;
    size_t total = 0;

    bool tunnels = connection->state == ORIGIN_CONNECTION_TUNNELS;

    if (stream->h2 == NULL || connection->out.blocked || (connection->request_whole && !tunnels)) {
        return 0;
    }
    for (int i = 0; i < count && !connection->out.blocked; i++) {
        size_t taken = add_piece(connection, pieces[i]);

        total += taken;
        connection->out.blocked = taken < pieces[i].length;
    }
    if (total > 0) {
        h2_session_resume(stream->h2->session, stream->id);
        origin_h2_flush_later(stream->h2);
    }
    if (connection->out.blocked) {
        reserve_client_came(connection);
        mind_the_request(connection);
    }
    if (tunnels && !connection->answer_paused) {
        origin_connection_set_clock(connection, connection->request->timeouts->tunnel_idle);
    }
    return total;
}

struct origin_h2_kept *origin_h2_keep(const struct http_field *fields, uint32_t count, size_t bytes)
{
    size_t rows = sizeof(struct origin_h2_kept) + count * sizeof(struct http_field);
    struct origin_h2_kept *kept = malloc(rows + bytes + 1);
    struct text text;

    if (kept == NULL) {
        return NULL;
    }
    kept->count = count;
    text = text_over((char *)kept + rows, bytes + 1);
    for (uint32_t i = 0; i < count; i++) {
        const char *at;

        kept->rows[i].name = h2_add_name(&text, fields[i].name);
        at = text.at;
        text_add_bytes(&text, fields[i].value);
        kept->rows[i].value = text_since(&text, at);
    }
    CHECK(!text.overflowed);
    return kept;
}

static void send_end(struct origin_connection *connection, const struct http_fields *trailers)
{
    struct origin_h2_stream *stream = connection->stream;

    if (trailers != NULL && trailers->count > 0 && connection->request_framing != HTTP_NO_BODY) {
        stream->trailers = origin_h2_keep(trailers->rows, trailers->count, trailers->bytes);
        if (stream->trailers == NULL) {
            origin_connection_fail(connection, ORIGIN_FAILURE_LOCAL_RESOURCE);
            return;
        }
    }
    connection->request_whole = true;
    reserve_client_came(connection);
    connection->asked_us = origin_connection_now(connection);
    if (stream->h2 != NULL) {
        h2_session_resume(stream->h2->session, stream->id);
        origin_h2_flush_later(stream->h2);
    }
    mind_the_request(connection); /* where its windows are closed nothing else sets a clock */
}

static void flush(struct origin_connection *connection)
{
    if (connection->stream->h2 != NULL) {
        origin_h2_flush_later(connection->stream->h2);
    }
}

/* --- out of the stream --------------------------------------------------------------------- */

static void note_moved(struct origin_h2_stream *stream)
{
    if (stream->connection != NULL) {
        list_remove(&stream->moved);
        list_add_last(&stream->h2->moved, &stream->moved);
    }
}

void origin_h2_on_begins(void *owner, void *of)
{
    struct origin_h2 *h2 = owner;
    struct origin_h2_stream *stream = of;

    stream->head_at = h2->connection->out.written + h2->connection->out.queue.length;
    stream->head_written = true;
    stream->sent =
        stream->connection != NULL && stream->connection->request_framing == HTTP_NO_BODY;
    h2->begins = stream;
    note_moved(stream);
}

bool origin_h2_on_write(void *owner, struct bytes frame)
{
    struct origin_h2 *h2 = owner;

    if (h2->begins != NULL && h2->begins->connection != NULL) {
        h2->begins->connection->out.written += frame.length;
    }
    h2->begins = NULL;
    return outbox_add(&h2->connection->out, origin_h2_buffers(h2), frame);
}

/* What waits in the stream is the last of it. */
static bool is_at_end(const struct origin_h2_stream *stream)
{
    return stream->left_us != 0 || (stream->connection->request_whole && stream->websocket == NULL);
}

enum h2_pull origin_h2_on_pull(void *owner, void *of, size_t most, size_t *length)
{
    struct origin_h2 *h2 = owner;
    struct origin_h2_stream *stream = of;

    if (stream->connection == NULL && stream->left_us == 0) {
        return H2_PULL_WAIT; /* its reset is queued */
    }
    if (h2->connection->out.queue.length + H2_DATA_FRAME_MOST > TRANSPORT_WRITE_LEAST) {
        h2->paused = true;
        return H2_PULL_PAUSE;
    }
    *length = stream->out.length < most ? stream->out.length : most;
    if (*length < stream->out.length || !is_at_end(stream)) {
        return *length > 0 ? H2_PULL_SOME : H2_PULL_WAIT;
    }
    stream->sent = true;
    note_moved(stream);
    if (stream->trailers == NULL ||
        !h2_session_send_trailers(h2->session, stream->id, stream->trailers->rows,
                                  stream->trailers->count)) {
        return H2_PULL_LAST;
    }
    return H2_PULL_TRAILED;
}

bool origin_h2_on_write_data(void *owner, void *of, struct bytes head, size_t length)
{
    struct origin_h2 *h2 = owner;
    struct origin_h2_stream *stream = of;
    struct buffer_pool *buffers = origin_h2_buffers(h2);
    struct outbox *out = &h2->connection->out;

    if (!outbox_add(out, buffers, head)) {
        return false;
    }
    if (stream->connection != NULL) {
        stream->connection->out.written += head.length + length;
    }
    origin_h2_budget_earn(h2, 2); /* the origin opens its windows for it */
    while (length > 0) {
        struct bytes piece = bytes_first(
            buffer_content(stream->out.first),
            length < buffer_length(stream->out.first) ? length : buffer_length(stream->out.first));

        if (!outbox_add(out, buffers, piece)) {
            return false;
        }
        buffer_queue_drop(buffers, &stream->out, piece.length);
        length -= piece.length;
    }
    note_moved(stream);
    return true;
}

/* What waits for the transport has not gone yet, but will without the request's help. */
void origin_h2_request_moved(struct origin_h2_stream *stream)
{
    struct origin_connection *connection = stream->connection;
    struct origin_request *request = connection->request;

    request->evidence.bytes_written = connection->out.written;
    if (connection->out.blocked && stream->out.length <= STREAM_ROOM_BYTES / 2) {
        connection->out.blocked = false;
        if (!connection->request_whole) {
            reserve_client_waited_for(connection);
        }
    }
    mind_the_request(connection);
    if (!connection->out.blocked && (!connection->request_whole || stream->sent)) {
        request->events->writable(request->owner);
    }
}

/* --- clocks, memory, evidence -------------------------------------------------------------- */

static bool moved_since(struct origin_connection *connection)
{
    bool moved = connection->out.written != connection->written_checked;

    connection->written_checked = connection->out.written;
    return moved;
}

static bool goes_on(struct origin_connection *connection)
{
    const struct timeouts_settings *timeouts = connection->request->timeouts;
    bool moved = moved_since(connection);

    if (connection->state == ORIGIN_CONNECTION_AWAITS_HEAD) {
        if (origin_connection_need_not_hurry(connection)) {
            return true;
        }
        if (connection->out.blocked && moved) {
            origin_connection_set_clock(connection, timeouts->send_idle);
            return true;
        }
        return false;
    }
    if (!moved && (connection->request_whole || connection->out.blocked)) {
        return false;
    }
    origin_connection_set_clock(connection, timeouts->response_idle);
    return true;
}

static size_t held(const struct origin_connection *connection)
{
    const struct origin_h2_stream *stream = connection->stream;

    return sizeof(*connection) + sizeof(*stream) + buffer_queue_held(&stream->out) +
           buffer_queue_held(&stream->in);
}

/* Under TLS a write that took nothing may have put a part of a record on the wire. */
static bool is_untouched(const struct origin_h2_stream *stream)
{
    const struct origin_connection *carrier = stream->h2->connection;

    /* While the connection lives, what is queued on it is still written. */
    return !stream->head_written ||
           ((stream->h2->over || carrier->out.broken) && carrier->out.written <= stream->head_at &&
            (carrier->transport.ops->plain || (!carrier->out.blocked && !carrier->out.broken)));
}

static void judge(struct origin_connection *connection, struct origin_request *request)
{
    const struct origin_h2_stream *stream = connection->stream;
    bool untouched = stream->h2 != NULL && is_untouched(stream);

    request->evidence.bytes_written = untouched ? 0 : connection->out.written;
    request->evidence.delivery = connection->heard ? ORIGIN_DELIVERY_ANSWERED
                                 : untouched       ? ORIGIN_DELIVERY_NOT_SENT
                                 : stream->refused ? ORIGIN_DELIVERY_NOT_PROCESSED
                                                   : ORIGIN_DELIVERY_MAYBE;
}

static enum h2_code code_of_end(const struct origin_h2_stream *stream)
{
    return stream->malformed ? H2_PROTOCOL_ERROR : stream->ended ? H2_NO_ERROR : H2_CANCEL;
}

/* A WebSocket ends by END_STREAM (RFC 8441 section 5), behind what its client has sent. A stream whose
 * answer is whole without it is the origin's to end: a reset could cancel what its handler still does. */
static bool ends_in_order(const struct origin_connection *connection,
                          const struct origin_h2_stream *stream)
{
    bool is_websocket = stream->websocket != NULL && !stream->malformed &&
                        (stream->ended || connection->state == ORIGIN_CONNECTION_TUNNELS);

    return stream->h2 != NULL && !stream->h2->over && stream->id != 0 &&
           (is_websocket || stream->answered);
}

/* What waits in streams whose clients have left. */
static size_t left_behind(const struct origin_h2 *h2)
{
    size_t total = 0;

    LIST_EACH (const struct origin_h2_stream, stream, &h2->streams, link) {
        total += stream->left_us != 0 ? stream->out.length : 0;
    }
    return total;
}

/* Its bytes go as the windows open, and the origin ends its side behind them; or origin_h2_late. */
static void leave(struct origin_h2_stream *stream)
{
    struct origin_h2 *h2 = stream->h2;

    stream->left_us = origin_h2_now(h2);
    if (left_behind(h2) > LEFT_MOST_BYTES) {
        h2_session_reset(h2->session, stream->id, H2_CANCEL);
    } else {
        h2_session_resume(h2->session, stream->id);
    }
    origin_h2_flush_later(h2);
}

/* What the session still knows stays with it until it tells the stream's end. */
static void part(struct origin_connection *connection)
{
    struct origin_h2_stream *stream = connection->stream;
    struct origin_h2 *h2 = stream->h2;

    connection->stream = NULL;
    stream->connection = NULL;
    connection->origin->directory->stream_count--;
    TALLY_ADD(connection->origin->tally.http2_streams, -1u);
    list_remove(&stream->moved);
    list_remove(&stream->touched);
    buffer_queue_clear(origin_connection_buffers(connection), &stream->in);
    if (stream->ended) {
        buffer_queue_clear(origin_connection_buffers(connection), &stream->out);
    }
    if (ends_in_order(connection, stream)) {
        leave(stream);
        return;
    }
    if (h2 == NULL) {
        origin_h2_stream_free(stream);
        return;
    }
    if (stream->id == 0) {
        list_remove(&stream->link); /* the session does not know it */
        h2->stream_count--;
        origin_h2_stream_free(stream);
        origin_h2_flush_later(h2);
        return;
    }
    if (!h2->over && !(stream->ended && stream->sent)) {
        h2_session_reset(h2->session, stream->id, code_of_end(stream));
    }
    origin_h2_flush_later(h2);
}

const struct origin_connection_ops origin_h2_ops = {
    .send_head = send_head,
    .send_body = send_body,
    .send_end = send_end,
    .flush = flush,
    .resume = origin_h2_resume,
    .held = held,
    .goes_on = goes_on,
    .judge = judge,
    .part = part,
};
