/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be asked. One table of paths; one function each, in the file of its subject. */
#ifndef CONTROL_ENDPOINTS_H
#define CONTROL_ENDPOINTS_H

#include "control/question.h"

/* Which listener it came by: their indexes. */
enum control_listener { CONTROL_SOCKET, CONTROL_METRICS };

/* Where it may be asked, besides the control socket. */
enum endpoint_place {
    AT_SOCKET_ONLY,
    AT_METRICS,         /* at admin.metrics too */
    AT_PRIVATE_METRICS, /* there too, if only this machine reaches it */
};

/* clang-format off */
#define CONTROL_ENDPOINTS(ROW) \
    ROW("GET",  "/",                       live_page_answer,      AT_PRIVATE_METRICS, 0,              "the live page, for a browser") \
    ROW("GET",  "/live",                   live_answer,           AT_PRIVATE_METRICS, 0,              "what it shows, as server-sent events") \
    ROW("GET",  "/v1/live",                live_now_answer,       AT_SOCKET_ONLY,     0,              "one update of the live page, with all rows") \
    ROW("GET",  "/v1",                     endpoints_answer,      AT_SOCKET_ONLY,     0,              "what may be asked") \
    ROW("GET",  "/v1/status",              status_answer,         AT_SOCKET_ONLY,     0,              "the process, its listeners, what differs from the file") \
    ROW("GET",  "/v1/services",            services_answer,       AT_SOCKET_ONLY,     0,              "services, their origins and counters") \
    ROW("GET",  "/v1/routes",              routes_answer,         AT_SOCKET_ONLY,     0,              "routes, where they lead, and counters") \
    ROW("GET",  "/v1/connections",         connections_answer,    AT_SOCKET_ONLY,     0,              "the costliest client connections; ?top=N") \
    ROW("GET",  "/v1/certs",               certs_answer,          AT_SOCKET_ONLY,     0,              "certificates: subject, names, issuer, expiry, key type, files, listener") \
    ROW("GET",  "/v1/tls",                 tls_answer,            AT_SOCKET_ONLY,     0,              "TLS as configured, as agreed on with clients, and as it failed") \
    ROW("POST", "/v1/reload",              reload_answer,         AT_SOCKET_ONLY,     0,              "takes the file up; ?confirm=SECONDS: goes back unless confirmed") \
    ROW("POST", "/v1/confirm",             errand_answer,         AT_SOCKET_ONLY,     RELOAD_CONFIRM, "the last reload may stay") \
    ROW("POST", "/v1/cancel",              errand_answer,         AT_SOCKET_ONLY,     RELOAD_CANCEL,  "goes back to what was before an unconfirmed reload") \
    ROW("GET",  "/v1/reload/diff",         reload_diff_answer,    AT_SOCKET_ONLY,     0,              "what a reload would change, value by value; changes nothing") \
    ROW("POST", "/v1/diff",                diff_answer,           AT_SOCKET_ONLY,     0,              "what the file in the body would change") \
    ROW("POST", "/v1/explain",             explain_answer,        AT_SOCKET_ONLY,     0,              "what becomes of the request in the body: METHOD URL, then header lines") \
    ROW("POST", "/v1/routes/*/weights",    weights_answer,        AT_SOCKET_ONLY,     0,              "?SERVICE=PERCENT&...: the split's weights from now on") \
    ROW("POST", "/v1/routes/*/reset",      reset_answer,          AT_SOCKET_ONLY,     0,              "the split's weights are the file's again") \
    ROW("POST", "/v1/routes/*/maintenance", maintenance_answer,    AT_SOCKET_ONLY,     0,              "?state=on: all but testers get 503; off; file: as the file says") \
    ROW("GET",  "/v1/cache",               cache_answer_question, AT_SOCKET_ONLY,     0,              "what each route has stored") \
    ROW("POST", "/v1/cache/purge",         cache_purge_answer,    AT_SOCKET_ONLY,     0,              "?prefix=/PATH or https://HOST/PATH: throws out what is stored of such URIs") \
    ROW("GET",  "/v1/ramps",               ramps_answer,          AT_SOCKET_ONLY,     0,              "how far ramps are") \
    ROW("POST", "/v1/ramps/*/pause",       ramp_order_answer,     AT_SOCKET_ONLY,     RAMP_PAUSE,     "the ramp stays where it is") \
    ROW("POST", "/v1/ramps/*/resume",      ramp_order_answer,     AT_SOCKET_ONLY,     RAMP_RESUME,    "it goes on") \
    ROW("POST", "/v1/ramps/*/abort",       ramp_order_answer,     AT_SOCKET_ONLY,     RAMP_ABORT,     "all traffic goes back to the old arm") \
    ROW("GET",  "/v1/config",              config_answer,         AT_SOCKET_ONLY,     0,              "what was changed at run time, as YAML for the file") \
    ROW("POST", "/v1/origins/*/drain",     drain_answer,          AT_SOCKET_ONLY,     true,           "the origin gets no new requests; ?unless_last=1: refused for the last one of a service") \
    ROW("POST", "/v1/origins/*/undrain",   drain_answer,          AT_SOCKET_ONLY,     false,          "the origin gets its share again") \
    ROW("POST", "/v1/trace",               trace_answer,          AT_SOCKET_ONLY,     0,              "?client=IP or ?id=ID, &for=SECONDS: the steps of these requests go to the process log") \
    ROW("POST", "/v1/trace/stop",          trace_stop_answer,     AT_SOCKET_ONLY,     0,              "no more of them") \
    ROW("GET",  "/metrics",                metrics_page_answer,   AT_METRICS,         0,              "counters for Prometheus") \
    ROW("GET",  "/health",                 health_answer,         AT_METRICS,         0,              "200 while it takes connections, 503 once it stops")
/* clang-format on */

struct endpoint {
    const char *method;
    const char *path;                          /* one "*" stands for a name */
    void (*answer)(struct question *question); /* now, or later */
    enum endpoint_place place;
    int order; /* of those that one function carries out, which one; see there */
    const char *help;
};

#define ROW(method, path, answer, ...) void answer(struct question *question);
CONTROL_ENDPOINTS(ROW)
#undef ROW

/* Finds the one that is meant and fills the question's name; NULL: none. `other_method`: the path
 * is there, and takes this method. */
const struct endpoint *control_endpoint_find(struct question *question, struct bytes method,
                                             struct bytes path, const char **other_method);

#endif
