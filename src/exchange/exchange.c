/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of an exchange, step by step:
 *
 *   exchange_begin -> admit (who asks, may it pass) -> route -> gather (small bodies first)
 *     -> attempt (an origin and a connection: attempt.c) -> relay (its answer: relay.c)
 *     -> finish (outcome to log and metrics)
 *   with a side step to reply.c wherever the gateway answers by itself.
 *
 * Called by client/client_h1. Every exchange that began ends once, in close_books: finished,
 * broken off, or left by its client. */
#include "exchange/exchange_private.h"

#include "base/check.h"
#include "base/text.h"
#include "exchange/deadline.h"
#include "http/uri.h"

#include <stdlib.h>

#define DISMANTLE_MS 10
#define DISMANTLE_A_TICK 128

static void on_patience_over(struct timer *timer)
{
    reply_continue(CONTAINER_OF(timer, struct exchange, attempt.patience));
}

/* --- letting go of generations ------------------------------------------------------------ */

/* A piece a tick: with a thousand services all at once would be a pause for everybody else. */
static void dismantle(void *owner)
{
    struct exchange_desk *desk = owner;
    unsigned most = DISMANTLE_A_TICK;
    struct link *link;

    while (most > 0 && (link = list_first(&desk->leaving)) != NULL) {
        list_remove(link);
        if (!generation_dismantle(generation_of_link(link), &most)) {
            list_add_first(&desk->leaving, link);
        }
    }
    if (!list_is_empty(&desk->leaving)) {
        alarm_set(desk->bench->loop, &desk->dismantle, DISMANTLE_MS, dismantle, desk);
    }
}

void exchange_desk_let_go(struct exchange_desk *desk, struct generation *generation)
{
    if (!generation_drop(generation)) {
        return;
    }
    list_add_last(&desk->leaving, generation_link(generation));
    if (!alarm_is_set(&desk->dismantle)) {
        alarm_set(desk->bench->loop, &desk->dismantle, DISMANTLE_MS, dismantle, desk);
    }
}

static void dismantle_all(struct exchange_desk *desk)
{
    struct link *link;

    alarm_clear(desk->bench->loop, &desk->dismantle);
    while ((link = list_first(&desk->leaving)) != NULL) {
        list_remove(link);
        generation_dismantle(generation_of_link(link), &(unsigned){UINT32_MAX});
    }
}

/* At the end of the turn: callers up the stack still look at the origin and its settings. */
static void exchange_release(struct exchange *exchange)
{
    if (exchange->generation != NULL) {
        exchange_desk_let_go(exchange->desk, exchange->generation);
    }
    slab_give(exchange->desk->exchanges, exchange);
}

static void bury_dead(void *owner)
{
    struct exchange_desk *desk = owner;
    struct link *link;

    while ((link = list_first(&desk->graves)) != NULL) {
        list_remove(link);
        exchange_release(CONTAINER_OF(link, struct exchange, link));
    }
}

/* --- the desk ---------------------------------------------------------------------------- */

/* RFC 9110 section 7.6.3. */
static void note_via(struct exchange_desk *desk)
{
    static const char versions[VIA_VERSIONS][5] = {
        [HTTP_1_0] = "1.0 ", [HTTP_1_1] = "1.1 ", [HTTP_2] = "2.0 "};

    for (int i = 0; i < VIA_VERSIONS; i++) {
        struct text text = text_over(desk->via.text[i], VIA_TEXT_MAX);

        text_add_bytes(&text, bytes_of(versions[i]));
        text_add_bytes(&text, bytes_of(generation_settings(desk->generation)->via));
        CHECK(!text.overflowed);
        desk->via.value[i] = text_since(&text, desk->via.text[i]);
    }
}

struct exchange_desk *exchange_desk_new(struct workbench *bench, struct metrics *metrics,
                                        struct access_log_ring *log, struct generation *generation)
{
    struct exchange_desk *desk = calloc(1, sizeof(*desk));

