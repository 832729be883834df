/* SPDX-License-Identifier: BSD-2-Clause */
/* The `tls` groups of listeners. Only what stands in the configuration is read here; the files
 * that it names are read by tls/tls_store. */
#include "config/read/reading.h"

/* A mode that asks for certificates needs to know whose are good. */
static void require_ca(struct reading *reading, const struct node *node,
                       const struct tls_client_auth_settings *auth)
{
    if (auth->mode != TLS_CLIENT_AUTH_OFF && auth->ca == NULL) {
        config_report_missing(reading, node, "ca", "the path of a PEM file");
    }
}

void config_check_client_auth(struct reading *reading, const struct node *node, void *at)
{
    require_ca(reading, node, at);
}

/* Names of hosts may stand for all below them. */
bool config_is_host_pattern(struct bytes text)
{
    return config_is_host_name(bytes_start_with(text, BYTES("*.")) ? bytes_skip(text, 2) : text);
}

void config_read_tls_host(struct reading *reading, const struct node *node, void *at)
{
    const struct tls_client_auth_settings *above = &reading->listener->tls.client_auth;
    struct tls_host_settings *host = at;

    if (host->client_auth.ca == NULL) {
        host->client_auth.ca = above->ca;
        host->client_auth.ca_at = above->ca_at;
    }
    require_ca(reading, node, &host->client_auth);
    config_to_lower(bytes_of(host->name));
}

void config_read_ticket_key(struct reading *reading, const struct node *node, void *at)
{
    struct tls_ticket_key_settings *key = at;

    if (node->text.at[0] != '/') {
        config_refuse_text(reading, node, "");
        return;
    }
    key->path = config_keep(reading, node->text).at;
    key->at = config_place_of(reading, node);
}
