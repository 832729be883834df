/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of an exchange, step by step:
 *
 *   exchange_begin -> admit (who asks, may it pass) -> route -> gather (small bodies first: gather.c)
 *     -> attempt (an origin and a connection: attempt.c) -> relay (its answer: relay.c)
 *     -> finish (outcome to log and metrics)
 *   with a side step to reply.c wherever the gateway answers by itself.
 *
 * Called by client/h1/client_h1. Every exchange that began ends once, in exchange_close_books
 * (exchange_end.c): finished, broken off, or left by its client. */
#include "exchange/exchange_private.h"

#include "base/check.h"
#include "exchange/deadline.h"
#include "exchange/routing.h"
#include "exchange/trace.h"
#include "exchange/trailers.h"

/* --- beginning --------------------------------------------------------------------------- */

/* Everything but the message, which the codec fills, starts as zero. */
struct exchange *exchange_new(struct exchange_desk *desk, const struct client_stream_ops *ops,
                              void *stream, const struct client_facts *facts)
{
    struct exchange *exchange = slab_take(desk->exchanges);

    if (exchange == NULL) {
        return NULL;
    }
    list_init(&exchange->link);
    exchange->desk = desk;
    exchange->state = EXCHANGE_NEW;
    exchange->client.ops = ops;
    exchange->client.stream = stream;
    exchange->client.facts = facts;
    return exchange;
}

struct http_request *exchange_request(struct exchange *exchange)
{
    return &exchange->request;
}

void exchange_discard(struct exchange *exchange)
{
    CHECK(exchange->state == EXCHANGE_NEW);
    exchange_release(exchange);
}

/* Counts from here on: the exchange has a generation and will be finished. */
static void open_books(struct exchange *exchange, size_t bytes_read, uint32_t head_us)
{
    struct exchange_desk *desk = exchange->desk;
    struct outcome *outcome = &exchange->outcome;

    desk->count++;
    exchange->generation = generation_ref(desk->generation);
    exchange->start_us = loop_now(desk->bench->loop) - head_us;
    outcome->start_realtime_us = loop_realtime(desk->bench->loop) - head_us;
    outcome->head_us = head_us > 0 ? head_us : 1; /* 0 would say that it was not reached */
    outcome->bytes_in = bytes_read;
    outcome->scheme = exchange->client.facts->scheme;
    outcome->listener = exchange->client.facts->listener;
    outcome->listener_index = exchange->client.facts->listener_index;
    outcome->client_port = exchange->client.facts->port;
    outcome->client = &exchange->client.ip;
    outcome->worker = desk->bench->worker;
    outcome->route_index = -1;
    outcome->service_index = -1;
    exchange->client.ip = exchange->client.facts->ip;
}

static bool takes_id(const struct exchange *exchange, const struct http_header *inbound)
{
    return inbound->value_length > 0 && inbound->value_length <= 128 &&
           (exchange->client.trusted ||
            generation_settings(exchange->generation)->request_id == REQUEST_ID_FROM_ANY);
}

/* Ids tie the lines of many logs together: a client that may choose its own may choose another
 * client's. */
static void give_id(struct exchange *exchange, const struct http_header *inbound)
{
    struct outcome *outcome = &exchange->outcome;

    if (inbound != NULL && takes_id(exchange, inbound)) {
        outcome->request_id = http_header_value(inbound);
        return;
    }
    if (inbound != NULL) {
        outcome->client_request_id = http_header_value(inbound);
    }
    uuid_v7(exchange->request_id, outcome->start_realtime_us / 1000,
            &exchange->desk->bench->random);
    outcome->request_id = (struct bytes){exchange->request_id, UUID_TEXT_LENGTH};
    outcome->request_id_is_ours = true;
}

