/* SPDX-License-Identifier: BSD-2-Clause */
/* The `dns` group: whom the resolver asks. */
#include "config/read/reading.h"

#define DNS_PORT 53

/* As the resolver wants it: with its port. */
void config_read_dns_server(struct reading *reading, const struct node *node, void *at)
{
    struct settings *settings = at;
    struct address address;
    char text[ADDRESS_TEXT_MAX];
    struct ip ip;

    if (ip_parse(node->text, &ip)) {
        ip_to_address(&ip, DNS_PORT, &address);
    } else if (!address_parse(node->text, &address) || address.any.sa_family == AF_UNIX ||
               address_port(&address) == 0) {
        config_refuse_text(reading, node, "");
        return;
    }
    text[address_format(&address, text)] = '\0';
    settings->dns_servers = arena_format(reading->arena, "%s%s%s",
                                         settings->dns_servers != NULL ? settings->dns_servers : "",
                                         settings->dns_servers != NULL ? "," : "", text);
}
