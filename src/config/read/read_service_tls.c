/* SPDX-License-Identifier: BSD-2-Clause */
/* The `tls` group of a service: what is asked of its origins. The files that it names are read by
 * tls/tls_store. */
#include "config/read/reading.h"

static void require_both(struct reading *reading, const struct node *group)
{
    bool cert = config_node_child(group, "cert") != NULL;
    bool key = config_node_child(group, "key") != NULL;

    if (cert && !key) {
        config_report_missing(reading, group, "key", "the path of the certificate's private key");
    } else if (key && !cert) {
        config_report_missing(reading, group, "cert", "the path of the key's certificate");
    }
}

void config_check_service_tls(struct reading *reading, const struct node *node, void *at)
{
    struct tls_service_settings *tls = at;

    tls->on = true;
    require_both(reading, node);
}

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

/* NULL after telling: an origin that has no name that a certificate could have. */
static const char *name_of(struct reading *reading, const struct node *node,
                           const struct service_settings *service,
                           const struct origin_settings *origin)
{
    char text[ADDRESS_TEXT_MAX];
    struct ip ip;

    if (service->tls.server_name != NULL) {
        return service->tls.server_name;
    }
    if (origin->host != NULL) {
        return origin->host;
    }
    if (origin->address.any.sa_family == AF_UNIX) {
        READING_ERROR(reading, node,
                      "the origin '%s' has no name that its certificate could have; add "
                      "tls.server_name to the service",
                      origin->name);
        return NULL;
    }
    ip = ip_of_address(&origin->address);
    return arena_copy(reading->arena, (struct bytes){text, ip_format(&ip, text)});
}

/* All but the name. */
static const char *rest_of_identity(struct reading *reading, const struct tls_service_settings *tls)
{
    return arena_format(reading->arena, "\n%s\n%s\n%s\n%d%d", text_of(tls->ca), text_of(tls->cert),
                        text_of(tls->key), (int)tls->min_version, tls->insecure_skip_verify);
}

void config_finish_service_tls(struct reading *reading, const struct node *node,
                               struct service_settings *service)
{
    const struct tls_service_settings *tls = &service->tls;

    for (uint32_t i = 0; tls->on && i < service->origin_count; i++) {
        struct origin_settings *origin = &service->origins[i];

        if (origin->name == NULL) {
            continue; /* said already */
        }
        if (origin->srv != NULL) {
            origin->tls_name = tls->server_name; /* or else that of each target */
            origin->tls_identity = rest_of_identity(reading, tls);
            continue;
        }
        origin->tls_name = name_of(reading, node, service, origin);
        if (origin->tls_name != NULL) {
            const char *rest = rest_of_identity(reading, tls);

            origin->tls_identity =
                rest != NULL ? arena_format(reading->arena, "%s%s", origin->tls_name, rest) : NULL;
        }
    }
}
