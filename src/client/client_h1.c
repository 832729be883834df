/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1 from a client: bytes in, exchanges begun and fed. One request at a time; what was
 * pipelined behind it waits in the buffer. The answers' side is client_h1_answer.c. */
#include "client/client_private.h"

#include "base/check.h"
#include "io/tls.h"

#include <errno.h>

#define READS_A_TURN 4
#define ROOM_WORTH_READING 256

static struct buffer_pool *buffers_of(const struct client_h1 *h1)
{
    return client_desk_of(h1->connection)->bench->buffers;
}

static const struct settings *settings_of(const struct client_h1 *h1)
{
    return exchange_desk_settings(client_desk_of(h1->connection)->exchanges);
}

/* --- life -------------------------------------------------------------------------------- */

struct client_h1 *client_h1_new(struct client_connection *connection)
{
    struct client_h1 *h1 = slab_take(client_desk_of(connection)->streams);

    if (h1 == NULL) {
        return NULL;
    }
    list_init(&h1->link);
    h1->connection = connection;
    h1->began_us = loop_now(client_desk_of(connection)->bench->loop);
    h1->state = CLIENT_H1_READS_HEAD;
    h1->facts = (struct client_facts){
        .listener = connection->listener->name,
        .listener_index = connection->listener->index,
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
    h1->facts.ip_text = (struct bytes){h1->ip_text, ip_format(&h1->facts.ip, h1->ip_text)};
}

void client_h1_release(struct client_h1 *h1)
{
    CHECK(h1->exchange == NULL);
    h1->connection->h1 = NULL;
    buffer_return(buffers_of(h1), &h1->in);
    buffer_return(buffers_of(h1), &h1->head);
    outbox_clear(&h1->out, buffers_of(h1));
    later_cancel(&h1->flush);
    list_remove(&h1->link);
    /* A callback up the stack may still look at it. */
    list_add_last(&client_desk_of(h1->connection)->stream_graves, &h1->link);
}

void client_h1_abandon(struct client_h1 *h1, enum outcome_end end)
{
    struct exchange *exchange = h1->exchange;

    if (exchange != NULL) {
        h1->exchange = NULL;
        exchange_client_gone(exchange, end);
    }
}

/* --- reading into the buffer --------------------------------------------------------------- */

/* The head must stay where it is while its exchange lives: what follows it moves instead. */
static bool leave_head_behind(struct client_h1 *h1)
{
    struct bytes content = buffer_content(h1->in);
    struct buffer *fresh = buffer_borrow(buffers_of(h1), BUFFER_LARGE);

    if (fresh == NULL) {
        return false;
    }
    CHECK(content.length <= buffer_room(fresh));
    memcpy(buffer_tail(fresh), content.at, content.length);
    fresh->end += (uint32_t)content.length;
    h1->head = h1->in;
    h1->in = fresh;
    h1->head_is_in_input = false;
    return true;
}

bool client_h1_expects_much(const struct client_h1 *h1)
{
    return h1->state == CLIENT_H1_TUNNELS ||
           (h1->state == CLIENT_H1_READS_BODY &&
            (h1->framing == HTTP_CHUNKED || h1->body_left > BUFFER_SMALL_BYTES));
}

/* false: no room (or no memory) to read into. */
static bool make_room(struct client_h1 *h1)
{
    bool much = client_h1_expects_much(h1);

    if (h1->in == NULL) {
        h1->in = buffer_borrow(buffers_of(h1), much ? BUFFER_LARGE : BUFFER_SMALL);
        return h1->in != NULL;
    }
    if (h1->head_is_in_input) {
        bool enough = buffer_room(h1->in) >= ROOM_WORTH_READING && !much;

        /* Behind a whole request only the next one can come: it may wait. */
        return enough || (h1->state != CLIENT_H1_AWAITS_END && leave_head_behind(h1));
    }
    if (h1->in->start > 0 && h1->undelivered.length == 0) {
        buffer_compact(h1->in);
    }
    if (buffer_room(h1->in) >= ROOM_WORTH_READING) {
        return true;
    }
    if (h1->in->size == BUFFER_SMALL) {
        return buffer_grow(buffers_of(h1), &h1->in);
    }
    /* The rest of a head or of trailers may be short too, and nothing else would ask for it. */
    return h1->state != CLIENT_H1_AWAITS_END && buffer_room(h1->in) > 0;
}

static void on_end_of_stream(struct client_h1 *h1, bool clean)
{
    if (clean && h1->state == CLIENT_H1_AWAITS_END) {
        /* Half-closed: it has said all and still listens (RFC 9112 section 9.6). */
        h1->read_closed = true;
        client_h1_want(h1);
        client_h1_was_half_closed(h1);
        return;
    }
    if (clean && h1->state == CLIENT_H1_TUNNELS) {
        exchange_body_end(h1->exchange, NULL);
        return;
    }
    client_close(h1->connection, OUTCOME_CLIENT_GONE);
}

/* Whether another read in this turn is likely to bring something. */
static bool receive_once(struct client_h1 *h1)
{
    size_t room;
    ssize_t count;

    if (!make_room(h1)) {
        if (h1->in == NULL) {
            client_close(h1->connection, OUTCOME_CLIENT_GONE);
        } else {
            client_h1_want(h1);
        }
        return false;
    }
    room = buffer_room(h1->in);
    count = transport_read(&h1->connection->transport, buffer_tail(h1->in), room);
    if (count < 0 && errno == EAGAIN) {
        return false;
    }
    if (count <= 0) {
        on_end_of_stream(h1, count == 0);
        return false;
    }
    h1->in->end += (uint32_t)count;
    h1->received += (uint64_t)count;
    pace_moved(&h1->body_pace, loop_now(client_desk_of(h1->connection)->bench->loop));
    client_h1_process(h1);
    return (size_t)count == room && h1->connection->h1 == h1 && !h1->body_paused;
}

/* Whoever is waited for holds no buffer meanwhile: it may be long. The trailers of a chunked request
 * that is whole still lie in it, for as long as its exchange has not sent them. */
static void give_back_empty(struct client_h1 *h1)
{
    bool may_hold_trailers = h1->state == CLIENT_H1_AWAITS_END && h1->framing == HTTP_CHUNKED;

    if (h1->in != NULL && !may_hold_trailers && !h1->head_is_in_input &&
        h1->undelivered.length == 0 && buffer_length(h1->in) == 0) {
        buffer_return(buffers_of(h1), &h1->in);
    }
}

/* Nothing was there after all, or no more than a part of a TLS record: a head that drips, too. */
static void receive_nothing(struct client_h1 *h1)
{
    if (tls_has_more(&h1->connection->transport)) {
        client_h1_awaits_head(h1);
        give_back_empty(h1);
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
        give_back_empty(h1);
        if (h1->connection->unwatched) {
            client_h1_want(h1);
        }
    }
}

void client_h1_ready(struct client_h1 *h1, short what)
{
    struct client_connection *connection = h1->connection;

    if ((what & LOOP_WRITABLE) != 0) {
        client_h1_flush(h1);
    }
    if ((what & LOOP_READABLE) != 0 && connection->h1 == h1 &&
        (h1->state != CLIENT_H1_READS_BODY || !client_h1_is_held_back(h1))) {
        receive(h1);
    }
}

/* --- the head ------------------------------------------------------------------------------ */

static struct h1_limits limits_of(const struct client_h1 *h1)
{
    const struct limits_settings *limits = &settings_of(h1)->limits;

