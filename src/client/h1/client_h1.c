/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1 with a client, step by step: a stream is made, bytes come in, a head, an exchange begins and is
 * fed; when its answer is through (client_h1_answer.c), the next one. One request
 * at a time; what was pipelined behind it waits in the buffer.
 *
 * Called by the connection's events (client_h1_codec.c); and by the exchange, through the table at the
 * end. What cannot be read is client_h1_refuse.c's. */
#include "client/client_private.h"

#include "base/check.h"
#include "tls/tls.h"

#include <errno.h>

struct buffer_pool *client_h1_buffers(const struct client_h1 *h1)
{
    return client_context_of(h1->connection)->worker_context->buffers;
}

uint64_t client_h1_now(const struct client_h1 *h1)
{
    return loop_now(client_context_of(h1->connection)->worker_context->loop);
}

struct client_h1 *client_h1_new(struct client_connection *connection)
{
    struct client_h1 *h1 = slab_take(client_context_of(connection)->streams);

    if (h1 == NULL) {
        return NULL;
    }
    list_init(&h1->link);
    h1->connection = connection;
    h1->began_us = loop_now(client_context_of(connection)->worker_context->loop);
    h1->state = CLIENT_H1_READS_HEAD;
    h1->facts = (struct client_facts){
        .listener = connection->listener->name,
        .listener_index = connection->listener->index,
        .may_be_proxied = connection->listener->was_proxied,
        .scheme = connection->transport.ops->scheme,
        .tls = connection->transport.ops->plain ? NULL : tls_facts_of(&connection->transport),
        .rules = connection->listener->has_rules ? &connection->listener->rules : NULL,
    };
    client_h1_know_client(h1);
    connection->h1 = h1;
    return h1;
}

void client_h1_know_client(struct client_h1 *h1)
{
    h1->facts.ip = h1->connection->ip;
    h1->facts.port = h1->connection->port;
}

void client_h1_release(struct client_h1 *h1)
{
    CHECK(h1->exchange == NULL);
    h1->connection->h1 = NULL;
    buffer_return(client_h1_buffers(h1), &h1->in);
    outbox_clear(&h1->out, client_h1_buffers(h1));
    later_cancel(&h1->flush);
    list_remove(&h1->link);
    /* A callback up the stack may still look at it. */
    list_add_last(&client_context_of(h1->connection)->deferred_stream_frees, &h1->link);
}

static struct h1_limits limits_of(const struct client_h1 *h1)
{
    const struct limits_settings *limits =
        &exchange_context_settings(client_context_of(h1->connection)->exchanges)->limits;

    return (struct h1_limits){limits->head_bytes, limits->target_bytes, limits->headers, 0};
}

bool client_h1_expects_much(const struct client_h1 *h1)
{
    return h1->state == CLIENT_H1_TUNNELS ||
           (h1->state == CLIENT_H1_READS_BODY &&
            (h1->body.framing == HTTP_CHUNKED || h1->body.left > BUFFER_SMALL_BYTES));
}

void client_h1_want(struct client_h1 *h1)
{
    struct client_connection *connection = h1->connection;
    bool has_room =
        h1->in == NULL || h1->state != CLIENT_H1_AWAITS_END || buffer_room(h1->in) >= 256;
    short wanted =
        !h1->read_closed && !h1->body_paused && !h1->held_back && has_room ? WATCH_READABLE : 0;

    if (h1->out.blocked) {
        wanted |= WATCH_WRITABLE;
    } else if (connection->unwatched && h1->state == CLIENT_H1_AWAITS_END) {
        return; /* until its clock says that this takes longer (client_h1_late) */
    }
    connection->unwatched = false;
    transport_want(&connection->transport, wanted);
    if (h1->yields && transport_is_open(&connection->transport)) {
        watch_call(&connection->transport.watch);
    }
}

#define READS_A_TURN 4
/* Pipelined requests that the gateway answers itself: each takes some 10 us. */
#define REQUESTS_A_TURN 16

/* --- the buffer --------------------------------------------------------------------------- */

