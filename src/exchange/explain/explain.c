/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes the question apart with the gateway's own parser, so that what it would refuse is refused
 * here, then follows the way of an exchange. */
#include "exchange/explain/explain.h"

#include "config/schema/schema.h"
#include "exchange/caching_part.h"
#include "exchange/exchange_private.h"
#include "exchange/maintenance.h"
#include "exchange/retry.h"
#include "exchange/waiting/rooms.h"
#include "http/grpc.h"
#include "http/h1/h1_parser.h"
#include "http/uri.h"
#include "split/arm_choice.h"

#include <stdio.h>
#include <stdlib.h>

/* --- the question ------------------------------------------------------------------------ */

struct question {
    struct page head; /* what the parser reads; the request points into it */
    const char *scheme;
    struct http_request request;
    struct http_header rows[HTTP_HEADERS_MAX];
};

static struct bytes take_line(struct bytes *text)
{
    const char *end = memchr(text->at, '\n', text->length);
    struct bytes line = bytes_first(*text, end != NULL ? (size_t)(end - text->at) : text->length);

    *text = bytes_skip(*text, line.length + (end != NULL));
    if (line.length > 0 && line.at[line.length - 1] == '\r') {
        line.length--;
    }
    return bytes_trim(line);
}

static struct bytes take_word(struct bytes *line)
{
    const char *end = memchr(line->at, ' ', line->length);
    struct bytes word = bytes_first(*line, end != NULL ? (size_t)(end - line->at) : line->length);

    *line = bytes_trim(bytes_skip(*line, word.length));
    return word;
}

/* "https://host/path" into its scheme, host and target; a path alone has no host. */
static void take_url_apart(struct bytes url, struct question *question, struct bytes *authority,
                           struct bytes *target)
{
    static const struct {
        struct bytes prefix;
        const char *scheme;
    } schemes[] = {{{"https://", 8}, "https"}, {{"http://", 7}, "http"}};
    const char *slash;

    question->scheme = "http";
    *authority = (struct bytes){"", 0};
    *target = url;
    for (size_t i = 0; i < 2; i++) {
        if (!bytes_start_with(url, schemes[i].prefix)) {
            continue;
        }
        question->scheme = schemes[i].scheme;
        *authority = bytes_skip(url, schemes[i].prefix.length);
        slash = memchr(authority->at, '/', authority->length);
        *target =
            slash != NULL ? bytes_skip(*authority, (size_t)(slash - authority->at)) : BYTES("/");
        authority->length = slash != NULL ? (size_t)(slash - authority->at) : authority->length;
    }
}

static bool is_host_line(struct bytes line)
{
    return line.length >= 5 && bytes_equal_fold(bytes_first(line, 5), BYTES("host:"));
}

static void write_head(struct bytes text, struct question *question)
{
    struct bytes line = take_line(&text);
    struct bytes method = take_word(&line);
    struct bytes url = take_word(&line);
    struct bytes authority;
    struct bytes target;
    bool has_host = false;

    take_url_apart(url, question, &authority, &target);
    page_add(&question->head, method);
    page_add_text(&question->head, " ");
    page_add(&question->head, target);
    page_add_text(&question->head, " HTTP/1.1\r\n");
    while (text.length > 0) {
        line = take_line(&text);
        if (line.length == 0) {
            continue;
        }
        has_host = has_host || is_host_line(line);
        page_add(&question->head, line);
        page_add_text(&question->head, "\r\n");
    }
    if (!has_host) {
        page_add_text(&question->head, "Host: ");
        page_add(&question->head, authority);
        page_add_text(&question->head, "\r\n");
    }
    page_add_text(&question->head, "\r\n");
}

static bool refuse(struct explain_refusal *refusal, const char *why, const char *remedy)
{
    *refusal = (struct explain_refusal){why, remedy};
    return false;
}

/* What the parser would say about this is of no use to the operator who typed it. */
static bool is_well_put(struct bytes text, struct explain_refusal *refusal)
{
    struct bytes line = take_line(&text);
    struct bytes method = take_word(&line);
    struct bytes url = take_word(&line);

    if (method.length == 0 || url.length == 0 || line.length > 0) {
        return refuse(refusal, "the question is METHOD URL, two words",
                      "as in 'GET https://example.com/path'");
    }
    if (url.at[0] != '/' && !bytes_start_with(url, BYTES("http://")) &&
        !bytes_start_with(url, BYTES("https://")) && !bytes_equal(url, BYTES("*"))) {
        return refuse(refusal, "the URL begins with none of http://, https:// and /",
                      "as in 'GET https://example.com/path'");
    }
    while (text.length > 0) {
        line = take_line(&text);
        if (line.length > 0 && memchr(line.at, ':', line.length) == NULL) {
            return refuse(refusal, "a header line is NAME: VALUE, with a colon",
                          "as in -H 'Cookie: uid=7'");
        }
    }
    return true;
}

