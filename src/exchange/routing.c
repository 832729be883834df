/* SPDX-License-Identifier: BSD-2-Clause */
/* An ordinary path is its own normal form: it costs one look-up. For others the path guard says
 * what goes on, and that is kept here, since attempts come later and may come again. */
#include "exchange/routing.h"

#include "http/uri.h"
#include "route/path_guard.h"

static void refuse_path(struct exchange *exchange, enum path_cause cause)
{
    static const enum metrics_event events[] = {
        [PATH_OTHER_ROUTE] = METRICS_PATH_OTHER_ROUTE,
        [PATH_OUTSIDE_PREFIX] = METRICS_PATH_OUTSIDE_PREFIX,
        [PATH_MANY_READINGS] = METRICS_PATH_MANY_READINGS,
    };

    metrics_note(exchange->context->metrics, events[cause]);
    reply_error(exchange, 400, "http_request_denied", path_cause_sentence(cause));
}

/* The whole target of this path, in memory of the exchange's own. */
static bool keep_target(struct exchange *exchange, const struct route_settings *route,
                        struct bytes path)
{
    const struct http_request *request = &exchange->request;
    size_t size = path.length + route->prefix_rewrite.length + request->query.length + 1;
    char *target = region_take(&exchange->memory, exchange->context->worker_context->buffers, size);
    struct text text = text_over(target, size);

    if (target == NULL) {
        return false;
    }
    if (route->rewrites_prefix) {
        path_rewrite(route, path, &text);
    } else {
        text_add_bytes(&text, path);
    }
    if (request->has_query) {
        text_add_char(&text, '?');
        text_add_bytes(&text, request->query);
    }
    exchange->routing.target = text_since(&text, target);
    return true;
}

/* Sets *route, NULL where there is none. Not inlined: its room would lie on the stack of every
 * request. */
static __attribute__((noinline)) bool judge_path(struct exchange *exchange,
                                                 const struct path_asked *asked,
                                                 const struct route_settings **route)
{
    const struct path_question question = {generation_router(exchange->generation),
                                           &exchange->request, exchange->client.facts->listener,
                                           exchange->client.facts->tls, NULL};
    char room[PATH_MOST];
    struct path_verdict verdict = path_guard_judge(&question, asked, room, NULL, NULL);

    *route = verdict.route;
    if (verdict.cause != PATH_PASSES) {
        refuse_path(exchange, verdict.cause);
        return false;
    }
    if (verdict.route != NULL &&
        (verdict.route->rewrites_prefix || verdict.forwarded.at != asked->sent.at) &&
        !keep_target(exchange, verdict.route, verdict.forwarded)) {
        reply_error(exchange, 503, OUTCOME_OWN_ERROR, "out of memory");
        return false;
    }
    return true;
}

/* false: no route, and an answer says so. */
bool routing_find(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    char scratch[PATH_MOST];
    struct path_asked asked = {.sent = request->path};
    const struct route_settings *route;

    if (request->path.length == 0) {
        asked.normal = BYTES("/"); /* an absolute URI without a path (RFC 9110 section 4.2.3) */
    } else if (bytes_equal(request->target, BYTES("*"))) {
        asked.normal = request->target;
    } else if (request->path.length > sizeof(scratch) ||
               !uri_normalise_path(request->path, scratch, &asked.normal, &asked.marks)) {
        reply_error(exchange, 400, "http_request_error",
                    "the path has a bad escape or climbs above its root");
        return false;
    }
    if (asked.marks == 0 && asked.normal.at != scratch) {
        route = router_find(generation_router(exchange->generation), request, asked.normal,
                            exchange->client.facts->listener, exchange->client.facts->tls);
    } else if (!judge_path(exchange, &asked, &route)) {
        return false;
    }
    if (route == NULL && request->method == HTTP_OPTIONS &&
        bytes_equal(request->target, BYTES("*"))) {
        reply_options(exchange); /* it asks about the server that hears it */
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
