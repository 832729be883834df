/* SPDX-License-Identifier: BSD-2-Clause */
/* From the store, as it is now, of the routes of the plan. Without one that stores or shares answers there
 * is no such family. Route by route: writing gives the core up, which must not happen under the store's lock. */
#include "control/pages/metrics_cache.h"

#include "cache/cache_store.h"
#include "control/pages/metrics_text.h"

static uint64_t answers(const struct cache_reading *reading)
{
    return reading->stored;
}

static uint64_t bytes(const struct cache_reading *reading)
{
    return reading->bytes;
}

static const struct family {
    const char *name;
    const char *help;
    uint64_t (*value)(const struct cache_reading *reading);
} families[] = {
    {"turnpike_cache_answers", "Answers that a route has stored.", answers},
    {"turnpike_cache_bytes",
     "Memory of a route's stored answers, and of those being read (cache.max_bytes).", bytes},
};

static void add_family(struct page *page, const struct settings *settings,
                       const struct family *family)
{
    metrics_text_family(page, family->name, "gauge", family->help);
    for (uint32_t i = 0; i < settings->route_count; i++) {
        if (settings->routes[i].has_caching) {
            struct cache_reading reading = cache_store_read_route(settings->routes[i].name);

            metrics_text_begin(page, family->name, "route", reading.route);
            metrics_text_end(page, family->value(&reading));
        }
    }
}

static bool any_caching(const struct settings *settings)
{
    for (uint32_t i = 0; i < settings->route_count; i++) {
        if (settings->routes[i].has_caching) {
            return true;
        }
    }
    return false;
}

void metrics_cache_add(struct page *page, const struct control_sources *sources)
{
    struct plan *plan = sources->plan(sources->owner);
    const struct settings *settings = plan_settings(plan);

    if (any_caching(settings)) {
        for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
            add_family(page, settings, &families[i]);
        }
    }
    plan_unref(&plan);
}
