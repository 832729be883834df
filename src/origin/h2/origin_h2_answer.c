/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer as it comes on a stream: turned into events of the request. What the client does not take
 * waits in the stream, bounded by its window, which opens only as the client takes bytes. Strict:
 * whatever is not well-formed ends the stream, and it alone. */
#include "base/text.h"
#include "http/h2/h2_answer.h"
#include "origin/h2/origin_h2.h"

#include <stdlib.h>

#define FIELD_BYTES 32 /* that a field costs beside its bytes (RFC 9113 section 6.5.2) */
#define BOMB_TIMES 4   /* of what is too large anyway, so much is decompressed */
#define HEAD_BYTES_USUAL (64 * 1024)
#define TEXT_LEAST 2048

void origin_h2_refuse_answer(struct origin_h2_stream *stream, enum origin_failure failure,
                             const char *fault)
{
    struct origin_connection *connection = stream->connection;

    connection->request->fault = fault;
    stream->malformed = failure == ORIGIN_FAILURE_MALFORMED;
    origin_connection_fail(connection, failure);
}

static void refuse(struct origin_h2_stream *stream, const char *fault)
{
    origin_h2_refuse_answer(stream, ORIGIN_FAILURE_MALFORMED, fault);
}

/* --- field sections ------------------------------------------------------------------------ */

bool origin_h2_on_section(void *owner, int32_t id, void *of, bool is_request)
{
    struct origin_h2 *h2 = owner;
    const struct origin_h2_stream *stream = of;

    (void)id, (void)is_request;
    h2->section.count = 0;
    h2->section.bytes = 0;
    h2->section.list = 0;
    h2->section.too_large = false;
    h2->section.most = stream != NULL && stream->connection != NULL
                           ? stream->connection->request->limits->response_head_bytes
                           : HEAD_BYTES_USUAL;
    return true;
}

static bool make_room(struct origin_h2_section *section, size_t more)
{
    size_t room = section->room > 0 ? section->room : TEXT_LEAST;
    char *text;

    while (room < section->bytes + more) {
        room *= 2;
    }
    if (room > section->room) {
        text = realloc(section->text, room);
        if (text == NULL) {
            return false;
        }
        section->text = text;
        section->room = (uint32_t)room;
    }
    return true;
}

static void keep(struct origin_h2_section *section, struct bytes bytes)
{
    if (bytes.length > 0) {
        memcpy(section->text + section->bytes, bytes.at, bytes.length);
    }
    section->bytes += (uint32_t)bytes.length;
}

bool origin_h2_on_field(void *owner, struct bytes name, struct bytes value)
{
    struct origin_h2 *h2 = owner;
    struct origin_h2_section *section = &h2->section;

    section->list += (uint32_t)(name.length + value.length) + FIELD_BYTES;
    if (section->list > BOMB_TIMES * section->most + H2_FIELDS_MAX * FIELD_BYTES) {
        origin_h2_fail(h2, ORIGIN_FAILURE_HEAD_TOO_LARGE, NULL);
        return true;
    }
    if (section->too_large || section->count == H2_FIELDS_MAX ||
        section->bytes + name.length + value.length > section->most ||
        !make_room(section, name.length + value.length)) {
        section->too_large = true; /* decompressed all the same, since later sections build on it */
        return true;
    }
    section->places[section->count].at = section->bytes;
    section->places[section->count].name_length = (uint32_t)name.length;
    section->places[section->count].value_length = (uint32_t)value.length;
    section->count++;
    keep(section, name);
    keep(section, value);
    return true;
}

static uint32_t fields_of(const struct origin_h2_section *section,
                          struct http_field fields[H2_FIELDS_MAX])
{
    for (uint32_t i = 0; i < section->count; i++) {
        const char *at = section->text + section->places[i].at;

        fields[i].name = (struct bytes){at, section->places[i].name_length};
        fields[i].value =
            (struct bytes){at + section->places[i].name_length, section->places[i].value_length};
    }
    return section->count;
}

/* --- the end ------------------------------------------------------------------------------- */

static void finish_answer(struct origin_connection *connection, const struct http_headers *trailers)
{
    struct origin *origin = connection->origin;
    struct origin_request *request = connection->request;

    if (connection->state == ORIGIN_CONNECTION_TUNNELS) {
        origin_connection_stop_clock(connection);
        origin_connection_unbind(connection);
    } else {
        origin_connection_end_answer(connection);
    }
    origin_connection_close(connection);
    pool_serve_line(origin);
    request->events->ended(request->owner, trailers);
}

/* How long the origin may be silent now. */
static uint32_t patience_ms(const struct origin_connection *connection)
{
    const struct timeouts_settings *timeouts = connection->request->timeouts;

    return connection->state == ORIGIN_CONNECTION_TUNNELS ? timeouts->tunnel_idle
                                                          : timeouts->response_idle;
}

