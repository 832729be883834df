/* SPDX-License-Identifier: BSD-2-Clause */
/* One try on one origin: choose it, get a connection, send the request; on failure decide
 * whether there is another try (retry.c) or an error answer (reply.c). What comes back goes to
 * relay.c. */
#include "exchange/deadline.h"
#include "exchange/exchange_private.h"
#include "exchange/forward.h"
#include "exchange/retry.h"
#include "exchange/trailers.h"
#include "split/request_source.h"

/* How long an origin may leave Expect: 100-continue unanswered before we let the client go on:
 * many servers do not know it. */
#define PATIENCE_MS 1000

static void on_moved(void *owner, struct origin *origin);
static void on_connected(void *owner);
static void on_writable(void *owner);
static void on_failed(void *owner, enum origin_failure failure);
static void on_give_way(void *owner);

static const struct origin_request_events events = {
    .moved = on_moved,
    .connected = on_connected,
    .interim = relay_interim,
    .head = relay_head,
    .body = relay_body,
    .room = relay_room,
    .drained = relay_drained,
    .ended = relay_ended,
    .writable = on_writable,
    .failed = on_failed,
    .give_way = on_give_way,
};

static void choose_service(struct exchange *exchange)
{
    const struct route_settings *route = exchange->routing.route;
    const struct arm_settings *arm = route->arm_count == 1 ? route->arms : choice_make(exchange);

    exchange->routing.service = arm->service;
    exchange->outcome.service = arm->service->name;
    exchange->outcome.service_index = (int32_t)arm->service->index;
}

static bool is_replayable(const struct exchange *exchange)
{
    return exchange->request_body.whole && exchange->routing.route->retry.idempotent &&
           http_method_is_idempotent(exchange->request.method);
}

static void prepare(struct exchange *exchange)
{
    struct origin_request *request = &exchange->attempt.request;

    if (exchange->outcome.attempts > 0) {
        memset(request, 0, sizeof(*request)); /* the first one is zeroed with its exchange */
    }
    request->events = &events;
    request->owner = exchange;
    request->pool = &exchange->routing.service->pool;
    request->timeouts = &exchange->routing.route->timeouts;
    request->limits = &generation_settings(exchange->generation)->limits;
    request->lenient = exchange->routing.service->lenient.bits;
    request->method = exchange->request.method;
    request->unfinished = !exchange->request_body.whole;
    request->replayable = exchange->outcome.attempts == 0 && is_replayable(exchange);
    exchange->attempt.head_sent = false;
    exchange->attempt.ended = false;
}

static void choose_reuse(struct exchange *exchange, const struct origin *origin)
{
    struct origin_request *request = &exchange->attempt.request;

    if (exchange->outcome.attempts > 0) {
        /* The last try: it must not meet a connection that is just being closed. */
        request->reuse = origin == exchange->attempt.origin ? REUSE_FRESH : REUSE_PROVEN;
    } else if (request->replayable) {
        request->reuse = REUSE_ANY;
    } else {
        request->reuse = exchange->routing.route->reuse;
    }
}

static void try_origin(struct exchange *exchange, const struct origin *avoid)
{
    struct service *service = generation_service(exchange->generation, exchange->routing.service);
    struct origin *origin;

    if (!deadline_leaves_time(exchange)) {
        return;
    }
    prepare(exchange);
    origin =
        service_pick(service, &exchange->desk->bench->random, avoid, &exchange->attempt.request);
    if (origin == NULL) {
        on_failed(exchange, ORIGIN_FAILURE_NONE_FIT);
        return;
    }
    choose_reuse(exchange, origin);
    exchange->attempt.origin = origin;
    attempt_record_begin(exchange, origin);
    origin_request_start(&exchange->attempt.request, origin);
}

static struct retry_budget *budget_of(const struct exchange *exchange)
{
    return service_retry_budget(
        generation_service(exchange->generation, exchange->routing.service));
}