static bool read_question(const struct settings *settings, struct bytes text,
                          struct question *question, struct explain_refusal *refusal)
{
    const struct h1_limits limits = {settings->limits.head_bytes, settings->limits.target_bytes,
                                     settings->limits.headers, 0};
    struct h1_problem problem = {.what = "the request is not whole"};
    size_t consumed;

    if (!is_well_put(text, refusal)) {
        return false;
    }
    write_head(text, question);
    if (question->head.failed) {
        return refuse(refusal, "no memory is left for the question", "try again");
    }
    question->request.headers.rows = question->rows;
    if (h1_parse_request(page_bytes(&question->head), &limits, &question->request, &consumed,
                         &problem) != H1_COMPLETE) {
        return refuse(refusal, problem.what, "a client that sends this is answered with an error");
    }
    return true;
}

/* --- the answer -------------------------------------------------------------------------- */

static bool speaks(const struct listener_settings *listener, const char *scheme)
{
    return (listener->tls.certificate_count > 0) == (strcmp(scheme, "https") == 0);
}

/* The one that was asked for, NULL if it is not there; else the first that fits the scheme. */
static const struct listener_settings *choose_listener(const struct settings *settings,
                                                       const char *wanted, const char *scheme)
{
    for (uint32_t i = 0; i < settings->listener_count; i++) {
        const struct listener_settings *listener = &settings->listeners[i];

        if (wanted != NULL ? strcmp(listener->name, wanted) == 0 : speaks(listener, scheme)) {
            return listener;
        }
    }
    return wanted == NULL ? &settings->listeners[0] : NULL;
}

static void add_time(struct json *json, const char *name, milliseconds time)
{
    char text[32];

    if (time == 0) {
        snprintf(text, sizeof(text), "none");
    } else if (time % 1000 == 0) {
        snprintf(text, sizeof(text), "%us", time / 1000);
    } else {
        snprintf(text, sizeof(text), "%ums", time);
    }
    json_text(json, name, text);
}

/* stream_idle holds in place of the other times of idleness. */
static void add_rpc_timeouts(struct json *json, const struct timeouts_settings *timeouts)
{
    json_begin_row(json, "timeouts");
    add_time(json, "connect", timeouts->connect);
    add_time(json, "stream_idle", timeouts->stream_idle);
    add_time(json, "total", timeouts->total);
    json_end_object(json);
}

static bool is_rpc(const struct http_request *request)
{
    const struct http_header *row = http_find(&request->headers, HTTP_HEADER_CONTENT_TYPE);

    return row != NULL && grpc_is_rpc_content_type(http_header_value(row));
}

static void add_timeouts(struct json *json, const struct timeouts_settings *timeouts)
{
    json_begin_row(json, "timeouts");
    add_time(json, "request_buffer", timeouts->request_buffer);
    add_time(json, "body_idle", timeouts->body_idle);
    add_time(json, "connect", timeouts->connect);
    add_time(json, "send_idle", timeouts->send_idle);
    add_time(json, "first_byte", timeouts->first_byte);
    add_time(json, "response_idle", timeouts->response_idle);
    add_time(json, "total", timeouts->total);
    json_end_object(json);
}

/* Where the request goes: `known` is false while that depends on whose turn it is, or on what the
 * question did not say. */
struct destination {
    bool known;
    uint32_t arm;
};

static uint32_t most_origins(const struct route_settings *route, struct destination to)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < route->arm_count; i++) {
        const struct service_settings *service = route->arms[i].service;
        uint32_t count = service->origin_count + service->has_names; /* which is more than one */

        if ((!to.known || i == to.arm) && count > most) {
            most = count;
        }
    }
    return most;
}

/* The verdicts of retry.c for each state of delivery, when the connection breaks before an
 * answer. */
static void add_retry(struct json *json, const struct route_settings *route,
                      const struct http_request *request, struct destination to)
{
    json_begin_row(json, "retried_when");
    for (int delivery = 0; delivery < ORIGIN_DELIVERY_ANSWERED; delivery++) {
        const struct retry_facts facts = {
            .method = request->method,
            .evidence.delivery = (enum origin_delivery)delivery,
            .failure = delivery == ORIGIN_DELIVERY_NOT_SENT ? ORIGIN_FAILURE_REFUSED
                                                            : ORIGIN_FAILURE_CLOSED,
            .policy = &route->retry,
            .attempts = 1,
            .body_kept = true,
            .other_origin = most_origins(route, to) > 1,
            .within_budget = true,
        };
        enum retry_verdict verdict = retry_judge(&facts);
        char text[64];

        snprintf(text, sizeof(text), "%s%s",
                 verdict == RETRY_YES ? "" : "no: ", retry_word(verdict));
        json_text(json, origin_delivery_word(facts.evidence.delivery), text);
    }
    json_end_object(json);
}

