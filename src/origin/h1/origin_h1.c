/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1.1 with an origin: writes the request of an exchange, minds the clock until the answer
 * begins, and turns the bytes that come back into events of the request. Strict: whatever is not
 * well-formed ends the connection, and an answer that is not followed by silence makes it unfit for
 * another request. Called through the table at the
 * end by the owner of the request, and by
 * origin_connection.c when its socket is ready. */
#include "origin/origin_private.h"

#include "base/check.h"
#include "http/h1/h1_writer.h"

#include <errno.h>

#define READS_A_TURN 4
#define COALESCE_BYTES 2048
#define MUCH_BYTES 4096 /* a read that brings so many: there may be more */

/* --- the request -------------------------------------------------------------------------- */

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
    at = outbox_room(&connection->out, origin_connection_buffers(connection), size, &room);
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

static void mind_the_request(struct origin_connection *connection)
{
    if (connection->out.blocked && connection->state == ORIGIN_CONNECTION_AWAITS_HEAD) {
        connection->left_checked = transport_unacknowledged(&connection->transport);
    }
    origin_connection_mind_request(connection, connection->out.blocked);
}

/* Writes what waits; starts the clock for the answer when the request is out. */
static void flush(struct origin_connection *connection)
{
    if (!connection->out.blocked) {
        outbox_flush(&connection->out, origin_connection_buffers(connection),
                     &connection->transport);
    }
    note_written(connection);
    origin_connection_want(connection);
    if (connection->request != NULL) {
        mind_the_request(connection);
    }
}

void origin_h1_ready(struct origin_connection *connection)
{
    outbox_ready(&connection->out, origin_connection_buffers(connection), &connection->transport);
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
        loop_later(connection->origin->directory->worker_context->loop, &connection->flush,
                   flush_now, connection);
    }
}

/* --- its body -------------------------------------------------------------------------- */

/* A copy of it leaves with what waits before it. false: it is not worth that, or there is no memory. */
static bool coalesce(struct origin_connection *connection, struct bytes bytes)
{
    size_t room = 0;
    char *at = NULL;

    if (connection->state != ORIGIN_CONNECTION_TUNNELS && bytes.length <= COALESCE_BYTES &&
        !outbox_is_empty(&connection->out)) {
        at = outbox_room(&connection->out, origin_connection_buffers(connection), bytes.length,
                         &room);
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
    return outbox_send(&connection->out, origin_connection_buffers(connection),
                       &connection->transport, vectors, count);
}

static size_t send_chunk(struct origin_connection *connection, struct bytes bytes)
{
    char line[H1_CHUNK_HEAD_MAX];
    struct text text = text_over(line, sizeof(line));

    if (connection->out.frame_left == 0) {
        h1_write_chunk_head(&text, bytes.length);
    }
    return outbox_send_frame(&connection->out, origin_connection_buffers(connection),
                             &connection->transport, (struct bytes){line, text_length(&text)},
                             bytes, BYTES(H1_CRLF));
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
    if (connection->state == ORIGIN_CONNECTION_TUNNELS && !connection->answer_paused) {
        origin_connection_set_clock(connection, request->timeouts->tunnel_idle);
    }
    return taken;
}

static bool add_trailers(struct origin_connection *connection, const struct http_fields *trailers)
{
    char memory[H1_LAST_CHUNK_MAX];

    return outbox_add(&connection->out, origin_connection_buffers(connection),
                      h1_write_last_chunk(memory, trailers));
}

static bool add_last_chunk(struct origin_connection *connection, const struct http_fields *trailers)
{
    return trailers == NULL ? outbox_add(&connection->out, origin_connection_buffers(connection),
                                         BYTES(H1_LAST_CHUNK))
                            : add_trailers(connection, trailers);
}

/* --- its clock, once it has run out ------------------------------------------------------- */

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
    origin_connection_set_clock(connection, connection->request->timeouts->send_idle);
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
    origin_connection_set_clock(connection, connection->request->timeouts->response_idle);
    return true;
}

static bool goes_on(struct origin_connection *connection)
{
    return connection->state == ORIGIN_CONNECTION_AWAITS_HEAD
               ? origin_connection_need_not_hurry(connection) || still_takes(connection)
               : still_sends(connection);
}