static void note_request(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    struct outcome *outcome = &exchange->outcome;

    outcome->method = request->method_text;
    outcome->host = request->host;
    outcome->path = request->path;
    outcome->protocol = request->version == HTTP_1_0   ? "1.0"
                        : request->version == HTTP_1_1 ? "1.1"
                                                       : "2";
    if (exchange->client.facts->tls != NULL) {
        outcome->tls_version = exchange->client.facts->tls->version;
        outcome->tls_cipher = exchange->client.facts->tls->cipher;
        outcome->tls_resumed = exchange->client.facts->tls->resumed;
    }
    give_id(exchange, http_find(&request->headers, HTTP_HEADER_X_REQUEST_ID));
    exchange->request_body.kept = true;
    exchange->request_body.whole =
        request->framing == HTTP_NO_BODY ||
        (request->framing == HTTP_LENGTH_KNOWN && request->body_length == 0);
}

static void trace_request(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    char client[ADDRESS_TEXT_MAX];

    exchange->traced = trace_wants(exchange);
    if (exchange->traced) {
        client[ip_format(&exchange->client.ip, client)] = '\0';
        trace_step(exchange, "%.*s %.*s%.*s from %s", (int)request->method_text.length,
                   request->method_text.at, (int)request->host.length, request->host.at,
                   (int)request->path.length, request->path.at, client);
    }
}

void exchange_begin(struct exchange *exchange, size_t head_bytes, uint32_t head_us)
{
    open_books(exchange, head_bytes, head_us);
    admit_identify_client(exchange);
    note_request(exchange);
    if (atomic_load_explicit(&trace_on, memory_order_relaxed)) {
        trace_request(exchange);
    }
    if (admit_listener(exchange) && admit_method(exchange) && routing_find(exchange) &&
        admit_rate(exchange) && admit_size(exchange) && admit_loop(exchange)) {
        deadline_begin(exchange);
        gather_begin(exchange);
    }
}

void exchange_refuse(struct exchange *exchange, enum http_version version, uint16_t status,
                     const char *what, size_t bytes_read, uint32_t head_us)
{
    open_books(exchange, bytes_read, head_us);
    /* What was parsed of it stands in a buffer that is read on into. */
    http_request_forget(&exchange->request);
    exchange->request.method = HTTP_METHOD_OTHER;
    exchange->request.version = version;
    exchange->outcome.protocol = version == HTTP_2 ? "2" : "1.1";
    give_id(exchange, NULL);
    reply_error(exchange, status, "http_request_error", what);
}

/* --- the request's body ------------------------------------------------------------------ */

static bool is_too_large(struct exchange *exchange)
{
    uint64_t most = exchange->routing.route->body_bytes;

    return most != 0 && exchange->request_body.received > most;
}

/* Answers so, or, where an answer has begun, breaks that off. */
static void fail_request(struct exchange *exchange, uint16_t status, const char *error,
                         const char *what)
{
    origin_request_cancel(&exchange->attempt.request);
    if (exchange->answer.begun) {
        exchange->outcome.error = error;
        exchange->outcome.detail = what;
        exchange_break_off(exchange,
                           status == 408 ? OUTCOME_CUT_BY_TIMEOUT : OUTCOME_REQUEST_BROKE);
        return;
    }
    reply_error(exchange, status, error, what);
}

/* It ends here, whatever becomes of the exchange: nothing waits for it. */
static bool is_ignored(const struct exchange *exchange)
{
    return exchange->request_body.ignored || exchange->state >= EXCHANGE_LEAVES;
}

/* Straight through while nothing waits before it; else it waits here, up to the bound. */
static size_t stream_body(struct exchange *exchange, struct bytes bytes)
{
    struct buffer_queue *queue = &exchange->request_body.body;
    size_t most = generation_settings(exchange->generation)->limits.gather_bytes;
    size_t room = most > queue->length ? most - queue->length : 0;

    if (exchange->attempt.request.connection != NULL && queue->length == 0) {
        size_t taken = origin_request_send_body(&exchange->attempt.request, &bytes, 1);

        origin_request_flush(&exchange->attempt.request);
        return taken;
    }
    if (bytes.length > room) {
        bytes.length = room;
    }
    if (!buffer_queue_add(exchange->desk->bench->buffers, queue, bytes)) {
        return 0;
    }
    attempt_send_body(exchange);
    return bytes.length;
}