static uint32_t retries_left(const struct exchange *exchange)
{
    return retry_budget_left(budget_of(exchange), &exchange->routing.service->retry_budget,
                             generation_settings(exchange->generation)->workers,
                             loop_now(exchange->desk->bench->loop));
}

static void tell_retries(const struct exchange *exchange, uint32_t made, uint32_t denied)
{
    const struct metrics_retries retries = {made, denied, retries_left(exchange)};

    metrics_tell_retries(exchange->desk->metrics, &exchange->outcome, &retries);
}

void attempt_begin(struct exchange *exchange)
{
    exchange_set_state(exchange, EXCHANGE_ATTEMPTS);
    choose_service(exchange);
    if (retry_budget_note_request(budget_of(exchange), loop_now(exchange->desk->bench->loop))) {
        tell_retries(exchange, 0, 0); /* once a second */
    }
    try_origin(exchange, NULL);
}

/* --- sending ----------------------------------------------------------------------------- */

static bool send_head(struct exchange *exchange)
{
    struct forward_page page;
    struct request_head head;

    if (!forward_request(exchange, &page, &head) ||
        !origin_request_send_head(&exchange->attempt.request, &head)) {
        origin_request_cancel(&exchange->attempt.request);
        reply_error(exchange, 431, "http_request_error",
                    "the request head is too large with what is added to it");
        return false;
    }
    exchange->attempt.head_sent = true;
    return exchange->attempt.request.connection != NULL;
}

static void on_moved(void *owner, struct origin *origin)
{
    struct exchange *exchange = owner;

    exchange->attempt.origin = origin;
    exchange->attempt.record->origin = exchange->outcome.origin = origin_name(origin);
}

static void on_connected(void *owner)
{
    struct exchange *exchange = owner;

    exchange->attempt.record->connected_us = attempt_reached_us(exchange);
    exchange->attempt.record->reused = exchange->attempt.request.reused;
    if (!deadline_leaves_time(exchange) || !send_head(exchange)) {
        return;
    }
    /* Only now: the body may have come while the connection was being opened. */
    exchange->request_body.send_from = exchange->request_body.body.first;
    exchange->request_body.sent_of_buffer = 0;
    if (!exchange->request_body.whole) {
        exchange->request_body.kept = false;
        if (exchange->request.expects_continue) {
            timer_set(exchange->desk->patience, &exchange->attempt.patience, PATIENCE_MS);
        }
    }
    attempt_send_body(exchange);
}

/* What the buffers from `buffer` on hold, of the first one without `skip` bytes. Returns how many pieces
 * that is, *total bytes in all. */
static int pieces_of(const struct buffer *buffer, size_t skip, struct bytes *pieces, size_t *total)
{
    int count = 0;

    *total = 0;
    for (; buffer != NULL && count < OUTBOX_PIECES; buffer = buffer->next) {
        pieces[count] = bytes_skip(buffer_content(buffer), skip);
        *total += pieces[count++].length;
        skip = 0;
    }
    return count;
}

/* All of it stays for another try; only the place moves on. */
static void move_on(struct exchange *exchange, size_t taken)
{
    struct buffer *buffer;

    while ((buffer = exchange->request_body.send_from) != NULL) {
        size_t left = buffer_length(buffer) - exchange->request_body.sent_of_buffer;

        if (taken < left) {
            exchange->request_body.sent_of_buffer += (uint32_t)taken;
            return;
        }
        taken -= left;
        exchange->request_body.send_from = buffer->next;
        exchange->request_body.sent_of_buffer = 0;
    }
}

static bool send_kept(struct exchange *exchange)
{
    struct bytes pieces[OUTBOX_PIECES];
    size_t taken = 0;
    size_t offered = 0;

    while (exchange->request_body.send_from != NULL && taken == offered) {
        int count = pieces_of(exchange->request_body.send_from,
                              exchange->request_body.sent_of_buffer, pieces, &offered);

        taken = origin_request_send_body(&exchange->attempt.request, pieces, count);
        move_on(exchange, taken);
    }
    return taken == offered;
}

