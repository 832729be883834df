/* SPDX-License-Identifier: BSD-2-Clause */
/* The `tls` groups of listeners. Only what stands in the configuration is read here; the files
 * that it names are read by tls/tls_store. */
#include "config/read/reading.h"

static void read_certificate(struct reading *reading, const struct node *node,
                             struct tls_certificate_settings *certificate)
{
    const struct node *cert = config_node_child(node, "cert");
    const struct node *key = config_node_child(node, "key");

    if (!config_read_group(reading, node, PLACE_LISTENER, "tls.certificates", certificate)) {
        return;
    }
    certificate->cert_at = config_place_of(reading, cert);
    certificate->key_at = config_place_of(reading, key);
    config_require_absolute(reading, cert, "tls.certificates.cert");
    config_require_absolute(reading, key, "tls.certificates.key");
    if (cert == NULL) {
        config_report_missing(reading, node, "cert", "the path of a PEM file");
    }
    if (key == NULL) {
        config_report_missing(reading, node, "key", "the path of a PEM file");
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

/* A mode that asks for certificates needs to know whose are good. */
static void check_ca(struct reading *reading, const struct node *node, const char *option,
                     struct tls_client_auth_settings *auth)
{
    const struct node *ca = config_node_child(node, "ca");

    if (ca != NULL) {
        auth->ca_at = config_place_of(reading, ca);
    }
    config_require_absolute(reading, ca, option);
    if (auth->mode != TLS_CLIENT_AUTH_OFF && auth->ca == NULL) {
        config_report_missing(reading, node, "ca", "the path of a PEM file");
    }
}

static void read_client_auth(struct reading *reading, const struct node *node,
                             struct tls_client_auth_settings *auth)
{
    config_fill_defaults(PLACE_LISTENER, "tls.client_auth", auth);
    if (node != NULL && config_read_group(reading, node, PLACE_LISTENER, "tls.client_auth", auth)) {
        check_ca(reading, node, "tls.client_auth.ca", auth);
    }
}

static void read_host(struct reading *reading, const struct node *node,
                      const struct tls_client_auth_settings *above, struct tls_host_settings *host)
{
    const struct node *name = config_node_child(node, "name");
    struct bytes text;

    config_fill_defaults(PLACE_LISTENER, "tls.hosts", host);
    host->client_auth.ca = above->ca;
    host->client_auth.ca_at = above->ca_at;
    if (!config_read_group(reading, node, PLACE_LISTENER, "tls.hosts", host)) {
        return;
    }
    check_ca(reading, node, "tls.hosts.ca", &host->client_auth);
    if (name == NULL) {
        config_report_missing(reading, node, "name", "a host name");
        return;
    }
    text = bytes_of(host->name);
    config_to_lower(text);
    if (text.length > 0 &&
        !config_is_host_name(bytes_start_with(text, BYTES("*.")) ? bytes_skip(text, 2) : text)) {
        READING_ERROR(reading, name, "'tls.hosts.name' expects a host name, not '%s'",
                      config_show(text).text);
    }
}

static void read_hosts(struct reading *reading, const struct node *node,
                       struct tls_listener_settings *tls)
{
    const struct node *member;

    if (node == NULL || node->kind == NODE_BROKEN) {
        return;
    }
    if (node->kind != NODE_LIST) {
        READING_ERROR(reading, node,
                      "'tls.hosts' expects a list such as [{name: pay.example.com}]");
        return;
    }
    tls->hosts = config_take_array(reading, node->count, sizeof(*tls->hosts));
    for (member = node->first; tls->hosts != NULL && member != NULL; member = member->next) {
        read_host(reading, member, &tls->client_auth, &tls->hosts[tls->host_count++]);
    }
}

static void read_ticket_keys(struct reading *reading, const struct node *node,
                             struct tls_listener_settings *tls)
{
    const struct node *member;
    uint32_t count;

    if (node == NULL ||
        (member = config_read_members(reading, node, "tls.ticket_keys", &count)) == NULL) {
        return;
    }
    tls->ticket_keys = config_take_array(reading, count, sizeof(*tls->ticket_keys));
    tls->ticket_keys_at = config_take_array(reading, count, sizeof(*tls->ticket_keys_at));
    for (; tls->ticket_keys != NULL && tls->ticket_keys_at != NULL && member != NULL &&
           tls->ticket_key_count < count;
         member = member->next) {
        struct bytes path;

        if (config_read_text(reading, member, "tls.ticket_keys", "the path of a file", &path)) {
            config_require_absolute(reading, member, "tls.ticket_keys");
            tls->ticket_keys_at[tls->ticket_key_count] = config_place_of(reading, member);
            tls->ticket_keys[tls->ticket_key_count++] = config_keep(reading, path).at;
        }
    }
}

void config_read_listener_tls(struct reading *reading, const struct node *node,
                              struct tls_listener_settings *tls)
{
    const struct node *certificates = config_node_child(node, "certificates");

    config_fill_defaults(PLACE_LISTENER, "tls", tls);
    tls->at = config_place_of(reading, node);
    if (node == NULL || !config_read_group(reading, node, PLACE_LISTENER, "tls", tls)) {
        return;
    }
    if (certificates == NULL) {
        config_report_missing(reading, node, "certificates",
                              "a list such as [{cert: /path/to/cert.pem, key: /path/to/key.pem}]");
        return;
    }
    read_certificates(reading, certificates, tls);
    read_client_auth(reading, config_node_child(node, "client_auth"), &tls->client_auth);
    read_hosts(reading, config_node_child(node, "hosts"), tls);
    read_ticket_keys(reading, config_node_child(node, "ticket_keys"), tls);
}
