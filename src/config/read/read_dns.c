/* SPDX-License-Identifier: BSD-2-Clause */
/* The `dns` group: whom the resolver asks. */
#include "config/read/reading.h"

#define EXPECTED "an address such as 127.0.0.1, ::1, 127.0.0.1:8600 or [::1]:8600"
#define DNS_PORT 53

/* As the resolver wants it: with its port. */
static bool read_server(struct reading *reading, const struct node *node, struct address *address)
{
    struct bytes text;
    struct ip ip;

    if (!config_read_text(reading, node, "dns.servers", EXPECTED, &text)) {
        return false;
    }
    if (ip_parse(text, &ip)) {
        ip_to_address(&ip, DNS_PORT, address);
        return true;
    }
    if (address_parse(text, address) && address->any.sa_family != AF_UNIX &&
        address_port(address) != 0) {
        return true;
    }
    READING_ERROR(reading, node, "'dns.servers' expects " EXPECTED ", not '%s'",
                  config_show(text).text);
    return false;
}

static void add_server(struct reading *reading, const struct node *node)
{
    struct settings *settings = reading->settings;
    struct address address;
    char text[ADDRESS_TEXT_MAX];

    if (!read_server(reading, node, &address)) {
        return;
    }
    text[address_format(&address, text)] = '\0';
    settings->dns_servers = arena_format(reading->arena, "%s%s%s",
                                         settings->dns_servers != NULL ? settings->dns_servers : "",
                                         settings->dns_servers != NULL ? "," : "", text);
}

void config_read_dns(struct reading *reading, const struct node *node)
{
    const struct node *servers = config_node_child(node, "servers");
    const struct node *member;
    uint32_t count = 0;

    if (node == NULL || !config_read_group(reading, node, PLACE_GLOBAL, "dns", reading->settings) ||
        servers == NULL) {
        return;
    }
    member = config_read_members(reading, servers, "dns.servers", &count);
    for (; member != NULL && count > 0; count--) {
        add_server(reading, member);
        member = member->next;
    }
}
