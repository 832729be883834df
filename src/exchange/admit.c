/* SPDX-License-Identifier: BSD-2-Clause */
/* Who asks, which route the request takes, and whether it may pass at all. */
#include "exchange/exchange_private.h"
#include "exchange/maintenance.h"

#include "http/uri.h"
#include "route/path_guard.h"
#include "route/proxied_client.h"

/* Whether the connection may name its client (X-Forwarded-For). An address out of a PROXY header is
 * as good as the proxy that sent it; a Unix socket's mode decides who connects to it. */
static bool is_believed(const struct settings *settings, const struct ip *ip, const struct ip *peer)
{
    return proxied_client_is_trusted(settings, ip) &&
           (peer == NULL || ip_is_none(peer) || proxied_client_is_trusted(settings, peer));
}

static bool client_is_trusted(const struct exchange *exchange, const struct settings *settings)
{
    const struct client_facts *facts = exchange->client.facts;
    struct ip peer;

    if (!facts->may_be_proxied) {
        return is_believed(settings, &facts->ip, NULL);
    }
    /* A system call, only for a client whose address is trusted already. */
    return proxied_client_is_trusted(settings, &facts->ip) &&
           exchange->client.ops->report_peer(exchange->client.stream, &peer) &&
           is_believed(settings, &facts->ip, &peer);
}

void admit_identify_client(struct exchange *exchange)
{
    const struct settings *settings = generation_settings(exchange->generation);

    if (settings->trusted_proxy_count == 0) {
        return;
    }
    exchange->client.trusted = client_is_trusted(exchange, settings);
    if (exchange->client.trusted &&
        proxied_client_find(&exchange->request.headers, settings, &exchange->client.ip)) {
        exchange->client.port = 0;
    }
}

/* --- who may come in ------------------------------------------------------------------------ */

bool access_rules_permit(const struct access_rules *access_rules, const struct ip *ip)
{
    if (ip_is_none(ip)) {
        return access_rules->allow_count == 0;
    }
    return !networks_contain(access_rules->deny, access_rules->deny_count, ip) &&
           (access_rules->allow_count == 0 ||
            networks_contain(access_rules->allow, access_rules->allow_count, ip));
}

static bool admit_address(struct exchange *exchange, const struct access_rules *access_rules)
{
    if (access_rules_permit(access_rules, &exchange->client.ip)) {
        return true;
    }
    metrics_note(exchange->context->metrics, METRICS_ADDRESS_REFUSED);
    reply_error(exchange, 403, "http_request_denied",
                "this client's address may not come in here (allow, deny)");
    return false;
}

static bool is_tester(const struct exchange *exchange, const struct access_rules *access_rules)
{
    for (uint32_t i = 0; i < access_rules->pass_count; i++) {
        const struct http_header *row =
            http_find_named(&exchange->request.headers, access_rules->pass[i].name);

        if (row != NULL && (access_rules->pass[i].present_only ||
                            bytes_equal(http_header_value(row), access_rules->pass[i].value))) {
            return true;
        }
    }
    return false;
}

/* The preflight of the Fetch standard carries neither a cookie nor a header field of the page's own. */
bool admit_is_preflight(const struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;

    return request->method == HTTP_OPTIONS &&
           http_find_named(&request->headers, BYTES("Origin")) != NULL &&
           http_find_named(&request->headers, BYTES("Access-Control-Request-Method")) != NULL;
}

/* A preflight cannot show whose it is. The request behind it is judged by itself. */
static bool passes_maintenance(const struct exchange *exchange,
                               const struct access_rules *access_rules)
{
    return is_tester(exchange, access_rules) ||
           (access_rules->pass_count > 0 && admit_is_preflight(exchange));
}

bool admit_route_access(struct exchange *exchange)
{
    const struct route_settings *route = exchange->routing.route;

    if (!admit_address(exchange, &route->access_rules)) {
        return false;
    }
    if (!maintenance_holds(route) || passes_maintenance(exchange, &route->access_rules)) {
        return true;
    }
    metrics_note(exchange->context->metrics, METRICS_IN_MAINTENANCE);
    reply_maintenance(exchange);
    return false;
}