    if (desk == NULL) {
        generation_unref(&generation);
        return NULL;
    }
    desk->bench = bench;
    desk->metrics = metrics;
    desk->log = log;
    desk->generation = generation;
    note_via(desk);
    list_init(&desk->graves);
    list_init(&desk->orphans);
    list_init(&desk->leaving);
    desk->exchanges = slab_pool_new(sizeof(struct exchange));
    desk->patience = timer_group_new(bench->loop, on_patience_over);
    desk->backoffs = timer_group_new(bench->loop, attempt_backoff_over);
    desk->deadlines = timer_group_new(bench->loop, deadline_is_over);
    if (desk->exchanges == NULL || desk->patience == NULL || desk->backoffs == NULL ||
        desk->deadlines == NULL) {
        exchange_desk_free(&desk);
        return NULL;
    }
    slab_pool_clear(desk->exchanges, offsetof(struct exchange, request_id));
    slab_pool_account(desk->exchanges, pressure_slabs(bench->pressure));
    loop_at_turn_end(bench->loop, bury_dead, desk);
    return desk;
}

void exchange_desk_free(struct exchange_desk **desk)
{
    if (*desk == NULL) {
        return;
    }
    bury_dead(*desk);
    dismantle_all(*desk);
    generation_unref(&(*desk)->generation);
    slab_pool_free(&(*desk)->exchanges);
    free(*desk);
    *desk = NULL;
}

void exchange_desk_adopt(struct exchange_desk *desk, struct generation *generation)
{
    struct generation *old = desk->generation;

    desk->generation = generation;
    note_via(desk);
    access_log_forget(desk->log);
    generation_settle(generation);
    exchange_desk_let_go(desk, old);
}

struct generation *exchange_desk_generation(const struct exchange_desk *desk)
{
    return desk->generation;
}

const struct settings *exchange_desk_settings(const struct exchange_desk *desk)
{
    return generation_settings(desk->generation);
}

const struct tls_store *exchange_desk_tls(const struct exchange_desk *desk)
{
    return generation_tls(desk->generation);
}

struct workbench *exchange_desk_bench(const struct exchange_desk *desk)
{
    return desk->bench;
}

struct metrics *exchange_desk_metrics(const struct exchange_desk *desk)
{
    return desk->metrics;
}

void exchange_desk_know_clients(struct exchange_desk *desk, struct client_book *book)
{
    desk->clients = book;
}

void exchange_desk_dismiss(struct exchange_desk *desk, client_place *place)
{
    if (*place != 0) {
        client_book_leave(desk->clients, place);
    }
}

void exchange_desk_drain(struct exchange_desk *desk)
{
    desk->draining = true;
}

bool exchange_desk_is_draining(const struct exchange_desk *desk)
{
    return desk->draining;
}

size_t exchange_desk_count(const struct exchange_desk *desk)
{
    return desk->count;
}

void exchange_desk_trim(struct exchange_desk *desk)
{
    slab_pool_trim(desk->exchanges);
}

size_t exchange_desk_memory(const struct exchange_desk *desk)
{
    return slab_pool_used(desk->exchanges) * sizeof(struct exchange);
}

const char *exchange_route(const struct exchange *exchange)
{
    return exchange->routing.route != NULL ? exchange->routing.route->name : NULL;
}

/* --- state ------------------------------------------------------------------------------- */

static bool may_follow(enum exchange_state from, enum exchange_state to)
{
    switch (to) {
    case EXCHANGE_NEW:
        return false;
    case EXCHANGE_GATHERS:
        return from == EXCHANGE_NEW;
    case EXCHANGE_ATTEMPTS:
        return from == EXCHANGE_NEW || from == EXCHANGE_GATHERS; /* another try changes nothing */
    case EXCHANGE_RELAYS:
    case EXCHANGE_TUNNELS:
        return from == EXCHANGE_ATTEMPTS;
    case EXCHANGE_ASKS:
        return from == EXCHANGE_NEW || from == EXCHANGE_GATHERS;
    case EXCHANGE_LEAVES:
        return from != EXCHANGE_LEAVES && from != EXCHANGE_OVER;
    case EXCHANGE_OVER:
        return from != EXCHANGE_OVER;
    }
    return false;
}

void exchange_set_state(struct exchange *exchange, enum exchange_state state)
{
    CHECK(may_follow(exchange->state, state));
    exchange->state = state;
}

uint32_t exchange_elapsed_us(const struct exchange *exchange)
{
    uint64_t elapsed = loop_now(exchange->desk->bench->loop) - exchange->start_us;

    return elapsed > UINT32_MAX ? UINT32_MAX : (uint32_t)elapsed;
}

