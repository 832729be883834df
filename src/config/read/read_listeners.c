/* SPDX-License-Identifier: BSD-2-Clause */
/* The `listeners` list: literal addresses, each once. */
#include "config/read/reading.h"

#define EXPECTED "an address with its port, \"127.0.0.1:8080\" or \"[::]:8080\", or \"unix:/path\""

static bool is_unix(const struct address *address)
{
    return address->any.sa_family == AF_UNIX;
}

static bool parse_listen_address(struct reading *reading, const struct node *node,
                                 struct address *address)
{
    struct bytes text;

    if (!config_read_text(reading, node, "address", EXPECTED, &text)) {
        return false;
    }
    if (!address_parse(text, address)) {
        READING_ERROR(reading, node, "'address' expects %s, not '%s'%s", EXPECTED,
                      config_show(text).text,
                      bytes_start_with(text, BYTES("unix:")) ? " (a path of up to 107 bytes)" : "");
        return false;
    }
    return true;
}

/* Under its standard form, so that other spellings of one address meet. */
static void register_address(struct reading *reading, const struct node *node,
                             const struct listener_settings *listener)
{
    char text[ADDRESS_TEXT_MAX];
    size_t length = address_format(&listener->address, text);
    const char *key = arena_copy(reading->scratch, (struct bytes){text, length});
    const struct node *first;

    if (key == NULL) {
        return;
    }
    first = config_names_add(&reading->listeners, (struct bytes){key, length}, node);
    /* Port 0 is a free one each time. */
    if (first != NULL && (is_unix(&listener->address) || address_port(&listener->address) != 0)) {
        READING_ERROR(reading, node, "the listener '%s' stands on %s already", key,
                      config_line(reading, first).text);
    }
}

static void read_address(struct reading *reading, const struct node *listener_node,
                         struct listener_settings *listener)
{
    const struct node *node = config_node_child(listener_node, "address");
    const struct node *mode = config_node_child(listener_node, "mode");

    if (node == NULL) {
        config_report_missing(reading, listener_node, "address", EXPECTED);
    }
    if (node == NULL || !parse_listen_address(reading, node, &listener->address)) {
        reading->listeners_unsure = true;
        return;
    }
    listener->name = config_keep(reading, node->text).at;
    listener->at = config_place_of(reading, node);
    register_address(reading, node, listener);
    if (mode != NULL && !is_unix(&listener->address)) {
        READING_ERROR(reading, mode, "'mode' is for Unix sockets only, and this listener is none");
    }
}

/* A header names any client that its sender likes, so it must be said who may send one. */
static void read_proxy_protocol(struct reading *reading, const struct node *listener_node,
                                struct listener_settings *listener)
{
    const struct node *node = config_node_child(listener_node, "proxy_protocol");
    const struct node *from = config_node_child(node, "from");

    if (node == NULL) {
        return;
    }
    if (node->kind == NODE_TEXT) {
        READING_ERROR(reading, node,
                      "'proxy_protocol' expects the networks of the proxies that send headers: "
                      "{from: [10.0.0.0/8]}, or {from: [0.0.0.0/0, \"::/0\"]} to take them "
                      "from any peer");
        return;
    }
    if (!config_read_group(reading, node, PLACE_LISTENER, "proxy_protocol", listener)) {
        return;
    }
    listener->proxy_protocol = true;
    config_read_networks(reading, from, "proxy_protocol.from", &listener->proxy_from,
                         &listener->proxy_from_count);
    if (is_unix(&listener->address)) {
        if (from != NULL) {
            READING_ERROR(reading, from,
                          "'proxy_protocol.from' is for TCP; for a Unix socket 'mode' says who may "
                          "connect, so write proxy_protocol: {}");
        }
    } else if (from == NULL || (from->kind == NODE_LIST && from->count == 0)) {
        config_report_missing(
            reading, node, "proxy_protocol.from",
            "the networks of the proxies that send headers, such as [10.0.0.0/8]");
    }
}

/* What it does not say itself is as everywhere. */
static void read_budgets(struct reading *reading, const struct node *node,
                         struct listener_settings *listener)
{
    const struct settings *settings = reading->settings;
    const struct {
        const char *group;
        void *record;
    } groups[] = {{"timeouts", &listener->timeouts},
                  {"limits", &listener->limits},
                  {"min_rates", &listener->min_rates}};

    listener->timeouts = settings->timeouts;
    listener->limits = settings->limits;
    listener->min_rates = settings->min_rates;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        const struct node *own = config_node_child(node, groups[i].group);

        if (own != NULL) {
            config_read_group(reading, own, PLACE_LISTENER, groups[i].group, groups[i].record);
        }
    }
}

static void check_https(struct reading *reading, const struct node *node,
                        const struct listener_settings *listener)
{
    const struct node *hsts = config_node_child(node, "hsts");
    bool speaks_tls = config_node_child(node, "tls") != NULL;

    if (hsts != NULL && !speaks_tls) {
        READING_ERROR(reading, hsts,
                      "'hsts' is for listeners that speak TLS (RFC 6797 section 7.2)");
    } else if (hsts != NULL && (!bytes_start_with(listener->hsts, BYTES("max-age=")) ||
                                !config_is_field_value(listener->hsts))) {
        READING_ERROR(reading, hsts,
                      "'hsts' expects max-age=SECONDS, and maybe "
                      "; includeSubDomains and ; preload behind it");
    }
    if (listener->redirect_to_https && speaks_tls) {
        READING_ERROR(reading, config_node_child(node, "redirect_to_https"),
                      "'redirect_to_https' is for listeners that do not speak TLS themselves");
    }
}

void config_read_listeners(struct reading *reading, const struct node *node)
{
    struct settings *settings = reading->settings;
    const struct node *member;

    if (node == NULL || node->kind == NODE_BROKEN) {
        reading->listeners_unsure = true;
        return;
    }
    if (node->kind != NODE_LIST || node->count == 0) {
        READING_ERROR(reading, node,
                      "'listeners' expects a list with at least one address, "
                      "such as - address: 127.0.0.1:8080");
        reading->listeners_unsure = true;
        return;
    }
    settings->listeners = config_take_array(reading, node->count, sizeof(*settings->listeners));
    if (settings->listeners == NULL) {
        return;
    }
    for (member = node->first; member != NULL; member = member->next) {
        struct listener_settings *listener = &settings->listeners[settings->listener_count++];

        listener->print = config_node_print(member);
        config_fill_defaults(PLACE_LISTENER, "", listener);
        if (config_read_group(reading, member, PLACE_LISTENER, "", listener)) {
            read_address(reading, member, listener);
            read_proxy_protocol(reading, member, listener);
            read_budgets(reading, member, listener);
            config_read_listener_client_limits(reading, config_node_child(member, "client_limits"),
                                               listener);
            check_https(reading, member, listener);
            listener->has_doors = config_read_doors(reading, member, &listener->doors);
            config_read_listener_tls(reading, config_node_child(member, "tls"), &listener->tls);
        } else {
            reading->listeners_unsure = true;
        }
    }
}
