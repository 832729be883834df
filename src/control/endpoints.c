/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of paths, and finding in it. */
#include "control/endpoints.h"

static void endpoints_answer(struct question *question);

/* clang-format off */
static const struct endpoint endpoints[] = {
    {"GET",  "/",            live_page_answer,    AT_PRIVATE_METRICS, "the live page, for a browser"},
    {"GET",  "/live",        live_answer,         AT_PRIVATE_METRICS, "what it shows, as server-sent events"},
    {"GET",  "/v1/live",     live_now_answer,     AT_SOCKET_ONLY, "one update of the live page, with all rows"},
    {"GET",  "/v1",          endpoints_answer,    AT_SOCKET_ONLY, "what may be asked"},
    {"GET",  "/v1/status",   status_answer,       AT_SOCKET_ONLY, "the process, its listeners, what differs from the file"},
    {"GET",  "/v1/services", services_answer,     AT_SOCKET_ONLY, "services, their origins and counters"},
    {"GET",  "/v1/routes",   routes_answer,       AT_SOCKET_ONLY, "routes, where they lead, and counters"},
    {"GET",  "/v1/connections", connections_answer, AT_SOCKET_ONLY, "the costliest client connections; ?top=N"},
    {"GET",  "/v1/certs",    certs_answer,        AT_SOCKET_ONLY, "certificates: subject, names, issuer, expiry, key type, files, listener"},
    {"GET",  "/v1/tls",      tls_answer,          AT_SOCKET_ONLY, "TLS as configured, as agreed on with clients, and as it failed"},
    {"POST", "/v1/reload",   reload_answer,       AT_SOCKET_ONLY, "takes the file up; ?confirm=SECONDS: goes back unless confirmed"},
    {"POST", "/v1/confirm",  confirm_answer,      AT_SOCKET_ONLY, "the last reload may stay"},
    {"POST", "/v1/cancel",   cancel_answer,       AT_SOCKET_ONLY, "goes back to what was before an unconfirmed reload"},
    {"GET",  "/v1/reload/diff", reload_diff_answer, AT_SOCKET_ONLY, "what a reload would change, value by value; changes nothing"},
    {"POST", "/v1/diff",     diff_answer,         AT_SOCKET_ONLY, "what the file in the body would change"},
    {"POST", "/v1/explain",  explain_answer,      AT_SOCKET_ONLY, "what becomes of the request in the body: METHOD URL, then header lines"},
    {"POST", "/v1/routes/*/weights", weights_answer, AT_SOCKET_ONLY, "?SERVICE=PERCENT&...: the split's weights from now on"},
    {"POST", "/v1/routes/*/reset",   reset_answer,   AT_SOCKET_ONLY, "the split's weights are the file's again"},
    {"POST", "/v1/routes/*/maintenance", maintenance_answer, AT_SOCKET_ONLY, "?state=on: all but testers get 503; off; file: as the file says"},
    {"GET",  "/v1/cache",           cache_answer_question, AT_SOCKET_ONLY, "what each route has stored"},
    {"POST", "/v1/cache/purge",     cache_purge_answer, AT_SOCKET_ONLY, "?prefix=/PATH or https://HOST/PATH: throws out what is stored of such URIs"},
    {"GET",  "/v1/ramps",           ramps_answer,       AT_SOCKET_ONLY, "how far ramps are"},
    {"POST", "/v1/ramps/*/pause",   ramp_pause_answer,  AT_SOCKET_ONLY, "the ramp stays where it is"},
    {"POST", "/v1/ramps/*/resume",  ramp_resume_answer, AT_SOCKET_ONLY, "it goes on"},
    {"POST", "/v1/ramps/*/abort",   ramp_abort_answer,  AT_SOCKET_ONLY, "all traffic goes back to the old arm"},
    {"GET",  "/v1/config",   config_answer,       AT_SOCKET_ONLY, "what was changed at run time, as YAML for the file"},
    {"POST", "/v1/origins/*/drain",   drain_answer,   AT_SOCKET_ONLY, "the origin gets no new requests; ?unless_last=1: refused for the last one of a service"},
    {"POST", "/v1/origins/*/undrain", undrain_answer, AT_SOCKET_ONLY, "the origin gets its share again"},
    {"POST", "/v1/trace",      trace_answer,      AT_SOCKET_ONLY, "?client=IP or ?id=ID, &for=SECONDS: the steps of these requests go to the process log"},
    {"POST", "/v1/trace/stop", trace_stop_answer, AT_SOCKET_ONLY, "no more of them"},
    {"GET",  "/metrics",     metrics_page_answer, AT_METRICS, "counters for Prometheus"},
    {"GET",  "/health",      health_answer,       AT_METRICS, "200 while it takes connections, 503 once it stops"},
};
/* clang-format on */

static const struct endpoint *control_endpoint_at(size_t index)
{
    return index < sizeof(endpoints) / sizeof(endpoints[0]) ? &endpoints[index] : NULL;
}

/* Whether `path` is the pattern, where "*" stands for any text, slashes included; *name is it. */
static bool path_fits(const char *pattern, struct bytes path, struct bytes *name)
{
    const char *star = strchr(pattern, '*');
    struct bytes before = {pattern, star != NULL ? (size_t)(star - pattern) : strlen(pattern)};
    struct bytes after = bytes_of(star != NULL ? star + 1 : NULL);

    if (!bytes_start_with(path, before)) {
        return false;
    }
    *name = bytes_skip(path, before.length);
    if (star == NULL) {
        return name->length == 0;
    }
    if (name->length <= after.length ||
        !bytes_equal(bytes_skip(*name, name->length - after.length), after)) {
        return false;
    }
    name->length -= after.length;
    return true;
}

static bool may_be_asked(const struct endpoint *endpoint, const struct question *question)
{
    struct control_facts facts;

    if (question->listener == CONTROL_SOCKET || endpoint->place == AT_METRICS) {
        return true;
    }
    question->sources->facts(question->sources->owner, &facts);
    return endpoint->place == AT_PRIVATE_METRICS && facts.metrics_are_private;
}

static bool method_fits(const struct endpoint *endpoint, struct bytes method)
{
    return bytes_equal(bytes_of(endpoint->method), method) ||
           (bytes_equal(method, BYTES("HEAD")) && strcmp(endpoint->method, "GET") == 0);
}

const struct endpoint *control_endpoint_find(struct question *question, struct bytes method,
                                             struct bytes path, const char **other_method)
{
    const struct endpoint *endpoint;
    struct bytes name;

    *other_method = NULL;
    for (size_t i = 0; (endpoint = control_endpoint_at(i)) != NULL; i++) {
        if (!may_be_asked(endpoint, question) || !path_fits(endpoint->path, path, &name)) {
            continue;
        }
        if (!method_fits(endpoint, method)) {
            *other_method = endpoint->method;
        } else if (question_decode(name, question->name)) {
            return endpoint;
        }
    }
    return NULL;
}

static void endpoints_answer(struct question *question)
{
    struct json json = json_on(&question->page);
    const struct endpoint *endpoint;

    json_begin_object(&json, NULL);
    json_begin_list(&json, "endpoints");
    for (size_t i = 0; (endpoint = control_endpoint_at(i)) != NULL; i++) {
        json_begin_row(&json, NULL);
        json_text(&json, "method", endpoint->method);
        json_text(&json, "path", endpoint->path);
        json_text(&json, "help", endpoint->help);
        json_end_object(&json);
    }
    json_end_list(&json);
    json_end_object(&json);
    question_answer_json(question);
}