const struct timeouts_settings *exchange_timeouts(const struct exchange *exchange)
{
    return exchange->routing.route != NULL ? &exchange->routing.route->timeouts
                                           : &generation_settings(exchange->generation)->timeouts;
}

const struct rates_settings *exchange_rates(const struct exchange *exchange)
{
    return exchange->routing.route != NULL ? &exchange->routing.route->rates : NULL;
}

void exchange_note_cut(struct exchange *exchange, enum cut_cause cause)
{
    exchange->outcome.cut = cause;
}

/* --- beginning --------------------------------------------------------------------------- */

/* Everything but the message, which the codec fills, starts as zero. */
struct exchange *exchange_new(struct exchange_desk *desk, const struct client_stream_ops *ops,
                              void *stream, const struct client_facts *facts)
{
    struct exchange *exchange = slab_take(desk->exchanges);

    if (exchange == NULL) {
        return NULL;
    }
    list_init(&exchange->link);
    exchange->desk = desk;
    exchange->state = EXCHANGE_NEW;
    exchange->client.ops = ops;
    exchange->client.stream = stream;
    exchange->client.facts = facts;
    return exchange;
}

struct http_request *exchange_request(struct exchange *exchange)
{
    return &exchange->request;
}

void exchange_discard(struct exchange *exchange)
{
    CHECK(exchange->state == EXCHANGE_NEW);
    exchange_release(exchange);
}

/* Counts from here on: the exchange has a generation and will be finished. */
static void open_books(struct exchange *exchange, size_t bytes_read, uint32_t head_us)
{
    struct exchange_desk *desk = exchange->desk;
    struct outcome *outcome = &exchange->outcome;

    desk->count++;
    exchange->generation = generation_ref(desk->generation);
    exchange->start_us = loop_now(desk->bench->loop) - head_us;
    outcome->start_realtime_us = loop_realtime(desk->bench->loop) - head_us;
    outcome->head_us = head_us > 0 ? head_us : 1; /* 0 would say that it was not reached */
    outcome->bytes_in = bytes_read;
    outcome->scheme = exchange->client.facts->scheme;
    outcome->listener = exchange->client.facts->listener;
    outcome->listener_index = exchange->client.facts->listener_index;
    outcome->client_port = exchange->client.facts->port;
    outcome->client = &exchange->client.ip;
    outcome->worker = desk->bench->worker;
    outcome->route_index = -1;
    outcome->service_index = -1;
    exchange->client.ip = exchange->client.facts->ip;
}

static void give_id(struct exchange *exchange, const struct http_header *inbound)
{
    struct outcome *outcome = &exchange->outcome;

    if (inbound != NULL && inbound->value_length > 0 && inbound->value_length <= 128) {
        outcome->request_id = http_header_value(inbound);
        return;
    }
    uuid_v7(exchange->request_id, outcome->start_realtime_us / 1000,
            &exchange->desk->bench->random);
    outcome->request_id = (struct bytes){exchange->request_id, UUID_TEXT_LENGTH};
    outcome->request_id_is_ours = true;
}

static void note_request(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    struct outcome *outcome = &exchange->outcome;

    outcome->method = request->method_text;
    outcome->host = request->host;
    outcome->path = request->path;
    outcome->protocol = request->version == HTTP_1_0   ? "1.0"
                        : request->version == HTTP_1_1 ? "1.1"
                                                       : "2";
    if (exchange->client.facts->tls != NULL) {
        outcome->tls_version = exchange->client.facts->tls->version;
        outcome->tls_cipher = exchange->client.facts->tls->cipher;
        outcome->tls_resumed = exchange->client.facts->tls->resumed;
    }
    give_id(exchange, http_find(&request->headers, HTTP_HEADER_X_REQUEST_ID));
    exchange->request_body.kept = true;
    exchange->request_body.whole =
        request->framing == HTTP_NO_BODY ||
        (request->framing == HTTP_LENGTH_KNOWN && request->body_length == 0);
}

