/* SPDX-License-Identifier: BSD-2-Clause */
/* An exchange whose client has left, after a request that changes something was sent in full: it
 * cannot be called back, so its answer is awaited and the log tells how it went. Not so of gRPC, where
 * leaving is a message: the origin is to hear that the call was cancelled. Everything that
 * belonged to the client's connection is copied or let go of; the answer's body is dropped. */
#include "cache/cache_store.h"
#include "exchange/caching.h"
#include "exchange/exchange_private.h"

/* Further ones are cancelled as they were: clients that come only to leave must not hold
 * connections to origins without bound. */
#define ORPHANS_MOST 1024

/* A client may leave in the middle of a large answer, and an answer may have no end. */
#define BODY_MOST (1024 * 1024)

struct orphan {
    uint64_t dropped;    /* bytes of the answer's body */
    struct bytes uri;    /* of what is stored, and is not true any more once this went well */
    struct outcome told; /* as its client left */
    bool had_client;
};

/* --- a stream without a client ------------------------------------------------------------- */

static void over(void *stream)
{
    (void)stream;
}

static const struct client_stream_ops no_client = {.abort = over, .over = over};

/* --- what still comes ---------------------------------------------------------------------- */

static void on_nothing(void *owner)
{
    (void)owner;
}

static void on_interim(void *owner, const struct http_response *response)
{
    (void)owner;
    (void)response;
}

static void on_head(void *owner, const struct http_response *response)
{
    struct attempt *attempt = owner;
    struct bytes uri = attempt->exchange->orphan->uri;

    attempt_answered(attempt, response->status);
    if (response->status < 400 && uri.length > 0) {
        cache_store_invalidate(uri);
    }
    if (response->status == 101) {
        orphan_end(attempt->exchange, NULL);
    }
}

static size_t on_body(void *owner, struct bytes bytes)
{
    struct exchange *exchange = ((struct attempt *)owner)->exchange;

    exchange->orphan->dropped += bytes.length;
    if (exchange->orphan->dropped > BODY_MOST) {
        orphan_end(exchange, NULL);
    }
    return bytes.length;
}

static size_t on_room(void *owner)
{
    (void)owner;
    return SIZE_MAX;
}

static void on_ended(void *owner, const struct http_headers *trailers)
{
    struct attempt *attempt = owner;

    (void)trailers;
    attempt_set_over(attempt);
    orphan_end(attempt->exchange, NULL);
}

static void on_failed(void *owner, enum origin_failure failure)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;

    attempt_set_over(attempt);
    exchange->outcome.fault = attempt->request.fault;
    exchange->outcome.detail = origin_failure_reported(failure, attempt->request.was_reset);
    orphan_end(exchange, origin_failures[failure].error);
}

static void on_give_way(void *owner)
{
    struct exchange *exchange = ((struct attempt *)owner)->exchange;

    metrics_note_cut(exchange->context->metrics, CUT_RESERVE);
    exchange_note_cut(exchange, CUT_RESERVE);
    orphan_end(exchange, exchange->outcome.error);
}

static const struct origin_request_events events = {
    .connected = on_nothing,
    .interim = on_interim,
    .head = on_head,
    .body = on_body,
    .room = on_room,
    .drained = on_nothing,
    .ended = on_ended,
    .writable = on_nothing,
    .failed = on_failed,
    .give_way = on_give_way,
};

/* --- beginning and end --------------------------------------------------------------------- */

/* It is an orphan from here on. false: out of memory. */
bool orphan_adopt(struct exchange *exchange)
{
    struct orphan *orphan = exchange_take(exchange, sizeof(*orphan));

    if (orphan == NULL || exchange->context->orphan_count >= ORPHANS_MOST) {
        return false;
    }
    *orphan = (struct orphan){0};
    exchange->orphan = orphan;
    exchange->context->orphan_count++;
    list_add_last(&exchange->context->orphans, &exchange->link);
    return true;
}

/* What the log tells stands in the client's buffers so far. */
static bool keep_texts(struct exchange *exchange, struct outcome *told)
{
    exchange_tell(exchange, told);
    return exchange_keep(exchange, &told->method) && exchange_keep(exchange, &told->host) &&
           exchange_keep(exchange, &told->path) && exchange_keep(exchange, &told->request_id) &&
           exchange_keep(exchange, &told->client_request_id);
}

const struct outcome *orphan_told(const struct exchange *exchange)
{
    return exchange->orphan->had_client ? &exchange->orphan->told : NULL;
}

static bool was_sent_for_good(const struct exchange *exchange)
{
    return exchange->state == EXCHANGE_ATTEMPTS && attempt_was_sent(exchange->attempt) &&
           !http_method_is_safe(exchange->request.method) && !exchange->outcome.is_grpc;
}

bool orphan_begin(struct exchange *exchange, enum outcome_end end)
{
    struct exchange_context *context = exchange->context;
    struct outcome told;

    if (end == OUTCOME_CUT_BY_STOP || !was_sent_for_good(exchange) ||
        !keep_texts(exchange, &told) || !orphan_adopt(exchange)) {
        return false;
    }
    exchange->orphan->told = told;
    exchange->orphan->had_client = true;
    if (!exchange->outcome.request_id_is_ours) {
        exchange->request_id.given = told.request_id;
    }
    if (cache_store_is_used()) {
        exchange->orphan->uri = caching_keep_uri(exchange);
    }
    timer_clear(context->continue_timers, &exchange->attempt->request.timer);
    http_request_forget(&exchange->request);
    buffer_queue_clear(context->worker_context->buffers, &exchange->request_body.body);
    buffer_return(context->worker_context->buffers, &exchange->request_body.trailers);
    exchange->request_body.kept = false;
    exchange->outcome.end = end;
    exchange->client.ops = &no_client;
    exchange->client.stream = NULL;
    exchange->client.facts = NULL;
    exchange->attempt->request.events = &events;
    metrics_note(context->metrics, METRICS_CLIENT_OUTLIVED);
    return true;
}

void orphan_end(struct exchange *exchange, const char *error)
{
    attempt_end(exchange->attempt, error);
    exchange->outcome.error = error;
    exchange_finish(exchange, exchange->outcome.end);
}

void exchange_context_cut_orphans(struct exchange_context *context)
{
    struct exchange *exchange;

    while ((exchange = LIST_FIRST(&context->orphans, struct exchange, link)) != NULL) {
        exchange->outcome.end = OUTCOME_CUT_BY_STOP;
        orphan_end(exchange, NULL);
    }
}
