/* SPDX-License-Identifier: BSD-2-Clause */
/* The attempts of an exchange: service and origin are chosen, an attempt is made and bound to a
 * connection, its request is sent, the answer is passed on to the client as it comes, under
 * back-pressure, its record is closed. What follows one that fails: tries.c. Called by exchange.c,
 * with what the client sends by request_body.c, and by the events of origin_request.h. */
#include "exchange/attempt.h"

#include "base/check.h"
#include "cache/cache_store.h"
#include "exchange/caching.h"
#include "exchange/exchange_private.h"
#include "exchange/trace.h"
#include "http/connection_names.h"
#include "split/request_source.h"

/* How long an origin may leave Expect: 100-continue unanswered before we let the client go on:
 * many servers do not know it. */
#define PATIENCE_MS 1000

/* --- states ------------------------------------------------------------------------------ */

#define FROM(state) (1u << ATTEMPT_##state)

/* What each may follow. */
static const uint16_t formers[] = {
    [ATTEMPT_WAITS] = 0,
    [ATTEMPT_SENDS] = FROM(WAITS),
    [ATTEMPT_SENT] = FROM(SENDS),
    [ATTEMPT_OVER] = FROM(OVER) - 1, /* all but itself */
};

static void set_state(struct attempt *attempt, enum attempt_state state)
{
    CHECK((formers[state] >> attempt->state & 1) != 0);
    attempt->state = state;
}

/* --- its record -------------------------------------------------------------------------- */

static void begin_record(struct attempt *attempt, struct origin *origin)
{
    struct exchange *exchange = attempt->exchange;

    CHECK(exchange->outcome.attempts < OUTCOME_ATTEMPTS_MAX);
    exchange->outcome.attempts++;
    attempt->record.origin = origin_name(origin);
    if (exchange->span != NULL) {
        spans_attempt_begins(exchange);
    }
    if (exchange->traced) {
        trace_step(exchange, "attempt %u: asks origin %s of service %s", exchange->outcome.attempts,
                   origin_name(origin), exchange->routing.service->name);
    }
}

/* The time for a phase that is reached now: never 0, which would say that it was not. Within one
 * turn the clock may stand still. */
static uint32_t reached_us(const struct attempt *attempt)
{
    uint32_t elapsed_us = exchange_elapsed_us(attempt->exchange);

    return elapsed_us > 0 ? elapsed_us : 1;
}

/* A whole answer leaves the request as it was: that there was one shows in its first byte. It may have
 * said that the request was not processed (tries_again_instead). */
static enum origin_delivery delivery_of(const struct attempt *attempt)
{
    enum origin_delivery delivery = attempt->request.evidence.delivery;

    return attempt->record.first_byte_us != 0 && delivery != ORIGIN_DELIVERY_NOT_PROCESSED
               ? ORIGIN_DELIVERY_ANSWERED
               : delivery;
}

static void end_record(struct attempt *attempt, const char *error)
{
    const struct origin_evidence *evidence = &attempt->request.evidence;
    struct outcome_attempt *record = &attempt->record;
    enum origin_delivery delivery = delivery_of(attempt);

    record->delivery = origin_delivery_word(delivery);
    record->error = error;
    if (attempt->exchange->traced) {
        trace_step(attempt->exchange, "attempt %u: %s%s%s", attempt->exchange->outcome.attempts,
                   record->delivery, error != NULL ? ", " : "", error != NULL ? error : "");
    }
    if (attempt->exchange->span != NULL) {
        spans_attempt_ends(attempt->exchange);
    }
    record->bytes_sent = evidence->bytes_written;
    record->bytes_acked = evidence->bytes_acked;
    if (delivery > attempt->exchange->delivery) {
        attempt->exchange->delivery = delivery;
    }
}

/* --- beginning --------------------------------------------------------------------------- */

