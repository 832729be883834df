/* SPDX-License-Identifier: BSD-2-Clause */
/* Why each route wins or loses: the first of its conditions that does not hold, in the order
 * host, path, and the rest; or, where all hold, by what the winner is more specific. */
#include "exchange/explain/explain.h"

#include <stdio.h>

#define ROWS_MOST 500 /* of those whose host or path does not fit */
#define REASON_BYTES 512

/* --- how well a route fits --------------------------------------------------------------- */

/* Of a route's hosts the one that fits best: its length and one more, 1 for any host, 0 for none;
 * exact ones above all suffixes. */
#define EXACT_HOST 1000000u

static uint32_t host_fit(const struct route_settings *route, struct bytes host)
{
    uint32_t best = route->host_count == 0;

    for (uint32_t i = 0; i < route->host_count; i++) {
        const struct host_pattern *pattern = &route->hosts[i];
        uint32_t fit = 0;

        if (pattern->kind == HOST_ANY) {
            fit = 1;
        } else if (pattern->kind == HOST_EXACT) {
            fit = bytes_equal_fold(pattern->text, host) ? EXACT_HOST : 0;
        } else if (host.length > pattern->text.length &&
                   bytes_equal_fold(bytes_skip(host, host.length - pattern->text.length),
                                    pattern->text)) {
            fit = 1 + (uint32_t)pattern->text.length;
        }
        best = fit > best ? fit : best;
    }
    return best;
}

#define EXACT_PATH 10000000u

static uint32_t path_fit(const struct route_settings *route, struct bytes path)
{
    switch (route->path_kind) {
    case PATH_ANY:
        return 1;
    case PATH_EXACT:
        return bytes_equal(route->path, path) ? EXACT_PATH : 0;
    case PATH_PREFIX:
        return bytes_start_with(path, route->path) ? (uint32_t)route->path.length : 0;
    }
    return 0;
}

/* --- in words ---------------------------------------------------------------------------- */

struct reason {
    char text[REASON_BYTES];
};

#define SHOW(bytes) (int)((bytes).length < 120 ? (bytes).length : 120), (bytes).at

static struct reason no_host(const struct route_settings *route, struct bytes host)
{
    struct reason reason;
    const struct host_pattern *first = &route->hosts[0];

    snprintf(reason.text, sizeof(reason.text), "host is %s%.*s, not %s%.*s%s",
             host.length > 0 ? "" : "not given", SHOW(host), first->kind == HOST_SUFFIX ? "*" : "",
             SHOW(first->text), route->host_count > 1 ? " or another of its hosts" : "");
    return reason;
}

static struct reason no_path(const struct route_settings *route, struct bytes path)
{
    struct reason reason;

    snprintf(reason.text, sizeof(reason.text),
             route->path_kind == PATH_EXACT ? "path is %.*s, not %.*s"
                                            : "path %.*s does not start with %.*s",
             SHOW(path), SHOW(route->path));
    return reason;
}

static struct reason no_condition(const struct router_unmet *unmet,
                                  const struct http_request *request, const char *listener)
{
    struct reason reason = {{0}};
    const struct pair_match *pair = unmet->pair;

    switch (unmet->kind) {
    case ROUTER_UNMET_GRPC:
        snprintf(reason.text, sizeof(reason.text),
                 "it is no gRPC call: POST with Content-Type application/grpc");
        break;
    case ROUTER_UNMET_METHOD:
        snprintf(reason.text, sizeof(reason.text), "method %.*s is not among its methods",
                 SHOW(request->method_text));
        break;
    case ROUTER_UNMET_LISTENER:
        snprintf(reason.text, sizeof(reason.text), "listener is %s, not one of its listeners",
                 listener);
        break;
    case ROUTER_UNMET_HEADER:
    case ROUTER_UNMET_QUERY:
        snprintf(reason.text, sizeof(reason.text), "%s %.*s is not %s%.*s",
                 unmet->kind == ROUTER_UNMET_HEADER ? "header" : "query parameter",
                 SHOW(pair->name), pair->present_only ? "there" : "", SHOW(pair->value));
        break;
    case ROUTER_UNMET_CERTIFICATE:
        snprintf(reason.text, sizeof(reason.text), "it wants a certificate of the client");
        break;
    case ROUTER_UNMET_NONE:
        break;
    }
    return reason;
}

static const char *outranked_by(const struct route_settings *route,
                                const struct route_settings *winner, struct bytes host,
                                struct bytes path)
{
    if (host_fit(winner, host) > host_fit(route, host)) {
        return host_fit(winner, host) == EXACT_HOST ? "the winner names the host itself"
                                                    : "the winner's host is more specific";
    }
    if (path_fit(winner, path) > path_fit(route, path)) {
        return path_fit(winner, path) == EXACT_PATH ? "the winner has the whole path"
                                                    : "the winner has a longer prefix of the path";
    }
    if (router_conditions(winner) > router_conditions(route)) {
        return "the winner has more conditions";
    }
    return "the winner stands before it in the file";
}

/* --- rows -------------------------------------------------------------------------------- */

enum verdict { WINS, OUTRANKED, UNMET, NO_PATH, NO_HOST };

struct check {
    enum verdict verdict;
    struct reason because;
};

static struct check check_at(const struct route_settings *route, const struct http_request *request,
                             struct bytes path, const char *listener,
                             const struct route_settings *winner)
{
    struct router_unmet unmet = router_first_unmet(route, request, listener, NULL);
    struct check check = {.verdict = OUTRANKED};

    if (route == winner) {
        check.verdict = WINS;
        snprintf(check.because.text, sizeof(check.because.text), "all of its match holds");
    } else if (host_fit(route, request->host) == 0) {
        check = (struct check){NO_HOST, no_host(route, request->host)};
    } else if (path_fit(route, path) == 0) {
        check = (struct check){NO_PATH, no_path(route, path)};
    } else if (unmet.kind != ROUTER_UNMET_NONE) {
        check = (struct check){UNMET, no_condition(&unmet, request, listener)};
    } else {
        snprintf(check.because.text, sizeof(check.because.text), "%s",
                 winner != NULL ? outranked_by(route, winner, request->host, path) : "");
    }
    return check;
}

static void add_row(struct json *json, const char *name, const struct check *check)
{
    json_begin_row(json, NULL);
    json_text(json, "route", name);
    json_text(json, "verdict", check->verdict == WINS ? "wins" : "loses");
    json_text(json, "because", check->because.text);
    json_end_object(json);
}

/* The near ones first: what surprises people is a route that fits and still loses. */
void explain_routes(const struct explain_world *world, const struct http_request *request,
                    struct bytes path, const char *listener, const struct route_settings *winner,
                    struct json *json)
{
    const struct settings *settings = world->settings;
    uint32_t left_out = 0;
    uint32_t rows = 0;

    json_begin_list(json, "routes");
    for (int verdict = WINS; verdict <= NO_HOST; verdict++) {
        for (uint32_t i = 0; i < settings->route_count; i++) {
            const struct route_settings *route = &settings->routes[i];
            struct check check = check_at(route, request, path, listener, winner);

            if ((int)check.verdict != verdict) {
                continue;
            }
            if (rows++ < ROWS_MOST) {
                add_row(json, route->name, &check);
            } else {
                left_out++;
            }
        }
    }
    json_end_list(json);
    if (left_out > 0) {
        json_number(json, "more_routes_that_do_not_match", left_out);
    }
}
