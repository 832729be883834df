/* SPDX-License-Identifier: BSD-2-Clause */
/* The `routes` list: one route at a time, its parts in read_match, read_action and
 * read_header_edits; then names for those that have none. */
#include "config/read/reading.h"

#include <stdio.h>

static void read_name(struct reading *reading, const struct node *node,
                      struct route_settings *route)
{
    static const char expected[] = "a name of 1 to 64 letters, digits and -_.";
    const struct node *first;
    struct bytes text;

    if (node == NULL || !config_read_text(reading, node, "name", expected, &text)) {
        return;
    }
    route->name = config_keep(reading, text).at;
    if (!config_is_name(text)) {
        READING_ERROR(reading, node, "'name' expects %s, not '%s'", expected,
                      config_show(text).text);
        return;
    }
    first = config_names_add(&reading->routes, text, node);
    if (first != NULL) {
        READING_ERROR(reading, node, "the route on %s is named '%s' already",
                      config_line(reading, first).text, route->name);
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

static bool is_normal(struct reading *reading, struct bytes path)
{
    struct bytes normal = {arena_take(reading->scratch, path.length * 3 + 1), 0};

    return normal.at == NULL ||
           (config_normal_path(path, (char *)(uintptr_t)normal.at, &normal.length) &&
            bytes_equal(path, normal));
}

static void check_rewrite(struct reading *reading, const struct node *node,
                          struct route_settings *route)
{
    struct bytes text;

    if (!config_read_text(reading, node, "rewrite.path_prefix", "a path such as /new/", &text)) {
        return;
    }
    if (text.at[0] != '/' || !config_is_visible(text) || strpbrk(text.at, "?#") != NULL) {
        READING_ERROR(reading, node,
                      "'rewrite.path_prefix' expects a path such as /new/, in visible ASCII "
                      "without '?' and '#', not '%s'",
                      config_show(text).text);
    } else if (!is_normal(reading, text)) {
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
    } else {
        route->prefix_rewrite = config_keep(reading, text);
    }
}

static void read_rewrite(struct reading *reading, const struct node *node,
                         struct route_settings *route)
{
    const struct node *prefix = config_node_child(node, "path_prefix");

    if (node == NULL || !config_read_group(reading, node, PLACE_ROUTE, "rewrite", route)) {
        return;
    }
    if (prefix == NULL) {
        config_report_missing(reading, node, "path_prefix", "a path such as /new/");
        return;
    }
    route->rewrites_prefix = true;
    check_rewrite(reading, prefix, route);
    if (route->path_kind != PATH_PREFIX) {
        READING_ERROR(reading, node->key, "'rewrite' needs match.path_prefix: what it replaces");
    }
}

static void read_timeouts(struct reading *reading, const struct node *node,
                          struct route_settings *route)
{
    route->timeouts = reading->settings->timeouts;
    if (node != NULL) {
        config_read_group(reading, node, PLACE_ROUTE, "timeouts", &route->timeouts);
    }
    route->rpc_timeouts = route->timeouts;
    route->rpc_timeouts.body_idle = route->timeouts.stream_idle;
    route->rpc_timeouts.send_idle = route->timeouts.stream_idle;
    route->rpc_timeouts.first_byte = route->timeouts.stream_idle;
    route->rpc_timeouts.response_idle = route->timeouts.stream_idle;
}

/* What a route leaves open is the listener's to say, and that is known with a request only. */
static void read_rates(struct reading *reading, const struct node *node,
                       struct route_settings *route)
{
    route->min_rates = (struct min_rates_settings){RATE_UNSAID, RATE_UNSAID, RATE_UNSAID};
    if (node != NULL) {
        config_read_group(reading, node, PLACE_ROUTE, "min_rates", &route->min_rates);
    }
}

static void read_retry(struct reading *reading, const struct node *node,
                       struct route_settings *route)
{
    route->retry = reading->settings->retry;
    if (node != NULL) {
        config_read_group(reading, node, PLACE_ROUTE, "retry", &route->retry);
    }
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

static void read_fair_by(struct reading *reading, const struct node *node,
                         struct route_settings *route)
{
    const struct source_list list = {
        "fair_by",
        1u << SOURCE_COOKIE | 1u << SOURCE_HEADER | 1u << SOURCE_QUERY |
            1u << SOURCE_CLIENT_ADDRESS,
        "{cookie: NAME}, {header: NAME}, {query: NAME} or client_address",
        &route->fair_by,
        &route->fair_by_count,
    };

    config_read_sources(reading, config_node_child(node, "fair_by"), &list);
}

static void read_route(struct reading *reading, const struct node *node,
                       struct route_settings *route)
{
    config_fill_defaults(PLACE_ROUTE, "", route);
    route->body_bytes = reading->settings->limits.body_bytes;
    route->priority = PRIORITY_NORMAL;
    if (!config_read_group(reading, node, PLACE_ROUTE, "", route)) {
        return;
    }
    read_name(reading, config_node_child(node, "name"), route);
    config_read_match(reading, config_node_child(node, "match"), route);
    config_read_action(reading, node, route);
    config_read_header_edits(reading, node, route);
    read_rewrite(reading, config_node_child(node, "rewrite"), route);
    read_timeouts(reading, config_node_child(node, "timeouts"), route);
    read_rates(reading, config_node_child(node, "min_rates"), route);
    read_retry(reading, config_node_child(node, "retry"), route);
    check_key(reading, node, route);
    config_read_route_client_limits(reading, config_node_child(node, "client_limits"), route);
    config_read_route_doors(reading, node, route);
    config_read_error_pages(reading, config_node_child(node, "error_pages"), &route->error_pages);
    read_fair_by(reading, node, route);
    config_read_rate_limits(reading, config_node_child(node, "rate_limits"), route);
    config_read_waiting_room(reading, config_node_child(node, "waiting_room"), route);
    config_read_cache(reading, node, route);
    route->is_metered = route->rate_limit_count > 0 || route->waiting_room.active > 0;
}

static void name_the_nameless(struct reading *reading, const struct node *list)
{
    struct settings *settings = reading->settings;
    const struct node *member = list->first;
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

void config_read_routes(struct reading *reading, const struct node *node)
{
    struct settings *settings = reading->settings;
    const struct node *member;

    if (node == NULL || node->kind == NODE_BROKEN) {
        return;
    }
    if (node->kind != NODE_LIST || node->count == 0) {
        READING_ERROR(reading, node, "'routes' expects a list with at least one route");
        return;
    }
    settings->routes = config_take_array(reading, node->count, sizeof(*settings->routes));
    if (settings->routes == NULL) {
        return;
    }
    for (member = node->first; member != NULL; member = member->next) {
        struct route_settings *route = &settings->routes[settings->route_count];

        size_t errors = config_errors_count(reading->errors);

        route->index = settings->route_count++;
        route->print = config_node_print(member);
        read_route(reading, member, route);
        if (config_errors_count(reading->errors) == errors) {
            config_check_conflict(reading, member, route);
        }
    }
    name_the_nameless(reading, node);
    name_cookies(reading);
}
