/* SPDX-License-Identifier: BSD-2-Clause */
/* What a route may say and has no effect. Called by config/read/warnings once all is read and nothing is
 * wrong, so that each route has its node. */
#include "config/read/reading.h"

/* --- clients' certificates ------------------------------------------------------------------ */

static bool asks_for_certificates(const struct listener_settings *listener)
{
    bool asks = listener->tls.client_auth.mode != TLS_CLIENT_AUTH_OFF;

    for (uint32_t i = 0; !asks && i < listener->tls.host_count; i++) {
        asks = listener->tls.hosts[i].client_auth.mode != TLS_CLIENT_AUTH_OFF;
    }
    return asks;
}

static bool meets_certificates(const struct settings *settings, const struct route_settings *route)
{
    for (uint32_t i = 0; i < settings->listener_count; i++) {
        const struct listener_settings *listener = &settings->listeners[i];

        if (route_takes_listener(route, listener->name) && asks_for_certificates(listener)) {
            return true;
        }
    }
    return false;
}

static bool counts_by_certificate(const struct rate_limit_settings *limit)
{
    for (uint32_t i = 0; i < limit->key_count; i++) {
        if (limit->key[i].kind == SOURCE_CERTIFICATE) {
            return true;
        }
    }
    return false;
}

static void find_limits_of_none(struct reading *reading, const struct node *node,
                                const struct route_settings *route)
{
    const struct node *limits = config_node_child(node, "rate_limits");

    for (uint32_t i = 0; i < route->rate_limit_count; i++) {
        if (counts_by_certificate(&route->rate_limits[i]) &&
            !meets_certificates(reading->settings, route)) {
            READING_WARNING(reading, limits,
                            "the rate limit '%s' counts by certificate_subject, and no listener of "
                            "this route asks for a certificate (tls.client_auth): it counts no "
                            "request",
                            route->rate_limits[i].name);
        }
    }
}

/* --- options that need another one ---------------------------------------------------------- */

static void find_waiting_for_none(struct reading *reading, const struct node *node,
                                  const struct route_settings *route)
{
    static const char *const options[] = {"max_coalesced", "coalesce_timeout"};

    for (size_t i = 0; !route->caching.coalesce && i < sizeof(options) / sizeof(options[0]); i++) {
        const struct node *option = config_node_child(node, options[i]);

        if (option != NULL) {
            READING_WARNING(reading, option->key,
                            "'%s' has no effect without coalesce: true; no request waits for "
                            "another one's answer",
                            options[i]);
        }
    }
}

static bool has_adaptive_service(const struct route_settings *route)
{
    for (uint32_t i = 0; i < route->arm_count; i++) {
        if (route->arms[i].service->limits.adaptive) {
            return true;
        }
    }
    return false;
}

static void find_turns_of_none(struct reading *reading, const struct node *node,
                               const struct route_settings *route)
{
    if (route->fair_by_count > 0 && !has_adaptive_service(route)) {
        READING_WARNING(reading, config_node_child(node, "fair_by")->key,
                        "'fair_by' has no effect: no service of this route has concurrency: auto, "
                        "where clients wait in turn");
    }
}

/* --- testers -------------------------------------------------------------------------------- */

static void find_testers_without_value(struct reading *reading, const struct node *node,
                                       const struct route_settings *route)
{
    const struct node *pass = config_node_child(node, "maintenance_pass");

    for (uint32_t i = 0; i < route->access_rules.pass_count; i++) {
        const struct pair_match *pair = &route->access_rules.pass[i];

        if (!pair->present_only && pair->value.length == 0) {
            READING_WARNING(reading, pass->key,
                            "'maintenance_pass': the value of '%s' is empty, so that only a field "
                            "without a value passes; write a secret, or true for any value",
                            pair->name.at);
        }
    }
}

void config_find_route_warnings(struct reading *reading, const struct node *routes)
{
    const struct settings *settings = reading->settings;
    const struct node *node = routes != NULL ? routes->first : NULL;

    for (uint32_t i = 0; node != NULL && i < settings->route_count; i++, node = node->next) {
        find_limits_of_none(reading, node, &settings->routes[i]);
        find_waiting_for_none(reading, node, &settings->routes[i]);
        find_turns_of_none(reading, node, &settings->routes[i]);
        find_testers_without_value(reading, node, &settings->routes[i]);
    }
}
