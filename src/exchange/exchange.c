/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of an exchange, step by step:
 *
 *   exchange_begin -> admit (who asks, may it pass) -> route -> queue (what holds it back)
 *     -> attempts (an origin is chosen and asked, its answer passed on: attempt.c)
 *     -> finish (outcome to log and metrics)
 *   with a side step to reply*.c wherever the gateway answers by itself.
 *
 * Called by client/. Every exchange that began ends once, in exchange_finish_accounting: finished, broken
 * off, or left by its client. Its state changes in exchange_set_state only. */
#include "exchange/exchange_private.h"

#include "base/check.h"
#include "exchange/caching.h"
#include "exchange/maintenance.h"
#include "exchange/trace.h"

/* --- states ------------------------------------------------------------------------------ */

#define FROM(state) (1u << EXCHANGE_##state)

/* What each may follow; another try changes nothing. */
static const uint16_t formers[] = {
    [EXCHANGE_NEW] = 0,
    [EXCHANGE_QUEUED] = FROM(NEW),
    [EXCHANGE_ATTEMPTS] = FROM(QUEUED),
    [EXCHANGE_RELAYS] = FROM(ATTEMPTS),
    [EXCHANGE_TUNNELS] = FROM(ATTEMPTS),
    [EXCHANGE_ASKS] = FROM(QUEUED),
    [EXCHANGE_REPLIES] = FROM(NEW) | FROM(QUEUED) | FROM(ATTEMPTS) | FROM(RELAYS) | FROM(ASKS),
    [EXCHANGE_LEAVES] = FROM(RELAYS) | FROM(TUNNELS) | FROM(REPLIES),
    [EXCHANGE_OVER] = FROM(OVER) - 1, /* all but itself */
};

static const char *const state_sentences[] = {
#define ROW(name, sentence) #name ": " sentence,
    EXCHANGE_STATES(ROW)
#undef ROW
};

/* It goes on though it was held: its client has left, say, or an answer is given. */
static void leave_queue(struct exchange *exchange)
{
    if ((exchange->holds & QUEUE_SHARED) != 0) {
        caching_leaves_queue(exchange);
    }
    exchange->holds = 0;
    timer_clear(exchange->context->gather_timers, &exchange->gather);
}

/* Few are held back or traced. */
static __attribute__((noinline)) void set_state_and_tell(struct exchange *exchange,
                                                         enum exchange_state state)
{
    if (exchange->holds != 0) {
        leave_queue(exchange);
    }
    exchange->state = state;
    if (exchange->traced) {
        trace_step(exchange, "%s", state_sentences[state]);
    }
}

void exchange_set_state(struct exchange *exchange, enum exchange_state state)
{
    CHECK((formers[state] >> exchange->state & 1) != 0);
    if (exchange->holds != 0 || exchange->traced) {
        set_state_and_tell(exchange, state);
    } else {
        exchange->state = state;
    }
}

uint32_t exchange_elapsed_us(const struct exchange *exchange)
{
    uint64_t elapsed = loop_now(exchange->context->worker_context->loop) - exchange->start_us;

    return elapsed > UINT32_MAX ? UINT32_MAX : (uint32_t)elapsed;
}

struct bytes exchange_request_id(const struct exchange *exchange)
{
    return exchange->outcome.request_id_is_ours
               ? (struct bytes){exchange->request_id.own, UUID_TEXT_LENGTH}
               : exchange->request_id.given;
}

struct bytes exchange_untaken_id(const struct exchange *exchange)
{
    return exchange->untaken_id != NULL
               ? (struct bytes){exchange->untaken_id, exchange->request_id.untaken_length}
               : BYTES("");
}

/* --- beginning --------------------------------------------------------------------------- */

/* Everything but the message, which the codec fills, starts as zero. */
static struct exchange *exchange_of(struct slab_pool *pool, struct exchange_context *context,
                                    const struct client_stream_ops *ops, void *stream,
                                    const struct client_facts *facts)
{
    struct exchange *exchange = slab_take(pool);

    if (exchange == NULL) {
        return NULL;
    }
    list_init(&exchange->link);
    exchange->context = context;
    exchange->state = EXCHANGE_NEW;
    exchange->client.ops = ops;
    exchange->client.stream = stream;
    exchange->client.facts = facts;
    return exchange;
}

struct exchange *exchange_new(struct exchange_context *context, const struct client_stream_ops *ops,
                              void *stream, const struct client_facts *facts)
{
    struct exchange *exchange = exchange_of(context->exchanges, context, ops, stream, facts);

    if (exchange != NULL) {
        exchange->request.headers.rows = context->rows;
    }
    return exchange;
}

