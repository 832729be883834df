/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1.1 towards an origin: writes the request of an exchange, and minds the clock until the
 * answer begins. Called through origin_request.h by whoever has the request, and for a socket that
 * can take more. */
#include "origin/h1/origin_h1.h"

#include "base/check.h"
#include "http/h1/h1_writer.h"

#define COALESCE_BYTES 2048

static size_t size_of_head(const struct request_head *head)
{
    /* The fixed parts: line ends, version, Host, framing and connection fields. */
    return 192 + head->method.length + head->target.length + head->authority.length +
           head->fields->bytes;
}

static void write_head(struct text *text, const struct request_head *head)
{
    h1_write_request_line(text, head->method, head->target);
    h1_write_field(text, BYTES("Host"), head->authority);
    h1_write_fields(text, head->fields);
    if (head->framing == HTTP_LENGTH_KNOWN) {
        h1_write_content_length(text, head->body_length);
    } else if (head->framing == HTTP_CHUNKED) {
        text_add_literal(text, "Transfer-Encoding: chunked\r\n");
    }
    if (head->upgrades) {
        text_add_literal(text, "Connection: Upgrade\r\n");
    } else if (head->takes_trailers) {
        text_add_literal(text, "TE: trailers\r\nConnection: TE\r\n");
    }
    h1_write_end(text);
}

static bool send_head(struct origin_connection *connection, const struct request_head *head)
{
    size_t size = size_of_head(head);
    size_t room = 0;
    char *at;
    struct text text;

    if (size > BUFFER_LARGE_BYTES - sizeof(struct buffer)) {
        return false;
    }
    at = outbox_room(&connection->out, buffers_of(connection), size, &room);
    if (at == NULL) {
        origin_connection_fail(connection, ORIGIN_FAILURE_LOCAL_RESOURCE);
        return true;
    }
    text = text_over(at, room);
    write_head(&text, head);
    CHECK(!text.overflowed);
    outbox_filled(&connection->out, text_length(&text));
    connection->request_framing = head->framing;
    if (head->framing != HTTP_NO_BODY) {
        reserve_client_waited_for(connection);
    }
    connection->request_upgrades = head->upgrades;
    if (head->binds) {
        connection->reusable = false;
    }
    return true;
}

static void note_written(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;

    if (request != NULL) {
        request->evidence.bytes_written = connection->out.written - connection->written_before;
    }
}

/* Which clock runs while the answer has not begun. */
static void mind_the_request(struct origin_connection *connection)
{
    const struct timeouts_settings *timeouts = connection->request->timeouts;

    if (connection->state != ORIGIN_CONNECTION_AWAITS_HEAD || connection->awaits_verdict) {
        return;
    }
    if (connection->out.blocked) {
        connection->left_checked = transport_unacknowledged(&connection->transport);
        set_clock(connection, timeouts->send_idle);
    } else if (connection->request_whole) {
        set_clock(connection, connection->request->half_open
                                  ? origin_health_patience_ms(connection->request)
                                  : timeouts->first_byte);
    } else {
        stop_clock(connection); /* the client's clock runs now */
    }
}

/* Writes what waits; starts the clock for the answer when the request is out. */
static void flush(struct origin_connection *connection)
{
    if (!connection->out.blocked) {
        outbox_flush(&connection->out, buffers_of(connection), &connection->transport);
    }
    note_written(connection);
    origin_connection_want(connection);
    if (connection->request != NULL) {
        mind_the_request(connection);
    }
}

void origin_h1_ready(struct origin_connection *connection)
{
    outbox_ready(&connection->out, buffers_of(connection), &connection->transport);
    flush(connection);
    if (connection->request != NULL && !connection->out.blocked && !connection->request_whole) {
        reserve_client_waited_for(connection);
    }
}

static void flush_now(void *owner)
{
    struct origin_connection *connection = owner;
    struct origin_request *request = connection->request;

    flush(connection);
    if (request != NULL && connection->request_whole && !connection->out.blocked) {
        request->events->writable(request->owner);
    }
}

/* Until the turn ends an origin may still say that it closes: nothing is lost on it then. */
static void flush_later(struct origin_connection *connection)
{
    if (!connection->out.blocked) {
        loop_later(directory_of(connection)->worker_context->loop, &connection->flush, flush_now,
                   connection);
    }
}

/* A copy of it leaves with what waits before it. false: it is not worth that, or there is no memory. */
static bool coalesce(struct origin_connection *connection, struct bytes bytes)
{
    size_t room = 0;
    char *at = NULL;

    if (connection->state != ORIGIN_CONNECTION_TUNNELS && bytes.length <= COALESCE_BYTES &&
        !outbox_is_empty(&connection->out)) {
        at = outbox_room(&connection->out, buffers_of(connection), bytes.length, &room);
    }
    if (at != NULL) {
        memcpy(at, bytes.at, bytes.length);
        outbox_filled(&connection->out, bytes.length);
    }
    return at != NULL;
}