static bool is_replayable(const struct exchange *exchange)
{
    return exchange->request_body.whole && exchange->routing.route->retry.idempotent &&
           http_method_is_idempotent(exchange->request.method);
}

#define HOUR_US 3600000000 /* turns are dealt anew, so that no client is last for ever */

static void take_from_header(const struct exchange *exchange, struct origin_request *request)
{
    static const char *const words[PRIORITY_COUNT] = {"critical", "normal", "bulk"};
    const struct settings *settings = generation_settings(exchange->generation);
    const struct http_header *row =
        http_find_named(&exchange->request.headers, bytes_of(settings->priority_header));

    for (uint8_t class = 0; row != NULL && class < PRIORITY_COUNT; class ++) {
        if (bytes_equal_fold(http_header_value(row), bytes_of(words[class]))) {
            request->priority = class;
        }
    }
}

/* Of a client whose route names nothing that the request has, its address. */
static uint32_t fair_key_of(const struct exchange *exchange)
{
    static const struct request_source address = {.kind = SOURCE_CLIENT_ADDRESS};
    const struct route_settings *route = exchange->routing.route;
    uint64_t hour = loop_now(exchange->context->worker_context->loop) / HOUR_US;
    char room[ADDRESS_TEXT_MAX];
    struct bytes value;
    uint32_t key;

    if (exchange->context->clients == NULL ||
        (request_source_first(route->fair_by, route->fair_by_count, &exchange->request,
                              &exchange->client.ip, room, &value) == NULL &&
         !request_source_value(&address, &exchange->request, &exchange->client.ip, room, &value))) {
        return 0;
    }
    key = (uint32_t)client_registry_key(exchange->context->clients, hour, value);
    return key != 0 ? key : 1;
}

/* Which of the requests that wait for an origin goes first: the class of each, by the header of a
 * trusted client, and for `concurrency: auto` the client that it is in turn for. `priority` is
 * filled with the route's already. */
static void fill_precedence(const struct exchange *exchange, struct origin_request *request)
{
    if (generation_settings(exchange->generation)->priority_header != NULL &&
        exchange->client.trusted) {
        take_from_header(exchange, request);
    }
    if (exchange->routing.service->limits.adaptive) {
        request->fair_key = fair_key_of(exchange);
    }
}

static struct attempt *attempt_new(struct exchange *exchange,
                                   const struct origin_request_events *events)
{
    const struct settings *settings = generation_settings(exchange->generation);
    struct attempt *attempt = slab_take(exchange->context->attempts);
    struct origin_request *request;

    if (attempt == NULL) {
        return NULL;
    }
    attempt->exchange = exchange;
    attempt->former = exchange->attempt;
    exchange->attempt = attempt;
    request = &attempt->request;
    request->events = events;
    request->owner = attempt;
    request->pool = &exchange->routing.service->pool;
    request->timeouts = exchange_timeouts(exchange);
    request->limits = &settings->limits;
    request->lenient = exchange->routing.service->lenient.bits;
    request->method = exchange->request.method;
    request->deadline_us = exchange->deadline_us;
    request->priority = (uint8_t)exchange->routing.route->priority;
    if (request->pool->limited || settings->priority_header != NULL) {
        fill_precedence(exchange, request);
    }
    request->unfinished = !exchange->request_body.whole;
    request->is_rpc = exchange->is_rpc;
    request->is_grpc = exchange->outcome.is_grpc;
    request->replayable = attempt->former == NULL && is_replayable(exchange);
    return attempt;
}

void attempt_release(struct attempt *attempt)
{
    slab_give(attempt->exchange->context->attempts, attempt);
}

/* The last try must not meet a connection that is just being closed. */
static enum reuse reuse_for(const struct attempt *attempt, const struct origin *origin)
{
    if (attempt->former != NULL) {
        return origin == attempt->former->origin ? REUSE_FRESH : REUSE_PROVEN;
    }
    return attempt->request.replayable ? REUSE_ANY : attempt->exchange->routing.route->reuse;
}

