/* SPDX-License-Identifier: BSD-2-Clause */
/* Field sections of a client as they come, and the exchange that begins with one. What a section
 * means is for http/h2/h2_request; here are its limits and its memory: one piece for all connections
 * of a worker, since a section mostly comes in one read, and one of its own that grows for those that
 * do not. */
#include "client/h2/client_h2_private.h"

#include "base/text.h"
#include "http/h2/h2_field.h"
#include "http/h2/h2_priority.h"

#include <stdlib.h>

/* A field costs so much beside its bytes (RFC 9113 section 6.5.2). */
#define FIELD_BYTES 32
/* One of its own has room for so much more than it holds, at least. */
#define OWN_LEAST_BYTES 256
/* Of what is refused as too large anyway, so much is decompressed: behind that it is a bomb. */
#define BOMB_TIMES 4
#define PSEUDOS 4 /* of a request */
#define CRUMBS_PARTED_BY "; "
/* Trailers of so many bytes are taken whatever else the connection holds. */
#define TRAILERS_SHARE_BYTES 1024

static const struct limits_settings *limits_of(const struct client_h2 *h2)
{
    return &exchange_context_settings(client_h2_context(h2)->exchanges)->limits;
}

/* --- its memory ---------------------------------------------------------------------------- */

static size_t size_for(size_t text)
{
    return sizeof(struct client_h2_section) + text;
}

/* The context's, which may have to grow after a reload. */
static struct client_h2_section *context_section(struct client_h2 *h2)
{
    struct client_context *context = client_h2_context(h2);
    uint32_t most = limits_of(h2)->head_bytes;

    if (context->h2.section == NULL || context->h2.section->capacity < most) {
        free(context->h2.section);
        context->h2.section = malloc(size_for(most));
        if (context->h2.section != NULL) {
            context->h2.section->capacity = most;
        }
    }
    return context->h2.section;
}

/* Twice what it has to hold, so that what is copied stays in proportion to what comes, however small
 * the pieces. Does not move `from`. */
static struct client_h2_section *section_with_room(const struct client_h2_section *from,
                                                   size_t more)
{
    size_t capacity = 2 * (from->bytes + more) + OWN_LEAST_BYTES;
    struct client_h2_section *section = malloc(size_for(capacity));

    if (section == NULL) {
        return NULL;
    }
    memcpy(section, from, size_for(from->bytes));
    section->capacity = (uint32_t)capacity;
    for (uint32_t i = 0; i < section->count; i++) {
        section->rows[i].name.at = section->text + (from->rows[i].name.at - from->text);
        section->rows[i].value.at = section->text + (from->rows[i].value.at - from->text);
    }
    return section;
}

bool client_h2_section_leaves_context(struct client_h2 *h2)
{
    if (h2->section != NULL && h2->section == client_h2_context(h2)->h2.section) {
        h2->section = section_with_room(h2->section, 0);
        return h2->section != NULL;
    }
    return true;
}

/* false: no memory. */
static bool make_room(struct client_h2 *h2, size_t more)
{
    struct client_h2_section *former = h2->section;
    struct client_h2_section *section;

    if (former->bytes + more <= former->capacity) {
        return true;
    }
    section = section_with_room(former, more);
    if (section == NULL) {
        return false;
    }
    if (former != client_h2_context(h2)->h2.section) {
        free(former);
    }
    h2->section = section;
    return true;
}

void client_h2_section_drop(struct client_h2 *h2)
{
    if (h2->section != client_h2_context(h2)->h2.section) {
        free(h2->section);
    }
    h2->section = NULL;
    h2->section_us = 0;
}

/* --- field by field ------------------------------------------------------------------------ */

static bool refuse_stream(struct client_h2 *h2, int32_t id)
{
    metrics_note(client_h2_context(h2)->metrics, METRICS_HTTP2_REFUSED);
    h2_session_reset(h2->session, id, H2_REFUSED_STREAM);
    return false;
}

static void section_begin(struct client_h2_section *section, const struct limits_settings *limits,
                          bool is_request)
{
    uint32_t rows = limits->headers + (is_request ? PSEUDOS : 0);

    section->count = 0;
    section->bytes = 0;
    section->list = 0;
    section->most_bytes = limits->head_bytes;
    section->most_count = rows < H2_FIELDS_MAX ? rows : H2_FIELDS_MAX;
    section->most_list = BOMB_TIMES * limits->head_bytes + H2_FIELDS_MAX * FIELD_BYTES;
    section->is_request = is_request;
    section->too_large = false;
    section->joined = false;
}