/* The buffer that a stream reads into: borrowed when bytes may come, moved on from under a head that must
 * stay, given back when it is empty. */

#define ROOM_WORTH_READING 256

/* The head must stay where it is while its exchange lives: what follows it moves instead. */
static bool leave_head_behind(struct client_h1 *h1)
{
    struct bytes content = buffer_content(h1->in);
    struct buffer *fresh = buffer_borrow(client_h1_buffers(h1), BUFFER_LARGE);

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
        h1->in = buffer_borrow(client_h1_buffers(h1), much ? BUFFER_LARGE : BUFFER_SMALL);
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
        return buffer_grow(client_h1_buffers(h1), &h1->in);
    }
    if (buffer_room(h1->in) >= ROOM_WORTH_READING) {
        return true;
    }
    /* The rest of a head or of trailers may be short too, and nothing else would ask for it. */
    return h1->state != CLIENT_H1_AWAITS_END && buffer_room(h1->in) > 0;
}

/* After reading: what is left may wait for long. */
static void client_h1_keep_rest(struct client_h1 *h1)
{
    if (h1->in == NULL || h1->head_is_in_input) {
        return;
    }
    if (h1->undelivered.length == 0 && buffer_length(h1->in) == 0) {
        buffer_return(client_h1_buffers(h1), &h1->in);
    } else {
        buffer_shrink(client_h1_buffers(h1), &h1->in, &h1->undelivered);
    }
}

/* Before a head is parsed, which stays for as long as its exchange lives: the input is moved into a
 * small buffer if it fits. Else the beginning of it, copied into one, for the caller to return or to
 * keep with the exchange; NULL where there is no memory, too: the head stays where it is. */
static struct buffer *client_h1_head_apart(struct client_h1 *h1)
{
    struct bytes content;
    struct buffer *apart;

    buffer_shrink(client_h1_buffers(h1), &h1->in, &h1->undelivered);
    apart =
        h1->in->size == BUFFER_LARGE ? buffer_borrow(client_h1_buffers(h1), BUFFER_SMALL) : NULL;
    if (apart != NULL) {
        content = buffer_content(h1->in);
        apart->end = content.length < apart->capacity ? (uint32_t)content.length : apart->capacity;
        memcpy(apart->bytes, content.at, apart->end);
    }
    return apart;
}

#define UNWATCHED_MS 50 /* an answer that takes longer: see whether its client still waits */

/* The request is whole: the clock that counts now is the origin's. */
static void await_end(struct client_h1 *h1)
{
    h1->state = CLIENT_H1_AWAITS_END;
    if (h1->connection->unwatched) {
        client_set_timer(h1->connection, UNWATCHED_MS);
    } else if (!h1->out.blocked) {
        client_rest_timer(h1->connection);
    }
}

/* --- reading ------------------------------------------------------------------------------- */

/* By TCP alone a client that has left looks like one that listens on (RFC 9112 section 9.6): what is
 * safe to give up is given up, unless the listener says that its clients half-close, or the client
 * has pipelined more requests, as one that has left hardly ever has. */
static bool seems_to_have_left(const struct client_h1 *h1)
{
    return !h1->connection->listener->half_close && !h1->answer_ended &&
           (h1->in == NULL || buffer_length(h1->in) == 0) &&
           http_method_is_safe(exchange_request(h1->exchange)->method);
}

static void on_end_of_stream(struct client_h1 *h1, bool clean)
{
    if (clean && h1->state == CLIENT_H1_AWAITS_END) {
        h1->read_closed = true;
        client_h1_want(h1);
        if (seems_to_have_left(h1)) {
            client_h1_client_left(h1);
        }
        return;
    }
    if (clean && h1->state == CLIENT_H1_TUNNELS) {
        exchange_body_end(h1->exchange, NULL);
        return;
    }
    client_close(h1->connection, OUTCOME_CLIENT_GONE);
}

/* What comes first on a connection that may turn out to be HTTP/2: no more than a first read of that
 * (client_h2_budget.c). */
#define UNDECIDED_BYTES 1024