static void add_source(const struct request_source *source, struct json *json)
{
    static const char *const kinds[] = {
        [SOURCE_COOKIE] = "cookie ",
        [SOURCE_HEADER] = "header ",
        [SOURCE_QUERY] = "query ",
        [SOURCE_CLIENT_ADDRESS] = "client_address",
    };
    struct page text = {0};

    page_add_text(&text, kinds[source->kind]);
    page_add(&text, source->name);
    json_bytes(json, "found_in", page_bytes(&text));
    page_release(&text);
}

static bool wants_client(const struct split_settings *split)
{
    for (uint32_t i = 0; i < split->sticky_count; i++) {
        if (split->sticky[i].kind == SOURCE_CLIENT_ADDRESS) {
            return true;
        }
    }
    return false;
}

/* Of the user, if there is one: where it was found, and where in the split it stands. Each real
 * client has an address: without one the question is not answered by a turn or a key. */
static struct destination add_choice(const struct route_settings *route,
                                     const struct arm_choice *choice, const struct ip *client,
                                     struct json *json)
{
    if ((choice->reason == ARM_BY_TURN || choice->reason == ARM_BY_KEY) && ip_is_none(client) &&
        wants_client(&route->split)) {
        json_text(json, "arm", "depends on the client's address: say --client IP");
        json_text(json, "arm_by", arm_reason_name(ARM_BY_USER));
        return (struct destination){false, 0};
    }
    json_text(json, "arm",
              choice->reason == ARM_BY_TURN ? "whose turn it is"
                                            : route->arms[choice->arm].service->name);
    json_text(json, "arm_by", arm_reason_name(choice->reason));
    if (choice->source != NULL && choice->reason != ARM_BY_PIN) {
        add_source(choice->source, json);
    }
    if (choice->has_bucket) {
        json_percent(json, "bucket", choice->bucket);
    }
    return (struct destination){choice->reason != ARM_BY_TURN, choice->arm};
}

static struct destination add_arms(const struct explain_world *world,
                                   const struct route_settings *route,
                                   const struct http_request *request, const struct ip *client,
                                   struct json *json)
{
    uint32_t *weights = calloc(route->arm_count, sizeof(*weights));
    bool known =
        weights != NULL && world->weights != NULL && world->weights(world->owner, route, weights);
    struct arm_choice choice;
    struct destination to;

    json_begin_row(json, "split");
    for (uint32_t i = 0; i < route->arm_count; i++) {
        json_percent(json, route->arms[i].service->name,
                     known ? weights[i] : route->arms[i].weight);
    }
    json_end_object(json);
    arm_explain(route, request, client, known ? weights : NULL, world->pins, &choice);
    to = add_choice(route, &choice, client, json);
    free(weights);
    return to;
}

static void add_origin(const struct explain_world *world, const struct service_settings *service,
                       const struct origin_settings *origin, const char *name, uint64_t weight,
                       struct json *json)
{
    json_begin_row(json, NULL);
    json_text(json, "service", service->name);
    json_text(json, "origin", name);
    json_number(json, "weight", weight);
    json_flag(json, "backup", origin->backup);
    if (world->origin_state != NULL) {
        json_text(json, "state", world->origin_state(world->owner, name));
    }
    if (origin->protocol != ORIGIN_PROTOCOL_HTTP1) { /* as is usual */
        json_bytes(json, "protocol",
                   config_choice_word(PLACE_SERVICE, "protocol", origin->protocol));
    }
    json_end_object(json);
}

/* In place of the name, what it stands for now, the first priority first. */
static void add_srv(const struct explain_world *world, const struct service_settings *service,
                    const struct origin_settings *origin, struct json *json)
{
    uint32_t count = 0;
    const struct srv_target *targets =
        world->targets != NULL ? world->targets(world->owner, origin->srv, &count) : NULL;
    char place[SRV_HOST_ROOM + 8];

    if (count == 0) {
        add_origin(world, service, origin, origin->name, origin->weight, json);
    }
    for (uint32_t i = 0; i < count; i++) {
        snprintf(place, sizeof(place), "%s:%u", targets[i].host, targets[i].port);
        add_origin(world, service, origin, place, (uint64_t)targets[i].weight * origin->weight,
                   json);
    }
}