/* --- its end --------------------------------------------------------------------------- */

static void send_end(struct origin_connection *connection, const struct http_fields *trailers)
{
    if (connection->request_framing == HTTP_CHUNKED && !add_last_chunk(connection, trailers)) {
        origin_connection_fail(connection, ORIGIN_FAILURE_LOCAL_RESOURCE);
        return;
    }
    connection->request_whole = true;
    if (connection->client_from_us != 0) {
        reserve_client_came(connection);
    }
    connection->asked_us = origin_connection_now(connection);
    flush_later(connection);
}

static size_t held(const struct origin_connection *connection)
{
    return sizeof(*connection) + buffer_held(connection->in) +
           buffer_queue_held(&connection->out.queue);
}

/* --- the answer's body --------------------------------------------------------------------- */

static void finish_answer(struct origin_connection *connection, const struct http_headers *trailers)
{
    struct origin_request *request = connection->request;

    if (!connection->request_whole || !outbox_is_empty(&connection->out) ||
        connection->out.broken || buffer_length(connection->in) > 0 ||
        (connection->read_to_brim && transport_is_stale(&connection->transport))) {
        connection->reusable = false;
    }
    origin_connection_end_answer(connection);
    if (trailers == NULL) {
        /* First the pool: the next request of this client may then use the same connection. */
        pool_keep(connection, request->pool);
        request->events->ended(request->owner, NULL);
        return;
    }
    request->events->ended(request->owner, trailers);
    pool_keep(connection, request->pool);
}

static void pause(struct origin_connection *connection)
{
    origin_connection_pause_answer(connection);
    origin_connection_want(connection);
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
    pause(connection);
    return false;
}

/* `too_large`: where it is that rather than malformed. */
static void refuse_answer(struct origin_connection *connection, const struct h1_problem *problem,
                          enum origin_failure too_large)
{
    if (problem->status == 431) {
        origin_connection_fail(connection, too_large);
        return;
    }
    connection->request->fault = problem->what;
    origin_connection_fail(connection, ORIGIN_FAILURE_MALFORMED);
}

static bool step_trailers(struct origin_connection *connection)
{
    const struct h1_limits limits = {.head_bytes = connection->request->limits->response_head_bytes,
                                     .headers = HTTP_HEADERS_MAX};
    struct http_header rows[HTTP_HEADERS_MAX];
    struct http_headers trailers = {.rows = rows};
    struct bytes input = buffer_content(connection->in);
    struct h1_problem problem;
    enum h1_body_step step = h1_body_trailers(&connection->answer, &input, h1_parse_answer_trailers,
                                              &limits, &trailers, &problem);

    connection->in->start = connection->in->end - (uint32_t)input.length;
    if (step == H1_BODY_END) {
        finish_answer(connection, trailers.count > 0 ? &trailers : NULL);
    } else if (step == H1_BODY_REJECTED) {
        refuse_answer(connection, &problem, ORIGIN_FAILURE_TRAILERS_TOO_LARGE);
    }
    return false;
}

static bool step_body(struct origin_connection *connection)
{
    struct bytes input = buffer_content(connection->in);
    struct h1_problem problem;
    enum h1_body_step step;

    if (connection->undelivered.length > 0) {
        return hand_over(connection);
    }
    step = h1_body_next(&connection->answer, &input, &connection->undelivered, &problem);
    connection->in->start = connection->in->end - (uint32_t)input.length;
    switch (step) {
    case H1_BODY_DATA:
        if (connection->answer.framing == HTTP_CHUNKED) {
            connection->request->answer_ends = h1_chunked_ends(&connection->answer.chunked, input);
        }
        return true;
    case H1_BODY_MORE:
        break;
    case H1_BODY_TRAILERS:
        return step_trailers(connection);
    case H1_BODY_END:
        finish_answer(connection, NULL);
        break;
    case H1_BODY_REJECTED:
        refuse_answer(connection, &problem, ORIGIN_FAILURE_MALFORMED);
        break;
    }
    return false;
}

/* --- the answer's head --------------------------------------------------------------------- */

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

    if (response->status < 200) {
        if (response->status == 101) {
            origin_connection_begin_tunnel(connection, response);
        } else {
            origin_connection_pass_interim(connection, response);
        }
        return connection->request == request;
    }
    if (!response->keep_alive || !connection->request_whole) {
        connection->reusable = false;
    }
    read_keep_alive(connection, response);
    origin_connection_begin_answer(connection, response, buffer_length(connection->in));
    return connection->request == request;
}

