/* SPDX-License-Identifier: BSD-2-Clause */
/* Lets exchanges through to their route's action, or holds them before it. Called by exchange.c
 * once the route is known, and by what holds an exchange. */
#include "exchange/queue.h"

#include "base/check.h"
#include "exchange/caching.h"
#include "exchange/exchange_private.h"
#include "exchange/tries.h"

/* --- the request body is read first ------------------------------------------------------- */

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
 * one more at the start of each conversation.
 *
 * Called by exchange.c too, while the exchange is QUEUED. */

#define GRPC_MOST_MS 5

static size_t most_bytes(const struct exchange *exchange)
{
    return generation_settings(exchange->generation)->limits.request_buffer;
}

/* A client that waits for 100 (Continue) sends no body yet: the origin decides whether it wants
 * one. */
static bool should_gather(const struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;

    return !exchange->request_body.whole && !request->wants_upgrade && !request->expects_continue &&
           most_bytes(exchange) > 0;
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

/* Holds the exchange there if so. */
static void gather_begin(struct exchange *exchange)
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
        timer_set(exchange->context->gathering, &exchange->request_body.gather, most_ms);
    }
}

bool gather_has_room(const struct exchange *exchange, size_t length)
{
    return exchange->request_body.body.length + length <= most_bytes(exchange);
}

/* What something else holds is read up to the bound. */
size_t gather_body(struct exchange *exchange, struct bytes bytes)
{
    struct buffer_queue *queue = &exchange->request_body.body;
    size_t most = most_bytes(exchange);

    if ((exchange->holds & QUEUE_BODY) == 0) {
        bytes = bytes_first(bytes, most > queue->length ? most - queue->length : 0);
    }
    if (!buffer_queue_add(exchange->context->worker_context->buffers, queue, bytes)) {
        reply_error(exchange, 503, OUTCOME_OWN_ERROR, "out of memory");
    }
    return bytes.length;
}

void gather_is_over(struct timer *timer)
{
    queue_release(CONTAINER_OF(timer, struct exchange, request_body.gather), QUEUE_BODY);
}

static void begin_action(struct exchange *exchange)
{
    const struct route_settings *route = exchange->routing.route;

    switch (route->action) {
    case ROUTE_RESPOND:
        reply_respond(exchange, route);
        break;
    case ROUTE_REDIRECT:
        reply_redirect(exchange, route);
        break;
    case ROUTE_FORWARD:
        if (!route->has_caching || !caching_begin(exchange)) {
            tries_begin(exchange);
        }
        break;
    case ROUTE_ASK:
        ask_answerer(exchange);
        break;
    }
}

/* Without a look at the request's fields any more. */
static bool is_answered_at_once(const struct route_settings *route)
{
    return route->action == ROUTE_RESPOND || route->action == ROUTE_REDIRECT;
}

void queue_enter(struct exchange *exchange)
{
    exchange_set_state(exchange, EXCHANGE_QUEUED);
    gather_begin(exchange);
    if (exchange->holds == 0 && is_answered_at_once(exchange->routing.route)) {
        begin_action(exchange);
    } else if (exchange_keep_fields(exchange) && exchange->holds == 0) {
        begin_action(exchange);
    }
}

void queue_hold(struct exchange *exchange, enum queue_hold hold)
{
    CHECK(exchange->state == EXCHANGE_QUEUED);
    exchange->holds |= (uint8_t)hold;
}

void queue_release(struct exchange *exchange, enum queue_hold hold)
{
    if ((exchange->holds & hold) == 0) {
        return;
    }
    exchange->holds &= (uint8_t)~hold;
    if (hold == QUEUE_BODY) {
        timer_clear(exchange->context->gathering, &exchange->request_body.gather);
    }
    if (hold == QUEUE_SHARED) {
        caching_leaves_queue(exchange);
    }
    if (exchange->holds == 0) {
        begin_action(exchange);
    }
}

void queue_leave(struct exchange *exchange)
{
    if ((exchange->holds & QUEUE_SHARED) != 0) {
        caching_leaves_queue(exchange);
    }
    exchange->holds = 0;
    timer_clear(exchange->context->gathering, &exchange->request_body.gather);
}
