/* SPDX-License-Identifier: BSD-2-Clause */
/* Which route a request takes. Built once from a snapshot's settings, away from the loops;
 * immutable and shared by all workers. Finding costs the same for ten routes and ten thousand.
 *
 * Order: an exact host before the longest suffix before any host; within that an exact path
 * before the longest prefix before any path (which the prefix "/" is too); within that the route with more conditions
 * (gRPC, method, headers, query, listener, client certificate), then the one that stands first in the file. */
#ifndef ROUTE_ROUTER_H
#define ROUTE_ROUTER_H

#include "config/settings.h"
#include "tls/tls.h"

struct router;

struct router *router_new(const struct settings *settings); /* NULL: out of memory */
void router_free(struct router **router);

/* `path` is in normal form; `tls` NULL for plain connections. NULL when no route matches. */
const struct route_settings *router_find(const struct router *router,
                                         const struct http_request *request, struct bytes path,
                                         const char *listener, const struct tls_facts *tls);

/* --- for those who explain a choice ------------------------------------------------------- */

/* How many conditions a route has besides host and path: of several that fit, more win. */
uint32_t router_conditions(const struct route_settings *route);

/* The first of them that a request does not meet. */
struct router_unmet {
    enum {
        ROUTER_UNMET_NONE,
        ROUTER_UNMET_GRPC,
        ROUTER_UNMET_METHOD,
        ROUTER_UNMET_LISTENER,
        ROUTER_UNMET_HEADER,
        ROUTER_UNMET_QUERY,
        ROUTER_UNMET_CERTIFICATE,
    } kind;
    const struct pair_match *pair; /* of HEADER and QUERY */
};
struct router_unmet router_first_unmet(const struct route_settings *route,
                                       const struct http_request *request, const char *listener,
                                       const struct tls_facts *tls);

/* What look-ups of several paths for one request have in common, found once: a host of many labels and
 * a long query cost more than a path. */
#define ROUTER_CONDITIONS_MOST 64
struct router_memory {
    uint32_t host_count;
    uint32_t condition_count;
    uint32_t host_sets[256]; /* a host has at most 255 bytes */
    struct {
        const struct route_settings *route;
        bool fits; /* in all but the path */
    } conditions[ROUTER_CONDITIONS_MOST];
};
void router_remember(const struct router *router, const struct http_request *request,
                     struct router_memory *memory);
const struct route_settings *router_find_again(const struct router *router,
                                               const struct http_request *request,
                                               struct bytes path, const char *listener,
                                               const struct tls_facts *tls,
                                               struct router_memory *memory);

#endif