struct exchange *exchange_new_with_rows(struct exchange_context *context,
                                        const struct client_stream_ops *ops, void *stream,
                                        const struct client_facts *facts, struct http_header *rows)
{
    struct exchange *exchange = exchange_of(context->bare_exchanges, context, ops, stream, facts);

    if (exchange != NULL) {
        exchange->is_bare = true;
        exchange->request.headers.rows = rows;
    }
    return exchange;
}

struct http_request *exchange_request(struct exchange *exchange)
{
    return &exchange->request;
}

bool exchange_keep(struct exchange *exchange, struct bytes *bytes)
{
    char *copy = bytes->length > 0 ? exchange_take(exchange, bytes->length) : NULL;

    if (copy == NULL) {
        return bytes->length == 0;
    }
    memcpy(copy, bytes->at, bytes->length);
    bytes->at = copy;
    return true;
}

void exchange_discard(struct exchange *exchange)
{
    CHECK(exchange->state == EXCHANGE_NEW);
    exchange_release(exchange);
}

/* Counts from here on: the exchange has a generation and will be finished. */
static void begin_outcome(struct exchange *exchange, size_t bytes_read, uint32_t head_us)
{
    struct exchange_context *context = exchange->context;
    struct outcome_course *outcome = &exchange->outcome;

    context->count++;
    exchange->generation = generation_ref(context->generation);
    exchange->start_us = loop_now(context->worker_context->loop) - head_us;
    outcome->start_realtime_us = loop_realtime(context->worker_context->loop) - head_us;
    outcome->head_us = head_us;
    outcome->bytes_in = bytes_read;
    exchange->client.listener = exchange->client.facts->listener;
    exchange->client.listener_index = exchange->client.facts->listener_index;
    exchange->client.port = exchange->client.facts->port;
    exchange->client.ip = exchange->client.facts->ip;
}

static bool takes_id(const struct exchange *exchange, const struct http_header *inbound)
{
    return inbound->value_length > 0 && inbound->value_length <= REQUEST_ID_MAX &&
           (exchange->client.trusted ||
            generation_settings(exchange->generation)->request_id == REQUEST_ID_FROM_ANY);
}

/* Ids tie the lines of many logs together: a client that may choose its own may choose another
 * client's. */
static void give_id(struct exchange *exchange, const struct http_header *inbound)
{
    if (inbound != NULL && takes_id(exchange, inbound)) {
        exchange->request_id.given = http_header_value(inbound);
        return;
    }
    if (inbound != NULL) {
        exchange->untaken_id = inbound->value;
        exchange->request_id.untaken_length = inbound->value_length;
    }
    uuid_v7(exchange->request_id.own, exchange->outcome.start_realtime_us / 1000,
            &exchange->context->worker_context->random);
    exchange->outcome.request_id_is_ours = true;
}

/* Content-Type says so; gRPC is defined over HTTP/2 only. Not inlined: most requests are none. */
static __attribute__((noinline)) void note_rpc(struct exchange *exchange)
{
    const struct http_header *row = http_find(&exchange->request.headers, HTTP_HEADER_CONTENT_TYPE);
    struct bytes type = row != NULL ? http_header_value(row) : BYTES("");

    exchange->is_rpc = !exchange->request_body.whole && grpc_is_rpc_content_type(type);
    if (exchange->request.version == HTTP_2) {
        exchange->outcome.is_grpc = grpc_is_content_type(type);
        exchange->outcome.grpc_status = GRPC_NO_STATUS;
    }
}

static void note_request(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;

    give_id(exchange, http_find(&request->headers, HTTP_HEADER_X_REQUEST_ID));
    exchange->request_body.kept = true;
    exchange->request_body.whole = !http_has_body(request->framing, request->body_length);
    if (!exchange->request_body.whole || request->version == HTTP_2) {
        note_rpc(exchange);
    }
}

/* --- the queue: what holds an exchange back ----------------------------------------------- */

/* Where an exchange stands between routing and its route's action. Whatever has to hold exchanges back
 * at that point does it here: each reason is a row of enum queue_hold, and knows by itself which
 * exchanges it holds. An exchange that nothing holds passes through at once. */

