/* SPDX-License-Identifier: BSD-2-Clause */
/* What a file may say and hardly means. Called by config/read/read_settings once all is read and nothing
 * is wrong. */
#include "config/read/reading.h"

#include <ifaddrs.h>
#include <netinet/in.h>

/* --- services that no route names --------------------------------------------------------- */

static void find_unused(struct reading *reading, const struct node *services)
{
    const struct node *member = services != NULL ? services->first : NULL;

    for (; member != NULL; member = member->next) {
        const struct service_settings *service =
            config_names_find(&reading->services, member->key->text);

        if (service != NULL && !service->used) {
            READING_WARNING(reading, member->key, "no route uses the service '%s'", service->name);
        }
    }
}

/* --- origins that are listeners ------------------------------------------------------------ */

static bool is_unix(const struct address *address)
{
    return address->any.sa_family == AF_UNIX;
}

static bool is_same_ip(const struct address *a, const struct address *b)
{
    struct ip one = ip_of_address(a);
    struct ip other = ip_of_address(b);

    return memcmp(&one, &other, sizeof(one)) == 0;
}

/* One that an interface of this machine has. */
static bool is_ours(const struct address *address, const struct ifaddrs *interfaces)
{
    struct address of = {0};

    if (address_is_local(address)) {
        return true;
    }
    for (const struct ifaddrs *at = interfaces; at != NULL; at = at->ifa_next) {
        if (at->ifa_addr == NULL || at->ifa_addr->sa_family != address->any.sa_family) {
            continue;
        }
        of.length = address->length;
        memcpy(&of.any, at->ifa_addr, address->length);
        if (is_same_ip(address, &of)) {
            return true;
        }
    }
    return false;
}

static bool leads_to(const struct origin_settings *origin, const struct listener_settings *listener,
                     const struct ifaddrs *interfaces)
{
    const struct address *from = &origin->address;
    const struct address *to = &listener->address;

    if (is_unix(to) || (origin->host == NULL && is_unix(from))) {
        return origin->host == NULL && is_unix(to) && is_unix(from) &&
               strcmp(from->local.sun_path, to->local.sun_path) == 0;
    }
    if (origin->host != NULL) { /* other names are not asked for */
        return strcmp(origin->host, "localhost") == 0 && origin->port == address_port(to) &&
               (address_is_wildcard(to) || address_is_local(to));
    }
    return address_port(from) == address_port(to) && from->any.sa_family == to->any.sa_family &&
           (is_same_ip(from, to) || (address_is_wildcard(to) && is_ours(from, interfaces)));
}

/* What comes in by this listener may go on to a service, and so come back. */
static bool forwards(const struct settings *settings, const struct listener_settings *listener)
{
    for (uint32_t i = 0; i < settings->route_count; i++) {
        const struct route_settings *route = &settings->routes[i];

        if (route->action == ROUTE_FORWARD && route_takes_listener(route, listener->name)) {
            return true;
        }
    }
    return false;
}

static void find_loops_of(struct reading *reading, const struct node *node,
                          const struct service_settings *service, const struct ifaddrs *interfaces)
{
    const struct settings *settings = reading->settings;

    for (uint32_t i = 0; i < service->origin_count; i++) {
        const struct origin_settings *origin = &service->origins[i];

        for (uint32_t n = 0; origin->srv == NULL && n < settings->listener_count; n++) {
            const struct listener_settings *listener = &settings->listeners[n];

            if (leads_to(origin, listener, interfaces) && forwards(settings, listener)) {
                READING_WARNING(
                    reading, node->key,
                    "the origin '%s' of the service '%s' is this gateway's own "
                    "listener '%s' (line %u%s%s): a request that comes back by the same "
                    "route goes round until a limit ends it; name the server behind "
                    "the gateway",
                    origin->name, service->name, listener->name, listener->at.line,
                    listener->at.file != settings->file ? " of " : "",
                    listener->at.file != settings->file ? listener->at.file : "");
            }
        }
    }
}

static void find_loops(struct reading *reading, const struct node *services)
{
    const struct node *member = services != NULL ? services->first : NULL;
    struct ifaddrs *interfaces = NULL;

    if (getifaddrs(&interfaces) < 0) {
        interfaces = NULL; /* loopback is known without them */
    }
    for (; member != NULL; member = member->next) {
        const struct service_settings *service =
            config_names_find(&reading->services, member->key->text);

        if (service != NULL) {
            find_loops_of(reading, member, service, interfaces);
        }
    }
    freeifaddrs(interfaces);
}

void config_find_warnings(struct reading *reading, const struct node *root)
{
    const struct node *services = config_node_child(root, "services");

    find_unused(reading, services);
    find_loops(reading, services);
    config_find_route_warnings(reading, config_node_child(root, "routes"));
}