/* --- the connection ------------------------------------------------------------------------ */

static bool admit_authority(struct exchange *exchange)
{
    const struct client_facts *facts = exchange->client.facts;

    switch (tls_authority_of(facts->tls, facts->accepts, exchange->request.host)) {
    case TLS_MISDIRECTED:
        /* The handshake named another host, whose rule about client certificates may be weaker. */
        reply_error(exchange, 421, "http_request_denied",
                    "this connection was made for another host, with other rules");
        return false;
    case TLS_OUTDATED:
        /* The client may repeat any request over a new connection: nothing was done (RFC 9110
         * section 15.5.20). */
        exchange->client.ops->retire(exchange->client.stream);
        reply_error(exchange, 421, "http_request_denied",
                    "client-certificate policy changed; reconnect");
        return false;
    case TLS_AUTHORITATIVE:
        break;
    }
    return true;
}

/* What the connection forbids, whatever the route. */
bool admit_listener(struct exchange *exchange)
{
    const struct client_facts *facts = exchange->client.facts;

    if (facts->tls != NULL && !admit_authority(exchange)) {
        return false;
    }
    if (facts->rules != NULL && facts->rules->access_rules != NULL &&
        !admit_address(exchange, facts->rules->access_rules)) {
        return false;
    }
    if (facts->rules != NULL && facts->rules->redirect_to_https) {
        reply_redirect(exchange, 308, BYTES("https://{host}{path}?{query}"));
        return false;
    }
    return true;
}

/* RFC 9110 section 7.6.2: TRACE and OPTIONS with no hops left are answered here. */
static bool has_no_hops_left(const struct http_request *request)
{
    const struct http_header *row = http_find(&request->headers, HTTP_HEADER_MAX_FORWARDS);

    return row != NULL && bytes_equal(http_header_value(row), BYTES("0"));
}

bool admit_method(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;

    if (request->method == HTTP_CONNECT) {
        reply_error(exchange, 501, "http_request_denied", "CONNECT is not offered here");
        return false;
    }
    if (request->method == HTTP_TRACE) {
        /* It would show a page's script the cookies it must not see. */
        reply_error(exchange, 405, "http_request_denied", "TRACE is not offered here");
        return false;
    }
    if (request->method == HTTP_OPTIONS && has_no_hops_left(request)) {
        reply_options(exchange);
        return false;
    }
    return true;
}

/* --- the route ----------------------------------------------------------------------------- */

/* An ordinary path is its own normal form: it costs one look-up. For others the path guard says
 * what goes on, and that is kept here, since attempts come later and may come again. */

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
    char *target = exchange_take(exchange, size);
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
        reply_error(exchange, 503, OUTCOME_OWN_ERROR, "no memory is left for the rewritten path");
        return false;
    }
    return true;
}

bool admit_route(struct exchange *exchange)
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
        reply_options(exchange); /* OPTIONS * asks about this server */
        return false;
    }
    if (route == NULL) {
        reply_error(exchange, 404, "destination_not_found", "no route matches this request");
        return false;
    }
    exchange->routing.route = route;
    return true;
}

/* --- limits of a client ---------------------------------------------------------------------------- */

/* The route's own limits, else those of the listener. */
static const struct client_limits_settings *limits_for(const struct exchange *exchange,
                                                       const struct settings *settings)
{
    const struct route_settings *route = exchange->routing.route;
    uint32_t listener = exchange->client.facts->listener_index;

    if (route->client_limits.scope != 0) {
        return &route->client_limits;
    }
    return listener < settings->listener_count ? &settings->listeners[listener].client_limits
                                               : &settings->client_limits;
}

#define POLICY_MAX 80 /* with two numbers */

static void refuse_rate(struct exchange *exchange, const struct client_limits_settings *limits,
                        uint64_t wait_ms)
{
    char room[POLICY_MAX];
    struct text text = text_over(room, sizeof(room));
    struct reply_quota quota = {.state = BYTES(RATE_LIMIT_STATE("requests")),
                                .problem = BYTES(RATE_LIMIT_PROBLEM("requests")),
                                .wait_ms = wait_ms,
                                .sentence = "this client address sends more requests than it may"};

    text_add_literal(&text, "\"requests\";q=");
    text_add_number(&text, limits->request_burst);
    text_add_literal(&text, ";w=");
    /* How long an empty bucket takes to fill. */
    text_add_number(&text,
                    (limits->request_burst + limits->request_rate - 1) / limits->request_rate);
    quota.policy = text_since(&text, room);
    metrics_note(exchange->context->metrics, METRICS_REQUEST_OVER_LIMIT);
    reply_over_limit(exchange, &quota);
}

