/* SPDX-License-Identifier: BSD-2-Clause */
/* The `admin` group: where the control interface is. */
#include "config/read/reading.h"

#define SOCKET_EXPECTED "auto, off or an absolute path of up to 107 bytes"
#define METRICS_EXPECTED "an address with its port, such as 127.0.0.1:9464"

static void read_socket(struct reading *reading, const struct node *node)
{
    struct admin_settings *admin = &reading->settings->admin;
    struct bytes text = BYTES("auto");
    struct address address;

    admin->socket_at = config_place_of(reading, node);
    if (node != NULL && !config_read_text(reading, node, "admin.socket", SOCKET_EXPECTED, &text)) {
        return;
    }
    if (bytes_equal(text, BYTES("auto"))) {
        admin->socket_auto = true;
    } else if (bytes_equal(text, BYTES("off"))) {
        admin->socket = NULL;
    } else if (text.length > 1 && text.at[0] == '/' && address_parse(text, &address)) {
        admin->socket = config_keep(reading, text).at;
    } else {
        READING_ERROR(reading, node, "'admin.socket' expects " SOCKET_EXPECTED ", not '%s'",
                      config_show(text).text);
    }
}

static void read_metrics(struct reading *reading, const struct node *node)
{
    struct admin_settings *admin = &reading->settings->admin;
    struct bytes text;

    admin->metrics_at = config_place_of(reading, node);
    if (node == NULL ||
        !config_read_text(reading, node, "admin.metrics", METRICS_EXPECTED, &text)) {
        return;
    }
    if (!address_parse(text, &admin->metrics_address)) {
        READING_ERROR(reading, node, "'admin.metrics' expects " METRICS_EXPECTED ", not '%s'",
                      config_show(text).text);
        return;
    }
    admin->metrics = config_keep(reading, text).at;
}

void config_read_admin(struct reading *reading, const struct node *node)
{
    config_fill_defaults(PLACE_GLOBAL, "admin", &reading->settings->admin);
    if (node != NULL &&
        !config_read_group(reading, node, PLACE_GLOBAL, "admin", &reading->settings->admin)) {
        return;
    }
    read_socket(reading, config_node_child(node, "socket"));
    read_metrics(reading, config_node_child(node, "metrics"));
}