    return (struct h1_limits){limits->head_bytes, limits->target_bytes, limits->headers};
}

static uint32_t head_age_us(const struct client_h1 *h1)
{
    uint64_t now = loop_now(client_desk_of(h1->connection)->bench->loop);

    return h1->head_began_us == 0 ? 0 : (uint32_t)(now - h1->head_began_us);
}

static void count_begun(struct client_h1 *h1)
{
    struct client_desk *desk = client_desk_of(h1->connection);

    h1->connection->served++;
    /* New settings may have come since the first byte; the exchange begins by them. */
    h1->facts.listener = h1->connection->listener->name;
    h1->facts.listener_index = h1->connection->listener->index;
    h1->facts.accepts = h1->facts.tls != NULL ? client_handshake_acceptor(h1->connection) : NULL;
    h1->counted_out = h1->out.written;
    h1->answer_ended = false;
    h1->closes = false;
    pace_end(&h1->body_pace);
    pace_end(&h1->answer_pace);
    atomic_store_explicit(&desk->begun,
                          atomic_load_explicit(&desk->begun, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void refuse(struct client_h1 *h1, struct exchange *exchange, uint16_t status,
                   const char *what)
{
    h1->exchange = exchange;
    count_begun(h1);
    h1->version = HTTP_1_1;
    h1->framing = HTTP_NO_BODY;
    h1->state = CLIENT_H1_AWAITS_END;
    client_rest_timer(h1->connection);
    exchange_refuse(exchange, status, what, h1->in != NULL ? buffer_length(h1->in) : 0,
                    head_age_us(h1));
}

void client_h1_refuse_head(struct client_h1 *h1, uint16_t status, const char *what,
                           enum cut_cause cause)
{
    struct client_desk *desk = client_desk_of(h1->connection);
    struct exchange *exchange = exchange_new(desk->exchanges, &client_h1_ops, h1, &h1->facts);

    if (exchange == NULL) {
        client_cut(h1->connection, cause);
        return;
    }
    metrics_note_cut(desk->metrics, cause);
    exchange_note_cut(exchange, cause);
    refuse(h1, exchange, status, what);
}

void client_h1_refuse(struct client_h1 *h1, uint16_t status, const char *what)
{
    struct exchange *exchange;

    if (make_room(h1) && buffer_room(h1->in) > 0) {
        ssize_t count =
            transport_read(&h1->connection->transport, buffer_tail(h1->in), buffer_room(h1->in));

        h1->in->end += count > 0 ? (uint32_t)count : 0;
    }
    exchange =
        exchange_new(client_desk_of(h1->connection)->exchanges, &client_h1_ops, h1, &h1->facts);
    if (exchange == NULL) {
        client_close(h1->connection, OUTCOME_CLIENT_GONE);
        return;
    }
    refuse(h1, exchange, status, what);
}

/* The request is whole: the clock that counts now is the origin's. */
static void await_end(struct client_h1 *h1)
{
    h1->state = CLIENT_H1_AWAITS_END;
    client_h1_awaits_origin(h1);
}

static void begin_exchange(struct client_h1 *h1, struct exchange *exchange, size_t head_bytes)
{
    const struct http_request *request = exchange_request(exchange);
    uint32_t age = head_age_us(h1);

    h1->in->start += (uint32_t)head_bytes;
    h1->head_is_in_input = true;
    h1->exchange = exchange;
    h1->framing = request->framing;
    h1->version = request->version;
    h1->body_left = request->body_length;
    h1->head_began_us = 0;
    h1_chunked_init(&h1->chunked);
    count_begun(h1);
    if (request->framing == HTTP_NO_BODY ||
        (request->framing == HTTP_LENGTH_KNOWN && request->body_length == 0)) {
        await_end(h1);
    } else {
        h1->state = CLIENT_H1_READS_BODY;
    }
    exchange_begin(exchange, head_bytes, age);
    /* Only now: the route has a say. */
    if (h1->exchange == exchange && h1->state == CLIENT_H1_READS_BODY) {
        client_h1_awaits_body(h1);
    }
}

static bool step_head(struct client_h1 *h1)
{
    struct client_desk *desk = client_desk_of(h1->connection);
    const struct h1_limits limits = limits_of(h1);
    struct exchange *exchange;
    struct h1_problem problem;
    size_t consumed = 0;

    if (buffer_length(h1->in) == 0) {
        return false;
    }
    exchange = exchange_new(desk->exchanges, &client_h1_ops, h1, &h1->facts);
    if (exchange == NULL) {
        client_close(h1->connection, OUTCOME_CLIENT_GONE);
        return false;
    }
    switch (h1_parse_request(buffer_content(h1->in), &limits, exchange_request(exchange), &consumed,
                             &problem)) {
    case H1_INCOMPLETE:
        exchange_discard(exchange);
        client_h1_awaits_head(h1);
        return false;
    case H1_REJECTED:
        refuse(h1, exchange, problem.status, problem.what);
        return false;
    case H1_COMPLETE:
        break;
    }
    begin_exchange(h1, exchange, consumed);
    return true;
}

/* --- the body ------------------------------------------------------------------------------ */

static void body_is_whole(struct client_h1 *h1, const struct http_headers *trailers)
{
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

static bool take_input(struct client_h1 *h1, uint64_t most)
{
    struct bytes content = buffer_content(h1->in);

    if (content.length > most) {
        content.length = (size_t)most;
    }
    h1->in->start += (uint32_t)content.length;
    h1->undelivered = content;
    return content.length > 0;
}

static bool step_length_known(struct client_h1 *h1)
{
    if (h1->body_left == 0) {
        body_is_whole(h1, NULL);
        return true;
    }
    if (!take_input(h1, h1->body_left)) {
        return false;
    }
    h1->body_left -= h1->undelivered.length;
    return true;
}

/* Where the body ends is not known any more: nothing further is read of it. */
static void refuse_body(struct client_h1 *h1, const struct h1_problem *problem)
{
    h1->closes = true;
    h1->body_paused = true;
    client_h1_want(h1);
    exchange_body_failed(h1->exchange, 400, problem->what);
}

static bool step_trailers(struct client_h1 *h1)
{
    const struct h1_limits limits = limits_of(h1);
    struct http_headers trailers;
    struct h1_problem problem;
    size_t consumed = 0;

    switch (h1_parse_trailers(buffer_content(h1->in), &limits, &trailers, &consumed, &problem)) {
    case H1_INCOMPLETE:
        return false;
    case H1_REJECTED:
        refuse_body(h1, &problem);
        return false;
    case H1_COMPLETE:
        break;
    }
    h1->in->start += (uint32_t)consumed;
    body_is_whole(h1, trailers.count > 0 ? &trailers : NULL);
    return true;
}

static bool step_chunked(struct client_h1 *h1)
{
    struct bytes input = buffer_content(h1->in);
    struct bytes data = {0};
    struct h1_problem problem;
    enum h1_chunked_step step = h1_chunked_next(&h1->chunked, &input, &data, &problem);

    h1->in->start = h1->in->end - (uint32_t)input.length;
    switch (step) {
    case H1_CHUNKED_DATA:
        h1->undelivered = data;
        return true;
    case H1_CHUNKED_MORE:
        return false;
    case H1_CHUNKED_TRAILERS:
        return step_trailers(h1);
    case H1_CHUNKED_REJECTED:
        break;
    }
    refuse_body(h1, &problem);
    return false;
}

static bool step_body(struct client_h1 *h1)
{
    if (h1->undelivered.length > 0) {
        return hand_over(h1);
    }
    return h1->framing == HTTP_CHUNKED ? step_chunked(h1) : step_length_known(h1);
}

static bool step_tunnel(struct client_h1 *h1)
{
    return (h1->undelivered.length > 0 || take_input(h1, UINT64_MAX)) && hand_over(h1);
}

static bool step(struct client_h1 *h1)
{
    switch (h1->state) {
    case CLIENT_H1_READS_HEAD:
        return step_head(h1);
    case CLIENT_H1_READS_BODY:
        return step_body(h1);
    case CLIENT_H1_TUNNELS:
        return step_tunnel(h1);
    case CLIENT_H1_AWAITS_END:
        break;
    }
    return false;
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
}

void client_h1_cut_body(struct client_h1 *h1, const char *what, enum cut_cause cause)
{
    h1->closes = true;
    metrics_note_cut(client_desk_of(h1->connection)->metrics, cause);
    exchange_note_cut(h1->exchange, cause);
    exchange_body_failed(h1->exchange, 408, what);
}