static void add_origins(const struct explain_world *world, const struct service_settings *service,
                        bool backup, struct json *json)
{
    for (uint32_t i = 0; i < service->origin_count; i++) {
        const struct origin_settings *origin = &service->origins[i];

        if (origin->backup != backup) {
            continue;
        }
        if (origin->srv != NULL) {
            add_srv(world, service, origin, json);
        } else {
            add_origin(world, service, origin, origin->name, origin->weight, json);
        }
    }
}

/* What is decided before the route's action. */
static void add_doors(const struct listener_settings *listener, const struct route_settings *route,
                      const struct ip *client, struct json *json)
{
    if (!access_rules_permit(&listener->access_rules, client) ||
        !access_rules_permit(&route->access_rules, client)) {
        json_text(json, "refused", "403: allow and deny do not let this client in");
    }
    if (maintenance_holds(route)) {
        json_text(json, "maintenance", "503 to all but testers (maintenance_pass)");
    }
}

static void add_priority(const struct route_settings *route, struct json *json)
{
    if (route->action == ROUTE_FORWARD && route->priority != PRIORITY_NORMAL) {
        json_bytes(json, "priority", config_choice_word(PLACE_ROUTE, "priority", route->priority));
    }
    for (uint32_t i = 0; i < route->arm_count; i++) {
        if (route->arms[i].service->limits.adaptive) {
            json_text(json, "concurrency", "auto: more than the origin serves wait or get 503");
            return;
        }
    }
}

static void add_rate_limits(const struct route_settings *route, struct json *json)
{
    if (route->rate_limit_count == 0) {
        return;
    }
    json_text(json, "rate_limit_fields", "draft-ietf-httpapi-ratelimit-headers-11");
    json_begin_list(json, "rate_limits");
    for (uint32_t i = 0; i < route->rate_limit_count; i++) {
        const struct rate_limit_settings *limit = &route->rate_limits[i];

        json_begin_row(json, NULL);
        json_text(json, "name", limit->name);
        json_number(json, "requests", limit->requests);
        json_number(json, "window_ms", limit->window);
        json_number(json, "burst", limit->burst);
        json_bytes(json, "mode", config_choice_word(PLACE_ROUTE, "rate_limits.mode", limit->mode));
        json_bytes(json, "ratelimit_policy", limit->policy);
        json_end_object(json);
    }
    json_end_list(json);
}

/* Whether the user has a place is known by its ticket alone. */
static void add_waiting_room(const struct route_settings *route, struct json *json)
{
    const struct waiting_room_settings *settings = &route->waiting_room;
    struct rooms_reading room;

    if (settings->active == 0) {
        return;
    }
    rooms_read_one(route->name, &room);
    json_begin_object(json, "waiting_room");
    json_number(json, "places", settings->active);
    if (settings->per_minute > 0) {
        json_number(json, "per_minute", settings->per_minute);
    }
    json_number(json, "session_ms", settings->session);
    json_text(json, "cookie", settings->cookie);
    json_number(json, "active", room.count.active);
    json_number(json, "waiting", room.count.waiting);
    json_end_object(json);
}

static void add_why_uncached(const struct route_settings *route, const struct http_request *request,
                             struct json *json)
{
    struct cache_request facts;
    const char *why;
    char line[160];

    caching_part_read(route, request, &facts);
    why = caching_part_refused(&route->caching, request, &facts);
    if (why != NULL) {
        snprintf(line, sizeof(line), "the request takes no part: %s", why);
        json_text(json, "cache_bypass", line);
    }
}

/* Whether its answer may be another one's too is known once it is there. */
static void add_caching(const struct route_settings *route, const struct http_request *request,
                        struct json *json)
{
    const struct caching_settings *caching = &route->caching;

    if (!route->has_caching) {
        return;
    }
    if (caching->on) {
        json_begin_object(json, "cache");
        json_number(json, "ttl_ms", caching->ttl);
        json_number(json, "stale_while_revalidate_ms", caching->stale_while_revalidate);
        json_number(json, "stale_if_error_ms", caching->stale_if_error);
        json_number(json, "max_bytes", caching->max_bytes);
        json_end_object(json);
    }
    json_flag(json, "coalesce", caching->coalesce);
    add_why_uncached(route, request, json);
}

static struct destination add_forward(const struct explain_world *world,
                                      const struct route_settings *route,
                                      const struct http_request *request, const struct ip *client,
                                      struct json *json)
{
    struct destination to = {true, 0};

