/* SPDX-License-Identifier: BSD-2-Clause */
/* The `tls` groups of listeners. Only what stands in the configuration is read here; the files
 * that it names are read by io/tls_store. */
#include "config/reading.h"

static void require_absolute(struct reading *reading, const struct node *node, const char *option)
{
    if (node != NULL && node->kind == NODE_TEXT && node->text.length > 0 &&
        node->text.at[0] != '/') {
        READING_ERROR(reading, node, "'%s' expects an absolute path, not '%s'", option,
                      config_show(node->text).text);
    }
}

static void read_certificate(struct reading *reading, const struct node *node,
                             struct tls_certificate_settings *certificate)
{
    const struct node *cert = config_node_child(node, "cert");
    const struct node *key = config_node_child(node, "key");

    if (!config_read_group(reading, node, PLACE_LISTENER, "tls.certificates", certificate)) {
        return;
    }
    require_absolute(reading, cert, "tls.certificates.cert");
    require_absolute(reading, key, "tls.certificates.key");
    if (cert == NULL) {
        config_tell_missing(reading, node, "cert", "the path of a PEM file");
    }
    if (key == NULL) {
        config_tell_missing(reading, node, "key", "the path of a PEM file");
    }
}

static void read_certificates(struct reading *reading, const struct node *node,
                              struct tls_listener_settings *tls)
{
    const struct node *member;

    if (node->kind == NODE_BROKEN) {
        return;
    }
    if (node->kind != NODE_LIST || node->count == 0) {
        READING_ERROR(reading, node,
                      "'tls.certificates' expects a list with at least one member, such as "
                      "[{cert: /path/to/cert.pem, key: /path/to/key.pem}]");
        return;
    }
    tls->certificates = config_take_array(reading, node->count, sizeof(*tls->certificates));
    if (tls->certificates == NULL) {
        return;
    }
    for (member = node->first; member != NULL; member = member->next) {
        read_certificate(reading, member, &tls->certificates[tls->certificate_count++]);
    }
}

void config_read_listener_tls(struct reading *reading, const struct node *node,
                              struct tls_listener_settings *tls)
{
    const struct node *certificates = config_node_child(node, "certificates");

    config_fill_defaults(PLACE_LISTENER, "tls", tls);
    if (node == NULL || !config_read_group(reading, node, PLACE_LISTENER, "tls", tls)) {
        return;
    }
    if (certificates == NULL) {
        config_tell_missing(reading, node, "certificates",
                            "a list such as [{cert: /path/to/cert.pem, key: /path/to/key.pem}]");
        return;
    }
    read_certificates(reading, certificates, tls);
}
