/* SPDX-License-Identifier: BSD-2-Clause */
/* How long the whole exchange may take: timeouts.total, shortened by what a trusted client asks
 * for; the rest is passed on to the origin. An exchange without a deadline costs a comparison.
 * Called as the exchange begins (exchange.c), before anything is sent (attempt.c), and while the
 * head for the origin is put together (forward.c). */
#include "exchange/deadline.h"

#define SHORT_OF_TIME "too little was left of the time for the whole exchange"
#define TIME_IS_UP "the time for the whole exchange ran out"

static const struct deadline_settings *settings_of(const struct exchange *exchange)
{
    return &generation_settings(exchange->generation)->deadline;
}

/* Milliseconds; false: nothing that can be understood. */
static bool read_wish(struct bytes value, uint32_t *milliseconds)
{
    uint32_t sum = 0;

    if (value.length == 0 || value.length > 8) {
        return false;
    }
    for (size_t i = 0; i < value.length; i++) {
        if (value.at[i] < '0' || value.at[i] > '9') {
            return false;
        }
        sum = sum * 10 + (uint32_t)(value.at[i] - '0');
    }
    *milliseconds = sum;
    return true;
}

/* 0: the client asks for nothing, or is not to. */
static bool wish_of(const struct exchange *exchange, uint32_t *milliseconds)
{
    const struct http_header *row;

    if (!exchange->client.trusted) {
        return false;
    }
    row = http_find_named(&exchange->request.headers, bytes_of(settings_of(exchange)->header));
    return row != NULL && read_wish(http_header_value(row), milliseconds);
}

static uint32_t milliseconds_left(const struct exchange *exchange)
{
    uint64_t now_us = loop_now(exchange->desk->bench->loop);

    return exchange->deadline_us > now_us ? (uint32_t)((exchange->deadline_us - now_us) / 1000) : 0;
}

void deadline_begin(struct exchange *exchange)
{
    uint32_t total = exchange_timeouts(exchange)->total;
    uint32_t wish;

    if (wish_of(exchange, &wish) && (total == 0 || wish < total)) {
        total = wish > 0 ? wish : 1;
    }
    if (total != 0) {
        exchange->deadline_us = exchange->start_us + total * UINT64_C(1000);
        timer_set(exchange->desk->deadlines, &exchange->deadline, milliseconds_left(exchange));
    }
}

bool deadline_still_leaves_time(struct exchange *exchange)
{
    if (milliseconds_left(exchange) >= settings_of(exchange)->least) {
        return true;
    }
    reply_error(exchange, 504, "http_response_timeout", SHORT_OF_TIME);
    return false;
}

bool deadline_pass_on(const struct exchange *exchange, struct http_fields *fields,
                      struct text *text)
{
    struct bytes name = bytes_of(settings_of(exchange)->header);
    const char *from = text->at;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < fields->count; i++) { /* ours takes the place of the client's */
        if (!bytes_equal_fold(fields->rows[i].name, name)) {
            fields->rows[kept++] = fields->rows[i];
        }
    }
    fields->count = kept;
    text_add_number(text, milliseconds_left(exchange));
    return http_fields_add(fields, name, text_since(text, from));
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