static bool step_head(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;
    struct http_response *response = &connection->origin->directory->response;
    struct h1_limits limits = {.head_bytes = request->limits->response_head_bytes,
                               .headers = HTTP_HEADERS_MAX,
                               .lenient = request->lenient};
    struct h1_problem problem;
    size_t consumed = 0;

    if (buffer_length(connection->in) == 0 ||
        !h1_is_worth_parsing(buffer_content(connection->in), connection->answer.checked, &limits)) {
        return false;
    }
    switch (h1_parse_response(buffer_content(connection->in), &limits, request->method, response,
                              &consumed, &problem)) {
    case H1_INCOMPLETE:
        connection->answer.checked = (uint32_t)buffer_length(connection->in);
        return false;
    case H1_REJECTED:
        refuse_answer(connection, &problem, ORIGIN_FAILURE_HEAD_TOO_LARGE);
        return false;
    case H1_COMPLETE:
        break;
    }
    connection->answer.checked = 0;
    connection->in->start += (uint32_t)consumed;
    return begin_answer(connection, response);
}

/* --- one step after the other -------------------------------------------------------------- */

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
    case ORIGIN_CONNECTION_GREETS:
    case ORIGIN_CONNECTION_CARRIES:
    case ORIGIN_CONNECTION_IDLE:
    case ORIGIN_CONNECTION_CLOSED:
        break;
    }
    return false;
}

/* What was not taken may wait for long. */
static void keep_rest(struct origin_connection *connection)
{
    if (connection->in == NULL) {
        return;
    }
    if (buffer_length(connection->in) == 0 && connection->undelivered.length == 0) {
        buffer_return(origin_connection_buffers(connection), &connection->in);
    } else {
        buffer_shrink(origin_connection_buffers(connection), &connection->in,
                      &connection->undelivered);
    }
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
    keep_rest(connection);
}

/* --- reading ----------------------------------------------------------------------------- */

/* The origin has closed without an answer. What we sent may be on its way: a peer that has closed
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
        origin_connection_set_clock(connection, wait_ms);
    }
    return wait_ms > 0;
}

static void on_end_of_stream(struct origin_connection *connection, bool clean)
{
    struct origin_request *request = connection->request;

    if (clean && (connection->state == ORIGIN_CONNECTION_TUNNELS ||
                  (connection->state == ORIGIN_CONNECTION_READS_BODY &&
                   connection->answer.framing == HTTP_UNTIL_CLOSE))) {
        struct origin *origin = connection->origin;

        if (connection->state == ORIGIN_CONNECTION_READS_BODY) {
            origin_connection_note_duration(connection);
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

static bool expects_much(const struct origin_connection *connection)
{
    switch (connection->answer.framing) {
    case HTTP_NO_BODY:
        break;
    case HTTP_LENGTH_KNOWN:
        return connection->answer.left > BUFFER_SMALL_BYTES;
    case HTTP_CHUNKED:
    case HTTP_UNTIL_CLOSE:
        return connection->much_came;
    }
    return false;
}

/* No more is read than the client takes now: what waits for a slow one waits in the kernel, which holds
 * it anyway. A head, and what may be little, is read in any case. 0: nothing, the answer pauses. */
static size_t most_to_read(const struct origin_connection *connection)
{
    const struct origin_request *request = connection->request;
    size_t room;

    if (connection->state != ORIGIN_CONNECTION_AWAITS_HEAD &&
        (connection->in != NULL || !expects_much(connection))) {
        return BUFFER_SMALL_BYTES;
    }
    room = request->events->room(request->owner);
    return connection->state == ORIGIN_CONNECTION_AWAITS_HEAD && room < BUFFER_SMALL_BYTES
               ? BUFFER_SMALL_BYTES
               : room;
}

