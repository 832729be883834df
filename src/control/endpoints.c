/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of paths, and finding in it. */
#include "control/endpoints.h"

static void endpoints_answer(struct question *question);

/* clang-format off */
static const struct endpoint endpoints[] = {
    {"GET",  "/v1",          endpoints_answer,    false, "what may be asked"},
    {"GET",  "/v1/status",   status_answer,       false, "the process, its listeners, what differs from the file"},
    {"GET",  "/v1/services", services_answer,     false, "services, their origins and counters"},
    {"GET",  "/v1/routes",   routes_answer,       false, "routes, where they lead, and counters"},
    {"GET",  "/v1/connections", connections_answer, false, "the costliest client connections; ?top=N"},
    {"GET",  "/v1/certs",    certs_answer,        false, "certificates: subject, names, issuer, expiry, key type, files, listener"},
    {"GET",  "/v1/tls",      tls_answer,          false, "TLS as configured, as agreed on with clients, and as it failed"},
    {"POST", "/v1/reload",   reload_answer,       false, "takes the file up; ?confirm=SECONDS: goes back unless confirmed"},
    {"POST", "/v1/confirm",  confirm_answer,      false, "the last reload may stay"},
    {"POST", "/v1/cancel",   cancel_answer,       false, "goes back to what was before an unconfirmed reload"},
    {"POST", "/v1/diff",     diff_answer,         false, "what the file in the body would change"},
    {"POST", "/v1/explain",  explain_answer,      false, "what becomes of the request in the body: METHOD URL, then header lines"},
    {"POST", "/v1/routes/*/weights", weights_answer, false, "?SERVICE=PERCENT&...: the split's weights from now on"},
    {"POST", "/v1/routes/*/reset",   reset_answer,   false, "the split's weights are the file's again"},
    {"GET",  "/v1/ramps",           ramps_answer,       false, "how far ramps are"},
    {"POST", "/v1/ramps/*/pause",   ramp_pause_answer,  false, "the ramp stays where it is"},
    {"POST", "/v1/ramps/*/resume",  ramp_resume_answer, false, "it goes on"},
    {"POST", "/v1/ramps/*/abort",   ramp_abort_answer,  false, "all traffic goes back to the old arm"},
    {"GET",  "/v1/config",   config_answer,       false, "what was changed at run time, as YAML for the file"},
    {"POST", "/v1/origins/*/drain",   drain_answer,   false, "the origin gets no new requests"},
    {"POST", "/v1/origins/*/undrain", undrain_answer, false, "the origin gets its share again"},
    {"POST", "/v1/trace",      trace_answer,      false, "?client=IP or ?id=ID, &for=SECONDS: the steps of these requests go to the process log"},
    {"POST", "/v1/trace/stop", trace_stop_answer, false, "no more of them"},
    {"GET",  "/metrics",     metrics_page_answer, true,  "counters for Prometheus"},
    {"GET",  "/health",      health_answer,       true,  "200 while it takes connections, 503 once it stops"},
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
    return question->listener == CONTROL_SOCKET || endpoint->for_metrics;
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
