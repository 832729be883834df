/* SPDX-License-Identifier: BSD-2-Clause */
/* The `listeners` list: literal addresses, each once. */
#include "config/read/reading.h"

static bool is_unix(const struct address *address)
{
    return address->any.sa_family == AF_UNIX;
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

void config_read_listen_address(struct reading *reading, const struct node *node, void *at)
{
    struct listener_settings *listener = at;

    if (!address_parse(node->text, &listener->address)) {
        config_refuse_text(
            reading, node,
            bytes_start_with(node->text, BYTES("unix:")) ? " (a path of up to 107 bytes)" : "");
        return;
    }
    listener->name = config_keep(reading, node->text).at;
    register_address(reading, node, listener);
}

/* A header names any client that its sender likes, so it must be said who may send one. */
void config_check_proxy_protocol(struct reading *reading, const struct node *node, void *at)
{
    struct listener_settings *listener = at;
    const struct node *from = config_node_child(node, "from");

    listener->proxy_protocol = true;
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

void config_read_listener(struct reading *reading, const struct node *node, void *at)
{
    const struct settings *settings = reading->settings;
    struct listener_settings *listener = at;
    const struct node *mode = config_node_child(node, "mode");

    reading->listener = listener;
    listener->print = config_node_print(node);
    listener->timeouts = settings->timeouts; /* what it does not say itself is as everywhere */
    listener->limits = settings->limits;
    listener->min_rates = settings->min_rates;
    listener->client_limits = settings->client_limits;
    config_fill_defaults(reading, PLACE_LISTENER, "", listener);
    if (config_read_group(reading, node, PLACE_LISTENER, "", listener)) {
        if (mode != NULL && listener->name != NULL && !is_unix(&listener->address)) {
            READING_ERROR(reading, mode,
                          "'mode' is for Unix sockets only, and this listener is none");
        }
        check_https(reading, node, listener);
        listener->has_access_rules =
            listener->access_rules.allow_count > 0 || listener->access_rules.deny_count > 0;
    }
    reading->listeners_unsure |= listener->name == NULL;
    reading->listener = NULL;
}
