/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of an exchange: its answer is whole or breaks off, its outcome goes to the log and the
 * counters, and all that it holds is given back. Called by every step that may be the last one. */
#include "exchange/exchange_private.h"

#include <stdlib.h>

void exchange_close_books(struct exchange *exchange, enum outcome_end end)
{
    struct exchange_desk *desk = exchange->desk;

    exchange_set_state(exchange, EXCHANGE_OVER);
    origin_request_cancel(&exchange->attempt.request);
    attempt_record_end(exchange, NULL);
    timer_clear(desk->patience, &exchange->attempt.patience);
    timer_clear(desk->backoffs, &exchange->attempt.backoff);
    if (exchange->deadline_us != 0) {
        timer_clear(desk->deadlines, &exchange->deadline);
    }
    exchange->outcome.end = end;
    exchange->outcome.total_us = exchange_elapsed_us(exchange);
    metrics_count(desk->metrics, &exchange->outcome);
    if (exchange->routing.tally != NULL) {
        choice_count(exchange);
    }
    if (desk->log != NULL) {
        access_log_write(desk->log, &exchange->outcome);
    }
    if (exchange->asked != NULL) {
        desk->answerer->over(exchange->asked);
    }
    buffer_queue_clear(desk->bench->buffers, &exchange->request_body.body);
    buffer_return(desk->bench->buffers, &exchange->request_body.trailers);
    free(exchange->routing.target_text);
    desk->count--;
    if (exchange->orphan) {
        free(exchange->orphan_texts);
        list_remove(&exchange->link);
        desk->orphan_count--;
    }
    list_add_last(&desk->graves, &exchange->link);
}

void exchange_finish(struct exchange *exchange, enum outcome_end end)
{
    exchange_close_books(exchange, end);
    exchange->client.ops->over(exchange->client.stream);
}

void exchange_break_off(struct exchange *exchange, enum outcome_end end)
{
    exchange_close_books(exchange, end);
    exchange->client.ops->abort(exchange->client.stream);
}

void exchange_answer_is_whole(struct exchange *exchange, const struct http_fields *trailers,
                              enum outcome_end end)
{
    exchange_set_state(exchange, EXCHANGE_LEAVES);
    exchange->outcome.end = end;
    exchange->request_body.ignored = true;
    if (exchange->client.ops->end(exchange->client.stream, trailers) &&
        exchange->state == EXCHANGE_LEAVES) {
        exchange_finish(exchange, end);
    }
}