static bool is_in_body(const struct origin_connection *connection)
{
    return connection->state == ORIGIN_CONNECTION_READS_BODY ||
           connection->state == ORIGIN_CONNECTION_TUNNELS;
}

static void touch(struct origin_h2_stream *stream)
{
    list_remove(&stream->touched);
    list_add_last(&stream->h2->touched, &stream->touched);
}

/* --- the body ------------------------------------------------------------------------------ */

static void open_window(struct origin_h2_stream *stream, size_t bytes)
{
    if (stream->h2 != NULL && bytes > 0) {
        h2_session_took_of(stream->h2->session, stream->id, bytes);
        origin_h2_flush_later(stream->h2);
    }
}

/* Returns how much of it was taken; the request may be over then. */
static size_t offer(struct origin_connection *connection, struct bytes bytes)
{
    struct origin_request *request = connection->request;
    struct origin_h2_stream *stream = connection->stream;
    size_t taken = request->events->body(request->owner, bytes);

    if (connection->request == request) {
        connection->passed += taken;
        open_window(stream, taken);
    }
    return taken;
}

/* The bytes end the body, and nothing is left of it. */
static bool fits(struct origin_h2_stream *stream, size_t length)
{
    struct origin_connection *connection = stream->connection;

    if (!is_in_body(connection)) {
        refuse(stream, "DATA before the answer's head");
        return false;
    }
    if (connection->answer.framing == HTTP_NO_BODY) {
        refuse(stream, "DATA in an answer that has no body");
        return false;
    }
    if (connection->answer.framing == HTTP_LENGTH_KNOWN) {
        if (length > connection->answer.left) {
            refuse(stream, "the body is longer than Content-Length says");
            return false;
        }
        connection->answer.left -= length;
    }
    return true;
}

/* The connection's window opens at once: what streams hold is bounded by their own, so that none holds
 * up the others. */
void origin_h2_on_data(void *owner, int32_t id, void *of, struct bytes bytes)
{
    struct origin_h2 *h2 = owner;
    struct origin_h2_stream *stream = of;
    struct origin_connection *connection = stream != NULL ? stream->connection : NULL;
    struct origin_request *request;
    size_t taken = 0;

    (void)id;
    h2_session_took(h2->session, bytes.length);
    h2->data_left -= bytes.length < h2->data_left ? (uint32_t)bytes.length : h2->data_left;
    if (connection == NULL || h2->doomed || bytes.length == 0 || !fits(stream, bytes.length)) {
        return;
    }
    request = connection->request;
    if (!connection->answer_paused) {
        origin_connection_set_clock(connection, patience_ms(connection));
        request->answer_ends = h2->data_ends && h2->data_left == 0;
        taken = offer(connection, bytes);
        if (connection->request != request) {
            return;
        }
        touch(stream);
    }
    if (taken == bytes.length) {
        return;
    }
    if (!buffer_queue_add(origin_h2_buffers(h2), &stream->in, bytes_skip(bytes, taken))) {
        origin_connection_fail(connection, ORIGIN_FAILURE_LOCAL_RESOURCE);
        return;
    }
    if (!connection->answer_paused) {
        origin_connection_pause_answer(connection);
    }
}

static void finish_with_kept(struct origin_connection *connection)
{
    struct origin_h2_kept *kept = connection->stream->answer_trailers;
    struct http_header rows[HTTP_HEADERS_MAX];
    struct http_headers trailers = {.rows = rows};
    const char *fault;

    connection->stream->answer_trailers = NULL;
    if (kept != NULL && h2_read_answer_trailers(kept->rows, kept->count, &trailers, &fault) &&
        trailers.count > 0) {
        finish_answer(connection, &trailers);
    } else {
        finish_answer(connection, NULL);
    }
    free(kept);
}

/* What waits in the stream. false: the client took less, or the request is over. */
static bool deliver_kept(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;
    struct origin_h2_stream *stream = connection->stream;

    while (stream->in.length > 0) {
        struct bytes piece = buffer_content(stream->in.first);
        size_t taken;

        /* Behind its last byte there may be trailers: these are told at the end. */
        request->answer_ends =
            stream->ended && stream->answer_trailers == NULL && piece.length == stream->in.length;
        taken = offer(connection, piece);
        if (connection->request != request) {
            return false;
        }
        buffer_queue_drop(origin_connection_buffers(connection), &stream->in, taken);
        if (taken < piece.length) {
            origin_connection_pause_answer(connection);
            return false;
        }
    }
    return true;
}

void origin_h2_resume(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;

    if (!connection->answer_paused || connection->delivering) {
        return;
    }
    connection->answer_paused = false;
    reserve_client_came(connection);
    origin_connection_set_clock(connection, patience_ms(connection));
    connection->delivering = true;
    if (deliver_kept(connection)) {
        connection->delivering = false;
        if (connection->stream->ended) {
            finish_with_kept(connection);
        } else {
            request->events->drained(request->owner);
        }
    } else if (connection->request == request) {
        connection->delivering = false;
        request->events->drained(request->owner);
    }
}

