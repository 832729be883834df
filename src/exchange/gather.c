/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the first bytes of a request body before the route's action begins, so that a small body of
 * a slow sender holds no connection to an origin. At most limits.gather_bytes are read so.
 *
 * A body in chunks may be one half of a conversation: its sender may wait for an answer to what it
 * has sent, or to the head alone. Such a body is gathered for timeouts.gather at most. A body of
 * known length is sent whole by its client, whatever the answer: it is gathered without a time
 * limit of its own.
 *
 * Called by exchange.c while the exchange is in the state GATHERS. */
#include "exchange/exchange_private.h"

static uint32_t most_bytes(const struct exchange *exchange)
{
    return generation_settings(exchange->generation)->limits.gather_bytes;
}

/* A client that waits for 100 (Continue) sends no body yet: the origin decides whether it wants
 * one. */
static bool should_gather(const struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;

    return !exchange->request_body.whole && !request->wants_upgrade && !request->expects_continue &&
           most_bytes(exchange) > 0;
}

void gather_begin(struct exchange *exchange)
{
    uint32_t most_ms = exchange->routing.route->timeouts.gather;

    if (!should_gather(exchange)) {
        gather_end(exchange);
        return;
    }
    exchange_set_state(exchange, EXCHANGE_GATHERS);
    /* What the control interface is asked must be whole. */
    if (exchange->request.framing == HTTP_CHUNKED && most_ms != 0 &&
        exchange->routing.route->action != ROUTE_ASK) {
        timer_set(exchange->desk->gathering, &exchange->request_body.gather, most_ms);
    }
}

bool gather_has_room(const struct exchange *exchange, size_t length)
{
    return exchange->request_body.body.length + length <= most_bytes(exchange);
}

void gather_body(struct exchange *exchange, struct bytes bytes)
{
    if (!buffer_queue_add(exchange->desk->bench->buffers, &exchange->request_body.body, bytes)) {
        reply_error(exchange, 503, "proxy_internal_error", "out of memory");
    }
}

void gather_end(struct exchange *exchange)
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
        attempt_begin(exchange);
        break;
    case ROUTE_ASK:
        ask_answerer(exchange);
        break;
    }
}

void gather_is_over(struct timer *timer)
{
    gather_end(CONTAINER_OF(timer, struct exchange, request_body.gather));
}
