/* SPDX-License-Identifier: BSD-2-Clause */
/* Lets exchanges through to their route's action, or holds them before it. Called by exchange.c
 * once the route is known, and by what holds an exchange. */
#include "exchange/queue.h"

#include "base/check.h"
#include "exchange/caching.h"
#include "exchange/exchange_private.h"
#include "exchange/tries.h"

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