static void attempt_start(struct attempt *attempt, struct origin *origin)
{
    attempt->request.reuse = reuse_for(attempt, origin);
    attempt->origin = origin;
    begin_record(attempt, origin);
    origin_request_start(&attempt->request, origin);
}

static void attempt_moved(void *owner, struct origin *origin)
{
    struct attempt *attempt = owner;

    attempt->origin = origin;
    attempt->record.origin = origin_name(origin);
}

/* --- sending ----------------------------------------------------------------------------- */

/* The attempt may have failed once this returns. */
static void send_head(struct attempt *attempt)
{
    struct forward_page page;
    struct request_head head;

    set_state(attempt, ATTEMPT_SENDS);
    if (!forward_request(attempt->exchange, &page, &head) ||
        !origin_request_send_head(&attempt->request, &head)) {
        reply_error(attempt->exchange, 431, "http_request_error",
                    "the request head is too large with what is added to it");
    }
}

static void attempt_connected(void *owner)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;

    attempt->record.connected_us = reached_us(attempt);
    attempt->record.reused = attempt->request.evidence.kept_connection;
    attempt->record.http2 = attempt->request.evidence.http2;
    if (exchange->deadline_us != 0 && !deadline_leaves_time(exchange)) {
        return;
    }
    send_head(attempt);
    if (attempt->state != ATTEMPT_SENDS) {
        return;
    }
    /* Only now: the body may have come while the connection was being opened. */
    attempt->send_from = exchange->request_body.body.first;
    if (!exchange->request_body.whole) {
        exchange->request_body.kept = false;
        if (exchange->request.expects_continue) {
            timer_set(exchange->context->continue_timers, &attempt->request.timer, PATIENCE_MS);
        }
    }
    attempt_go_on(attempt);
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
static void move_on(struct attempt *attempt, size_t taken)
{
    struct buffer *buffer;

    while ((buffer = attempt->send_from) != NULL) {
        size_t left = buffer_length(buffer) - attempt->sent_of_buffer;

        if (taken < left) {
            attempt->sent_of_buffer += (uint32_t)taken;
            return;
        }
        taken -= left;
        attempt->send_from = buffer->next;
        attempt->sent_of_buffer = 0;
    }
}

static bool send_kept(struct attempt *attempt)
{
    struct bytes pieces[OUTBOX_PIECES];
    size_t taken = 0;
    size_t offered = 0;

    while (attempt->send_from != NULL && taken == offered) {
        int count = pieces_of(attempt->send_from, attempt->sent_of_buffer, pieces, &offered);

        taken = origin_request_send_body(&attempt->request, pieces, count);
        move_on(attempt, taken);
    }
    return taken == offered;
}

static bool send_and_drop(struct attempt *attempt)
{
    struct exchange *exchange = attempt->exchange;
    struct buffer_queue *queue = &exchange->request_body.body;
    struct bytes pieces[OUTBOX_PIECES];
    size_t taken = 0;
    size_t offered = 0;

    while (queue->length > 0 && taken == offered) {
        int count = pieces_of(queue->first, 0, pieces, &offered);

        taken = origin_request_send_body(&attempt->request, pieces, count);
        buffer_queue_drop(exchange->context->worker_context->buffers, queue, taken);
    }
    return taken == offered;
}

static void send_end(struct attempt *attempt)
{
    const struct exchange *exchange = attempt->exchange;
    struct http_fields trailers;

    set_state(attempt, ATTEMPT_SENT);
    origin_request_send_end(&attempt->request, exchange->request_body.trailers != NULL
                                                   ? trailers_kept(exchange, &trailers)
                                                   : NULL);
}

