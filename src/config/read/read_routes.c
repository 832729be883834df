/* SPDX-License-Identifier: BSD-2-Clause */
/* The `routes` list: one route at a time, its parts in read_match, read_action and
 * read_header_edits; then names for those that have none. */
#include "config/read/reading.h"

void config_check_route_name(struct reading *reading, const struct node *node, void *at)
{
    const struct node *first = config_names_add(&reading->routes, node->text, node);

    if (first != NULL) {
        READING_ERROR(reading, node, "the route on %s is named '%s' already",
                      config_line(reading, first).text, *(const char **)at);
    }
}

/* After all names are known: a position's own name must not be another route's. */
static void name_by_position(struct reading *reading, const struct node *node,
                             struct route_settings *route)
{
    const struct node *taken;
    struct bytes name;

    route->name = arena_format(reading->arena, "route-%u", route->index + 1);
    if (route->name == NULL) {
        return;
    }
    name = bytes_of(route->name);
    taken = config_names_find(&reading->routes, name);
    if (taken != NULL) {
        READING_ERROR(reading, node,
                      "this route needs a name: '%s', which its position would give it, is taken "
                      "on %s",
                      route->name, config_line(reading, taken).text);
    }
}

static bool end_alike(struct bytes a, struct bytes b)
{
    return (a.at[a.length - 1] == '/') == (b.at[b.length - 1] == '/');
}

void config_check_rewrite(struct reading *reading, const struct node *node, void *at)
{
    const struct route_settings *route = reading->route;
    struct bytes text = node->text;
    struct bytes normal;

    (void)at;
    if (!config_normal_form(reading, text, &normal) || !bytes_equal(text, normal)) {
        READING_ERROR(reading, node,
                      "'rewrite.path_prefix' must be in normal form, without '//', '.' and '..' "
                      "segments and needless escapes, not '%s'",
                      config_show(text).text);
    } else if (route->path_kind == PATH_PREFIX && route->path.length > 0 &&
               !end_alike(text, route->path)) {
        READING_ERROR(reading, node,
                      "'%s' and match.path_prefix '%s' must both end in '/', or neither, or "
                      "paths would be joined wrongly",
                      config_show(text).text, config_show(route->path).text);
    }
}

/* RPCs have one time for all kinds of idleness. */
static void set_rpc_timeouts(struct route_settings *route)
{
    milliseconds idle = route->timeouts.stream_idle;

    route->rpc_timeouts = route->timeouts;
    route->rpc_timeouts.body_idle = idle;
    route->rpc_timeouts.send_idle = idle;
    route->rpc_timeouts.first_byte = idle;
    route->rpc_timeouts.response_idle = idle;
}

/* A retry in doubt trusts that the origin knows the key: it has to get the client's. */
static void check_key(struct reading *reading, const struct node *node,
                      const struct route_settings *route)
{
    const struct header_edits *edits = &route->request_headers;
    bool edited = false;

    for (uint32_t i = 0; i < edits->remove_count; i++) {
        edited |= edits->remove[i].id == HTTP_HEADER_IDEMPOTENCY_KEY;
    }
    for (uint32_t i = 0; i < edits->set_count; i++) {
        edited |= edits->set[i].id == HTTP_HEADER_IDEMPOTENCY_KEY;
    }
    if (edited && route->retry.non_idempotent == RETRY_NON_IDEMPOTENT_WITH_KEY) {
        READING_ERROR(reading, config_node_child(node, "request_headers"),
                      "'request_headers' takes the client's Idempotency-Key away, by which "
                      "retry.non_idempotent: with_key tells origins that a request comes again");
    }
}

static void read_route(struct reading *reading, const struct node *node,
                       struct route_settings *route)
{
    const struct settings *settings = reading->settings;

    route->timeouts = settings->timeouts; /* what it does not say itself is as everywhere, */
    route->retry = settings->retry;
    route->body_bytes = settings->limits.body_bytes;
    /* or the listener's to say, and that is known with a request only. */
    route->min_rates = (struct min_rates_settings){RATE_UNSAID, RATE_UNSAID, RATE_UNSAID};
    config_fill_defaults(reading, PLACE_ROUTE, "", route);
    if (!config_read_group(reading, node, PLACE_ROUTE, "", route)) {
        return;
    }
    config_check_action(reading, node, route);
    config_finish_split(reading, node, route);
    route->rewrites_prefix = config_node_child(node, "rewrite") != NULL;
    if (route->rewrites_prefix && route->path_kind != PATH_PREFIX) {
        READING_ERROR(reading, config_node_child(node, "rewrite")->key,
                      "'rewrite' needs match.path_prefix: what it replaces");
    }
    set_rpc_timeouts(route);
    check_key(reading, node, route);
    route->has_access_rules = route->access_rules.allow_count > 0 ||
                              route->access_rules.deny_count > 0 || route->access_rules.maintenance;
    config_finish_cache(reading, node, route);
    route->is_metered = route->rate_limit_count > 0 || route->waiting_room.active > 0;
}

static void name_the_nameless(struct reading *reading, const struct node *list)
{
    struct settings *settings = reading->settings;
    const struct node *member = list != NULL ? list->first : NULL;
    uint32_t i;

    for (i = 0; i < settings->route_count; i++) {
        if (settings->routes[i].name == NULL) {
            name_by_position(reading, member, &settings->routes[i]);
        }
        member = member->next;
    }
}

/* Each room has a cookie of its own, or a user of two would lose a place with each step. */
static void name_cookies(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->settings->route_count; i++) {
        struct route_settings *route = &reading->settings->routes[i];

        if (route->waiting_room.active > 0 && route->waiting_room.cookie == NULL) {
            route->waiting_room.cookie =
                arena_format(reading->arena, "turnpike-ticket-%s", route->name);
        }
    }
}

void config_read_route(struct reading *reading, const struct node *node, void *at)
{
    struct settings *settings = reading->settings;
    struct route_settings *route = at;
    size_t errors = config_errors_count(reading->errors);

    reading->route = route;
    route->index = (uint32_t)(route - settings->routes);
    route->print = config_node_print(node);
    read_route(reading, node, route);
    if (config_errors_count(reading->errors) == errors) {
        config_check_conflict(reading, node, route);
    }
    reading->route = NULL;
}

void config_finish_routes(struct reading *reading, const struct node *list)
{
    name_the_nameless(reading, list);
    name_cookies(reading);
}
