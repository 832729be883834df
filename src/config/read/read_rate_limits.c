/* SPDX-License-Identifier: BSD-2-Clause */
/* The `rate_limits` of a route: rates by a key out of the request. Called by read_routes.c. */
#include "config/read/reading.h"

static void name_limit(struct reading *reading, const struct node *node, uint32_t number,
                       struct rate_limit_settings *limit)
{
    const struct node *name = config_node_child(node, "name");

    if (name == NULL) {
        limit->name = arena_format(reading->arena, "limit-%u", number);
    } else if (limit->name != NULL && !config_is_name(bytes_of(limit->name))) {
        READING_ERROR(reading, name,
                      "'rate_limits.name' expects 1 to 64 letters, digits and -_., not '%s'",
                      config_show(bytes_of(limit->name)).text);
    }
}

static void refuse_second_name(struct reading *reading, const struct node *node,
                               const struct route_settings *route,
                               const struct rate_limit_settings *limit)
{
    for (const struct rate_limit_settings *other = route->rate_limits; other < limit; other++) {
        if (other->name != NULL && limit->name != NULL && strcmp(other->name, limit->name) == 0) {
            READING_ERROR(reading, node,
                          "this route has two rate limits named '%s', which would share a count",
                          limit->name);
        }
    }
}

static void read_key(struct reading *reading, const struct node *node,
                     struct rate_limit_settings *limit)
{
    const struct node *key = config_node_child(node, "key");
    const struct source_list list = {
        "rate_limits.key",
        (1u << SOURCE_KIND_COUNT) - 1,
        "{cookie: NAME}, {header: NAME}, {query: NAME}, {path_segment: NUMBER}, client_address or "
        "certificate_subject",
        &limit->key,
        &limit->key_count,
    };

    if (key == NULL) {
        config_report_missing(reading, node, "key",
                              "what to count by, such as {header: X-Api-Key}");
        return;
    }
    config_read_sources(reading, key, &list);
}

#define FILL_MOST_MS (366ULL * 24 * 3600 * 1000)

/* A burst is had after a pause that is long enough for it. */
static void check_burst(struct reading *reading, const struct node *node,
                        struct rate_limit_settings *limit)
{
    const struct node *burst = config_node_child(node, "burst");

    if (limit->burst == 0 || limit->requests == 0) {
        limit->burst = limit->requests;
    } else if (burst != NULL &&
               (uint64_t)limit->burst * limit->window / limit->requests > FILL_MOST_MS) {
        READING_ERROR(reading, burst,
                      "'rate_limits.burst': at this rate it takes more than a year until so many "
                      "requests may come at once");
    }
}

/* What who is over it is told. The name has no letters that JSON or a structured field would escape. */
static void write_texts(struct reading *reading, struct rate_limit_settings *limit)
{
    /* How long an empty bucket takes to fill. */
    uint64_t window_s = ((uint64_t)limit->window * limit->burst / limit->requests + 999) / 1000;

    limit->sentence =
        arena_format(reading->arena, "more requests than rate limit %s allows", limit->name);
    limit->policy = arena_format(reading->arena, "\"%s\";q=%u;w=%llu", limit->name, limit->burst,
                                 (unsigned long long)window_s);
    limit->problem = arena_format(reading->arena, RATE_LIMIT_PROBLEM("%s"), limit->name);
}

static void read_limit(struct reading *reading, const struct node *node,
                       const struct route_settings *route, struct rate_limit_settings *limit)
{
    config_fill_defaults(PLACE_ROUTE, "rate_limits", limit);
    if (!config_read_group(reading, node, PLACE_ROUTE, "rate_limits", limit)) {
        return;
    }
    name_limit(reading, node, (uint32_t)(limit - route->rate_limits) + 1, limit);
    refuse_second_name(reading, node, route, limit);
    read_key(reading, node, limit);
    if (config_node_child(node, "requests") == NULL) {
        config_report_missing(reading, node, "requests", "a number of requests in each window");
    }
    check_burst(reading, node, limit);
    if (limit->name != NULL && limit->requests > 0) {
        write_texts(reading, limit);
    }
}

void config_read_rate_limits(struct reading *reading, const struct node *node,
                             struct route_settings *route)
{
    if (node == NULL || node->kind == NODE_BROKEN) {
        return;
    }
    if (node->kind != NODE_LIST || node->count == 0) {
        READING_ERROR(reading, node,
                      "'rate_limits' expects a list such as [{key: client_address, requests: 100, "
                      "window: 1m}], not %s",
                      config_node_kind(node));
        return;
    }
    if (node->count > RATE_LIMITS_MOST) {
        READING_ERROR(reading, node, "'rate_limits': %u are the most that a route may have, not %u",
                      RATE_LIMITS_MOST, node->count);
        return;
    }
    route->rate_limits = config_take_array(reading, node->count, sizeof(*route->rate_limits));
    for (const struct node *member = node->first; route->rate_limits != NULL && member != NULL;
         member = member->next) {
        read_limit(reading, member, route, &route->rate_limits[route->rate_limit_count++]);
    }
}
