/* SPDX-License-Identifier: BSD-2-Clause */
/* How long the whole exchange may take: timeouts.total, shortened by what a trusted client asks
 * for. An exchange without a deadline costs a comparison. Called as the exchange begins
 * (exchange.c) and before anything is sent (attempt.c). */
#include "exchange/deadline.h"

#define SHORT_OF_TIME "too little was left of the time for the whole exchange"
#define TIME_IS_UP "the time for the whole exchange ran out"

void deadline_begin(struct exchange *exchange)
{
    uint32_t total = exchange_timeouts(exchange)->total;
    uint32_t wish;

    if (deadline_wish(exchange, &wish) && (total == 0 || wish < total)) {
        total = wish > 0 ? wish : 1;
    }
    if (total != 0) {
        exchange->deadline_us = exchange->start_us + total * UINT64_C(1000);
        timer_set(exchange->desk->deadlines, &exchange->deadline, deadline_left_ms(exchange));
    }
}

bool deadline_still_leaves_time(struct exchange *exchange)
{
    if (deadline_left_ms(exchange) >= generation_settings(exchange->generation)->deadline.least) {
        return true;
    }
    reply_error(exchange, 504, "http_response_timeout", SHORT_OF_TIME);
    return false;
}

void deadline_is_over(struct timer *timer)
{
    struct exchange *exchange = CONTAINER_OF(timer, struct exchange, deadline);

    switch (exchange->state) {
    case EXCHANGE_GATHERS:
        reply_error(exchange, 408, "http_request_error", TIME_IS_UP);
        break;
    case EXCHANGE_ATTEMPTS:
        if (exchange->orphan) {
            orphan_end(exchange, "http_response_timeout");
        } else {
            reply_error(exchange, 504, "http_response_timeout", TIME_IS_UP);
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
    case EXCHANGE_LEAVES:
    case EXCHANGE_OVER:
        break;
    }
}
