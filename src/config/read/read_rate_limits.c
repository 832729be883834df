/* SPDX-License-Identifier: BSD-2-Clause */
/* The `rate_limits` of a route: rates by a key out of the request. Called by read_routes.c. */
#include "config/read/reading.h"

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
    limit->policy = bytes_of(arena_format(reading->arena, "\"%s\";q=%u;w=%llu", limit->name,
                                          limit->burst, (unsigned long long)window_s));
    limit->state = bytes_of(arena_format(reading->arena, RATE_LIMIT_STATE("%s"), limit->name));
    limit->problem = bytes_of(arena_format(reading->arena, RATE_LIMIT_PROBLEM("%s"), limit->name));
}

void config_read_rate_limit(struct reading *reading, const struct node *node, void *at)
{
    struct rate_limit_settings *limit = at;

    if (limit->name == NULL) {
        limit->name = arena_format(reading->arena, "limit-%u", reading->route->rate_limit_count);
    }
    refuse_second_name(reading, node, reading->route, limit);
    check_burst(reading, node, limit);
    if (limit->name != NULL && limit->requests > 0) {
        write_texts(reading, limit);
    }
}