bool client_h2_on_section(void *owner, int32_t id, void *stream, bool is_request)
{
    struct client_h2 *h2 = owner;
    struct client_h2_section *section;

    (void)stream;
    if (!client_h2_stands(h2)) {
        return false;
    }
    if (is_request && !client_h2_has_room(h2)) {
        return refuse_stream(h2, id);
    }
    section = context_section(h2);
    if (section == NULL) {
        return refuse_stream(h2, id);
    }
    section_begin(section, limits_of(h2), is_request);
    h2->section = section;
    h2->section_us = client_h2_now(h2);
    return true;
}

static struct bytes keep(struct client_h2_section *section, struct bytes bytes)
{
    char *at = section->text + section->bytes;

    if (bytes.length > 0) {
        memcpy(at, bytes.at, bytes.length);
    }
    section->bytes += (uint32_t)bytes.length;
    return (struct bytes){at, bytes.length};
}

static void add_row(struct client_h2_section *section, struct bytes name, struct bytes value)
{
    struct http_field *row = &section->rows[section->count++];

    row->name = keep(section, name);
    row->value = keep(section, value);
    section->joined = false;
}

/* The crumbs of a cookie are one line again (RFC 9113 section 8.2.3) and count as one. One behind the other,
 * as clients send them, they take one row. What is not well-formed keeps its row, to be found there. Each
 * crumb is looked at once. */
static bool is_next_crumb(const struct client_h2_section *section, struct bytes name,
                          struct bytes value)
{
    const struct http_field *last;
    enum h2_fault fault;

    if (!bytes_equal(name, BYTES("cookie")) || section->count == 0) {
        return false;
    }
    last = &section->rows[section->count - 1];
    return bytes_equal(last->name, name) && h2_check_value(value, &fault) &&
           (section->joined || h2_check_value(last->value, &fault));
}

/* The last row's value ends where the text does. */
static void join_crumb(struct client_h2_section *section, struct bytes value)
{
    struct http_field *row = &section->rows[section->count - 1];

    row->value.length += keep(section, BYTES(CRUMBS_PARTED_BY)).length;
    row->value.length += keep(section, value).length;
    section->joined = true;
}

bool client_h2_on_field(void *owner, struct bytes name, struct bytes value)
{
    struct client_h2 *h2 = owner;
    struct client_h2_section *section = h2->section;
    size_t more = name.length + value.length;
    bool joins;

    if (section == NULL) {
        return client_h2_stands(h2);
    }
    joins = is_next_crumb(section, name, value);
    section->list += (uint32_t)more + FIELD_BYTES;
    if (section->list > section->most_list) {
        client_h2_fail(h2, H2_ENHANCE_YOUR_CALM, CUT_H2_HEADS);
        return false;
    }
    if (section->too_large || section->bytes + more > section->most_bytes ||
        (!joins && section->count == section->most_count) || !make_room(h2, more)) {
        section->too_large = true;
        return true; /* decompressed all the same, since later sections build on it */
    }
    if (joins) {
        join_crumb(h2->section, value);
    } else {
        add_row(h2->section, name, value);
    }
    return true;
}

/* --- a request ----------------------------------------------------------------------------- */