static size_t room_of_read(const struct client_h1 *h1)
{
    size_t room = buffer_room(h1->in);
    bool undecided = h1->connection->listener->h2c && h1->connection->served == 0 &&
                     h1->connection->transport.ops->plain && h1->received == 0;

    return undecided && room > UNDECIDED_BYTES ? UNDECIDED_BYTES : room;
}

/* Whether another read in this turn is likely to bring something. */
static bool receive_once(struct client_h1 *h1)
{
    size_t room;
    ssize_t count;

    if (!client_h1_make_room(h1)) {
        if (h1->in == NULL) {
            client_close(h1->connection, OUTCOME_CLIENT_GONE);
        } else {
            client_h1_want(h1);
        }
        return false;
    }
    room = room_of_read(h1);
    count = transport_read(&h1->connection->transport, buffer_tail(h1->in), room);
    if (count < 0 && errno == EAGAIN) {
        return false;
    }
    if (count < 0 && errno == TRANSPORT_FLOODED) {
        client_cut(h1->connection, CUT_EMPTY_RECORDS);
        return false;
    }
    if (count <= 0) {
        on_end_of_stream(h1, count == 0);
        return false;
    }
    h1->in->end += (uint32_t)count;
    h1->received += (uint64_t)count;
    drip_note(&h1->drip, (size_t)count, h1->out.written);
    if (h1->state != CLIENT_H1_READS_HEAD) {
        min_rate_moved(&h1->body_min_rate, client_h1_now(h1));
    }
    client_h1_process(h1);
    return (size_t)count == room && h1->connection->h1 == h1 && !h1->body_paused;
}

/* Nothing was there after all, or no more than a part of a TLS record: a head that drips, too. */
static void receive_nothing(struct client_h1 *h1)
{
    if (tls_has_more(&h1->connection->transport)) {
        client_h1_awaits_head(h1);
        client_h1_keep_rest(h1);
        client_h1_want(h1);
    } else {
        client_stay_idle(h1->connection);
    }
}

static void receive(struct client_h1 *h1)
{
    for (int i = 0; i < READS_A_TURN && receive_once(h1); i++) {
    }
    if (h1->connection->h1 == h1 && h1->connection->state == CLIENT_SERVES &&
        h1->state == CLIENT_H1_READS_HEAD && h1->exchange == NULL &&
        (h1->in == NULL || buffer_length(h1->in) == 0)) {
        receive_nothing(h1);
    } else if (h1->connection->h1 == h1) {
        client_h1_keep_rest(h1);
        if (h1->connection->unwatched) {
            client_h1_want(h1);
        }
        if (drip_is_on(&h1->drip)) {
            watch_rest(&h1->connection->transport.watch);
        }
    }
}

void client_h1_ready(struct client_connection *connection, short what)
{
    struct client_h1 *h1 = connection->h1;

    h1->in_a_row = 0;
    if ((what & WATCH_WRITABLE) != 0) {
        client_h1_flush(h1);
    }
    if (connection->h1 == h1 && h1->yields) {
        h1->yields = false;
        client_h1_process(h1);
        return; /* called by hand: if something came, too, the loop says it again */
    }
    if ((what & WATCH_READABLE) != 0 && connection->h1 == h1 &&
        (h1->state != CLIENT_H1_READS_BODY || !client_h1_is_held_back(h1))) {
        receive(h1);
    }
}

/* --- the head ------------------------------------------------------------------------------ */

uint32_t client_h1_head_age_us(const struct client_h1 *h1)
{
    uint64_t now = client_h1_now(h1);

    return h1->head_began_us == 0 ? 0 : (uint32_t)(now - h1->head_began_us);
}

