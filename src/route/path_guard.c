/* SPDX-License-Identifier: BSD-2-Clause */
/* Compares the routes that the readings of a path match, for one and the same request: what a route
 * asks besides the path (host, method, headers, listener, certificate) is the same for all of them.
 * Only paths with a mark of http/uri.h come here. */
#include "route/path_guard.h"

#include "http/uri.h"

#define PREFIX_MOST 4096u /* rewrite.path_prefix in config/schema/schema.c */

static const struct route_settings *path_route(const struct path_question *question,
                                               struct bytes path)
{
    if (question->memory != NULL) {
        return router_find_again(question->router, question->request, path, question->listener,
                                 question->tls, question->memory);
    }
    return router_find(question->router, question->request, path, question->listener,
                       question->tls);
}

void path_rewrite(const struct route_settings *route, struct bytes path, struct text *text)
{
    text_add_bytes(text, route->prefix_rewrite);
    text_add_bytes(text, bytes_skip(path, route->path.length));
}

/* --- readings ---------------------------------------------------------------------------- */

struct witness {
    path_watcher *watcher;
    void *owner;
};

static void report(const struct witness *witness, struct path_seen seen)
{
    if (witness->watcher != NULL) {
        witness->watcher(witness->owner, &seen);
    }
}

/* All readings match the route. Without a watcher the first that does not is the last. */
static enum path_cause compare_routes(const struct path_question *question,
                                      const struct route_settings *route, struct bytes path,
                                      const struct witness *witness)
{
    char room[2 * PATH_MOST];
    struct path_readings readings;
    struct path_reading reading;
    enum path_cause cause = PATH_PASSES;
    enum path_step step;

    path_readings_begin(&readings, path, room);
    while ((step = path_readings_next(&readings, &reading)) == PATH_READING) {
        const struct route_settings *found =
            reading.climbs ? NULL : path_route(question, reading.path);

        report(witness, (struct path_seen){&reading, found, false, found == route});
        if (found != route) {
            cause = PATH_OTHER_ROUTE;
            if (witness->watcher == NULL) {
                break;
            }
        }
    }
    return step == PATH_TOO_MANY ? PATH_MANY_READINGS : cause;
}

/* A prefix may hold escapes that the reading decodes. "//" would be a host to some. */
static bool is_within(struct bytes prefix, const struct path_reading *reading)
{
    char room[2 * PREFIX_MOST];
    struct path_reading own = path_read(prefix, reading->habits, room);

    return !reading->climbs && bytes_start_with(reading->path, own.path) &&
           !bytes_start_with(reading->path, BYTES("//"));
}

/* All readings of what the origin would get stay below the new prefix. */
static enum path_cause compare_prefixes(const struct route_settings *route, struct bytes path,
                                        const struct witness *witness)
{
    char rewritten[PATH_MOST + PREFIX_MOST];
    char room[2 * sizeof(rewritten)];
    struct text text = text_over(rewritten, sizeof(rewritten));
    struct path_readings readings;
    struct path_reading reading;
    enum path_cause cause = PATH_PASSES;
    enum path_step step;

    path_rewrite(route, path, &text);
    path_readings_begin(&readings, text_since(&text, rewritten), room);
    while ((step = path_readings_next(&readings, &reading)) == PATH_READING) {
        bool fits = is_within(route->prefix_rewrite, &reading);

        report(witness, (struct path_seen){&reading, NULL, true, fits});
        if (!fits) {
            cause = PATH_OUTSIDE_PREFIX;
            if (witness->watcher == NULL) {
                break;
            }
        }
    }
    return step == PATH_TOO_MANY ? PATH_MANY_READINGS : cause;
}

/* --- what goes on ------------------------------------------------------------------------ */

static bool matches_with(const struct path_question *question, const struct route_settings *route,
                         struct bytes path, unsigned habits, const struct witness *witness)
{
    char room[2 * PATH_MOST];
    struct path_reading reading = path_read(path, habits, room);
    const struct route_settings *found = reading.climbs ? NULL : path_route(question, reading.path);

    report(witness, (struct path_seen){&reading, found, false, found == route});
    return found == route;
}

/* Runs of "/" may mean something to an origin (keys of a store), so they go on where the route is
 * the same with and without them, and where "//host/path" is taken for a host and a path, in which
 * a program that makes a file name of it merges the others. */
static bool may_keep_slashes(const struct path_question *question,
                             const struct route_settings *route, struct bytes path,
                             const struct witness *witness)
{
    return matches_with(question, route, path, 0, witness) &&
           (!bytes_start_with(path, BYTES("//")) ||
            (matches_with(question, route, path, PATH_AUTHORITY | PATH_DOTS, witness) &&
             matches_with(question, route, path, PATH_AUTHORITY | PATH_MERGES | PATH_DOTS,
                          witness)));
}

static struct path_verdict judge(const struct path_question *question,
                                 const struct path_asked *asked, char *room,
                                 const struct witness *witness)
{
    const struct route_settings *route = path_route(question, asked->normal);
    struct path_verdict verdict = {route, asked->normal, PATH_PASSES};
    struct bytes base = asked->normal; /* what the readings are made of */
    bool guarded;

    if (route == NULL) {
        return verdict;
    }
    guarded = route->path_guard == PATH_GUARD_ON;
    if ((asked->marks & URI_DOTS) == 0 && !route->rewrites_prefix) {
        struct bytes spaced = uri_normalise_escapes(asked->sent, room);

        if ((asked->marks & URI_EMPTY) == 0 || !guarded ||
            may_keep_slashes(question, route, spaced, witness)) {
            base = spaced;
            verdict.forwarded = (asked->marks & URI_ESCAPES) != 0 ? spaced : asked->sent;
        }
    }
    if (guarded && (asked->marks & URI_DOUBTFUL) != 0) {
        verdict.cause = compare_routes(question, route, base, witness);
        if (route->rewrites_prefix && verdict.cause == PATH_PASSES) {
            verdict.cause = compare_prefixes(route, base, witness);
        }
    }
    return verdict;
}

struct path_verdict path_guard_judge(const struct path_question *question,
                                     const struct path_asked *asked, char *room,
                                     path_watcher *watcher, void *owner)
{
    struct router_memory memory;
    struct path_question remembering = *question;

    router_remember(question->router, question->request, &memory);
    remembering.memory = &memory;
    return judge(&remembering, asked, room, &(const struct witness){watcher, owner});
}

const char *path_cause_sentence(enum path_cause cause)
{
    switch (cause) {
    case PATH_OTHER_ROUTE:
        return "the path can be read as that of another route (path_guard)";
    case PATH_OUTSIDE_PREFIX:
        return "the path can be read as one outside of the rewritten prefix (path_guard)";
    case PATH_MANY_READINGS:
        return "the path can be read in too many ways (path_guard)";
    case PATH_PASSES:
        break;
    }
    return "the path has one reading";
}