size_t exchange_body(struct exchange *exchange, struct bytes bytes)
{
    size_t taken = bytes.length;

    if (exchange->state == EXCHANGE_TUNNELS) {
        taken = origin_request_send_body(&exchange->attempt.request, &bytes, 1);
        exchange->outcome.bytes_in += taken;
        exchange->request_body.paused = taken < bytes.length;
        return taken;
    }
    if (is_ignored(exchange)) {
        return bytes.length;
    }
    exchange->request_body.received += bytes.length;
    exchange->outcome.bytes_in += bytes.length;
    if (is_too_large(exchange)) {
        fail_request(exchange, 413, "http_request_error", "the request body is too large");
        return bytes.length;
    }
    if (exchange->state == EXCHANGE_GATHERS && !gather_has_room(exchange, bytes.length)) {
        gather_end(exchange); /* larger than we keep: it streams from here on */
    }
    if (exchange->state == EXCHANGE_GATHERS) {
        gather_body(exchange, bytes);
    } else if (!is_ignored(exchange)) {
        taken = stream_body(exchange, bytes);
    }
    exchange->request_body.received -= bytes.length - taken;
    exchange->outcome.bytes_in -= bytes.length - taken;
    exchange->request_body.paused = taken < bytes.length;
    return taken;
}

void exchange_body_end(struct exchange *exchange, const struct http_headers *trailers)
{
    if (exchange->state == EXCHANGE_TUNNELS) {
        exchange_finish(exchange, OUTCOME_TUNNEL_CLOSED);
        return;
    }
    exchange->request_body.whole = true;
    if (is_ignored(exchange)) {
        return;
    }
    if (trailers != NULL && !trailers_keep(exchange, trailers)) {
        fail_request(exchange, 503, "proxy_internal_error", "out of memory");
        return;
    }
    if (exchange->state == EXCHANGE_GATHERS) {
        gather_end(exchange);
    } else {
        origin_request_body_is_whole(&exchange->attempt.request);
        attempt_send_body(exchange);
    }
}

void exchange_body_failed(struct exchange *exchange, uint16_t status, const char *what)
{
    if (exchange->state >= EXCHANGE_LEAVES) {
        return;
    }
    fail_request(exchange, status, "http_request_error", what);
}

/* --- the answer's way out ---------------------------------------------------------------- */

void exchange_client_writable(struct exchange *exchange)
{
    if (exchange->answer.own_rest.length > 0) {
        reply_go_on(exchange);
    } else if (exchange->answer.blocked) {
        exchange->answer.blocked = false;
        origin_request_resume(&exchange->attempt.request);
    }
}

void exchange_answer_written(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_LEAVES) {
        exchange_finish(exchange, exchange->outcome.end);
    }
}

size_t exchange_held(const struct exchange *exchange)
{
    return sizeof(*exchange) + buffer_queue_held(&exchange->request_body.body) +
           buffer_held(exchange->request_body.trailers) +
           origin_request_held(&exchange->attempt.request);
}

const char *exchange_route(const struct exchange *exchange)
{
    return exchange->routing.route != NULL ? exchange->routing.route->name : NULL;
}

void exchange_count_out(struct exchange *exchange, uint64_t bytes)
{
    exchange->outcome.bytes_out += bytes;
}

/* --- the client leaves ------------------------------------------------------------------- */

void exchange_client_gone(struct exchange *exchange, enum outcome_end end)
{
    if (exchange->state == EXCHANGE_TUNNELS && end == OUTCOME_CLIENT_GONE) {
        end = OUTCOME_TUNNEL_CLOSED;
    }
    if (orphan_begin(exchange, end)) {
        return;
    }
    exchange_close_books(exchange, end);
}