void client_h1_count_begun(struct client_h1 *h1)
{
    struct client_context *context = client_context_of(h1->connection);

    h1->connection->served++;
    /* New settings may have come since the first byte; the exchange begins by them. */
    h1->facts.listener = h1->connection->listener->name;
    h1->facts.listener_index = h1->connection->listener->index;
    h1->facts.accepts =
        h1->facts.tls != NULL ? client_listener_acceptor(h1->connection->listener) : NULL;
    h1->counted_out = h1->out.written;
    h1->answer_ended = false;
    h1->answer_is_small = false;
    h1->closes = false;
    if (h1->was_waited_for) {
        min_rate_end(&h1->answer_min_rate);
    }
    atomic_store_explicit(&context->begun,
                          atomic_load_explicit(&context->begun, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static bool lies_in(struct bytes bytes, const struct buffer *buffer)
{
    return bytes.at >= buffer->bytes && bytes.at < buffer->bytes + buffer->capacity;
}

static void begin_exchange(struct client_h1 *h1, struct exchange *exchange, size_t head_bytes)
{
    const struct http_request *request = exchange_request(exchange);
    uint32_t age = client_h1_head_age_us(h1);

    h1->in->start += (uint32_t)head_bytes;
    h1->head_is_in_input = lies_in(request->method_text, h1->in);
    h1->exchange = exchange;
    h1->version = request->version;
    h1->head_began_us = 0;
    h1_body_begin(&h1->body, request->framing, request->body_length);
    client_h1_count_begun(h1);
    h1->closes = !request->keep_alive;
    if (http_has_body(request->framing, request->body_length)) {
        h1->state = CLIENT_H1_READS_BODY;
    } else {
        await_end(h1);
    }
    exchange_begin(exchange, head_bytes, age);
    /* Only now: the route has a say. */
    if (h1->exchange == exchange && h1->state == CLIENT_H1_READS_BODY) {
        client_h1_awaits_body(h1);
    }
}

/* Into what the exchange holds for it. A head that is not whole in a small buffer may be in the large
 * one that it was copied from. */
static enum h1_verdict parse_head(struct client_h1 *h1, struct exchange *exchange,
                                  const struct h1_limits *limits, size_t *consumed,
                                  struct h1_problem *problem)
{
    struct http_request *request = exchange_request(exchange);
    struct buffer *apart = client_h1_head_apart(h1);
    enum h1_verdict verdict = H1_INCOMPLETE;

    if (apart != NULL) {
        verdict = h1_parse_request(buffer_content(apart), limits, request, consumed, problem);
        if (verdict == H1_COMPLETE) {
            exchange_take_over(exchange, &apart);
        } else {
            buffer_return(client_h1_buffers(h1), &apart);
        }
    }
    return verdict == H1_INCOMPLETE
               ? h1_parse_request(buffer_content(h1->in), limits, request, consumed, problem)
               : verdict;
}

static bool step_head(struct client_h1 *h1)
{
    struct client_context *context = client_context_of(h1->connection);
    const struct h1_limits limits = limits_of(h1);
    struct exchange *exchange;
    struct h1_problem problem;
    size_t consumed = 0;

    if (buffer_length(h1->in) == 0 ||
        !h1_is_worth_parsing(buffer_content(h1->in), h1->body.checked, &limits)) {
        return false;
    }
    exchange = exchange_new(context->exchanges, &client_h1_ops, h1, &h1->facts);
    if (exchange == NULL) {
        client_close(h1->connection, OUTCOME_CLIENT_GONE);
        return false;
    }
    switch (parse_head(h1, exchange, &limits, &consumed, &problem)) {
    case H1_INCOMPLETE:
        exchange_discard(exchange);
        h1->body.checked = (uint32_t)buffer_length(h1->in);
        client_h1_awaits_head(h1);
        return false;
    case H1_REJECTED:
        client_h1_refuse_malformed(h1, exchange, &problem);
        return false;
    case H1_COMPLETE:
        break;
    }
    begin_exchange(h1, exchange, consumed);
    return true;
}

/* --- the body, or the bytes of a tunnel ------------------------------------------------ */

static void body_is_whole(struct client_h1 *h1, const struct http_headers *trailers)
{
    min_rate_end(&h1->body_min_rate);
    await_end(h1);
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
    const struct h1_limits limits = limits_of(h1);
    struct http_header rows[HTTP_HEADERS_MAX];
    struct http_headers trailers = {.rows = rows};
    struct bytes input = buffer_content(h1->in);
    struct h1_problem problem;
    enum h1_body_step step =
        h1_body_trailers(&h1->body, &input, h1_parse_trailers, &limits, &trailers, &problem);

    h1->in->start = h1->in->end - (uint32_t)input.length;
    if (step == H1_BODY_END) {
        body_is_whole(h1, trailers.count > 0 ? &trailers : NULL);
    } else if (step == H1_BODY_REJECTED) {
        refuse_body(h1, &problem);
    }
    return step == H1_BODY_END;
}

static bool step_body(struct client_h1 *h1)
{
    struct bytes input = buffer_content(h1->in);
    struct h1_problem problem;
    enum h1_body_step step;

    if (h1->undelivered.length > 0) {
        return hand_over(h1);
    }
    step = h1_body_next(&h1->body, &input, &h1->undelivered, &problem);
    h1->in->start = h1->in->end - (uint32_t)input.length;
    switch (step) {
    case H1_BODY_DATA:
        return true;
    case H1_BODY_MORE:
        return false;
    case H1_BODY_TRAILERS:
        return step_trailers(h1);
    case H1_BODY_END:
        body_is_whole(h1, NULL);
        return true;
    case H1_BODY_REJECTED:
        break;
    }
    refuse_body(h1, &problem);
    return false;
}

/* --- one step after the other ---------------------------------------------------------- */

static bool step(struct client_h1 *h1)
{
    switch (h1->state) {
    case CLIENT_H1_READS_HEAD:
        return step_head(h1);
    case CLIENT_H1_READS_BODY:
    case CLIENT_H1_TUNNELS:
        return step_body(h1);
    case CLIENT_H1_AWAITS_END:
        break;
    }
    return false;
}

/* The client ended its side before the end of a request: the rest will never come. It may have done
 * so long ago, while the request before this one had its answer. */
static bool ended_too_early(const struct client_h1 *h1)
{
    return h1->connection->h1 == h1 && h1->connection->state == CLIENT_SERVES && h1->read_closed &&
           !h1->body_paused &&
           (h1->state == CLIENT_H1_READS_HEAD || h1->state == CLIENT_H1_READS_BODY);
}

void client_h1_process(struct client_h1 *h1)
{
    if (h1->processing || h1->in == NULL) {
        return;
    }
    h1->processing = true;
    while (h1->connection->h1 == h1 && h1->connection->state == CLIENT_SERVES && h1->in != NULL &&
           !h1->body_paused && step(h1)) {
    }
    h1->processing = false;
    if (ended_too_early(h1)) {
        client_close(h1->connection, OUTCOME_CLIENT_GONE);
    }
}

/* --- after the answer ---------------------------------------------------------------------- */

/* Bytes that the client sent and that will not be read: closing now would reset the connection. */
static bool has_unread_bytes(const struct client_h1 *h1)
{
    return h1->state == CLIENT_H1_READS_BODY || h1->undelivered.length > 0 ||
           (h1->in != NULL && buffer_length(h1->in) > 0);
}

/* A small body that was not wanted, but which is here already. */
static void skip_body_at_hand(struct client_h1 *h1)
{
    if (h1->state == CLIENT_H1_READS_BODY && h1->body.framing == HTTP_LENGTH_KNOWN &&
        h1->body.left <= buffer_length(h1->in)) {
        min_rate_end(&h1->body_min_rate);
        h1->in->start += (uint32_t)h1->body.left;
        h1->body.left = 0;
        h1->undelivered = (struct bytes){0};
        h1->state = CLIENT_H1_AWAITS_END;
    }
}

static void begin_next_request(struct client_h1 *h1)
{
    h1->state = CLIENT_H1_READS_HEAD;
    h1->head_is_in_input = false;
    h1->body_paused = false;
    h1->answer_ended = false;
    if (h1->in == NULL || buffer_length(h1->in) == 0) {
        if (h1->read_closed) {
            client_close(h1->connection, OUTCOME_ANSWERED);
        } else {
            client_become_idle(h1->connection);
        }
        return;
    }
    h1->yields = ++h1->in_a_row >= REQUESTS_A_TURN;
    client_h1_want(h1);
    if (!h1->yields) {
        client_h1_process(h1);
    }
}

static void on_over(void *stream)
{
    struct client_h1 *h1 = stream;

    h1->exchange = NULL;
    client_rest_timer(h1->connection);
    if (client_context_of(h1->connection)->stopping) {
        h1->closes = true;
    }
    if (h1->state != CLIENT_H1_TUNNELS && !h1->closes) {
        skip_body_at_hand(h1);
    }
    if (h1->closes || h1->state == CLIENT_H1_READS_BODY || h1->state == CLIENT_H1_TUNNELS ||
        h1->out.broken) {
        if (has_unread_bytes(h1) && !h1->read_closed && !h1->out.broken) {
            client_linger(h1->connection);
        } else {
            client_close(h1->connection, OUTCOME_ANSWERED);
        }
        return;
    }
    begin_next_request(h1);
}

/* Answers before this one wait in the kernel, whole, and a reset would throw them away. In HTTP/1.1
 * the head tells where an answer ends, so that an end before that shows, too. */
static bool has_earlier_answers(const struct client_h1 *h1)
{
    return h1->version != HTTP_1_0 && client_h1_taken(h1) < h1->answer_from;
}

static void on_abort(void *stream)
{
    struct client_h1 *h1 = stream;

    h1->exchange = NULL;
    if (has_earlier_answers(h1)) {
        client_linger(h1->connection);
        return;
    }
    /* A reset, so that a close-delimited or half-sent answer cannot pass for a whole one. */
    transport_reset(&h1->connection->transport);
    client_close(h1->connection, OUTCOME_ORIGIN_BROKE);
}

/* --- what else the exchange asks ----------------------------------------------------------- */

static void on_want_body(void *stream, bool wanted)
{
    struct client_h1 *h1 = stream;

    h1->body_paused = !wanted;
    if (wanted && h1->state == CLIENT_H1_READS_BODY && !h1->held_back) {
        client_h1_takes_body(h1);
    }
    client_h1_process(h1);
    if (h1->connection->h1 == h1) {
        client_h1_want(h1);
    }
}

static void on_begin_tunnel(void *stream)
{
    struct client_h1 *h1 = stream;

    h1->state = CLIENT_H1_TUNNELS;
    h1->body.framing = HTTP_UNTIL_CLOSE;
    client_h1_answer_switches(h1);
    client_h1_process(h1); /* bytes may have come along with the request */
}

/* What follows the request in the connection cannot be found without its end. */
static void on_no_more_requests(void *stream)
{
    struct client_h1 *h1 = stream;

    h1->closes = true;
}

static bool on_report_peer(void *stream, struct ip *ip)
{
    struct client_h1 *h1 = stream;

    return transport_report_peer_ip(h1->connection->transport.fd, ip);
}

static bool on_report_who(void *stream, struct who *who)
{
    struct client_h1 *h1 = stream;

    who->kind = WHO_ADMIN;
    return transport_report_peer(&h1->connection->transport, &who->pid, &who->uid);
}

/* What begins an answer, and what its body goes through. */
#define STREAM_OPS(head, body) \
    { \
        .send_interim = client_h1_send_interim, .give_up_request = on_no_more_requests, \
        .retire = on_no_more_requests, .send_head = (head), .send_body = (body), \
        .room = client_h1_room, .flush = client_h1_send_soon, .end = client_h1_send_end, \
        .take_back = client_h1_take_back, .abort = on_abort, .want_body = on_want_body, \
        .begin_tunnel = on_begin_tunnel, .report_peer = on_report_peer, \
        .report_who = on_report_who, .over = on_over, \
    }

const struct client_stream_ops client_h1_ops = STREAM_OPS(client_h1_send_head, client_h1_send_body);

/* The answer is a frame that no status and no body fit in. */
const struct client_stream_ops client_h1_refusal_ops =
    STREAM_OPS(client_h1_send_h2_refusal, client_h1_send_nothing);
