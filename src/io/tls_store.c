/* SPDX-License-Identifier: BSD-2-Clause */
/* All that one snapshot says about TLS: an acceptor for each worker and listener, a dialer for each
 * worker and service, and the list of their certificates. */
#include "io/tls_private.h"

#include "base/log.h"

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
    struct tls_inventory *inventory;
};

static void tell_nobody(void *owner, const char *problem)
{
    (void)owner, (void)problem;
}

/* What is wrong is wrong for each worker, and told once. */
static bool make_acceptors(struct tls_store *store, const struct settings *settings,
                           uint32_t worker, tls_tell *tell, void *owner)
{
    bool made = true;

    for (uint32_t i = 0; i < settings->listener_count; i++) {
        const struct listener_settings *listener = &settings->listeners[i];
        struct tls_bench *bench;

        if (listener->tls.certificate_count == 0) {
            continue;
        }
        bench = tls_bench_of(worker);
        if (bench == NULL) {
            tls_say(tell, owner, "out of memory");
            return false;
        }
        store->acceptors[worker * store->listeners + i] =
            tls_acceptor_new(bench, listener, worker == 0 ? tell : tell_nobody, owner);
        made &= store->acceptors[worker * store->listeners + i] != NULL;
    }
    return made;
}

static bool make_dialers(struct tls_store *store, const struct settings *settings, uint32_t worker,
                         tls_tell *tell, void *owner)
{
    bool made = true;

    for (uint32_t i = 0; i < settings->service_count; i++) {
        struct tls_bench *bench;

        if (!settings->services[i].tls.on) {
            continue;
        }
        bench = tls_bench_of(worker);
        if (bench == NULL) {
            tls_say(tell, owner, "out of memory");
            return false;
        }
        if (worker == 0 && settings->services[i].tls.insecure_skip_verify) {
            log_warning(
                "service %s: tls.insecure_skip_verify: its origins can be anybody; traffic to "
                "them can be read and changed on its way",
                settings->services[i].name);
        }
        store->dialers[worker * store->services + i] =
            tls_dialer_new(bench, &settings->services[i], worker == 0 ? tell : tell_nobody, owner);
        made &= store->dialers[worker * store->services + i] != NULL;
    }
    return made;
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

struct tls_store *tls_store_new(const struct settings *settings, tls_tell *tell, void *owner)
{
    struct tls_store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        tls_say(tell, owner, "out of memory");
        return NULL;
    }
    /* Fewer workers in a file that is reloaded do not end those that run. */
    store->workers = settings->workers > tls_bench_count() ? settings->workers : tls_bench_count();
    store->listeners = settings->listener_count;
    store->acceptors = calloc((size_t)store->workers * store->listeners + 1, sizeof(void *));
    store->services = settings->service_count;
    store->dialers = calloc((size_t)store->workers * store->services + 1, sizeof(void *));
    if (store->acceptors == NULL || store->dialers == NULL) {
        tls_say(tell, owner, "out of memory");
        tls_store_free(&store);
        return NULL;
    }
    for (uint32_t worker = 0; worker < store->workers; worker++) {
        if (!make_acceptors(store, settings, worker, tell, owner) ||
            !make_dialers(store, settings, worker, tell, owner)) {
            if (worker > 0) {
                tls_say(tell, owner, "the TLS files changed while they were read");
            }
            tls_store_free(&store);
            return NULL;
        }
    }
    if (!take_inventory(store, settings)) {
        tls_say(tell, owner, "out of memory");
        tls_store_free(&store);
    }
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

const struct tls_certificate_facts *tls_store_certificate(const struct tls_store *store,
                                                          uint32_t index)
{
    return tls_inventory_at(store->inventory, index);
}

void tls_store_warn(const struct tls_store *store, tls_tell *tell, void *owner)
{
    const struct tls_certificate_facts *facts;

    for (uint32_t i = 0; (facts = tls_store_certificate(store, i)) != NULL; i++) {
        int64_t left_s = facts->not_after_s - (int64_t)time(NULL);

        if (left_s < WARN_S) {
            tls_say(tell, owner, "%s: the %s of %s on %s%s %s %lld days", facts->cert,
                    facts->role == TLS_ROLE_CA ? "CA" : "certificate", facts->subject,
                    facts->service != NULL ? "service " : "",
                    facts->service != NULL ? facts->service : facts->listener,
                    left_s < 0 ? "has expired since" : "expires in",
                    (long long)((left_s < 0 ? -left_s : left_s) / DAY_S));
        }
    }
}
