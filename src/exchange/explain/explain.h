/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of a request, and why: which route wins and why each other loses, the arm, the
 * timeouts, whether it would be tried again, the origins in the order in which they are asked.
 * Sends nothing and changes nothing. Used by `turnpike --explain` (on a file) and by control/ (on
 * what runs). */
#ifndef EXCHANGE_EXPLAIN_EXPLAIN_H
#define EXCHANGE_EXPLAIN_EXPLAIN_H

#include "base/json.h"
#include "dns/srv_answer.h"
#include "route/path_guard.h"

/* What is known beside the settings. */
struct explain_world {
    const struct settings *settings;
    const struct router *router;
    void *owner;
    /* NULL, or what an origin does now: "serves", "drained". */
    const char *(*origin_state)(void *owner, const char *origin);
    /* NULL, or the targets of an SRV name now; valid until the world is left. */
    const struct srv_target *(*targets)(void *owner, const char *srv, uint32_t *count);
    /* NULL, or the weights of a split now, one for each arm; false: those of the file hold. */
    bool (*weights)(void *owner, const struct route_settings *route, uint32_t *weights);
    const struct pin_table *pins; /* NULL: no request was seen yet */
};

struct explain_asked {
    struct bytes text;    /* "GET https://host/path" and header lines, each on a line */
    const char *listener; /* NULL: the first one that fits the scheme */
    struct ip client;     /* none: not known */
};

/* Why a question is none, and what to do: static texts. */
struct explain_refusal {
    const char *why;
    const char *remedy;
};

/* Writes one JSON object. false, with *refusal: that is no request, or no listener. */
bool explain(const struct explain_world *world, const struct explain_asked *asked,
             struct page *page, struct explain_refusal *refusal);

/* What the gateway answers by itself on a route that does not forward: respond or redirect. */
void explain_own_answer(const struct route_settings *route, struct json *json);

/* explain_path.c: which route wins, NULL where there is none, and what the origin would get, or why
 * it would get nothing. */
const struct route_settings *explain_path(const struct path_question *question,
                                          const struct path_asked *asked, bool *refused,
                                          struct json *json);
/* The readings that were compared, where there are any. */
void explain_readings(const struct path_question *question, const struct path_asked *asked,
                      const struct route_settings *route, struct json *json);

/* explain_routes.c: for each route of the file a row "route, verdict, because". `winner` may be
 * NULL. */
void explain_routes(const struct explain_world *world, const struct http_request *request,
                    struct bytes path, const char *listener, const struct route_settings *winner,
                    struct json *json);

#endif