void attempt_go_on(struct attempt *attempt)
{
    struct exchange *exchange = attempt->exchange;
    bool all_sent;

    if (attempt->state != ATTEMPT_SENDS) {
        return;
    }
    all_sent = exchange->request_body.kept ? send_kept(attempt) : send_and_drop(attempt);
    if (all_sent && exchange->request_body.whole) {
        send_end(attempt);
    } else {
        origin_request_flush(&attempt->request);
    }
    if (exchange->request_body.paused && exchange->request_body.body.length == 0 &&
        exchange->state != EXCHANGE_OVER) {
        exchange->request_body.paused = false;
        exchange->client.ops->want_body(exchange->client.stream, true);
    }
}

size_t attempt_send(struct attempt *attempt, struct bytes bytes)
{
    return origin_request_send_body(&attempt->request, &bytes, 1);
}

static void attempt_writable(void *owner)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;

    if (exchange->state == EXCHANGE_TUNNELS) {
        if (exchange->request_body.paused) {
            exchange->request_body.paused = false;
            exchange->client.ops->want_body(exchange->client.stream, true);
        }
        return;
    }
    if (attempt->state == ATTEMPT_SENT && attempt->record.sent_us == 0) {
        attempt->record.sent_us = reached_us(attempt);
    }
    attempt_go_on(attempt);
}

bool attempt_was_sent(const struct attempt *attempt)
{
    return attempt->state == ATTEMPT_SENT && attempt->record.sent_us != 0;
}

/* --- what answers have beside the ordinary --------------------------------------------- */

static void relay_interim(void *owner, const struct http_response *response)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;
    struct forward_page page;
    struct answer_head head;

    timer_clear(exchange->context->continue_timers, &attempt->request.timer);
    if (response->status == 100 && !exchange->request.expects_continue &&
        http_has(&exchange->request.headers, HTTP_HEADER_EXPECT)) {
        return; /* it was said already, and maybe by us */
    }
    if (forward_answer(exchange, response, &page, &head)) {
        if (response->status == 100) {
            http_fields_clear(&page.fields);
            exchange->request.expects_continue = false; /* said once is enough */
        }
        exchange->client.ops->send_interim(exchange->client.stream, &head);
    }
}

/* With what is added to it, the head fits nowhere. */
static void refuse_head(struct exchange *exchange)
{
    reply_error(exchange, 502, "http_response_header_section_size",
                "the answer's head is too large with what is added to it");
}

/* --- a 101 --------------------------------------------------------------------------------- */

/* It must say what to, and only what the client offered (RFC 9110 sections 7.8 and 15.2.2): two
 * sides of a tunnel that speak of different things may hide anything in it. */
static bool switches_as_asked(const struct exchange *exchange, const struct http_response *response)
{
    const struct http_header *row = http_find(&response->headers, HTTP_HEADER_UPGRADE);
    struct bytes list = row != NULL ? http_header_value(row) : BYTES("");
    struct bytes protocol;

    return http_list_next(&list, &protocol) &&
           http_names(&exchange->request.headers, HTTP_HEADER_UPGRADE, protocol);
}

/* In HTTP/2 any success says that the tunnel stands (RFC 8441 section 5); this one is none. */
static bool takes_for_tunnel(const struct exchange *exchange, const struct http_response *response)
{
    return exchange->request.wants_upgrade && exchange->request.version == HTTP_2 &&
           response->status >= 200 && response->status < 300;
}

/* Another protocol was asked for, or is switched to. false: an answer was given instead. */
static bool may_switch(struct exchange *exchange, const struct http_response *response)
{
    if (response->status == 101 ? switches_as_asked(exchange, response)
                                : !takes_for_tunnel(exchange, response)) {
        return true;
    }
    reply_error(exchange, 502, "http_upgrade_failed",
                "the origin did not switch to the protocol that it was asked for");
    return false;
}

/* The 101 went to the client. */
static void begin_tunnel(struct exchange *exchange)
{
    exchange_set_state(exchange, EXCHANGE_TUNNELS);
    metrics_note(exchange->context->metrics, METRICS_TUNNEL_OPENED);
    exchange->client.ops->begin_tunnel(exchange->client.stream);
}