static bool make_room(struct origin_connection *connection, bool large)
{
    struct buffer *in = connection->in;

    if (in == NULL) {
        connection->in = buffer_borrow(origin_connection_buffers(connection),
                                       large ? BUFFER_LARGE : BUFFER_SMALL);
        return connection->in != NULL;
    }
    if (in->start > 0) {
        buffer_compact(in);
    }
    if (buffer_room(in) > 0 && !(large && in->size == BUFFER_SMALL)) {
        return true;
    }
    return in->size == BUFFER_SMALL &&
           buffer_grow(origin_connection_buffers(connection), &connection->in);
}

/* There is no room: for want of a buffer, not since the largest one is full. */
static bool is_short_of_memory(const struct origin_connection *connection)
{
    return connection->in == NULL || connection->in->size == BUFFER_SMALL;
}

/* Nothing to read yet, the end, or an error: errno says which. */
static void receive_nothing(struct origin_connection *connection, ssize_t count)
{
    if (count < 0 && errno == EAGAIN) {
        if (buffer_length(connection->in) == 0) {
            buffer_return(origin_connection_buffers(connection), &connection->in);
        }
        return;
    }
    if (count < 0 && errno == TRANSPORT_FLOODED) {
        origin_connection_fail(connection, ORIGIN_FAILURE_EMPTY_RECORDS);
        return;
    }
    if (count < 0) {
        connection->request->was_reset = errno == ECONNRESET;
        origin_connection_report_alert(connection);
    }
    on_end_of_stream(connection, count == 0);
}

static void take_in(struct origin_connection *connection, size_t count, bool to_brim)
{
    connection->in->end += (uint32_t)count;
    if (connection->state == ORIGIN_CONNECTION_AWAITS_HEAD &&
        origin_connection_is_untouched(connection)) {
        /* It was said before we wrote anything: that it is about to close, mostly. It must not be
         * taken for the answer (RFC 9112 section 9.2). */
        origin_connection_fail(connection, ORIGIN_FAILURE_CLOSED);
        return;
    }
    connection->heard = true;
    connection->read_to_brim = to_brim;
    connection->much_came = count >= MUCH_BYTES;
    drip_note(&connection->drip, count, connection->out.written);
    if (connection->state == ORIGIN_CONNECTION_READS_BODY) {
        origin_connection_set_clock(connection, connection->request->timeouts->response_idle);
    } else if (connection->state == ORIGIN_CONNECTION_TUNNELS) {
        origin_connection_set_clock(connection, connection->request->timeouts->tunnel_idle);
    }
    deliver(connection);
}

/* Whether another read in this turn is likely to bring something. */
static bool receive_once(struct origin_connection *connection)
{
    size_t most = most_to_read(connection);
    bool large = most > BUFFER_SMALL_BYTES;
    size_t room;
    ssize_t count;

    if (most == 0) {
        pause(connection);
        return false;
    }
    if (!make_room(connection, large)) {
        origin_connection_fail(connection, is_short_of_memory(connection)
                                               ? ORIGIN_FAILURE_LOCAL_RESOURCE
                                               : ORIGIN_FAILURE_HEAD_TOO_LARGE);
        return false;
    }
    room = buffer_room(connection->in);
    room = large && most < room ? most : room;
    count = transport_read(&connection->transport, buffer_tail(connection->in), room);
    if (count <= 0) {
        receive_nothing(connection, count);
        return false;
    }
    take_in(connection, (size_t)count, (size_t)count == room);
    return (size_t)count == room && connection->request != NULL && !connection->answer_paused;
}

/* While the answer is paused, what was not taken of it lies in the buffer, which must not move. The
 * loop calls all the same where a write has failed (transport_break): that shows once it goes on. */
void origin_h1_receive(struct origin_connection *connection)
{
    if (connection->answer_paused) {
        return;
    }
    for (int i = 0; i < READS_A_TURN && receive_once(connection); i++) {
    }
    if (connection->request != NULL && drip_is_on(&connection->drip)) {
        watch_rest(&connection->transport.watch);
    }
}

static void origin_h1_resume(struct origin_connection *connection)
{
    struct origin_request *request = connection->request;

    if (!connection->answer_paused) {
        return;
    }
    connection->answer_paused = false;
    reserve_client_came(connection);
    origin_connection_set_clock(connection, connection->state == ORIGIN_CONNECTION_TUNNELS
                                                ? request->timeouts->tunnel_idle
                                                : request->timeouts->response_idle);
    deliver(connection);
    if (connection->request == request) {
        origin_connection_want(connection);
    }
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