bool admit_rate(struct exchange *exchange)
{
    const struct settings *settings = generation_settings(exchange->generation);
    const struct client_limits_settings *limits;
    uint64_t wait_ms;

    if (!settings->limits_requests || exchange->context->clients == NULL) {
        return true;
    }
    limits = limits_for(exchange, settings);
    if (limits->request_rate == 0 ||
        networks_contain(settings->exempt_clients, settings->exempt_client_count,
                         &exchange->client.ip) ||
        client_registry_request(exchange->context->clients, &exchange->client.ip, limits,
                                loop_now(exchange->context->worker_context->loop), &wait_ms)) {
        return true;
    }
    refuse_rate(exchange, limits, wait_ms);
    return false;
}

/* Connections of a trusted proxy are not limited: they carry many clients' requests. */
bool exchange_context_admits(struct exchange_context *context, const struct ip *ip,
                             const struct ip *peer, uint32_t listener, bool is_new,
                             client_slot *slot)
{
    const struct settings *settings = generation_settings(context->generation);
    const struct client_limits_settings *limits = listener < settings->listener_count
                                                      ? &settings->listeners[listener].client_limits
                                                      : &settings->client_limits;

    *slot = 0;
    if ((limits->max_connections == 0 && limits->connection_rate == 0) ||
        context->clients == NULL || is_believed(settings, ip, peer) ||
        networks_contain(settings->exempt_clients, settings->exempt_client_count, ip)) {
        return true;
    }
    return client_registry_enter(context->clients, ip, limits,
                                 loop_now(context->worker_context->loop), is_new, slot);
}

bool admit_size(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    uint64_t most = exchange->routing.route->body_bytes;

    if (most != 0 && request->framing == HTTP_LENGTH_KNOWN && request->body_length > most) {
        reply_error(exchange, 413, "http_request_error", "the request body is too large");
        return false;
    }
    return true;
}

/* Gateways in a row may have the same name. A gateway that forwards to itself passes any bound. */
#define PASSES_MOST 8

/* "1.1 name (comment)". */
static struct bytes received_by(struct bytes element)
{
    const char *space = memchr(element.at, ' ', element.length);
    const char *end;

    if (space == NULL) {
        return (struct bytes){0};
    }
    element = bytes_skip(element, (size_t)(space + 1 - element.at));
    end = memchr(element.at, ' ', element.length);
    return end != NULL ? (struct bytes){element.at, (size_t)(end - element.at)} : element;
}

static uint32_t passes_in(const struct http_header *row, struct bytes name)
{
    struct bytes list = http_header_value(row);
    struct bytes element;
    uint32_t count = 0;

    while (http_list_next(&list, &element)) {
        count += bytes_equal_fold(received_by(element), name);
    }
    return count;
}

static uint32_t passes_through_here(const struct exchange *exchange)
{
    const struct http_headers *headers = &exchange->request.headers;
    struct bytes name = bytes_of(generation_settings(exchange->generation)->via);
    uint32_t passes = 0;

    for (uint32_t i = 0; i < headers->count; i++) {
        if (headers->rows[i].id == HTTP_HEADER_VIA) {
            passes += passes_in(&headers->rows[i], name);
        }
    }
    return passes;
}

bool admit_loop(struct exchange *exchange)
{
    if (!http_has(&exchange->request.headers, HTTP_HEADER_VIA) ||
        exchange->routing.route->action != ROUTE_FORWARD ||
        passes_through_here(exchange) <= PASSES_MOST) {
        return true;
    }
    metrics_note(exchange->context->metrics, METRICS_LOOP_REFUSED);
    reply_error(exchange, 508, "proxy_loop_detected",
                "the request has passed through this gateway too often (Via)");
    return false;
}