static bool send_and_drop(struct exchange *exchange)
{
    struct buffer_queue *queue = &exchange->request_body.body;
    struct bytes pieces[OUTBOX_PIECES];
    size_t taken = 0;
    size_t offered = 0;

    while (queue->length > 0 && taken == offered) {
        int count = pieces_of(queue->first, 0, pieces, &offered);

        taken = origin_request_send_body(&exchange->attempt.request, pieces, count);
        buffer_queue_drop(exchange->desk->bench->buffers, queue, taken);
    }
    return taken == offered;
}

static void send_end(struct exchange *exchange)
{
    struct http_fields trailers;

    exchange->attempt.ended = true;
    origin_request_send_end(&exchange->attempt.request, trailers_kept(exchange, &trailers));
}

void attempt_send_body(struct exchange *exchange)
{
    struct origin_request *request = &exchange->attempt.request;
    bool all_sent;

    if (request->connection == NULL || !exchange->attempt.head_sent || exchange->attempt.ended) {
        return;
    }
    all_sent = exchange->request_body.kept ? send_kept(exchange) : send_and_drop(exchange);
    if (all_sent && exchange->request_body.whole) {
        send_end(exchange);
    } else {
        origin_request_flush(request);
    }
    if (exchange->request_body.paused && exchange->request_body.body.length == 0 &&
        exchange->state != EXCHANGE_OVER) {
        exchange->request_body.paused = false;
        exchange->client.ops->want_body(exchange->client.stream, true);
    }
}

static void on_writable(void *owner)
{
    struct exchange *exchange = owner;

    if (exchange->state == EXCHANGE_TUNNELS) {
        if (exchange->request_body.paused) {
            exchange->request_body.paused = false;
            exchange->client.ops->want_body(exchange->client.stream, true);
        }
        return;
    }
    if (exchange->attempt.ended && exchange->attempt.record->sent_us == 0) {
        exchange->attempt.record->sent_us = attempt_reached_us(exchange);
    }
    attempt_send_body(exchange);
}

/* --- failing ----------------------------------------------------------------------------- */

/* In the lines that the route's split names for it, or in the one that most APIs use. */
static bool has_idempotency_key(const struct exchange *exchange)
{
    const struct split_settings *split = &exchange->routing.route->split;
    struct bytes key;

    return http_has(&exchange->request.headers, HTTP_HEADER_IDEMPOTENCY_KEY) ||
           request_source_first(split->pin_headers, split->pin_header_count, &exchange->request,
                                NULL, NULL, &key) != NULL;
}

static struct retry_facts facts_of(const struct exchange *exchange, enum origin_failure failure)
{
    return (struct retry_facts){
        .method = exchange->request.method,
        .failure = failure,
        .delivery = exchange->attempt.request.delivery,
        .policy = &exchange->routing.route->retry,
        .attempts = exchange->outcome.attempts,
        .answer_begun = exchange->answer.begun,
        .body_kept = exchange->request_body.kept,
        .has_key = has_idempotency_key(exchange),
        .connection_reused = exchange->attempt.request.reused,
        .other_origin = service_origin_count(generation_service(exchange->generation,
                                                                exchange->routing.service)) > 1,
        .within_budget = retries_left(exchange) > 0,
    };
}

void attempt_backoff_over(struct timer *timer)
{
    struct exchange *exchange = CONTAINER_OF(timer, struct exchange, attempt.backoff);

    try_origin(exchange, exchange->attempt.origin);
}

/* A stale connection says nothing against its origin, and a trial was our wish: at once, and for
 * free. Else after a moment. */
