/* SPDX-License-Identifier: BSD-2-Clause */
/* The `admin` group: where the control interface is. */
#include "config/read/reading.h"

void config_read_admin_socket(struct reading *reading, const struct node *node, void *at)
{
    struct admin_settings *admin = at;
    struct address address;

    admin->socket_auto = bytes_equal(node->text, BYTES("auto"));
    if (admin->socket_auto || bytes_equal(node->text, BYTES("off"))) {
        return;
    }
    if (node->text.length > 1 && node->text.at[0] == '/' && address_parse(node->text, &address)) {
        admin->socket = config_keep(reading, node->text).at;
    } else {
        config_refuse_text(reading, node, "");
    }
}

void config_read_admin_metrics(struct reading *reading, const struct node *node, void *at)
{
    struct admin_settings *admin = at;

    if (address_parse(node->text, &admin->metrics_address)) {
        admin->metrics = config_keep(reading, node->text).at;
    } else {
        config_refuse_text(reading, node, "");
    }
}