static size_t send_plain(struct origin_connection *connection, const struct bytes *pieces,
                         int count)
{
    struct iovec vectors[OUTBOX_PIECES];

    if (count == 1 && coalesce(connection, pieces[0])) {
        return pieces[0].length;
    }
    for (int i = 0; i < count; i++) {
        vectors[i] = (struct iovec){(void *)pieces[i].at, pieces[i].length};
    }
    return outbox_send(&connection->out, buffers_of(connection), &connection->transport, vectors,
                       count);
}

static size_t send_chunk(struct origin_connection *connection, struct bytes bytes)
{
    char line[H1_CHUNK_HEAD_MAX];
    struct text text = text_over(line, sizeof(line));

    if (connection->out.frame_left == 0) {
        h1_write_chunk_head(&text, bytes.length);
    }
    return outbox_send_frame(&connection->out, buffers_of(connection), &connection->transport,
                             (struct bytes){line, text_length(&text)}, bytes, BYTES(H1_CRLF));
}

static size_t send_chunks(struct origin_connection *connection, const struct bytes *pieces,
                          int count)
{
    size_t total = 0;

    for (int i = 0; i < count; i++) {
        size_t taken = 0;

        while (taken < pieces[i].length && !connection->out.blocked) {
            taken += send_chunk(connection, bytes_skip(pieces[i], taken));
        }
        total += taken;
    }
    return total;
}

static size_t send_body(struct origin_connection *connection, const struct bytes *pieces, int count)
{
    struct origin_request *request = connection->request;
    size_t taken;

    if (connection->out.blocked || pieces[0].length == 0) {
        return 0;
    }
    if (connection->request_framing == HTTP_CHUNKED &&
        connection->state != ORIGIN_CONNECTION_TUNNELS) {
        taken = send_chunks(connection, pieces, count);
    } else {
        taken = send_plain(connection, pieces, count);
    }
    note_written(connection);
    if (connection->request != NULL && connection->out.blocked) {
        reserve_client_came(connection);
        origin_connection_want(connection);
        mind_the_request(connection);
    }
    if (connection->state == ORIGIN_CONNECTION_TUNNELS) {
        set_clock(connection, request->timeouts->tunnel_idle);
    }
    return taken;
}

static bool add_trailers(struct origin_connection *connection, const struct http_fields *trailers)
{
    char memory[H1_LAST_CHUNK_MAX];

    return outbox_add(&connection->out, buffers_of(connection),
                      h1_write_last_chunk(memory, trailers));
}

static bool add_last_chunk(struct origin_connection *connection, const struct http_fields *trailers)
{
    return trailers == NULL
               ? outbox_add(&connection->out, buffers_of(connection), BYTES(H1_LAST_CHUNK))
               : add_trailers(connection, trailers);
}

static void send_end(struct origin_connection *connection, const struct http_fields *trailers)
{
    if (connection->request_framing == HTTP_CHUNKED && !add_last_chunk(connection, trailers)) {
        origin_connection_fail(connection, ORIGIN_FAILURE_LOCAL_RESOURCE);
        return;
    }
    connection->request_whole = true;
    reserve_client_came(connection);
    connection->asked_us = loop_now(directory_of(connection)->worker_context->loop);
    flush_later(connection);
}

/* Half a head, or a word in between: its answer is on its way, and cannot be had elsewhere. */
static bool is_not_to_hurry(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;

    if (!request->hurried || !connection->heard) {
        return false;
    }
    request->hurried = false;
    set_clock(connection, request->timeouts->first_byte);
    return true;
}

/* The kernel calls a socket writable once a good part of what it holds was taken; what it still holds
 * tells of less. true: less is left than when this was last asked. */
static bool takes(struct origin_connection *connection)
{
    size_t before = connection->left_checked;

    connection->left_checked = transport_unacknowledged(&connection->transport);
    return connection->out.blocked && connection->left_checked < before;
}

static bool still_takes(struct origin_connection *connection)
{
    if (!takes(connection)) {
        return false;
    }
    set_clock(connection, connection->request->timeouts->send_idle);
    return true;
}

/* An answer may begin before its request is whole, and then wait for that. While the origin takes
 * more of it, or the client is slow to bring more and has the clock, the origin has not stopped; nor
 * has it if the last of the request went out only since the clock was set. */
static bool still_sends(struct origin_connection *connection)
{
    bool awaits_client = !connection->request_whole && !connection->out.blocked;
    bool moved = takes(connection) || connection->out.written != connection->written_checked;

    connection->written_checked = connection->out.written;
    if (!moved && !awaits_client) {
        return false;
    }
    set_clock(connection, connection->request->timeouts->response_idle);
    return true;
}

static bool goes_on(struct origin_connection *connection)
{
    return connection->state == ORIGIN_CONNECTION_AWAITS_HEAD
               ? is_not_to_hurry(connection) || still_takes(connection)
               : still_sends(connection);
}

static size_t held(const struct origin_connection *connection)
{
    return sizeof(*connection) + buffer_held(connection->in) +
           buffer_queue_held(&connection->out.queue);
}

const struct origin_connection_ops origin_h1_ops = {
    .send_head = send_head,
    .send_body = send_body,
    .send_end = send_end,
    .flush = flush_later,
    .resume = origin_h1_resume,
    .held = held,
    .goes_on = goes_on,
    .judge = origin_h1_judge,
};
