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

/* A burst that was made for another rate does not hold for this one. */
static void forget_inherited_burst(const struct node *node, struct client_limits_settings *limits)
{
    if (config_node_child(node, "request_rate") != NULL &&
        config_node_child(node, "request_burst") == NULL) {
        limits->request_burst = 0;
    }
}

static bool counts_on_its_own(const struct node *node)
{
    return config_node_child(node, "request_rate") != NULL ||
           config_node_child(node, "connection_rate") != NULL;
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

void config_read_client_limits(struct reading *reading, const struct node *node)
{
    struct settings *settings = reading->settings;
    struct client_limits_settings *limits = &settings->client_limits;

    config_fill_defaults(PLACE_GLOBAL, "client_limits", limits);
    if (node == NULL || !config_read_group(reading, node, PLACE_GLOBAL, "client_limits", limits)) {
        return;
    }
    config_read_networks(reading, config_node_child(node, "exempt"), "client_limits.exempt",
                         &settings->exempt_clients, &settings->exempt_client_count);
    check_burst(reading, node, limits);
    limits->request_burst = burst_of(limits);
}

void config_read_listener_client_limits(struct reading *reading, const struct node *node,
                                        struct listener_settings *listener)
{
    struct client_limits_settings *limits = &listener->client_limits;

    *limits = reading->settings->client_limits;
    if (node == NULL) {
        return;
    }
    forget_inherited_burst(node, limits);
    if (config_read_group(reading, node, PLACE_LISTENER, "client_limits", limits)) {
        check_burst(reading, node, limits);
        limits->request_burst = burst_of(limits);
        limits->scope = counts_on_its_own(node);
    }
}

/* What a route leaves open is the listener's to say, and that is known with a request only. */
void config_read_route_client_limits(struct reading *reading, const struct node *node,
                                     struct route_settings *route)
{
    struct client_limits_settings *limits = &route->client_limits;

    if (node == NULL || !config_read_group(reading, node, PLACE_ROUTE, "client_limits", limits)) {
        return;
    }
    if (config_node_child(node, "request_rate") == NULL) {
        config_report_missing(reading, node, "request_rate", "requests a second, or none");
        return;
    }
    check_burst(reading, node, limits);
    limits->request_burst = burst_of(limits);
    limits->scope = 1;
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
