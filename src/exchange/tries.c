/* SPDX-License-Identifier: BSD-2-Clause */
/* What follows an attempt that failed: another one, if it may be made (retry.c), or an error answer
 * (reply_refusal.c). And which requests clients try again by themselves. Called by attempt.c, and by the events of
 * attempts. */
#include "exchange/exchange_private.h"

#include "exchange/caching.h"
#include "exchange/repeats.h"
#include "exchange/retry.h"
#include "split/request_source.h"

static struct retry_budget *budget_of(const struct exchange *exchange)
{
    return service_retry_budget(
        generation_service(exchange->generation, exchange->routing.service));
}

static uint32_t retries_left(const struct exchange *exchange)
{
    return retry_budget_left(budget_of(exchange), &exchange->routing.service->retry_budget,
                             generation_settings(exchange->generation)->workers,
                             loop_now(exchange->context->worker_context->loop));
}

void tries_report(const struct exchange *exchange, uint32_t made, uint32_t denied)
{
    const struct metrics_retries retries = {made, denied, retries_left(exchange)};

    metrics_report_retries(exchange->context->metrics, exchange->routing.service, &retries);
}

/* In the lines that the route's split names for it, or in the one that most APIs use; empty: none. */
static struct bytes idempotency_key(const struct exchange *exchange)
{
    const struct split_settings *split = &exchange->routing.route->split;
    const struct http_header *row =
        http_find(&exchange->request.headers, HTTP_HEADER_IDEMPOTENCY_KEY);
    struct bytes key = {0};

    if (row != NULL && row->value_length > 0) {
        return http_header_value(row);
    }
    return request_source_first(split->pin_headers, split->pin_header_count, &exchange->request,
                                NULL, NULL, &key) != NULL
               ? key
               : (struct bytes){0};
}

/* The client's own name for the request; empty: none. */
static struct bytes name_of(const struct exchange *exchange)
{
    struct bytes key = idempotency_key(exchange);

    if (key.length > 0) {
        return key;
    }
    return exchange->outcome.request_id_is_ours ? exchange_untaken_id(exchange)
                                                : exchange->request_id.given;
}

/* One id may stand on many requests for one user's action: what is asked for belongs to the name. */
bool tries_has_come_before(struct exchange *exchange)
{
    struct exchange_context *context = exchange->context;
    const struct http_request *request = &exchange->request;
    struct bytes name = name_of(exchange);
    uint64_t hash;

    if (context->repeats == NULL) {
        context->repeats = repeats_new();
    }
    if (name.length == 0 || context->repeats == NULL) {
        return false;
    }
    hash = siphash_number(&context->names_key, siphash(&context->names_key, name));
    hash = siphash_number(&context->names_key, hash ^ siphash(&context->names_key, request->path));
    if (!repeats_note(context->repeats, hash + (uint64_t)request->method,
                      loop_now(context->worker_context->loop))) {
        return false;
    }
    metrics_note(context->metrics, METRICS_REQUEST_REPEATED);
    return true;
}

/* --- what comes after ---------------------------------------------------------------------- */

static struct retry_facts facts_of(const struct attempt *attempt, enum origin_failure failure)
{
    const struct exchange *exchange = attempt->exchange;

    return (struct retry_facts){
        .method = exchange->request.method,
        .failure = failure,
        .evidence = attempt->request.evidence,
        .policy = &exchange->routing.route->retry,
        .attempts = exchange->outcome.attempts,
        .answer_begun = exchange->answer.begun,
        .body_kept = exchange->request_body.kept,
        .has_key = idempotency_key(exchange).length > 0,
        .other_origin = service_origin_count(generation_service(exchange->generation,
                                                                exchange->routing.service)) > 1,
        .within_budget = retries_left(exchange) > 0,
    };
}

/* The end of a kept connection says nothing against its origin, and a trial was our wish: at once,
 * and for free. Else after a moment. */
static void try_again(struct exchange *exchange, const struct retry_facts *facts)
{
    uint32_t wait_ms = retry_wait_ms(facts->policy, &exchange->context->worker_context->random);

    metrics_note(exchange->context->metrics, METRICS_ATTEMPT_RETRIED);
    if (retry_is_free(facts)) {
        tries_report(exchange, 1, 0);
        attempts_try(exchange);
        return;
    }
    retry_budget_take(budget_of(exchange), loop_now(exchange->context->worker_context->loop));
    tries_report(exchange, 1, 0);
    if (wait_ms == 0) {
        attempts_try(exchange);
    } else {
        timer_set(exchange->context->backoff_timers, &exchange->backoff, wait_ms);
    }
}

static const char *sentence_of(struct attempt *attempt, enum origin_failure failure)
{
    attempt->exchange->outcome.fault = attempt->request.fault;
    return origin_failure_reported(failure, attempt->request.was_reset);
}

/* There is no other try. */
static void client_sees(struct attempt *attempt, enum origin_failure failure)
{
    attempt->exchange->answer.ends_by_reset = attempt->request.stream_was_reset;
    origin_request_failure_seen(&attempt->request, failure);
}