static void try_again(struct exchange *exchange, const struct retry_facts *facts)
{
    uint32_t wait_ms = retry_wait_ms(facts->policy, &exchange->desk->bench->random);

    metrics_note(exchange->desk->metrics, METRICS_ATTEMPT_RETRIED);
    if (retry_is_free(facts)) {
        tell_retries(exchange, 1, 0);
        try_origin(exchange, exchange->attempt.origin);
        return;
    }
    retry_budget_take(budget_of(exchange), loop_now(exchange->desk->bench->loop));
    tell_retries(exchange, 1, 0);
    if (wait_ms == 0) {
        try_origin(exchange, exchange->attempt.origin);
    } else {
        timer_set(exchange->desk->backoffs, &exchange->attempt.backoff, wait_ms);
    }
}

static const char *sentence_of(struct exchange *exchange, enum origin_failure failure)
{
    exchange->outcome.fault = exchange->attempt.request.fault;
    return origin_failure_told(failure, exchange->attempt.request.was_reset);
}

static void fail_for_good(struct exchange *exchange, enum origin_failure failure)
{
    origin_request_failure_seen(&exchange->attempt.request, failure);
    reply_error(exchange, origin_failure_status(failure), origin_failure_error(failure),
                sentence_of(exchange, failure));
}

/* There is no answer yet. */
static void consider_retry(struct exchange *exchange, enum origin_failure failure)
{
    const struct retry_facts facts = facts_of(exchange, failure);
    enum retry_verdict verdict = retry_judge(&facts);

    if (verdict == RETRY_YES) {
        try_again(exchange, &facts);
        return;
    }
    if (verdict == RETRY_BUDGET) {
        metrics_note(exchange->desk->metrics, METRICS_RETRY_DENIED);
        tell_retries(exchange, 0, 1);
    }
    fail_for_good(exchange, failure);
}

static void on_failed(void *owner, enum origin_failure failure)
{
    struct exchange *exchange = owner;

    timer_clear(exchange->desk->patience, &exchange->attempt.patience);
    attempt_record_end(exchange, origin_failure_error(failure));
    if (exchange->state == EXCHANGE_TUNNELS) {
        exchange_finish(exchange, failure == ORIGIN_FAILURE_TUNNEL_IDLE ? OUTCOME_CUT_BY_TIMEOUT
                                                                        : OUTCOME_TUNNEL_CLOSED);
        return;
    }
    if (exchange->answer.begun && exchange->client.ops->take_back(exchange->client.stream)) {
        /* The client knows nothing of it yet. The origin has answered: no other try. */
        fail_for_good(exchange, failure);
        return;
    }
    if (exchange->answer.begun) {
        origin_request_failure_seen(&exchange->attempt.request, failure);
        exchange->outcome.error = origin_failure_error(failure);
        exchange->outcome.detail = sentence_of(exchange, failure);
        exchange_break_off(exchange, failure == ORIGIN_FAILURE_ANSWER_TIMEOUT
                                         ? OUTCOME_CUT_BY_TIMEOUT
                                         : OUTCOME_ORIGIN_BROKE);
        return;
    }
    consider_retry(exchange, failure);
}

static void on_give_way(void *owner)
{
    static const char why[] = "the client was slow, and others waited for the connection";
    struct exchange *exchange = owner;

    metrics_note_cut(exchange->desk->metrics, CUT_RESERVE);
    exchange_note_cut(exchange, CUT_RESERVE);
    if (exchange->state == EXCHANGE_TUNNELS) {
        exchange_finish(exchange, OUTCOME_CUT_BY_TIMEOUT);
    } else if (exchange->answer.begun) {
        exchange->outcome.detail = why;
        exchange_break_off(exchange, OUTCOME_CUT_BY_TIMEOUT);
    } else {
        timer_clear(exchange->desk->patience, &exchange->attempt.patience);
        origin_request_cancel(&exchange->attempt.request);
        reply_error(exchange, 408, "http_request_error", why);
    }
}
