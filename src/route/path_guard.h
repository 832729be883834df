/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a path goes to an origin, and whether the origin could read it as the path of another
 * route (doc/PATHS.md). Used by exchange/admit for requests and by exchange/explain/explain. Changes
 * nothing. */
#ifndef ROUTE_PATH_GUARD_H
#define ROUTE_PATH_GUARD_H

#include "base/text.h"
#include "http/path_readings.h"
#include "route/router.h"

#define PATH_MOST 32768u /* of a target: limits.target_bytes in config/schema/schema.c */

/* All that a route is found by, besides the path. */
struct path_question {
    const struct router *router;
    const struct http_request *request;
    const char *listener;
    const struct tls_facts *tls;  /* NULL: a plain connection */
    struct router_memory *memory; /* NULL: none; filled by path_guard_judge */
};

/* A path as it came, and what uri_normalise_path found in it. */
struct path_asked {
    struct bytes sent;
    struct bytes normal;
    unsigned marks; /* not 0 */
};

struct path_verdict {
    const struct route_settings *route; /* of the normal form; NULL: none */
    struct bytes forwarded; /* before a rewrite; in what was asked, or in the room that was given */
    enum path_cause {
        PATH_PASSES,
        PATH_OTHER_ROUTE,    /* a reading of it matches another route, or none */
        PATH_OUTSIDE_PREFIX, /* a reading of it leaves the route's rewrite.path_prefix */
        PATH_MANY_READINGS,
    } cause;
};

/* One reading, for those who explain. `route` is what it matches; it is not looked for where
 * `is_rewritten`: that is a reading of what the origin would get. */
struct path_seen {
    const struct path_reading *reading;
    const struct route_settings *route;
    bool is_rewritten;
    bool fits;
};
typedef void path_watcher(void *owner, const struct path_seen *seen);

/* `room`: PATH_MOST bytes. `watch` is NULL, or hears of each reading. */
struct path_verdict path_guard_judge(const struct path_question *question,
                                     const struct path_asked *asked, char *room,
                                     path_watcher *watch, void *owner);

/* Why a path is refused, and what an operator can do: static sentences. */
const char *path_cause_sentence(enum path_cause cause);

/* The path that an origin gets where the route rewrites its prefix; `path` has it. */
void path_rewrite(const struct route_settings *route, struct bytes path, struct text *text);

#endif
