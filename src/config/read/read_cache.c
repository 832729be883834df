/* SPDX-License-Identifier: BSD-2-Clause */
/* The `cache` of a route, and what goes with `coalesce`. Called by read_routes.c. */
#include "config/read/reading.h"

/* A cache would give one arm's answers to the users of another. */
static void check_place(struct reading *reading, const struct node *node, const char *option,
                        const struct route_settings *route)
{
    const struct node *place = config_node_child(node, option);

    if (place == NULL) {
        return;
    }
    if (route->action != ROUTE_FORWARD) {
        READING_ERROR(reading, place, "'%s' needs a route with 'service'", option);
    } else if (route->arm_count > 1) {
        READING_ERROR(reading, place,
                      "'%s' does not go with 'split': one arm's answers would be given to the "
                      "users of another",
                      option);
    }
}

/* Not of the default, which a small cache cuts without a word. */
static void warn_of_max_answer(struct reading *reading, const struct node *node)
{
    if (node != NULL) {
        READING_WARNING(
            reading, node,
            "'cache.max_answer' is more than cache.max_bytes, which bounds it: a larger "
            "answer is not stored");
    }
}

void config_finish_cache(struct reading *reading, const struct node *node,
                         struct route_settings *route)
{
    struct caching_settings *caching = &route->caching;

    caching->on = config_node_child(node, "cache") != NULL;
    if (caching->on && caching->max_answer > caching->max_bytes) {
        warn_of_max_answer(reading,
                           config_node_child(config_node_child(node, "cache"), "max_answer"));
        caching->max_answer = caching->max_bytes;
    }
    check_place(reading, node, "cache", route);
    if (caching->coalesce) {
        check_place(reading, node, "coalesce", route);
    }
    route->has_caching = caching->on || caching->coalesce;
}
