/* SPDX-License-Identifier: BSD-2-Clause */
/* All that one snapshot says about TLS: an acceptor for each worker and listener, a dialer for each
 * worker and service, one for the collector of traces, and the list of their certificates. */
#include "tls/tls_private.h"

#include "base/log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DAY_S 86400
#define WARN_S (21 * DAY_S)

struct tls_store {
    uint32_t workers;
    uint32_t listeners;
    uint32_t services;
    struct tls_acceptor **acceptors; /* [worker][listener] */
    struct tls_dialer **dialers;     /* [worker][service] */
    struct tls_dialer *collector;    /* NULL: it speaks plain */
    struct tls_inventory *inventory;
};

static void report_nobody(void *owner, const char *problem)
{
    (void)owner, (void)problem;
}

/* What is wrong is wrong for each worker, and told once. */
static bool make_acceptors(struct tls_store *store, const struct settings *settings,
                           uint32_t worker, struct tls_report *report)
{
    bool made = true;

    for (uint32_t i = 0; i < settings->listener_count; i++) {
        const struct listener_settings *listener = &settings->listeners[i];
        struct tls_context *tls_context;

        if (listener->tls.certificate_count == 0) {
            continue;
        }
        report->user_kind = "listener";
        report->user = settings->listeners[i].name;
        report->at = settings->listeners[i].at;
        tls_context = tls_context_of(worker);
        if (tls_context == NULL) {
            tls_say(report, "out of memory");
            return false;
        }
        store->acceptors[worker * store->listeners + i] =
            tls_acceptor_new(tls_context, listener, report);
        made &= store->acceptors[worker * store->listeners + i] != NULL;
    }
    return made;
}

static bool make_dialers(struct tls_store *store, const struct settings *settings, uint32_t worker,
                         struct tls_report *report)
{
    bool made = true;

    for (uint32_t i = 0; i < settings->service_count; i++) {
        struct tls_context *tls_context;

        if (!settings->services[i].tls.on) {
            continue;
        }
        report->user_kind = "service";
        report->user = settings->services[i].name;
        report->at = settings->services[i].tls.at;
        tls_context = tls_context_of(worker);
        if (tls_context == NULL) {
            tls_say(report, "out of memory");
            return false;
        }
        if (worker == 0 && settings->services[i].tls.insecure_skip_verify) {
            log_warning("service %s: tls.insecure_skip_verify: any server can pose as its origins, "
                        "and traffic to them can be read and changed on its way",
                        settings->services[i].name);
        }
        store->dialers[worker * store->services + i] = tls_dialer_new(
            tls_context, &settings->services[i].tls, settings->services[i].protocol, report);
        made &= store->dialers[worker * store->services + i] != NULL;
    }
    return made;
}

static bool make_collector(struct tls_store *store, const struct settings *settings,
                           struct tls_report *report)
{
    const struct tls_service_settings *tls = &settings->tracing.tls;
    struct tls_context *tls_context;

    if (!tls->on) {
        return true;
    }
    tls_context = tls_context_of(0);
    report->user_kind = "collector";
    report->user = settings->tracing.to;
    report->at = tls->at;
    if (tls_context == NULL) {
        tls_say(report, "out of memory");
        return false;
    }
    store->collector = tls_dialer_new(tls_context, tls, ORIGIN_PROTOCOL_HTTP1, report);
    return store->collector != NULL;
}

static bool take_inventory(struct tls_store *store, const struct settings *settings)
{
    bool taken = (store->inventory = tls_inventory_new()) != NULL;

    for (uint32_t i = 0; taken && i < store->listeners; i++) {
        taken = store->acceptors[i] == NULL ||
                tls_inventory_add_listener(store->inventory, store->acceptors[i],
                                           &settings->listeners[i]);
    }
    for (uint32_t i = 0; taken && i < store->services; i++) {
        taken =
            store->dialers[i] == NULL ||
            tls_inventory_add_service(store->inventory, store->dialers[i], &settings->services[i]);
    }
    return taken;
}

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
    struct tls_report silent = {.report = report_nobody};

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
    if (!make_collector(store, settings, report)) {
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
    tls_inventory_free(&store->inventory);
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

const struct tls_certificate_facts *tls_store_certificate(const struct tls_store *store,
                                                          uint32_t index)
{
    return tls_inventory_at(store->inventory, index);
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
    } else if (dating == TLS_EXPIRED) {
        log_error("%s%s %s: %s: the %s of %s has expired, %lld days ago; it is used all the same, "
                  "and %s refuse it: renew it, then reload",
                  place, user_kind, user, facts->cert, kind, facts->subject,
                  (long long)((now_s - facts->not_after_s) / DAY_S),
                  is_listeners == (facts->role == TLS_ROLE_SHOWN) ? "clients" : "origins");
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