/* false: no route, and an answer says so. */
static bool find_route(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    char scratch[65536];
    struct bytes normal;
    const struct route_settings *route;

    if (request->path.length == 0) {
        normal = BYTES("/"); /* an absolute URI without a path (RFC 9110 section 4.2.3) */
    } else if (bytes_equal(request->target, BYTES("*"))) {
        normal = request->target;
    } else if (request->path.length > sizeof(scratch) ||
               !uri_normalise_path(request->path, scratch, &normal)) {
        reply_error(exchange, 400, "http_request_error",
                    "the path has a bad escape or climbs above its root");
        return false;
    }
    route = router_find(generation_router(exchange->generation), request, normal,
                        exchange->client.facts->listener, exchange->client.facts->tls);
    if (route == NULL && request->target.at == normal.at && request->method == HTTP_OPTIONS) {
        reply_options(exchange); /* "*" asks about whoever hears it */
        return false;
    }
    if (route == NULL) {
        reply_error(exchange, 404, "destination_not_found", "no route matches this request");
        return false;
    }
    exchange->routing.route = route;
    exchange->outcome.route = route->name;
    exchange->outcome.route_index = (int32_t)route->index;
    return true;
}

/* A small body is read whole first, and of a larger one as much, so that a slow sender holds no
 * origin connection. One whose sender waits for 100 (Continue) is not: the origin decides whether
 * it wants it. */
static bool should_gather(const struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    uint32_t most = generation_settings(exchange->generation)->limits.gather_bytes;

    if (exchange->request_body.whole || request->wants_upgrade || request->expects_continue) {
        return false;
    }
    return request->framing == HTTP_CHUNKED || most > 0;
}

static void serve(struct exchange *exchange)
{
    const struct route_settings *route = exchange->routing.route;

    switch (route->action) {
    case ROUTE_RESPOND:
        reply_respond(exchange, route);
        break;
    case ROUTE_REDIRECT:
        reply_redirect(exchange, route);
        break;
    case ROUTE_FORWARD:
        attempt_begin(exchange);
        break;
    case ROUTE_ASK:
        ask_answerer(exchange);
        break;
    }
}

void exchange_begin(struct exchange *exchange, size_t head_bytes, uint32_t head_us)
{
    open_books(exchange, head_bytes, head_us);
    note_request(exchange);
    admit_identify_client(exchange);
    if (admit_listener(exchange) && admit_method(exchange) && find_route(exchange) &&
        admit_rate(exchange) && admit_size(exchange)) {
        deadline_begin(exchange);
        if (should_gather(exchange)) {
            exchange_set_state(exchange, EXCHANGE_GATHERS);
        } else {
            serve(exchange);
        }
    }
}

void exchange_refuse(struct exchange *exchange, uint16_t status, const char *what,
                     size_t bytes_read, uint32_t head_us)
{
    open_books(exchange, bytes_read, head_us);
    exchange->request.method = HTTP_METHOD_OTHER;
    exchange->request.version = HTTP_1_1;
    exchange->outcome.protocol = "1.1";
    give_id(exchange, NULL);
    reply_error(exchange, status, "http_request_error", what);
}

/* --- the request's body ------------------------------------------------------------------ */

static bool is_too_large(struct exchange *exchange)
{
    uint64_t most = exchange->routing.route->body_bytes;

    return most != 0 && exchange->request_body.received > most;
}

static void refuse_too_large(struct exchange *exchange)
{
    origin_request_cancel(&exchange->attempt.request);
    if (exchange->answer.begun) {
        exchange_break_off(exchange, OUTCOME_REQUEST_BROKE);
        return;
    }
    reply_error(exchange, 413, "http_request_error", "the request body is too large");
}

static size_t gather(struct exchange *exchange, struct bytes bytes)
{
    uint32_t most = generation_settings(exchange->generation)->limits.gather_bytes;

    if (!buffer_queue_add(exchange->desk->bench->buffers, &exchange->request_body.body, bytes)) {
        reply_error(exchange, 503, "proxy_internal_error", "out of memory");
        return bytes.length;
    }
    if (exchange->request_body.body.length > most) {
        serve(exchange); /* larger than we keep: it streams from here on */
    }
    return bytes.length;
}

/* Straight through while nothing waits before it; else it waits here, up to the bound. */
static size_t stream_body(struct exchange *exchange, struct bytes bytes)
{
    struct buffer_queue *queue = &exchange->request_body.body;
    size_t most = generation_settings(exchange->generation)->limits.gather_bytes;
    size_t room = most > queue->length ? most - queue->length : 0;

    if (exchange->attempt.request.connection != NULL && queue->length == 0) {
        size_t taken = origin_request_send_body(&exchange->attempt.request, bytes);

        origin_request_flush(&exchange->attempt.request);
        return taken;
    }
    if (bytes.length > room) {
        bytes.length = room;
    }
    if (!buffer_queue_add(exchange->desk->bench->buffers, queue, bytes)) {
        return 0;
    }
    attempt_send_body(exchange);
    return bytes.length;
}