static void fail_for_good(struct attempt *attempt, enum origin_failure failure)
{
    client_sees(attempt, failure);
    if (attempt->exchange->caching != NULL && caching_failed(attempt->exchange)) {
        return;
    }
    reply_error(attempt->exchange, origin_failures[failure].status, origin_failures[failure].error,
                sentence_of(attempt, failure));
}

static bool may_try_again(const struct exchange *exchange, const struct retry_facts *facts)
{
    enum retry_verdict verdict = retry_judge(facts);

    if (verdict == RETRY_BUDGET) {
        metrics_note(exchange->context->metrics, METRICS_RETRY_DENIED);
        tries_report(exchange, 0, 1);
    }
    return verdict == RETRY_YES;
}

/* There is no answer yet. */
static void consider_retry(struct attempt *attempt, enum origin_failure failure)
{
    struct retry_facts facts;

    if (!origin_failures[failure].is_worth_another) { /* a full line, say: many at once */
        fail_for_good(attempt, failure);
        return;
    }
    facts = facts_of(attempt, failure);
    if (may_try_again(attempt->exchange, &facts)) {
        try_again(attempt->exchange, &facts);
    } else {
        fail_for_good(attempt, failure);
    }
}

/* With grpc-retry-pushback-ms the origin says when to come again, or never to: for the client. */
static bool is_unavailable_alone(const struct http_response *response)
{
    const struct http_header *row = http_find_named(&response->headers, BYTES("grpc-status"));

    return row != NULL && grpc_status_read(http_header_value(row)) == GRPC_UNAVAILABLE &&
           response->framing == HTTP_LENGTH_KNOWN && response->body_length == 0 &&
           http_find_named(&response->headers, BYTES("grpc-retry-pushback-ms")) == NULL;
}

bool tries_again_instead(struct attempt *attempt, const struct http_response *response)
{
    struct exchange *exchange = attempt->exchange;
    struct retry_facts facts;

    if (!exchange->routing.route->retry.grpc_unavailable || !is_unavailable_alone(response)) {
        return false;
    }
    facts = facts_of(attempt, ORIGIN_FAILURE_GRPC_UNAVAILABLE);
    facts.evidence.delivery = ORIGIN_DELIVERY_NOT_PROCESSED;
    if (!may_try_again(exchange, &facts)) {
        return false; /* the client gets the answer */
    }
    origin_request_grpc_ended(&attempt->request, GRPC_UNAVAILABLE);
    attempt_set_over(attempt);
    origin_request_cancel(&attempt->request);
    attempt->request.evidence.delivery = ORIGIN_DELIVERY_NOT_PROCESSED;
    attempt_end(attempt, origin_failures[facts.failure].error);
    try_again(exchange, &facts);
    return true;
}

/* An answer had begun. */
static enum outcome_end end_after(enum origin_failure failure)
{
    switch (failure) {
    case ORIGIN_FAILURE_ANSWER_TIMEOUT:
    case ORIGIN_FAILURE_STREAM_IDLE:
        return OUTCOME_CUT_BY_TIMEOUT;
    case ORIGIN_FAILURE_LOCAL_RESOURCE:
        return OUTCOME_GATEWAY_BROKE;
    default:
        return OUTCOME_ORIGIN_BROKE;
    }
}

void tries_failed(void *owner, enum origin_failure failure)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;

    attempt_set_over(attempt);
    attempt_end(attempt, origin_failures[failure].error);
    if (exchange->state == EXCHANGE_TUNNELS) {
        exchange_finish(exchange, failure == ORIGIN_FAILURE_TUNNEL_IDLE ? OUTCOME_CUT_BY_TIMEOUT
                                                                        : OUTCOME_TUNNEL_CLOSED);
        return;
    }
    if (exchange->answer.begun && exchange->client.ops->take_back(exchange->client.stream)) {
        /* The client knows nothing of it yet. The origin has answered: no other try. */
        fail_for_good(attempt, failure);
        return;
    }
    if (exchange->answer.begun) {
        client_sees(attempt, failure);
        exchange->outcome.error = origin_failures[failure].error;
        exchange->outcome.detail = sentence_of(attempt, failure);
        exchange_break_off(exchange, end_after(failure));
        return;
    }
    consider_retry(attempt, failure);
}

void tries_give_way(void *owner)
{
    static const char why[] = "the client was slow, and others waited for the connection";
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;

    metrics_note_cut(exchange->context->metrics, CUT_RESERVE);
    exchange_note_cut(exchange, CUT_RESERVE);
    if (exchange->state == EXCHANGE_TUNNELS) {
        exchange_finish(exchange, OUTCOME_CUT_BY_TIMEOUT);
    } else if (exchange->answer.begun) {
        exchange->outcome.detail = why;
        exchange_break_off(exchange, OUTCOME_CUT_BY_TIMEOUT);
    } else {
        reply_error(exchange, 408, "http_request_error", why);
    }
}