static void count_begun(struct client_h2 *h2)
{
    struct client_connection *connection = h2->connection;
    struct client_context *context = client_h2_context(h2);

    connection->served++;
    h2->served = true;
    /* New settings may have come; the exchange begins by them. */
    h2->facts.listener = connection->listener->name;
    h2->facts.listener_index = connection->listener->index;
    h2->facts.rules = connection->listener->has_rules ? &connection->listener->rules : NULL;
    h2->facts.accepts =
        h2->facts.tls != NULL ? client_listener_acceptor(connection->listener) : NULL;
    atomic_store_explicit(&context->begun,
                          atomic_load_explicit(&context->begun, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void leave_if_worn(struct client_h2 *h2)
{
    struct client_connection *connection = h2->connection;
    enum cut_cause cause = client_retired_by(connection);

    if (cause != CUT_NONE && h2->step == CLIENT_H2_STAYS) {
        metrics_note_cut(client_h2_context(h2)->metrics, cause);
        client_h2_leave(h2);
    }
    if (connection->listener->leaves && client_leaves_last(connection)) {
        client_h2_leave(h2);
    }
}

static void set_priority(struct client_h2 *h2, int32_t id, const struct http_headers *headers)
{
    const struct http_header *row = http_find_named(headers, BYTES("priority"));
    struct h2_priority priority;

    if (h2_session_is_prioritized(h2->session)) {
        return; /* it overrides the field, however late that comes (RFC 9218 section 7.1) */
    }
    if (row != NULL) {
        h2->signals_priority = true;
        priority = h2_priority_of(http_header_value(row));
        h2_session_set_priority(h2->session, id, priority.urgency, priority.incremental);
    } else if (!h2->signals_priority) {
        /* Of a client that does not say, all answers go on side by side. */
        h2_session_set_priority(h2->session, id, H2_URGENCY_USUAL, true);
    }
}

static struct exchange *begin_exchange(struct client_h2_stream *stream)
{
    struct client_h2 *h2 = stream->h2;

    stream->exchange =
        exchange_new_with_rows(client_h2_context(h2)->exchanges, &client_h2_ops, stream, &h2->facts,
                               (struct http_header *)(void *)stream->texts);
    if (stream->exchange != NULL) {
        client_h2_stream_opens(h2);
        count_begun(h2);
    }
    return stream->exchange;
}

/* Answered with a status, unlike what is malformed. */
static void refuse_with_status(struct client_h2_stream *stream, enum h2_fault fault, bool ends)
{
    struct client_h2 *h2 = stream->h2;

    client_h2_note_fault(h2, fault);
    if (begin_exchange(stream) == NULL) {
        refuse_stream(h2, stream->id);
        return;
    }
    stream->ended = ends;
    if (!ends) {
        h2->reading++;
    }
    exchange_refuse(stream->exchange, HTTP_2, h2_fault_status(fault), h2_fault_sentence(fault),
                    h2->section_wire, 0);
}

static void refuse_as_malformed(struct client_h2 *h2, int32_t id, enum h2_fault fault)
{
    client_h2_note_fault(h2, fault);
    h2_session_reset(h2->session, id, H2_PROTOCOL_ERROR);
}

/* Of the request's table, which stands before its texts: pseudo fields are no rows of it, but a
 * WebSocket has two of ours. */
static size_t rows_bytes(const struct client_h2_section *section)
{
    uint32_t rows = section->count;

    for (uint32_t i = 0; i < section->count; i++) {
        const struct bytes name = section->rows[i].name;

        if (name.length > 0 && name.at[0] == ':') {
            rows -= 1;
            rows += bytes_equal(name, BYTES(":protocol")) ? 2 : 0;
        }
    }
    return rows * sizeof(struct http_header);
}

/* As h2_fields_room reckons it. */
static size_t texts_bytes(const struct client_h2_section *section)
{
    return section->bytes + 2 * (size_t)section->count;
}

/* false: it was refused. */
static bool read_request(struct client_h2_stream *stream, size_t rows, bool ends,
                         enum h2_fault *fault)
{
    const struct client_h2_section *section = stream->h2->section;

    return h2_read_request(section->rows, section->count, ends, limits_of(stream->h2)->target_bytes,
                           stream->texts + rows, exchange_request(stream->exchange), fault);
}

static bool take_texts(struct client_h2_stream *stream, size_t bytes)
{
    stream->texts = piece_take(client_h2_pieces(stream->h2), bytes);
    if (stream->texts == NULL) {
        return false;
    }
    stream->h2->texts += piece_held(stream->texts);
    return true;
}

static void begin_request(struct client_h2_stream *stream, bool ends)
{
    struct client_h2 *h2 = stream->h2;
    struct exchange *exchange = stream->exchange;
    const struct http_request *request = exchange_request(exchange);
    uint32_t age_us = (uint32_t)(client_h2_now(h2) - h2->section_us);

    stream->ended = ends;
    if (request->wants_upgrade) {
        stream->asks_tunnel = true;
        stream->paused = true; /* until it stands */
        client_h2_add_websocket_key(stream);
    }
    stream->length_known = request->framing == HTTP_LENGTH_KNOWN;
    if (!ends) {
        stream->body->left = request->body_length;
        h2->reading++;
    }
    set_priority(h2, stream->id, &request->headers);
    leave_if_worn(h2);
    exchange_begin(exchange, h2->section_wire, age_us);
    if (stream->exchange == exchange && !stream->ended && !stream->asks_tunnel) {
        client_h2_awaits_body(stream);
    }
    client_h2_flush_later(h2);
}

/* Begun for the sake of its request only, which cannot be used. */
static void discard_exchange(struct client_h2_stream *stream)
{
    exchange_discard(stream->exchange);
    stream->exchange = NULL;
    client_h2_stream_closes(stream->h2);
}

static void on_whole_head(struct client_h2_stream *stream, bool ends)
{
    struct client_h2 *h2 = stream->h2;
    size_t rows = rows_bytes(h2->section);
    enum h2_fault fault;

    if (!take_texts(stream, rows + texts_bytes(h2->section)) || begin_exchange(stream) == NULL) {
        refuse_stream(h2, stream->id);
    } else if (read_request(stream, rows, ends, &fault)) {
        begin_request(stream, ends);
    } else {
        discard_exchange(stream);
        if (h2_fault_status(fault) != 0) {
            refuse_with_status(stream, fault, ends);
        } else {
            refuse_as_malformed(h2, stream->id, fault);
        }
    }
}

/* One is, however large its head. */
static bool is_within_budget(struct client_h2 *h2)
{
    const struct client_h2_section *section = h2->section;

    return h2->stream_count == 0 ||
           client_h2_may_wait(h2, CLIENT_H2_STREAM_BYTES + texts_bytes(section) +
                                      section->count * sizeof(struct http_header));
}

static void on_request(struct client_h2 *h2, int32_t id, bool ends)
{
    bool too_large = h2->section->too_large;
    struct client_h2_stream *stream;

    if (too_large && !client_h2_spend(h2, CLIENT_H2_LARGE_HEADS)) {
        return;
    }
    if (!is_within_budget(h2)) {
        metrics_note(client_h2_context(h2)->metrics, METRICS_HTTP2_OVER_BUFFER);
        refuse_stream(h2, id);
        return;
    }
    stream = client_h2_stream_new(h2, id, ends);
    if (stream == NULL) {
        refuse_stream(h2, id);
    } else if (too_large) {
        refuse_with_status(stream, H2_FAULT_HEAD_TOO_LARGE, ends);
    } else {
        on_whole_head(stream, ends);
    }
}

/* --- trailers ------------------------------------------------------------------------------ */

static void on_trailers(struct client_h2_stream *stream, bool ends)
{
    struct client_h2 *h2 = stream->h2;
    const struct client_h2_section *section = h2->section;
    enum h2_fault fault = H2_FAULT_HEAD_TOO_LARGE;
    struct client_h2_trailers *trailers;
    size_t rows;
    size_t bytes;

    if (stream->exchange == NULL || stream->body->kept != NULL) {
        return;
    }
    if (stream->asks_tunnel) { /* RFC 9113 section 8.5 */
        client_h2_stream_abandon(stream, OUTCOME_REQUEST_BROKE);
        refuse_as_malformed(h2, stream->id, H2_FAULT_TUNNEL_FIELDS);
        return;
    }
    rows = (section->count + 1) * sizeof(struct http_header);
    bytes = sizeof(*trailers) + rows + h2_fields_room(section->rows, section->count);
    trailers = bytes <= TRAILERS_SHARE_BYTES || client_h2_may_hold(h2, bytes)
                   ? piece_take(client_h2_pieces(h2), bytes)
                   : NULL;
    if (trailers == NULL) {
        client_h2_stream_abandon(stream, OUTCOME_REQUEST_BROKE);
        h2_session_reset(h2->session, stream->id, H2_INTERNAL_ERROR);
        return;
    }
    trailers->headers.rows = trailers->rows;
    if (!ends || section->too_large ||
        !h2_read_trailers(section->rows, section->count, (char *)trailers->rows + rows,
                          &trailers->headers, &fault)) {
        client_h2_stream_abandon(stream, OUTCOME_REQUEST_BROKE);
        refuse_as_malformed(h2, stream->id, fault);
    } else {
        client_h2_body_ended(stream, trailers);
        trailers = NULL;
    }
    piece_give(client_h2_pieces(h2), trailers);
}

void client_h2_on_section_ended(void *owner, int32_t id, void *stream, bool is_request, bool ends)
{
    struct client_h2 *h2 = owner;

    if (!client_h2_stands(h2) || h2->section == NULL) {
        return;
    }
    if (is_request) {
        on_request(h2, id, ends);
    } else if (stream != NULL) {
        on_trailers(stream, ends);
    }
    if (client_h2_stands(h2)) {
        client_h2_section_drop(h2);
    }
}
