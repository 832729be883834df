/* SPDX-License-Identifier: BSD-2-Clause */
/* All certificates that a snapshot names, for people: what clients and origins are shown, and the
 * CAs by whom they must be vouched for. Made with its store, of what the first worker has, and
 * read only from then on. What the system trusts is not listed: the file does not name it. */
#include "tls/tls_private.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    struct tls_certificate_facts facts;
    struct tls_certificate *own; /* of a CA; a certificate that is sent belongs to its sender */
};

struct tls_inventory {
    struct entry *entries;
    uint32_t count;
    uint32_t room;
};

/* What an entry is about. */
struct use {
    enum tls_role role;
    const char *listener; /* one of the two */
    const char *service;
    const char *cert;
    const char *key; /* NULL: a CA's */
    struct file_place at;
};

static struct tls_certificate_facts facts_of(const struct tls_certificate *certificate,
                                             const struct use *use)
{
    return (struct tls_certificate_facts){
        .role = use->role,
        .listener = use->listener,
        .service = use->service,
        .cert = use->cert,
        .key = use->key,
        .at = use->at,
        .subject = certificate->subject,
        .issuer = certificate->issuer,
        .key_type = certificate->key_type,
        .names = (const char *const *)certificate->names,
        .name_count = certificate->name_count,
        .not_before_s = certificate->not_before_s,
        .not_after_s = certificate->not_after_s,
        .print = certificate->print,
    };
}

static bool add(struct tls_inventory *inventory, const struct tls_certificate *certificate,
                struct tls_certificate *own, const struct use *use)
{
    if (inventory->count == inventory->room) {
        uint32_t room = inventory->room * 2 + 8;
        struct entry *grown = realloc(inventory->entries, room * sizeof(*grown));

        if (grown == NULL) {
            return false;
        }
        inventory->entries = grown;
        inventory->room = room;
    }
    inventory->entries[inventory->count++] = (struct entry){facts_of(certificate, use), own};
    return true;
}

/* --- CAs --------------------------------------------------------------------------------- */

static void drop(struct tls_certificate **held)
{
    tls_certificate_release(*held);
    free(*held);
    *held = NULL;
}

/* A CA that was renewed under its name stands in a file twice: the one that ends later counts. */
static struct entry *same_name(struct tls_inventory *inventory, uint32_t from, const char *subject)
{
    for (uint32_t i = from; i < inventory->count; i++) {
        if (strcmp(inventory->entries[i].facts.subject, subject) == 0) {
            return &inventory->entries[i];
        }
    }
    return NULL;
}

struct reading {
    struct tls_inventory *inventory;
    const struct use *use;
    uint32_t from; /* the file's first entry */
};

static bool take_ca(void *owner, struct tls_certificate *certificate)
{
    struct reading *reading = owner;
    struct entry *known = same_name(reading->inventory, reading->from, certificate->subject);

    if (known == NULL) {
        if (!add(reading->inventory, certificate, certificate, reading->use)) {
            drop(&certificate);
            return false;
        }
    } else if (known->facts.not_after_s >= certificate->not_after_s) {
        drop(&certificate);
    } else {
        drop(&known->own);
        *known = (struct entry){facts_of(certificate, reading->use), certificate};
    }
    return true;
}

/* Whether the file can be used was told by its user. */
static bool add_cas(struct tls_inventory *inventory, struct tls_context *tls_context,
                    struct use use, const char *path, const struct file_place *at)
{
    struct reading reading = {inventory, &use, inventory->count};

    use.role = TLS_ROLE_CA;
    use.cert = path;
    use.at = *at;
    use.key = NULL;
    return path == NULL || tls_certificates_each(tls_context, path, take_ca, &reading);
}

/* --- who uses them ----------------------------------------------------------------------- */

bool tls_inventory_add_listener(struct tls_inventory *inventory, struct tls_acceptor *acceptor,
                                const struct listener_settings *settings)
{
    const struct tls_listener_settings *tls = &settings->tls;
    struct use use = {.role = TLS_ROLE_SHOWN, .listener = settings->name};
    struct tls_context *tls_context = tls_acceptor_tls_context(acceptor);
    bool added = true;

    for (uint32_t i = 0; added && i < tls->certificate_count; i++) {
        use.cert = tls->certificates[i].cert;
        use.key = tls->certificates[i].key;
        use.at = tls->certificates[i].cert_at;
        added = add(inventory, tls_acceptor_certificate(acceptor, i), NULL, &use);
    }
    added =
        added && add_cas(inventory, tls_context, use, tls->client_auth.ca, &tls->client_auth.ca_at);
    for (uint32_t i = 0; added && i < tls->host_count; i++) {
        const char *ca = tls->hosts[i].client_auth.ca;
        bool is_new =
            ca != NULL && (tls->client_auth.ca == NULL || strcmp(ca, tls->client_auth.ca) != 0);

        for (uint32_t n = 0; is_new && n < i; n++) {
            const char *other = tls->hosts[n].client_auth.ca;

            is_new = other == NULL || strcmp(ca, other) != 0;
        }
        added =
            !is_new || add_cas(inventory, tls_context, use, ca, &tls->hosts[i].client_auth.ca_at);
    }
    return added;
}

bool tls_inventory_add_service(struct tls_inventory *inventory, struct tls_dialer *dialer,
                               const struct service_settings *settings)
{
    const struct tls_certificate *shown = tls_dialer_certificate(dialer);
    const struct use use = {.role = TLS_ROLE_SHOWN,
                            .service = settings->name,
                            .cert = settings->tls.cert,
                            .key = settings->tls.key,
                            .at = settings->tls.cert_at};

    return (shown == NULL || add(inventory, shown, NULL, &use)) &&
           add_cas(inventory, tls_dialer_tls_context(dialer), use, settings->tls.ca,
                   &settings->tls.ca_at);
}

/* --- life -------------------------------------------------------------------------------- */

struct tls_inventory *tls_inventory_new(void)
{
    return calloc(1, sizeof(struct tls_inventory));
}

void tls_inventory_free(struct tls_inventory **held)
{
    struct tls_inventory *inventory = *held;

    *held = NULL;
    if (inventory == NULL) {
        return;
    }
    for (uint32_t i = 0; i < inventory->count; i++) {
        if (inventory->entries[i].own != NULL) {
            drop(&inventory->entries[i].own);
        }
    }
    free(inventory->entries);
    free(inventory);
}

const struct tls_certificate_facts *tls_inventory_at(const struct tls_inventory *inventory,
                                                     uint32_t index)
{
    return index < inventory->count ? &inventory->entries[index].facts : NULL;
}
