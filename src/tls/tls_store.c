/* SPDX-License-Identifier: BSD-2-Clause */
/* All that one snapshot says about TLS: an acceptor for each worker and listener, a dialer for each
 * worker and service, one for the collector of traces, and the inventory of their certificates, for
 * people: what clients and origins are shown, and the CAs by whom they must be vouched for. That is made of
 * what the first worker has, and read only from then on. What the system trusts is not listed: the file does
 * not name it. */
#include "tls/tls_private.h"

#include "base/log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DAY_S 86400
#define WARN_S (21 * DAY_S)

struct entry {
    struct tls_certificate_facts facts;
    struct tls_certificate *own; /* of a CA; a certificate that is sent belongs to its sender */
};

struct tls_inventory {
    struct entry *entries;
    uint32_t count;
    uint32_t room;
};

struct tls_store {
    uint32_t workers;
    uint32_t listeners;
    uint32_t services;
    struct tls_acceptor **acceptors; /* [worker][listener] */
    struct tls_dialer **dialers;     /* [worker][service] */
    struct tls_dialer *collector;    /* NULL: it speaks plain */
    struct tls_inventory inventory;
};

/* --- what uses certificates -------------------------------------------------------------- */

/* The worker's context, for what the report names from now on; NULL after telling. */
static struct tls_context *begin_with(struct tls_report *report, const char *user_kind,
                                      const char *user, const struct file_place *at,
                                      uint32_t worker)
{
    struct tls_context *tls_context = tls_context_of(worker);

    report->user_kind = user_kind;
    report->user = user;
    report->at = *at;
    if (tls_context == NULL) {
        tls_say(report, "out of memory");
    }
    return tls_context;
}

/* What is wrong is wrong for each worker, and told once. */
static bool make_acceptors(struct tls_store *store, const struct settings *settings,
                           uint32_t worker, struct tls_report *report)
{
    bool made = true;

    for (uint32_t i = 0; i < settings->listener_count; i++) {
        const struct listener_settings *listener = &settings->listeners[i];
        struct tls_acceptor **acceptor = &store->acceptors[worker * store->listeners + i];
        struct tls_context *tls_context;

        if (listener->tls.certificate_count == 0) {
            continue;
        }
        tls_context = begin_with(report, "listener", listener->name, &listener->at, worker);
        if (tls_context == NULL) {
            return false;
        }
        *acceptor = tls_acceptor_new(tls_context, listener, report);
        made &= *acceptor != NULL;
    }
    return made;
}

static bool make_dialers(struct tls_store *store, const struct settings *settings, uint32_t worker,
                         struct tls_report *report)
{
    bool made = true;

    for (uint32_t i = 0; i < settings->service_count; i++) {
        const struct service_settings *service = &settings->services[i];
        struct tls_dialer **dialer = &store->dialers[worker * store->services + i];
        struct tls_context *tls_context;

        if (!service->tls.on) {
            continue;
        }
        tls_context = begin_with(report, "service", service->name, &service->tls.at, worker);
        if (tls_context == NULL) {
            return false;
        }
        if (worker == 0 && service->tls.insecure_skip_verify) {
            log_warning("service %s: tls.insecure_skip_verify: any server can pose as its origins, "
                        "and traffic to them can be read and changed on its way",
                        service->name);
        }
        *dialer = tls_dialer_new(tls_context, &service->tls, service->protocol, report);
        made &= *dialer != NULL;
    }
    return made;
}

static bool make_collector(struct tls_store *store, const struct tracing_settings *tracing,
                           struct tls_report *report)
{
    struct tls_context *tls_context;

    if (!tracing->tls.on) {
        return true;
    }
    tls_context = begin_with(report, "collector", tracing->to, &tracing->tls.at, 0);
    if (tls_context != NULL) {
        store->collector =
            tls_dialer_new(tls_context, &tracing->tls, ORIGIN_PROTOCOL_HTTP1, report);
    }
    return store->collector != NULL;
}

/* --- the inventory ----------------------------------------------------------------------- */

/* `use` says who uses it and for what; the rest is the certificate's. */
static struct tls_certificate_facts facts_of(const struct tls_certificate *certificate,
                                             const struct tls_certificate_facts *use)
{
    struct tls_certificate_facts facts = *use;

    facts.subject = certificate->subject;
    facts.issuer = certificate->issuer;
    facts.key_type = certificate->key_type;
    facts.names = (const char *const *)certificate->names;
    facts.name_count = certificate->name_count;
    facts.not_before_s = certificate->not_before_s;
    facts.not_after_s = certificate->not_after_s;
    facts.print = certificate->print;
    return facts;
}

static bool list(struct tls_inventory *inventory, const struct tls_certificate *certificate,
                 struct tls_certificate *own, const struct tls_certificate_facts *use)
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
    const struct tls_certificate_facts *use;
    uint32_t from; /* the file's first entry */
};