    if (route->arm_count == 1) {
        json_text(json, "service", route->arms[0].service->name);
    } else {
        to = add_arms(world, route, request, client, json);
    }
    if (to.known) {
        json_bytes(
            json, "balance",
            config_choice_word(PLACE_SERVICE, "balance", route->arms[to.arm].service->balance));
    }
    if (is_rpc(request)) {
        add_rpc_timeouts(json, &route->timeouts);
    } else {
        add_timeouts(json, &route->timeouts);
    }
    add_retry(json, route, request, to);
    return to;
}

void explain_own_answer(const struct route_settings *route, struct json *json)
{
    if (route->action == ROUTE_RESPOND) {
        json_number(json, "respond", route->respond.status);
    } else if (route->action == ROUTE_REDIRECT) {
        json_bytes(json, "redirect", route->redirect.to);
    }
}

static struct destination add_action(const struct explain_world *world,
                                     const struct route_settings *route,
                                     const struct http_request *request, const struct ip *client,
                                     struct json *json)
{
    if (route->action == ROUTE_FORWARD) {
        return add_forward(world, route, request, client, json);
    }
    explain_own_answer(route, json);
    return (struct destination){false, 0};
}

/* In the order in which they are asked: those of the arm, or of all that may get it; backups are
 * for when no other can. */
static void add_all_origins(const struct explain_world *world, const struct route_settings *route,
                            struct destination to, struct json *json)
{
    json_begin_list(json, "origins");
    for (uint32_t i = 0; i < route->arm_count; i++) {
        if (!to.known || i == to.arm) {
            add_origins(world, route->arms[i].service, false, json);
            add_origins(world, route->arms[i].service, true, json);
        }
    }
    json_end_list(json);
}

static void write_answer(const struct explain_world *world, const struct question *question,
                         const struct ip *client, const struct listener_settings *listener,
                         const struct path_asked *asked, struct page *page)
{
    const struct http_request *request = &question->request;
    const char *name = listener->name;
    const struct path_question about = {world->router, request, name, NULL, NULL};
    const struct route_settings *route;
    struct bytes path = asked->normal;
    struct destination to = {false, 0};
    bool refused = false;
    struct json json = json_on(page);

    json_begin_object(&json, NULL);
    json_bytes(&json, "method", request->method_text);
    json_bytes(&json, "host", request->host);
    json_bytes(&json, "path", path);
    json_text(&json, "listener", name);
    if (listener->redirect_to_https) {
        json_text(&json, "redirect", "to https:// by the listener, before any route is looked for");
        json_end_object(&json);
        return;
    }
    route = explain_path(&about, asked, &refused, &json);
    json_text(&json, "route", route != NULL ? route->name : "none: answered with 404");
    if (route != NULL && !refused) {
        add_doors(listener, route, client, &json);
        add_rate_limits(route, &json);
        add_waiting_room(route, &json);
        add_caching(route, request, &json);
        add_priority(route, &json);
        to = add_action(world, route, request, client, &json);
    }
    explain_readings(&about, asked, route, &json);
    explain_routes(world, request, path, name, route, &json);
    if (route != NULL && !refused && route->action == ROUTE_FORWARD) {
        add_all_origins(world, route, to, &json);
    }
    json_end_object(&json);
}

static bool answer(const struct explain_world *world, const struct explain_asked *asked,
                   const struct question *question, struct page *page,
                   struct explain_refusal *refusal)
{
    const struct listener_settings *listener =
        choose_listener(world->settings, asked->listener, question->scheme);
    struct bytes path = question->request.path;
    char *scratch = malloc(path.length + 1);
    struct path_asked asked_path = {.sent = path, .normal = BYTES("/")};
    bool good = false;

    if (listener == NULL) {
        refuse(refusal, "there is no listener of this address",
               "write it as in the file; turnpikectl status lists those that run");
    } else if (scratch != NULL &&
               (path.length == 0 ||
                uri_normalise_path(path, scratch, &asked_path.normal, &asked_path.marks))) {
        write_answer(world, question, &asked->client, listener, &asked_path, page);
        good = true;
    } else {
        refuse(refusal, "the path has a bad escape or climbs above its root",
               "a client that sends this is answered with an error");
    }
    free(scratch);
    return good;
}

bool explain(const struct explain_world *world, const struct explain_asked *asked,
             struct page *page, struct explain_refusal *refusal)
{
    struct question *question = calloc(1, sizeof(*question));
    bool good = false;

    if (question == NULL) {
        return refuse(refusal, "no memory is left for the question", "try again");
    }
    if (read_question(world->settings, asked->text, question, refusal)) {
        good = answer(world, asked, question, page, refusal);
    }
    page_release(&question->head);
    free(question);
    return good;
}