/* --- gRPC ---------------------------------------------------------------------------------- */

/* Of trailers, or of a head that stands for both. */
static void note_grpc_status(struct exchange *exchange, const struct http_headers *fields)
{
    const struct http_header *row = http_find_named(fields, BYTES("grpc-status"));

    if (row != NULL) {
        exchange->outcome.grpc_status = grpc_status_read(http_header_value(row));
    }
}

const struct attempt *attempt_recorded(const struct attempt *attempt)
{
    while (attempt != NULL && attempt->record.origin == NULL) {
        attempt = attempt->former;
    }
    return attempt;
}

/* --- its answer, passed on as it comes -------------------------------------------------------- */

void attempt_answered(struct attempt *attempt, uint16_t status)
{
    attempt->record.first_byte_us = reached_us(attempt);
    attempt->record.status = status;
}

static void note_for_cache(struct exchange *exchange, const struct http_response *response,
                           struct forward_page *page)
{
    if (exchange->caching != NULL) {
        caching_head(exchange, response, page);
    }
    if (!http_method_is_safe(exchange->request.method) && response->status < 400 &&
        cache_store_is_used()) {
        caching_invalidate(exchange);
    }
}

static void relay_head(void *owner, const struct http_response *response)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;
    struct forward_page page;
    struct answer_head head;

    timer_clear(exchange->context->continue_timers, &attempt->request.timer);
    attempt_answered(attempt, response->status);
    if (exchange->outcome.extras != NULL) {
        log_fields_answer(exchange, &response->headers);
    }
    if ((response->status == 101 || exchange->request.wants_upgrade) &&
        !may_switch(exchange, response)) {
        return;
    }
    if (exchange->caching != NULL && caching_takes_head(exchange, response)) {
        return;
    }
    if (exchange->outcome.is_grpc && tries_again_instead(attempt, response)) {
        return;
    }
    if (!forward_answer(exchange, response, &page, &head)) {
        refuse_head(exchange);
        return;
    }
    note_for_cache(exchange, response, &page);
    if (!exchange->client.ops->send_head(exchange->client.stream, &head)) {
        refuse_head(exchange);
        return;
    }
    exchange->outcome.status = response->status;
    exchange->answer.keeps_trailers_here =
        response->framing == HTTP_CHUNKED && http_connection_names_fields(&response->headers);
    exchange->answer.begun = true;
    if (exchange->outcome.is_grpc) {
        exchange->answer.takes_status = head.framing == HTTP_CHUNKED;
        note_grpc_status(exchange, &response->headers);
    }
    if (response->status == 101) {
        begin_tunnel(exchange);
    } else {
        exchange_set_state(exchange, EXCHANGE_RELAYS);
    }
}

static size_t relay_body(void *owner, struct bytes bytes)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;
    size_t taken = exchange->client.ops->send_body(exchange->client.stream, bytes,
                                                   attempt->request.answer_ends);

    exchange->answer.blocked = taken < bytes.length;
    if (exchange->caching != NULL) {
        caching_body(exchange, bytes_first(bytes, taken));
        if (!attempt->request.answer_ends && !caching_is_of_use(exchange)) {
            orphan_end(exchange, NULL); /* it may have no end */
        }
    }
    return taken;
}

static size_t relay_room(void *owner)
{
    struct exchange *exchange = ((struct attempt *)owner)->exchange;
    size_t room = exchange->client.ops->room(exchange->client.stream);

    exchange->answer.blocked = room == 0;
    return room;
}

static void relay_drained(void *owner)
{
    struct exchange *exchange = ((struct attempt *)owner)->exchange;

    if (exchange->state == EXCHANGE_RELAYS || exchange->state == EXCHANGE_TUNNELS) {
        exchange->client.ops->flush(exchange->client.stream);
    }
}

