/* SPDX-License-Identifier: BSD-2-Clause */
/* How long the whole exchange may take: timeouts.total, shortened by what a trusted client asks
 * for in a header field, which carries the deadline from hop to hop (in gRPC: grpc-timeout). An exchange without a deadline
 * costs a comparison. Called as the exchange begins (exchange.c), before each attempt and before
 * anything is sent (attempt.c), and while the head for the origin is put together
 * (forward_request.c). */
#include "exchange/caching.h"
#include "exchange/exchange_private.h"

#define MOST_DIGITS 8 /* of milliseconds: a day and more */

#define SHORT_OF_TIME "too little was left of the time for the whole exchange"
#define TIME_IS_UP "the time for the whole exchange ran out"
#define TIME_IS_UP_FOR_BODY \
    "the time for the whole exchange ran out before the client had sent its request's body"

/* --- the field --------------------------------------------------------------------------- */

static struct bytes field_name(const struct exchange *exchange)
{
    return bytes_of(generation_settings(exchange->generation)->deadline.header);
}

static const struct http_header *find_grpc_timeout(const struct exchange *exchange)
{
    return exchange->outcome.is_grpc
               ? http_find_named(&exchange->request.headers, DEADLINE_GRPC_FIELD)
               : NULL;
}

static bool read_grpc_timeout(const struct exchange *exchange, uint32_t *milliseconds)
{
    const struct http_header *row = find_grpc_timeout(exchange);

    return row != NULL && grpc_timeout_read(http_header_value(row), milliseconds);
}

/* false: the client asks for nothing, or is not to. */
static bool read_wish(const struct exchange *exchange, uint32_t *milliseconds)
{
    const struct http_header *row;

    if (!exchange->client.trusted) {
        return false;
    }
    if (read_grpc_timeout(exchange, milliseconds)) {
        return true;
    }
    row = http_find_named(&exchange->request.headers, field_name(exchange));
    return row != NULL && bytes_read_decimal(http_header_value(row), MOST_DIGITS, milliseconds);
}

static uint32_t left_ms(const struct exchange *exchange)
{
    uint64_t now_us = loop_now(exchange->context->worker_context->loop);

    return exchange->deadline_us > now_us ? (uint32_t)((exchange->deadline_us - now_us) / 1000) : 0;
}

bool deadline_pass_on(const struct exchange *exchange, struct http_fields *fields,
                      struct text *text)
{
    return http_fields_add(fields, field_name(exchange), text_number(text, left_ms(exchange)));
}

/* That of a client that is not trusted ends nothing here, and goes on: it is between the client and
 * the origin, and can only make the call shorter. What is left of our own time is told if it is less. */
bool deadline_pass_on_grpc(const struct exchange *exchange, struct http_fields *fields,
                           struct text *text)
{
    uint32_t wish;
    bool wished = read_grpc_timeout(exchange, &wish);
    uint32_t most = wished ? wish : UINT32_MAX;
    const char *from = text->at;

    if (exchange->deadline_us != 0 && left_ms(exchange) < most) {
        most = left_ms(exchange);
    } else if (!wished) {
        return true;
    }
    grpc_timeout_add(text, most > 0 ? most : 1);
    return http_fields_add(fields, DEADLINE_GRPC_FIELD, text_since(text, from));
}

/* --- the clock --------------------------------------------------------------------------- */

bool deadline_begin(struct exchange *exchange)
{
    uint32_t total = exchange_timeouts(exchange)->total;
    uint32_t wish;

    if (exchange->outcome.is_grpc && find_grpc_timeout(exchange) != NULL &&
        !read_grpc_timeout(exchange, &wish)) {
        reply_error(exchange, 400, "http_request_error",
                    "grpc-timeout is not one to eight digits and a unit");
        return false;
    }
    if (read_wish(exchange, &wish) && (total == 0 || wish < total)) {
        total = wish > 0 ? wish : 1;
    }
    if (total != 0) {
        exchange->deadline_us = exchange->start_us + total * UINT64_C(1000);
        timer_set(exchange->context->deadline_timers, &exchange->deadline, left_ms(exchange));
    }
    return true;
}

bool deadline_leaves_time(struct exchange *exchange)
{
    if (left_ms(exchange) >= generation_settings(exchange->generation)->deadline.min_remaining) {
        return true;
    }
    reply_error(exchange, 504, "http_response_timeout", SHORT_OF_TIME);
    return false;
}

/* The origin, if it has the request already, waits for its body as the gateway does. */
static bool waits_for_client(const struct exchange *exchange)
{
    return !exchange->request_body.whole && !exchange->request_body.paused;
}

/* A stale answer may stand in for the one that did not come in time. */
static void answer_time_is_up(struct exchange *exchange)
{
    if (exchange->caching == NULL || !caching_serves_in_need(exchange)) {
        reply_error(exchange, 504, "http_response_timeout", TIME_IS_UP);
    }
}

void deadline_is_over(struct timer *timer)
{
    struct exchange *exchange = CONTAINER_OF(timer, struct exchange, deadline);

    switch (exchange->state) {
    case EXCHANGE_QUEUED:
        if ((exchange->holds & QUEUE_BODY) != 0) {
            reply_error(exchange, 408, "http_request_error", TIME_IS_UP_FOR_BODY);
        } else {
            answer_time_is_up(exchange);
        }
        break;
    case EXCHANGE_ATTEMPTS:
        if (exchange->orphan != NULL) {
            orphan_end(exchange, "http_response_timeout");
        } else if (waits_for_client(exchange)) {
            reply_error(exchange, 408, "http_request_error", TIME_IS_UP_FOR_BODY);
        } else {
            answer_time_is_up(exchange);
        }
        break;
    case EXCHANGE_RELAYS:
        exchange->outcome.error = "http_response_timeout";
        exchange->outcome.detail = TIME_IS_UP;
        exchange_break_off(exchange, OUTCOME_CUT_BY_TIMEOUT);
        break;
    case EXCHANGE_NEW:
    case EXCHANGE_ASKS:
    case EXCHANGE_TUNNELS: /* the client has what it asked for; other clocks run now */
    case EXCHANGE_REPLIES: /* the same */
    case EXCHANGE_LEAVES:
    case EXCHANGE_OVER:
        break;
    }
}