static void begin_action(struct exchange *exchange)
{
    const struct route_settings *route = exchange->routing.route;

    switch (route->action) {
    case ROUTE_RESPOND:
        reply_respond(exchange, route);
        break;
    case ROUTE_REDIRECT:
        reply_redirect(exchange, route->redirect.status, route->redirect.to);
        break;
    case ROUTE_FORWARD:
        if (!route->has_caching || !caching_begin(exchange)) {
            attempts_begin(exchange);
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

/* The fields of its request outlive this turn: they were read into a table that the next request of any
 * client is read into. false: no memory, and an answer says so. */
static bool keep_fields(struct exchange *exchange)
{
    struct http_headers *headers = &exchange->request.headers;
    size_t size = headers->count * sizeof(*headers->rows);
    struct http_header *rows;

    if (exchange->is_bare) {
        return true;
    }
    rows = headers->count <= EXCHANGE_ROWS ? exchange->rows : exchange_take(exchange, size);
    if (rows == NULL) {
        reply_error(exchange, 503, OUTCOME_OWN_ERROR,
                    "no memory is left for the request's header lines");
        return false;
    }
    memcpy(rows, headers->rows, size);
    headers->rows = rows;
    return true;
}

static void queue_enter(struct exchange *exchange)
{
    exchange_set_state(exchange, EXCHANGE_QUEUED);
    if (!exchange->request_body.whole) {
        gather_begin(exchange);
    }
    if (exchange->holds == 0 && is_answered_at_once(exchange->routing.route)) {
        begin_action(exchange);
    } else if (keep_fields(exchange) && exchange->holds == 0) {
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
        timer_clear(exchange->context->gather_timers, &exchange->gather);
    }
    if (hold == QUEUE_SHARED) {
        caching_leaves_queue(exchange);
    }
    if (exchange->holds == 0) {
        begin_action(exchange);
    }
}

/* --- what it passes ------------------------------------------------------------------------ */

/* A browser sends no cookie with a preflight, and so no ticket. */
static bool has_waiting_room(const struct exchange *exchange)
{
    return exchange->routing.route->waiting_room.active != 0 && !admit_is_preflight(exchange);
}

static bool admit_metered(struct exchange *exchange)
{
    return rate_limits_admit(exchange) &&
           (!has_waiting_room(exchange) || waiting_room_admit(exchange));
}

static bool has_access_rules(const struct exchange *exchange)
{
    return exchange->routing.route->has_access_rules ||
           atomic_load_explicit(&maintenance_orders, memory_order_relaxed) > 0;
}

/* Known of the exchange: the route says how long it may take, or its client may say so. */
static bool may_have_deadline(const struct exchange *exchange)
{
    return exchange->client.trusted || exchange->outcome.is_grpc ||
           exchange_timeouts(exchange)->total != 0;
}

void exchange_begin(struct exchange *exchange, size_t head_bytes, uint32_t head_us)
{
    begin_outcome(exchange, head_bytes, head_us);
    admit_identify_client(exchange);
    note_request(exchange);
    if (exchange->context->is_tracing) {
        spans_begin(exchange);
    }
    if (exchange->context->logs_extras) {
        log_fields_begin(exchange);
    }
    if (atomic_load_explicit(&trace_on, memory_order_relaxed)) {
        trace_begin(exchange);
    }
    if (admit_listener(exchange) && admit_method(exchange) && admit_route(exchange) &&
        (!has_access_rules(exchange) || admit_route_access(exchange)) && admit_rate(exchange) &&
        (!exchange->routing.route->is_metered || admit_metered(exchange)) && admit_size(exchange) &&
        admit_loop(exchange) && (!may_have_deadline(exchange) || deadline_begin(exchange))) {
        queue_enter(exchange);
    }
}

void exchange_begin_apart(struct exchange *exchange, const struct exchange *like)
{
    begin_outcome(exchange, 0, 0);
    exchange->client.ip = like->client.ip;
    exchange->client.trusted = like->client.trusted;
    note_request(exchange);
    exchange->routing.route = like->routing.route;
    exchange_set_state(exchange, EXCHANGE_QUEUED);
}

void exchange_refuse(struct exchange *exchange, enum http_version version, uint16_t status,
                     const char *what, size_t bytes_read, uint32_t head_us)
{
    begin_outcome(exchange, bytes_read, head_us);
    /* What was parsed of it stands in a buffer that is read on into. */
    http_request_forget(&exchange->request);
    exchange->request.method = HTTP_METHOD_OTHER;
    exchange->request.version = version;
    give_id(exchange, NULL);
    reply_error(exchange, status, "http_request_error", what);
}

void exchange_take_over(struct exchange *exchange, struct buffer **buffer)
{
    region_take_over(&exchange->memory, buffer);
}

/* --- the answer's way out ---------------------------------------------------------------- */

void exchange_client_writable(struct exchange *exchange)
{
    if (exchange->answer.own_rest.length > 0) {
        reply_go_on(exchange);
    } else if (exchange->answer.blocked) {
        exchange->answer.blocked = false;
        origin_request_resume(&exchange->attempt->request);
    }
}

void exchange_answer_written(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_LEAVES) {
        exchange_finish(exchange, exchange->outcome.end);
    }
}

_Static_assert(offsetof(struct exchange, rows) + sizeof(struct attempt) <= EXCHANGE_WAITS_BYTES,
               "as told in exchange.h");

size_t exchange_body_held(const struct exchange *exchange)
{
    return buffer_queue_held(&exchange->request_body.body) +
           buffer_held(exchange->request_body.trailers);
}

bool exchange_is_unsent(const struct exchange *exchange)
{
    const struct attempt *attempt = exchange->attempt;

    return exchange->state == EXCHANGE_QUEUED ||
           (exchange->state == EXCHANGE_ATTEMPTS && attempt->state == ATTEMPT_WAITS &&
            attempt->former == NULL);
}

bool exchange_is_grpc(const struct exchange *exchange)
{
    return exchange->outcome.is_grpc;
}

void exchange_keep_little(struct exchange *exchange)
{
    exchange->request_body.keeps_little = true;
}

size_t exchange_held(const struct exchange *exchange)
{
    size_t held =
        exchange_bytes(exchange) + region_held(&exchange->memory) + exchange_body_held(exchange);

    for (const struct attempt *attempt = exchange->attempt; attempt != NULL;
         attempt = attempt->former) {
        held += sizeof(*attempt) + origin_request_held(&attempt->request);
    }
    return held;
}

const struct timeouts_settings *exchange_timeouts(const struct exchange *exchange)
{
    const struct route_settings *route = exchange->routing.route;

    if (route == NULL) {
        return &generation_settings(exchange->generation)->timeouts;
    }
    return exchange->is_rpc ? &route->rpc_timeouts : &route->timeouts;
}

const struct min_rates_settings *exchange_min_rates(const struct exchange *exchange)
{
    static const struct min_rates_settings none = {.window = RATE_UNSAID};

    if (exchange->is_rpc) {
        return &none;
    }
    return exchange->routing.route != NULL ? &exchange->routing.route->min_rates : NULL;
}

void exchange_note_no_status(struct exchange *exchange)
{
    exchange->outcome.status = 0;
}

void exchange_note_cut(struct exchange *exchange, enum cut_cause cause)
{
    exchange->outcome.cut = cause;
    if (exchange->outcome.error == NULL) {
        exchange->outcome.error = cut_cause_error(cause);
        exchange->outcome.detail = cut_cause_sentence(cause);
    }
}

const char *exchange_route(const struct exchange *exchange)
{
    return exchange->routing.route != NULL ? exchange->routing.route->name : NULL;
}

void exchange_count_out(struct exchange *exchange, uint64_t bytes)
{
    exchange->outcome.bytes_out += bytes;
}

/* --- the end ----------------------------------------------------------------------------- */

static void note_end_of_tunnel(const struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_TUNNELS) {
        metrics_note(exchange->context->metrics, METRICS_TUNNEL_CLOSED);
    }
}

static void tell_request(const struct exchange *exchange, struct outcome *outcome)
{
    const struct http_request *request = &exchange->request;
    const struct client_facts *facts = exchange->client.facts;

    outcome->protocol = request->version == HTTP_1_0   ? BYTES("1.0")
                        : request->version == HTTP_1_1 ? BYTES("1.1")
                                                       : BYTES("2");
    outcome->method = request->method_text;
    outcome->scheme = facts->scheme;
    outcome->host = request->host;
    outcome->path = request->path;
    outcome->request_id = exchange_request_id(exchange);
    outcome->client_request_id = exchange_untaken_id(exchange);
    outcome->tls_version = facts->tls != NULL ? facts->tls->version : NULL;
    outcome->tls_cipher = facts->tls != NULL ? facts->tls->cipher : NULL;
    outcome->tls_resumed = facts->tls != NULL && facts->tls->resumed;
}

static void tell_routing(const struct exchange *exchange, struct outcome *outcome)
{
    const struct route_settings *route = exchange->routing.route;
    const struct service_settings *service = exchange->routing.service;

    outcome->listener = exchange->client.listener;
    outcome->listener_index = exchange->client.listener_index;
    outcome->route = route != NULL ? route->name : NULL;
    outcome->route_index = route != NULL ? (int32_t)route->index : -1;
    outcome->service = service != NULL ? service->name : NULL;
    outcome->service_index = service != NULL ? (int32_t)service->index : -1;
}

static void tell_attempts(const struct exchange *exchange, struct outcome *outcome)
{
    const struct attempt *attempt = attempt_recorded(exchange->attempt);

    outcome->origin = attempt != NULL ? attempt->record.origin : NULL;
    for (int i = exchange->outcome.attempts - 1; i >= 0; i--) {
        outcome->tries[i] = &attempt->record;
        attempt = attempt_recorded(attempt->former);
    }
}

static void tell_course(const struct exchange *exchange, struct outcome *outcome)
{
    outcome->course = exchange->outcome;
    outcome->arm_by = exchange->arm_by != ARM_ALONE ? arm_reason_name(exchange->arm_by) : NULL;
    outcome->trace = exchange->span != NULL ? &exchange->span->facts.own : NULL;
    outcome->client = &exchange->client.ip;
    outcome->client_port = exchange->client.port;
    outcome->worker = exchange->context->worker_context->worker;
    outcome->total_us = exchange_elapsed_us(exchange);
}

void exchange_tell(const struct exchange *exchange, struct outcome *outcome)
{
    const struct outcome *told = exchange->orphan != NULL ? orphan_told(exchange) : NULL;

    if (told != NULL) {
        *outcome = *told;
    } else {
        tell_request(exchange, outcome);
    }
    tell_routing(exchange, outcome);
    tell_attempts(exchange, outcome);
    tell_course(exchange, outcome);
}

static void exchange_finish_accounting(struct exchange *exchange, enum outcome_end end)
{
    struct exchange_context *context = exchange->context;
    struct outcome outcome;

    note_end_of_tunnel(exchange);
    exchange_set_state(exchange, EXCHANGE_OVER);
    if (exchange->attempt != NULL) {
        attempt_end(exchange->attempt, NULL);
        timer_clear(context->backoff_timers, &exchange->backoff);
    }
    if (exchange->deadline_us != 0) {
        timer_clear(context->deadline_timers, &exchange->deadline);
    }
    exchange->outcome.end = end;
    exchange_tell(exchange, &outcome);
    metrics_count(context->metrics, &outcome);
    if (exchange->routing.tally != NULL) {
        choice_count(exchange, outcome.total_us);
    }
    if (context->log != NULL && (context->log_sample == SPLIT_WHOLE ||
                                 log_fields_want_line(exchange, context->log_sample))) {
        access_log_write(context->log, &outcome);
    }
    if (exchange->span != NULL) {
        spans_write(exchange, &outcome);
    }
    if (exchange->asked != NULL) {
        context->answerer->over(exchange->asked);
    }
    if (exchange->caching != NULL) {
        caching_over(exchange);
    }
    buffer_queue_clear(context->worker_context->buffers, &exchange->request_body.body);
    buffer_return(context->worker_context->buffers, &exchange->request_body.trailers);
    context->count--;
    if (exchange->orphan != NULL) {
        list_remove(&exchange->link);
        context->orphan_count--;
    }
    list_add_last(&context->deferred_frees, &exchange->link);
}

void exchange_finish(struct exchange *exchange, enum outcome_end end)
{
    exchange_finish_accounting(exchange, end);
    exchange->client.ops->over(exchange->client.stream);
}

void exchange_break_off(struct exchange *exchange, enum outcome_end end)
{
    if (reply_grpc_breaks_off(exchange, end)) {
        return;
    }
    exchange_finish_accounting(exchange, end);
    exchange->client.ops->abort(exchange->client.stream);
}

void exchange_answer_is_whole(struct exchange *exchange, const struct http_fields *trailers,
                              enum outcome_end end)
{
    note_end_of_tunnel(exchange);
    exchange_set_state(exchange, EXCHANGE_LEAVES);
    exchange->outcome.end = end;
    if (exchange->client.ops->end(exchange->client.stream, trailers) &&
        exchange->state == EXCHANGE_LEAVES) {
        exchange_finish(exchange, end);
    }
}

void exchange_client_gone(struct exchange *exchange, enum outcome_end end)
{
    if (exchange->state == EXCHANGE_TUNNELS && end == OUTCOME_CLIENT_GONE) {
        end = OUTCOME_TUNNEL_CLOSED;
    }
    if (orphan_begin(exchange, end)) {
        return;
    }
    exchange_finish_accounting(exchange, end);
}
