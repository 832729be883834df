/* SPDX-License-Identifier: BSD-2-Clause */
/* The `client_limits` groups: the global one, those of listeners, which replace what they name, and
 * those of routes. A listener or route with limits of its own also counts by itself: its `scope` is
 * made from its name, so that a reload does not begin a new count. */
#include "config/read/reading.h"

#include "base/hash.h"

#define AUTO_BURST_SECONDS 2

static uint32_t burst_of(const struct client_limits_settings *limits)
{
    uint64_t burst = (uint64_t)limits->request_rate * AUTO_BURST_SECONDS;

    return limits->request_burst != 0 ? limits->request_burst : (uint32_t)burst;
}

static void check_burst(struct reading *reading, const struct node *node,
                        const struct client_limits_settings *limits)
{
    const struct node *burst = config_node_child(node, "request_burst");

    if (burst != NULL && limits->request_burst != 0 && limits->request_rate == 0) {
        READING_ERROR(reading, burst,
                      "'client_limits.request_burst' needs client_limits.request_rate, of which it "
                      "is the burst");
    }
}

/* Of all three places. `limits` has what holds already where the group leaves something open. */
void config_check_client_limits(struct reading *reading, const struct node *node, void *at)
{
    struct client_limits_settings *limits = at;
    bool has_rate = config_node_child(node, "request_rate") != NULL;

    if (reading->route != NULL && !has_rate) {
        /* What a route leaves open is the listener's to say, and that is known with a request only. */
        config_report_missing(reading, node, "request_rate", "requests a second, or none");
        return;
    }
    if (has_rate && config_node_child(node, "request_burst") == NULL) {
        limits->request_burst = 0; /* one that was made for another rate does not hold for this */
    }
    check_burst(reading, node, limits);
    limits->request_burst = burst_of(limits);
    if (reading->route != NULL || reading->listener != NULL) {
        limits->scope = has_rate || config_node_child(node, "connection_rate") != NULL;
    }
}

/* Never 0. */
static uint32_t scope_from(uint64_t hash)
{
    uint32_t scope = (uint32_t)(hash ^ (hash >> 32));

    return scope != 0 ? scope : 1;
}

/* A number for a kind and a name. */
static uint32_t scope_of(char kind, const char *name)
{
    return scope_from(hash_more(hash_more(HASH_START, (struct bytes){&kind, 1}), bytes_of(name)));
}

static void finish_rate_limits(struct route_settings *route)
{
    uint64_t hash = hash_more(HASH_START, BYTES("k"));

    hash = hash_more(hash_more(hash, bytes_of(route->name)), BYTES("/"));
    for (uint32_t i = 0; i < route->rate_limit_count; i++) {
        struct rate_limit_settings *limit = &route->rate_limits[i];

        limit->scope = scope_from(hash_more(hash, bytes_of(limit->name)));
    }
}

void config_finish_client_limits(struct settings *settings)
{
    for (uint32_t i = 0; i < settings->listener_count; i++) {
        struct listener_settings *listener = &settings->listeners[i];

        if (listener->client_limits.scope != 0 && listener->name != NULL) {
            listener->client_limits.scope = scope_of('l', listener->name);
        }
        settings->limits_requests |= listener->client_limits.request_rate != 0;
    }
    for (uint32_t i = 0; i < settings->route_count; i++) {
        struct route_settings *route = &settings->routes[i];

        if (route->client_limits.scope != 0 && route->name != NULL) {
            route->client_limits.scope = scope_of('r', route->name);
        }
        settings->limits_requests |= route->client_limits.request_rate != 0;
        if (route->rate_limit_count > 0 && route->name != NULL) {
            finish_rate_limits(route);
        }
    }
}