void origin_h2_on_ended(void *owner, int32_t id, void *of)
{
    struct origin_h2 *h2 = owner;
    struct origin_h2_stream *stream = of;
    struct origin_connection *connection = stream != NULL ? stream->connection : NULL;

    (void)id;
    if (connection == NULL || h2->doomed) {
        return;
    }
    if (!is_in_body(connection)) {
        refuse(stream, "the stream ended without an answer");
    } else if (connection->answer.framing == HTTP_LENGTH_KNOWN && connection->answer.left > 0) {
        refuse(stream, "the body is shorter than Content-Length says");
    } else {
        stream->ended = true;
        if (!connection->answer_paused) {
            finish_with_kept(connection);
        }
    }
}

/* --- heads and trailers -------------------------------------------------------------------- */

/* An answer without a body is whole with its head: an END_STREAM that comes later holds up no client. The
 * request must be, too, or the rest of it has nowhere to go. */
static bool is_whole_before_end(struct origin_h2_stream *stream)
{
    stream->answered = stream->connection->answer.framing == HTTP_NO_BODY && stream->sent;
    return stream->answered;
}

static void begin_answer(struct origin_h2_stream *stream, const struct http_response *response,
                         bool ends)
{
    struct origin_connection *connection = stream->connection;
    struct origin_request *request = connection->request;

    stream->ended = ends; /* a request that is given up now resets nothing */
    if (response->status == 101) {
        origin_connection_begin_tunnel(connection, response);
    } else {
        origin_connection_begin_answer(connection, response, 0);
    }
    if (connection->request != request) {
        return;
    }
    if (ends || is_whole_before_end(stream)) {
        finish_answer(connection, NULL);
    } else {
        touch(stream);
    }
}

static void on_head(struct origin_h2_stream *stream, bool ends)
{
    struct origin_h2_section *section = &stream->h2->section;
    struct origin_connection *connection = stream->connection;
    struct origin_request *request = connection->request;
    struct http_response *response = &connection->origin->directory->response;
    struct http_field fields[H2_FIELDS_MAX];
    uint32_t count = fields_of(section, fields);
    const char *fault;

    if (section->too_large) {
        origin_h2_refuse_answer(stream, ORIGIN_FAILURE_HEAD_TOO_LARGE, NULL);
    } else if (!h2_read_answer(fields, count, request->method, ends, request->lenient, response,
                               &fault)) {
        refuse(stream, fault);
    } else if (stream->websocket != NULL && response->status / 100 == 2 &&
               !origin_h2_websocket_switch(stream->websocket, response)) {
        origin_h2_refuse_answer(stream, ORIGIN_FAILURE_HEAD_TOO_LARGE, NULL);
    } else if (response->status >= 200 || response->status == 101) {
        begin_answer(stream, response, ends);
    } else {
        origin_connection_pass_interim(connection, response);
    }
}

static void on_trailers(struct origin_h2_stream *stream, bool ends)
{
    struct origin_h2 *h2 = stream->h2;
    struct http_field fields[H2_FIELDS_MAX];
    uint32_t count = fields_of(&h2->section, fields);
    struct http_header rows[HTTP_HEADERS_MAX];
    struct http_headers trailers = {.rows = rows};
    const char *fault = "a field section in the middle of the body";

    if (h2->section.too_large) {
        origin_h2_refuse_answer(stream, ORIGIN_FAILURE_TRAILERS_TOO_LARGE, NULL);
        return;
    }
    if (!ends || !h2_read_answer_trailers(fields, count, &trailers, &fault)) {
        refuse(stream, fault);
        return;
    }
    stream->answer_trailers = origin_h2_keep(fields, count, h2->section.bytes);
    if (stream->answer_trailers == NULL) {
        origin_connection_fail(stream->connection, ORIGIN_FAILURE_LOCAL_RESOURCE);
        return;
    }
    origin_h2_on_ended(h2, stream->id, stream);
}

void origin_h2_on_section_ended(void *owner, int32_t id, void *of, bool is_request, bool ends)
{
    struct origin_h2 *h2 = owner;
    struct origin_h2_stream *stream = of;

    (void)id, (void)is_request;
    if (h2->doomed || stream == NULL || stream->connection == NULL) {
        return;
    }
    stream->connection->heard = true;
    if (stream->connection->state == ORIGIN_CONNECTION_AWAITS_HEAD) {
        on_head(stream, ends);
    } else if (stream->connection->state == ORIGIN_CONNECTION_READS_BODY) {
        on_trailers(stream, ends);
    } else if (stream->connection->state == ORIGIN_CONNECTION_TUNNELS) {
        refuse(stream, "a field section in a tunnel"); /* RFC 9113 section 8.5 */
    }
}