static bool take_ca(void *owner, struct tls_certificate *certificate)
{
    struct reading *reading = owner;
    struct entry *known = same_name(reading->inventory, reading->from, certificate->subject);

    if (known == NULL) {
        if (!list(reading->inventory, certificate, certificate, reading->use)) {
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
                    struct tls_certificate_facts use, const char *path, const struct file_place *at)
{
    struct reading reading = {inventory, &use, inventory->count};

    use.role = TLS_ROLE_CA;
    use.cert = path;
    use.at = *at;
    use.key = NULL;
    return path == NULL || tls_certificates_each(tls_context, path, take_ca, &reading);
}

static bool list_listener(struct tls_inventory *inventory, struct tls_acceptor *acceptor,
                          const struct listener_settings *settings)
{
    const struct tls_listener_settings *tls = &settings->tls;
    struct tls_certificate_facts use = {.role = TLS_ROLE_SHOWN, .listener = settings->name};
    struct tls_context *tls_context = tls_acceptor_tls_context(acceptor);
    bool added = true;

    for (uint32_t i = 0; added && i < tls->certificate_count; i++) {
        use.cert = tls->certificates[i].cert;
        use.key = tls->certificates[i].key;
        use.at = tls->certificates[i].cert_at;
        added = list(inventory, tls_acceptor_certificate(acceptor, i), NULL, &use);
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

static bool list_service(struct tls_inventory *inventory, struct tls_dialer *dialer,
                         const struct service_settings *settings)
{
    const struct tls_certificate *shown = tls_dialer_certificate(dialer);
    const struct tls_certificate_facts use = {.role = TLS_ROLE_SHOWN,
                                              .service = settings->name,
                                              .cert = settings->tls.cert,
                                              .key = settings->tls.key,
                                              .at = settings->tls.cert_at};

    return (shown == NULL || list(inventory, shown, NULL, &use)) &&
           add_cas(inventory, tls_dialer_tls_context(dialer), use, settings->tls.ca,
                   &settings->tls.ca_at);
}

static bool take_inventory(struct tls_store *store, const struct settings *settings)
{
    bool taken = true;

    for (uint32_t i = 0; taken && i < store->listeners; i++) {
        taken = store->acceptors[i] == NULL ||
                list_listener(&store->inventory, store->acceptors[i], &settings->listeners[i]);
    }
    for (uint32_t i = 0; taken && i < store->services; i++) {
        taken = store->dialers[i] == NULL ||
                list_service(&store->inventory, store->dialers[i], &settings->services[i]);
    }
    return taken;
}

const struct tls_certificate_facts *tls_store_certificate(const struct tls_store *store,
                                                          uint32_t index)
{
    return index < store->inventory.count ? &store->inventory.entries[index].facts : NULL;
}

/* --- life -------------------------------------------------------------------------------- */

static struct tls_store *store_sized(const struct settings *settings)
{
    struct tls_store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        return NULL;
    }
    /* Fewer workers in a file that is reloaded do not end those that run. */
    store->workers =
        settings->workers > tls_context_count() ? settings->workers : tls_context_count();
    store->listeners = settings->listener_count;
    store->acceptors = calloc((size_t)store->workers * store->listeners + 1, sizeof(void *));
    store->services = settings->service_count;
    store->dialers = calloc((size_t)store->workers * store->services + 1, sizeof(void *));
    if (store->acceptors == NULL || store->dialers == NULL) {
        tls_store_free(&store);
    }
    return store;
}

static bool fill(struct tls_store *store, const struct settings *settings,
                 struct tls_report *report)
{
    struct tls_report silent = {.report = tls_report_nothing};

    for (uint32_t worker = 0; worker < store->workers; worker++) {
        struct tls_report *of_worker = worker == 0 ? report : &silent;

        if (!make_acceptors(store, settings, worker, of_worker) ||
            !make_dialers(store, settings, worker, of_worker)) {
            report->user = NULL;
            if (worker > 0) {
                tls_say(report, "the TLS files changed while they were read");
            }
            return false;
        }
    }
    if (!make_collector(store, &settings->tracing, report)) {
        return false;
    }
    report->user = NULL;
    if (!take_inventory(store, settings)) {
        tls_say(report, "out of memory");
        return false;
    }
    return true;
}

/* One line, however many there are: it comes with each reload. */
static void warn_of_shared_keys(const struct tls_report *report)
{
    char more[64] = "";

    if (report->shared_keys > 1) {
        snprintf(more, sizeof(more), " (and %u more)", report->shared_keys - 1);
    }
    if (report->shared_keys > 0) {
        log_warning("%s%s: a group or an ACL may read this key; see that only those are in it who "
                    "may impersonate the gateway",
                    report->shared_key, more);
    }
}

struct tls_store *tls_store_new(const struct settings *settings, tls_report *on_report, void *owner)
{
    struct tls_report report = {.report = on_report, .owner = owner};
    struct tls_store *store = store_sized(settings);

    if (store == NULL) {
        tls_say(&report, "out of memory");
        return NULL;
    }
    if (!fill(store, settings, &report)) {
        tls_store_free(&store);
        return NULL;
    }
    warn_of_shared_keys(&report);
    return store;
}

void tls_store_free(struct tls_store **held)
{
    struct tls_store *store = *held;

    *held = NULL;
    if (store == NULL) {
        return;
    }
    for (uint32_t i = 0; i < store->inventory.count; i++) {
        if (store->inventory.entries[i].own != NULL) {
            drop(&store->inventory.entries[i].own);
        }
    }
    free(store->inventory.entries);
    for (uint32_t i = 0; store->acceptors != NULL && i < store->workers * store->listeners; i++) {
        tls_acceptor_unref(&store->acceptors[i]);
    }
    for (uint32_t i = 0; store->dialers != NULL && i < store->workers * store->services; i++) {
        tls_dialer_unref(&store->dialers[i]);
    }
    tls_dialer_unref(&store->collector);
    free(store->acceptors);
    free(store->dialers);
    free(store);
}

struct tls_acceptor *tls_store_acceptor(const struct tls_store *store, uint32_t worker,
                                        uint32_t listener)
{
    return worker < store->workers && listener < store->listeners
               ? store->acceptors[worker * store->listeners + listener]
               : NULL;
}

struct tls_dialer *tls_store_dialer(const struct tls_store *store, uint32_t worker,
                                    uint32_t service)
{
    return worker < store->workers && service < store->services
               ? store->dialers[worker * store->services + service]
               : NULL;
}

struct tls_dialer *tls_store_collector(const struct tls_store *store)
{
    return store->collector;
}

enum tls_dating tls_dating_of(const struct tls_certificate_facts *facts, int64_t now_s)
{
    if (now_s < facts->not_before_s) {
        return TLS_NOT_YET_VALID;
    }
    if (now_s > facts->not_after_s) {
        return TLS_EXPIRED;
    }
    return facts->not_after_s - now_s < WARN_S ? TLS_EXPIRES_SOON : TLS_IN_DATE;
}

const char *tls_dating_word(enum tls_dating dating)
{
    static const char *const words[] = {"valid", "expires_soon", "expired", "not_yet_valid"};

    return words[dating];
}

static void warn_of(const struct tls_certificate_facts *facts, enum tls_dating dating,
                    int64_t now_s)
{
    bool is_listeners = facts->service == NULL;
    const char *kind = facts->role == TLS_ROLE_CA ? "CA" : "certificate";
    const char *user_kind = is_listeners ? "listener" : "service";
    const char *user = is_listeners ? facts->listener : facts->service;
    char place[FILE_PLACE_TEXT_MAX];

    file_place_text(&facts->at, place);
    if (dating == TLS_EXPIRES_SOON) {
        log_warning("%s%s %s: %s: the %s of %s expires in %lld days", place, user_kind, user,
                    facts->cert, kind, facts->subject,
                    (long long)((facts->not_after_s - now_s) / DAY_S));
    } else if (dating == TLS_EXPIRED && facts->role == TLS_ROLE_CA) {
        log_error("%s%s %s: %s: the CA of %s has expired, %lld days ago: the gateway rejects %s "
                  "certificates issued by it; replace the CA file, then reload",
                  place, user_kind, user, facts->cert, facts->subject,
                  (long long)((now_s - facts->not_after_s) / DAY_S),
                  is_listeners ? "client" : "origin");
    } else if (dating == TLS_EXPIRED) {
        log_error("%s%s %s: %s: the certificate of %s has expired, %lld days ago; it is used all "
                  "the same, and %s refuse it: renew it, then reload",
                  place, user_kind, user, facts->cert, facts->subject,
                  (long long)((now_s - facts->not_after_s) / DAY_S),
                  is_listeners ? "clients" : "origins");
    } else if (dating == TLS_NOT_YET_VALID) {
        log_error("%s%s %s: %s: the %s of %s is not valid yet, for %lld days; it is used all the "
                  "same: look at its dates and at this machine's clock",
                  place, user_kind, user, facts->cert, kind, facts->subject,
                  (long long)((facts->not_before_s - now_s) / DAY_S));
    }
}

void tls_store_warn(const struct tls_store *store)
{
    const struct tls_certificate_facts *facts;
    int64_t now_s = (int64_t)time(NULL);

    for (uint32_t i = 0; (facts = tls_store_certificate(store, i)) != NULL; i++) {
        enum tls_dating dating = tls_dating_of(facts, now_s);

        if (dating != TLS_IN_DATE) {
            warn_of(facts, dating, now_s);
        }
    }
}
