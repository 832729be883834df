/* SPDX-License-Identifier: BSD-2-Clause */
/* One record an attempt, for the access log and for what the client is told. Called by attempt.c
 * and relay.c as the attempt goes on, and by whoever ends it: a failure (attempt.c), an answer of
 * our own (reply.c), the end of the exchange (exchange_end.c). */
#include "exchange/exchange_private.h"

#include "base/check.h"

void attempt_record_begin(struct exchange *exchange, struct origin *origin)
{
    CHECK(exchange->outcome.attempts < OUTCOME_ATTEMPTS_MAX);
    exchange->attempt.record = &exchange->outcome.tries[exchange->outcome.attempts++];
    exchange->attempt.record->origin = exchange->outcome.origin = origin_name(origin);
}

uint32_t attempt_reached_us(const struct exchange *exchange)
{
    uint32_t elapsed_us = exchange_elapsed_us(exchange);

    return elapsed_us > 0 ? elapsed_us : 1;
}

/* `ended` leaves the request as it was: that there was an answer shows in its first byte. */
static enum origin_delivery delivery_of(const struct origin_request *request,
                                        const struct outcome_attempt *record)
{
    return record->first_byte_us != 0 ? ORIGIN_DELIVERY_ANSWERED : request->delivery;
}

void attempt_record_end(struct exchange *exchange, const char *error)
{
    const struct origin_request *request = &exchange->attempt.request;
    struct outcome_attempt *record = exchange->attempt.record;
    enum origin_delivery delivery;

    if (record == NULL || record->delivery != NULL) {
        return;
    }
    delivery = delivery_of(request, record);
    record->delivery = origin_delivery_word(delivery);
    record->error = error;
    record->bytes_sent = request->bytes_written;
    record->bytes_acked = request->bytes_acked;
    if (delivery > exchange->attempt.delivery) {
        exchange->attempt.delivery = delivery;
    }
}