size_t exchange_body(struct exchange *exchange, struct bytes bytes)
{
    size_t taken = bytes.length;

    if (exchange->state == EXCHANGE_TUNNELS) {
        taken = origin_request_send_body(&exchange->attempt.request, bytes);
        exchange->outcome.bytes_in += taken;
        exchange->request_body.paused = taken < bytes.length;
        return taken;
    }
    if (exchange->request_body.ignored || exchange->state >= EXCHANGE_LEAVES) {
        return bytes.length;
    }
    exchange->request_body.received += bytes.length;
    exchange->outcome.bytes_in += bytes.length;
    if (is_too_large(exchange)) {
        refuse_too_large(exchange);
        return bytes.length;
    }
    taken = exchange->state == EXCHANGE_GATHERS ? gather(exchange, bytes)
                                                : stream_body(exchange, bytes);
    exchange->request_body.received -= bytes.length - taken;
    exchange->outcome.bytes_in -= bytes.length - taken;
    exchange->request_body.paused = taken < bytes.length;
    return taken;
}

void exchange_body_end(struct exchange *exchange, const struct http_headers *trailers)
{
    if (exchange->state == EXCHANGE_TUNNELS) {
        exchange_finish(exchange, OUTCOME_TUNNEL_CLOSED);
        return;
    }
    exchange->request_body.whole = true;
    if (exchange->request_body.ignored || exchange->state >= EXCHANGE_LEAVES) {
        return;
    }
    if (trailers != NULL && trailers->count > 0) {
        exchange->request_body.trailers = malloc(sizeof(*trailers));
        if (exchange->request_body.trailers != NULL) {
            *exchange->request_body.trailers = *trailers;
        }
    }
    if (exchange->state == EXCHANGE_GATHERS) {
        serve(exchange);
    } else {
        attempt_send_body(exchange);
    }
}

void exchange_body_failed(struct exchange *exchange, uint16_t status, const char *what)
{
    if (exchange->state >= EXCHANGE_LEAVES) {
        return;
    }
    origin_request_cancel(&exchange->attempt.request);
    if (exchange->answer.begun) {
        exchange_break_off(exchange,
                           status == 408 ? OUTCOME_CUT_BY_TIMEOUT : OUTCOME_REQUEST_BROKE);
        return;
    }
    reply_error(exchange, status, "http_request_error", what);
}

/* --- the answer's way out ---------------------------------------------------------------- */

void exchange_client_writable(struct exchange *exchange)
{
    if (exchange->answer.own_rest.length > 0) {
        reply_go_on(exchange);
    } else if (exchange->answer.blocked) {
        exchange->answer.blocked = false;
        origin_request_resume(&exchange->attempt.request);
    }
}

void exchange_answer_is_whole(struct exchange *exchange, const struct http_headers *trailers,
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

void exchange_answer_written(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_LEAVES) {
        exchange_finish(exchange, exchange->outcome.end);
    }
}

size_t exchange_held(const struct exchange *exchange)
{
    return sizeof(*exchange) + buffer_queue_held(&exchange->request_body.body) +
           origin_request_held(&exchange->attempt.request);
}

void exchange_count_out(struct exchange *exchange, uint64_t bytes)
{
    exchange->outcome.bytes_out += bytes;
}

/* --- ending ------------------------------------------------------------------------------ */

static void close_books(struct exchange *exchange, enum outcome_end end)
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
    free(exchange->request_body.trailers);
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
    close_books(exchange, end);
    exchange->client.ops->over(exchange->client.stream);
}

void exchange_break_off(struct exchange *exchange, enum outcome_end end)
{
    close_books(exchange, end);
    exchange->client.ops->abort(exchange->client.stream);
}

void exchange_client_gone(struct exchange *exchange, enum outcome_end end)
{
    if (exchange->state == EXCHANGE_TUNNELS && end == OUTCOME_CLIENT_GONE) {
        end = OUTCOME_TUNNEL_CLOSED;
    }
    if (orphan_begin(exchange, end)) {
        return;
    }
    close_books(exchange, end);
}
