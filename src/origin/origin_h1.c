/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1.1 towards an origin: writes the request of an exchange, turns the bytes that come
 * back into events. Strict: whatever is not well-formed ends the connection, and an answer
 * that is not followed by silence makes it unfit for another request. */
#include "origin/origin_private.h"

#include "base/check.h"
#include "http/h1_writer.h"

#include <errno.h>

#define READS_A_TURN 4
#define COALESCE_BYTES 2048
#define SLOW_CLIENT_US 100000 /* a pause this long: more than a small buffer only takes memory */

static struct origin_directory *directory_of(const struct origin_connection *connection)
{
    return connection->origin->directory;
}

static struct buffer_pool *buffers_of(const struct origin_connection *connection)
{
    return directory_of(connection)->bench->buffers;
}

static void set_clock(struct origin_connection *connection, uint32_t milliseconds)
{
    timer_set(directory_of(connection)->connection_timers, &connection->timer, milliseconds);
}

static void stop_clock(struct origin_connection *connection)
{
    timer_rest(directory_of(connection)->connection_timers, &connection->timer);
}

/* --- the request ----------------------------------------------------------------------- */

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
    }
    h1_write_end(text);
}

bool origin_request_send_head(struct origin_request *request, const struct request_head *head)
{
    struct origin_connection *connection = request->connection;
    size_t size = size_of_head(head);
    size_t room = 0;
    char *at;
    struct text text;

    if (size > BUFFER_LARGE_BYTES - sizeof(struct buffer)) {
        return false;
    }
    at = outbox_room(&connection->out, buffers_of(connection), size, &room);
    if (at == NULL) {
        origin_connection_fail(connection, ORIGIN_FAILURE_NO_DESCRIPTOR);
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
    return true;
}

static void note_written(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;

    if (request != NULL) {
        request->bytes_written = connection->out.written - connection->written_before;
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
        set_clock(connection, timeouts->send_idle);
    } else if (connection->request_whole) {
        set_clock(connection, connection->request->on_trial
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
void origin_request_flush(struct origin_request *request)
{
    struct origin_connection *connection = request->connection;

    if (connection != NULL && !connection->out.blocked) {
        loop_later(directory_of(connection)->bench->loop, &connection->flush, flush_now,
                   connection);
    }
}

static size_t send_plain(struct origin_connection *connection, struct bytes bytes)
{
    const struct iovec piece = {(void *)bytes.at, bytes.length};
    size_t room = 0;

    if (connection->state != ORIGIN_CONNECTION_TUNNELS && bytes.length <= COALESCE_BYTES &&
        !outbox_is_empty(&connection->out)) {
        char *at = outbox_room(&connection->out, buffers_of(connection), bytes.length, &room);

        if (at != NULL) {
            memcpy(at, bytes.at, bytes.length);
            outbox_filled(&connection->out, bytes.length);
            return bytes.length;
        }
    }
    return outbox_send(&connection->out, buffers_of(connection), &connection->transport, &piece, 1);
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

static size_t send_chunks(struct origin_connection *connection, struct bytes bytes)
{
    size_t taken = 0;

    while (taken < bytes.length && !connection->out.blocked) {
        taken += send_chunk(connection, bytes_skip(bytes, taken));
    }
    return taken;
}

size_t origin_request_send_body(struct origin_request *request, struct bytes bytes)
{
    struct origin_connection *connection = request->connection;
    size_t taken;

    if (connection == NULL || connection->out.blocked || bytes.length == 0) {
        return 0;
    }
    if (connection->request_framing == HTTP_CHUNKED &&
        connection->state != ORIGIN_CONNECTION_TUNNELS) {
        taken = send_chunks(connection, bytes);
    } else {
        taken = send_plain(connection, bytes);
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

static bool add_trailers(struct origin_connection *connection, const struct http_headers *trailers)
{
    char memory[BUFFER_SMALL_BYTES];
    struct text text = text_over(memory, sizeof(memory));

    text_add_literal(&text, "0\r\n");
    for (uint32_t i = 0; trailers != NULL && i < trailers->count; i++) {
        h1_write_field(&text, http_header_name(&trailers->rows[i]),
                       http_header_value(&trailers->rows[i]));
    }
    h1_write_end(&text);
    if (text.overflowed) { /* trailers may be dropped (RFC 9110 section 6.5.1) */
        return outbox_add(&connection->out, buffers_of(connection), BYTES(H1_LAST_CHUNK));
    }
    return outbox_add(&connection->out, buffers_of(connection),
                      (struct bytes){memory, text_length(&text)});
}

void origin_request_send_end(struct origin_request *request, const struct http_headers *trailers)
{
    struct origin_connection *connection = request->connection;

    if (connection == NULL) {
        return;
    }
    if (connection->request_framing == HTTP_CHUNKED && !add_trailers(connection, trailers)) {
        origin_connection_fail(connection, ORIGIN_FAILURE_NO_DESCRIPTOR);
        return;
    }
    connection->request_whole = true;
    reserve_client_came(connection);
    connection->asked_us = loop_now(directory_of(connection)->bench->loop);
    origin_request_flush(request);
}

/* Half a head, or a word in between: its answer is on its way, and cannot be had elsewhere. */
bool origin_h1_is_not_to_hurry(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;

    if (!request->hurried || !connection->heard) {
        return false;
    }
    request->hurried = false;
    set_clock(connection, request->timeouts->first_byte);
    return true;
}

/* An answer may begin before its request is whole, and then wait for that. While the origin takes
 * more of it, or the client is slow to bring more and has the clock, the origin has not stopped. */
bool origin_h1_still_sends(struct origin_connection *connection)
{
    bool sends = connection->out.blocked || !connection->request_whole;
    bool moved = connection->out.written != connection->written_looked;

    connection->written_looked = connection->out.written;
    if (!sends || (connection->out.blocked && !moved)) {
        return false;
    }
    set_clock(connection, connection->request->timeouts->answer_idle);
    return true;
}

/* --- the answer ------------------------------------------------------------------------ */

static void note_duration(const struct origin_connection *connection)
{
    metrics_origin_ends(connection->origin->counters,
                        loop_now(directory_of(connection)->bench->loop) -
                            connection->request->bound_us);
}

static void finish_answer(struct origin_connection *connection, const struct http_headers *trailers)
{
    struct origin_request *request = connection->request;

    if (!connection->request_whole || !outbox_is_empty(&connection->out) ||
        connection->out.broken || buffer_length(connection->in) > 0 ||
        (connection->read_to_brim && transport_is_stale(&connection->transport))) {
        connection->reusable = false;
    }
    stop_clock(connection);
    note_duration(connection);
    origin_connection_unbind(connection);
    if (trailers == NULL) {
        /* First the pool: the next request of this client may then use the same connection. */
        pool_keep(connection, request->pool);
        request->events->ended(request->owner, NULL);
        return;
    }
    request->events->ended(request->owner, trailers);
    pool_keep(connection, request->pool);
}

/* false: the exchange took less than there is, or the connection is gone. */
static bool hand_over(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;
    size_t taken = request->events->body(request->owner, connection->undelivered);

    if (connection->request != request) {
        return false;
    }
    connection->passed += taken;
    connection->undelivered = bytes_skip(connection->undelivered, taken);
    if (connection->undelivered.length == 0) {
        return true;
    }
    connection->answer_paused = true;
    reserve_client_waited_for(connection);
    connection->paused_us = loop_now(directory_of(connection)->bench->loop);
    stop_clock(connection);
    origin_connection_want(connection);
    return false;
}

static struct bytes take_input(struct origin_connection *connection, size_t most)
{
    struct bytes content = buffer_content(connection->in);

    if (content.length > most) {
        content.length = most;
    }
    connection->in->start += (uint32_t)content.length;
    return content;
}

static bool step_length_known(struct origin_connection *connection)
{
    if (connection->body_left == 0) {
        finish_answer(connection, NULL);
        return false;
    }
    if (buffer_length(connection->in) == 0) {
        return false;
    }
    connection->undelivered = take_input(connection, connection->body_left);
    connection->body_left -= connection->undelivered.length;
    return true;
}

static bool step_trailers(struct origin_connection *connection)
{
    struct h1_limits limits = {.head_bytes = connection->request->limits->answer_head_bytes,
                               .headers = connection->request->limits->headers};
    struct http_headers trailers;
    struct h1_problem problem;
    size_t consumed = 0;

    switch (h1_parse_trailers(buffer_content(connection->in), &limits, &trailers, &consumed,
                              &problem)) {
    case H1_INCOMPLETE:
        break;
    case H1_REJECTED:
        origin_connection_fail(connection, ORIGIN_FAILURE_MALFORMED);
        break;
    case H1_COMPLETE:
        connection->in->start += (uint32_t)consumed;
        finish_answer(connection, trailers.count > 0 ? &trailers : NULL);
        break;
    }
    return false;
}

static bool step_chunked(struct origin_connection *connection)
{
    struct bytes input = buffer_content(connection->in);
    struct h1_problem problem;
    enum h1_chunked_step step =
        h1_chunked_next(&connection->chunked, &input, &connection->undelivered, &problem);

    connection->in->start = connection->in->end - (uint32_t)input.length;
    switch (step) {
    case H1_CHUNKED_DATA:
        return true;
    case H1_CHUNKED_MORE:
        connection->undelivered = (struct bytes){0};
        return false;
    case H1_CHUNKED_TRAILERS:
        connection->undelivered = (struct bytes){0};
        return step_trailers(connection);
    case H1_CHUNKED_REJECTED:
        break;
    }
    origin_connection_fail(connection, ORIGIN_FAILURE_MALFORMED);
    return false;
}

static bool step_raw(struct origin_connection *connection)
{
    if (buffer_length(connection->in) == 0) {
        return false;
    }
    connection->undelivered = take_input(connection, SIZE_MAX);
    return true;
}

static bool step_body(struct origin_connection *connection)
{
    if (connection->undelivered.length > 0) {
        return hand_over(connection);
    }
    switch (connection->answer_framing) {
    case HTTP_NO_BODY:
        finish_answer(connection, NULL);
        return false;
    case HTTP_LENGTH_KNOWN:
        return step_length_known(connection);
    case HTTP_CHUNKED:
        return step_chunked(connection);
    case HTTP_UNTIL_CLOSE:
        return step_raw(connection);
    }
    return false;
}

static bool begin_tunnel(struct origin_connection *connection, const struct http_response *response)
{
    struct origin_request *request = connection->request;

    if (!connection->request_upgrades) {
        origin_connection_fail(connection, ORIGIN_FAILURE_UPGRADE_UNASKED);
        return false;
    }
    connection->reusable = false;
    connection->answer_framing = HTTP_UNTIL_CLOSE;
    origin_connection_set_state(connection, ORIGIN_CONNECTION_TUNNELS);
    set_clock(connection, request->timeouts->tunnel_idle);
    request->events->head(request->owner, response);
    return connection->request == request;
}

/* Not a standard, but what Apache and Node say (RFC 2068 section 19.7.1.1): how long they keep an
 * idle connection, and how many more requests they take on it. */
static void read_keep_alive(struct origin_connection *connection,
                            const struct http_response *response)
{
    const struct http_header *row = http_find(&response->headers, HTTP_HEADER_KEEP_ALIVE);
    uint32_t more = UINT32_MAX;

    if (row == NULL) {
        return;
    }
    keeping_read_field(http_header_value(row), &connection->kept_ms, &more);
    if (more == 0) {
        connection->reusable = false;
    } else if (more != UINT32_MAX && (connection->carries_most == 0 ||
                                      connection->carried + more < connection->carries_most)) {
        connection->carries_most = connection->carried + more;
    }
}

static bool begin_answer(struct origin_connection *connection, const struct http_response *response)
{
    struct origin_request *request = connection->request;

    if (response->status == 101 || response->status >= 200) {
        origin_health_answered(connection, response->status);
    }
    if (response->status == 101) {
        return begin_tunnel(connection, response);
    }
    if (response->status < 200) {
        request->events->interim(request->owner, response);
        return connection->request == request;
    }
    if (!response->keep_alive || !connection->request_whole) {
        connection->reusable = false;
    }
    metrics_origin_begins(connection->origin->counters, response->status);
    read_keep_alive(connection, response);
    connection->answer_framing = response->framing;
    connection->body_left = response->body_length;
    h1_chunked_init(&connection->chunked);
    origin_connection_set_state(connection, ORIGIN_CONNECTION_READS_BODY);
    set_clock(connection, request->timeouts->answer_idle);
    request->events->head(request->owner, response);
    return connection->request == request;
}

static bool step_head(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;
    struct http_response *response = &directory_of(connection)->response;
    struct h1_limits limits = {.head_bytes = request->limits->answer_head_bytes,
                               .headers = HTTP_HEADERS_MAX};
    struct h1_problem problem;
    size_t consumed = 0;

    if (buffer_length(connection->in) == 0) {
        return false;
    }
    switch (h1_parse_response(buffer_content(connection->in), &limits, request->method, response,
                              &consumed, &problem)) {
    case H1_INCOMPLETE:
        return false;
    case H1_REJECTED:
        origin_connection_fail(connection, problem.status == 431 ? ORIGIN_FAILURE_HEAD_TOO_LARGE
                                                                 : ORIGIN_FAILURE_MALFORMED);
        return false;
    case H1_COMPLETE:
        break;
    }
    connection->in->start += (uint32_t)consumed;
    return begin_answer(connection, response);
}

static bool step(struct origin_connection *connection)
{
    switch (connection->state) {
    case ORIGIN_CONNECTION_AWAITS_HEAD:
        return step_head(connection);
    case ORIGIN_CONNECTION_READS_BODY:
    case ORIGIN_CONNECTION_TUNNELS:
        return step_body(connection);
    case ORIGIN_CONNECTION_CONNECTING:
    case ORIGIN_CONNECTION_HANDSHAKES:
    case ORIGIN_CONNECTION_IDLE:
    case ORIGIN_CONNECTION_CLOSED:
        break;
    }
    return false;
}

/* Tells the request what is in the buffer already. */
static void deliver(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;

    if (connection->delivering || connection->in == NULL) {
        return;
    }
    connection->delivering = true;
    while (!connection->answer_paused && step(connection)) {
    }
    connection->delivering = false;
    if (connection->request == request && request != NULL) {
        request->events->drained(request->owner);
    }
    if (connection->in != NULL && buffer_length(connection->in) == 0 &&
        connection->undelivered.length == 0) {
        buffer_return(buffers_of(connection), &connection->in);
    }
}

/* The origin has closed without an answer. What we sent may be on its way: whoever has closed
 * answers it with a reset, and that is worth a moment, since the client may then try again. */
static bool await_verdict(struct origin_connection *connection)
{
    uint32_t wait_ms = 0;

    if (connection->state == ORIGIN_CONNECTION_AWAITS_HEAD && !connection->heard &&
        !connection->awaits_verdict) {
        wait_ms = origin_connection_verdict_ms(connection);
    }
    if (wait_ms > 0) {
        connection->awaits_verdict = true;
        origin_connection_want(connection);
        set_clock(connection, wait_ms);
    }
    return wait_ms > 0;
}

static void on_end_of_stream(struct origin_connection *connection, bool clean)
{
    struct origin_request *request = connection->request;

    if (clean && (connection->state == ORIGIN_CONNECTION_TUNNELS ||
                  (connection->state == ORIGIN_CONNECTION_READS_BODY &&
                   connection->answer_framing == HTTP_UNTIL_CLOSE))) {
        struct origin *origin = connection->origin;

        if (connection->state == ORIGIN_CONNECTION_READS_BODY) {
            note_duration(connection);
        }
        origin_connection_close(connection);
        request->events->ended(request->owner, NULL);
        pool_serve_line(origin);
        return;
    }
    connection->ended_cleanly = clean;
    if (clean && await_verdict(connection)) {
        return;
    }
    /* Half a head is an answer that broke: the origin has seen the request. */
    origin_connection_fail(connection, connection->state == ORIGIN_CONNECTION_AWAITS_HEAD &&
                                               buffer_length(connection->in) == 0
                                           ? ORIGIN_FAILURE_CLOSED
                                           : ORIGIN_FAILURE_INCOMPLETE);
}

static bool make_room(struct origin_connection *connection)
{
    bool large = connection->state != ORIGIN_CONNECTION_AWAITS_HEAD &&
                 connection->answer_framing != HTTP_NO_BODY && !connection->reads_little;
    struct buffer *in = connection->in;

    if (in == NULL) {
        connection->in = buffer_borrow(buffers_of(connection), large ? BUFFER_LARGE : BUFFER_SMALL);
        return connection->in != NULL;
    }
    if (in->start > 0) {
        buffer_compact(in);
    }
    if (buffer_room(in) > 0) {
        return true;
    }
    return in->size == BUFFER_SMALL && buffer_grow(buffers_of(connection), &connection->in);
}

/* Whether another read in this turn is likely to bring something. */
static bool receive_once(struct origin_connection *connection)
{
    size_t room;
    ssize_t count;

    if (!make_room(connection)) {
        origin_connection_fail(connection, connection->in == NULL ? ORIGIN_FAILURE_NO_DESCRIPTOR
                                                                  : ORIGIN_FAILURE_HEAD_TOO_LARGE);
        return false;
    }
    room = buffer_room(connection->in);
    count = transport_read(&connection->transport, buffer_tail(connection->in), room);
    if (count <= 0) {
        if (count < 0 && errno == EAGAIN) {
            if (buffer_length(connection->in) == 0) {
                buffer_return(buffers_of(connection), &connection->in);
            }
            return false;
        }
        if (count < 0) {
            origin_connection_tell_alert(connection);
        }
        on_end_of_stream(connection, count == 0);
        return false;
    }
    connection->in->end += (uint32_t)count;
    if (connection->state == ORIGIN_CONNECTION_AWAITS_HEAD &&
        origin_connection_is_untouched(connection)) {
        /* It was said before we wrote anything: that it is about to close, mostly. It must not be
         * taken for the answer (RFC 9112 section 9.2). */
        origin_connection_fail(connection, ORIGIN_FAILURE_CLOSED);
        return false;
    }
    connection->heard = true;
    connection->read_to_brim = (size_t)count == room;
    if (connection->state == ORIGIN_CONNECTION_READS_BODY) {
        set_clock(connection, connection->request->timeouts->answer_idle);
    } else if (connection->state == ORIGIN_CONNECTION_TUNNELS) {
        set_clock(connection, connection->request->timeouts->tunnel_idle);
    }
    deliver(connection);
    return (size_t)count == room && connection->request != NULL && !connection->answer_paused;
}

void origin_h1_receive(struct origin_connection *connection)
{
    for (int i = 0; i < READS_A_TURN && receive_once(connection); i++) {
    }
}

void origin_request_resume(struct origin_request *request)
{
    struct origin_connection *connection = request->connection;

    if (connection == NULL || !connection->answer_paused) {
        return;
    }
    connection->answer_paused = false;
    reserve_client_came(connection);
    connection->reads_little =
        loop_now(directory_of(connection)->bench->loop) - connection->paused_us > SLOW_CLIENT_US;
    set_clock(connection, connection->state == ORIGIN_CONNECTION_TUNNELS
                              ? request->timeouts->tunnel_idle
                              : request->timeouts->answer_idle);
    deliver(connection);
    if (connection->request == request) {
        origin_connection_want(connection);
    }
}
