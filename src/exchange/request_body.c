/* SPDX-License-Identifier: BSD-2-Clause */
/* The body of a request: its first bytes are read before the route's action begins; what comes later is
 * sent on as it comes, or waits for the attempt. Called by exchange.c as the exchange enters the queue,
 * and by client/ with each piece. */
#include "exchange/exchange_private.h"

/* --- before the action begins ------------------------------------------------------------- */

/* Reads the first bytes of a request body before the route's action begins, so that a small body of
 * a slow sender holds no connection to an origin. At most limits.request_buffer are read so.
 *
 * A body in chunks may be one half of a conversation: its sender may wait for an answer to what it
 * has sent, or to the head alone. Such a body is gathered for timeouts.request_buffer at most. A body of
 * known length is sent whole by its client, whatever the answer: it is gathered without a time
 * limit of its own.
 *
 * gRPC marks the end of each message itself, and its streams begin with words to and fro. A call with
 * one message comes in one piece; what has not come by then is a stream, for which each wait would be
 * one more at the start of each conversation. */

#define GRPC_MOST_MS 5

#define LITTLE_BYTES 1024u

static size_t most_bytes(const struct exchange *exchange)
{
    uint32_t most = generation_settings(exchange->generation)->limits.request_buffer;

    return exchange->request_body.keeps_little && most > LITTLE_BYTES ? LITTLE_BYTES : most;
}

/* A client that waits for 100 (Continue) sends no body yet: the origin decides whether it wants
 * one. */
static bool should_gather(const struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;

    return !request->wants_upgrade && !request->expects_continue && most_bytes(exchange) > 0;
}

/* 0: no limit. */
static uint32_t most_ms_of(const struct exchange *exchange)
{
    uint32_t most_ms = exchange->routing.route->timeouts.request_buffer;

    if (exchange->outcome.is_grpc && (most_ms == 0 || most_ms > GRPC_MOST_MS)) {
        return GRPC_MOST_MS;
    }
    return most_ms;
}

void gather_begin(struct exchange *exchange)
{
    uint32_t most_ms;

    if (!should_gather(exchange)) {
        return;
    }
    most_ms = most_ms_of(exchange);
    queue_hold(exchange, QUEUE_BODY);
    /* What the control interface is asked must be whole. */
    if (exchange->request.framing == HTTP_CHUNKED && most_ms != 0 &&
        exchange->routing.route->action != ROUTE_ASK) {
        timer_set(exchange->context->gather_timers, &exchange->gather, most_ms);
    }
}

/* Whether so much more is still gathered; else the body holds the exchange no longer. */
static bool gather_has_room(const struct exchange *exchange, size_t length)
{
    return exchange->request_body.body.length + length <= most_bytes(exchange);
}

/* More of the body, while QUEUED; what something else holds is read up to the bound. Returns how many
 * bytes were taken. */
static size_t gather_body(struct exchange *exchange, struct bytes bytes)
{
    struct buffer_queue *queue = &exchange->request_body.body;
    size_t most = most_bytes(exchange);

    if ((exchange->holds & QUEUE_BODY) == 0) {
        bytes = bytes_first(bytes, most > queue->length ? most - queue->length : 0);
    }
    if (!buffer_queue_add(exchange->context->worker_context->buffers, queue, bytes)) {
        reply_error(exchange, 503, OUTCOME_OWN_ERROR, "no memory is left for the request's body");
    }
    return bytes.length;
}

void gather_is_over(struct timer *timer)
{
    queue_release(CONTAINER_OF(timer, struct exchange, gather), QUEUE_BODY);
}

/* --- as it comes -------------------------------------------------------------------------- */

static bool is_too_large(struct exchange *exchange)
{
    uint64_t most = exchange->routing.route->body_bytes;

    return most != 0 && exchange->request_body.received > most;
}

/* Answers so, or, where an answer has begun, breaks that off. */
static void fail_request(struct exchange *exchange, uint16_t status, const char *error,
                         const char *what)
{
    if (exchange->answer.begun) {
        exchange->outcome.error = error;
        exchange->outcome.detail = what;
        exchange->outcome.error_status = status;
        exchange_break_off(exchange,
                           status == 408 ? OUTCOME_CUT_BY_TIMEOUT : OUTCOME_REQUEST_BROKE);
        return;
    }
    reply_error(exchange, status, error, what);
}

/* It ends here, whatever becomes of the exchange: nothing waits for it. */
static bool is_ignored(const struct exchange *exchange)
{
    return exchange->state >= EXCHANGE_REPLIES;
}

/* Straight through while nothing waits before it; else it waits here, up to the bound. */
static size_t stream_body(struct exchange *exchange, struct bytes bytes)
{
    struct attempt *attempt = exchange->attempt;
    struct buffer_queue *queue = &exchange->request_body.body;
    size_t most = most_bytes(exchange);
    size_t room = most > queue->length ? most - queue->length : 0;

    if (attempt->state == ATTEMPT_SENDS && queue->length == 0) {
        size_t taken = attempt_send(attempt, bytes);

        origin_request_flush(&attempt->request);
        return taken;
    }
    if (bytes.length > room) {
        bytes.length = room;
    }
    if (!buffer_queue_add(exchange->context->worker_context->buffers, queue, bytes)) {
        return 0;
    }
    attempt_go_on(attempt);
    return bytes.length;
}

size_t exchange_body(struct exchange *exchange, struct bytes bytes)
{
    size_t taken = bytes.length;

    if (exchange->state == EXCHANGE_TUNNELS) {
        taken = attempt_send(exchange->attempt, bytes);
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
    if (exchange->state == EXCHANGE_QUEUED && !gather_has_room(exchange, bytes.length)) {
        queue_release(exchange, QUEUE_BODY); /* larger than we keep: it streams from here on */
    }
    if (exchange->state == EXCHANGE_QUEUED) {
        taken = gather_body(exchange, bytes);
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
        fail_request(exchange, 503, OUTCOME_OWN_ERROR,
                     "no memory is left for the request's trailers");
        return;
    }
    if (exchange->state == EXCHANGE_QUEUED) {
        queue_release(exchange, QUEUE_BODY);
    } else {
        origin_request_body_is_whole(&exchange->attempt->request);
        attempt_go_on(exchange->attempt);
    }
}

void exchange_body_failed(struct exchange *exchange, uint16_t status, const char *what)
{
    if (exchange->state >= EXCHANGE_LEAVES) {
        return;
    }
    fail_request(exchange, status, "http_request_error", what);
}