static void relay_ended(void *owner, const struct http_headers *trailers)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;
    const struct http_fields *passed = NULL;
    struct http_fields fields;

    attempt_set_over(attempt);
    if (exchange->outcome.is_grpc) {
        if (trailers != NULL) {
            note_grpc_status(exchange, trailers);
        }
        origin_request_grpc_ended(&attempt->request, exchange->outcome.grpc_status);
    }
    if (exchange->caching != NULL && caching_ended(exchange, trailers)) {
        return;
    }
    if (trailers != NULL) {
        passed = trailers_of_answer(exchange, trailers, &fields);
    }
    exchange_answer_is_whole(exchange, passed,
                             exchange->state == EXCHANGE_TUNNELS ? OUTCOME_TUNNEL_CLOSED
                                                                 : OUTCOME_ANSWERED);
}

/* --- its end ----------------------------------------------------------------------------- */

void attempt_set_over(struct attempt *attempt)
{
    set_state(attempt, ATTEMPT_OVER);
}

void attempt_end(struct attempt *attempt, const char *error)
{
    if (attempt->state != ATTEMPT_OVER) {
        attempt_set_over(attempt);
        origin_request_cancel(&attempt->request);
    }
    timer_clear(attempt->exchange->context->continue_timers, &attempt->request.timer);
    if (attempt->origin != NULL && attempt->record.delivery == NULL) {
        end_record(attempt, error);
    }
}

/* --- one after the other ---------------------------------------------------------------------- */

static const struct origin_request_events events = {
    .moved = attempt_moved,
    .connected = attempt_connected,
    .interim = relay_interim,
    .head = relay_head,
    .body = relay_body,
    .room = relay_room,
    .drained = relay_drained,
    .ended = relay_ended,
    .writable = attempt_writable,
    .failed = tries_failed,
    .give_way = tries_give_way,
};

static void choose_service(struct exchange *exchange)
{
    const struct route_settings *route = exchange->routing.route;
    const struct arm_settings *arm = route->arm_count == 1 ? route->arms : choice_make(exchange);

    exchange->routing.service = arm->service;
}

/* Not on the origin of the attempt before it, if there is another. */
void attempts_try(struct exchange *exchange)
{
    struct service *service = generation_service(exchange->generation, exchange->routing.service);
    const struct attempt *former = exchange->attempt;
    struct attempt *attempt;
    struct origin *origin;

    if (exchange->deadline_us != 0 && !deadline_leaves_time(exchange)) {
        return;
    }
    attempt = attempt_new(exchange, &events);
    if (attempt == NULL) {
        reply_error(exchange, 503, OUTCOME_OWN_ERROR, "no memory is left for the attempt");
        return;
    }
    origin = service_pick(service, &exchange->context->worker_context->random,
                          former != NULL ? former->origin : NULL, &attempt->request);
    if (origin == NULL) {
        tries_failed(attempt, ORIGIN_FAILURE_NONE_FIT);
        return;
    }
    attempt_start(attempt, origin);
}

static bool is_repeat(struct exchange *exchange)
{
    const struct http_headers *headers = &exchange->request.headers;

    if (!http_has(headers, HTTP_HEADER_IDEMPOTENCY_KEY) &&
        !http_has(headers, HTTP_HEADER_X_REQUEST_ID) &&
        exchange->routing.route->split.pin_header_count == 0) {
        return false;
    }
    return tries_has_come_before(exchange);
}

void attempts_begin(struct exchange *exchange)
{
    exchange_set_state(exchange, EXCHANGE_ATTEMPTS);
    choose_service(exchange);
    if (retry_budget_note_request(service_retry_budget(generation_service(
                                      exchange->generation, exchange->routing.service)),
                                  is_repeat(exchange),
                                  loop_now(exchange->context->worker_context->loop))) {
        tries_report(exchange, 0, 0); /* once a second */
    }
    attempts_try(exchange);
}

void attempts_backoff_over(struct timer *timer)
{
    attempts_try(CONTAINER_OF(timer, struct exchange, backoff));
}
