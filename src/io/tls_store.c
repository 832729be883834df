/* SPDX-License-Identifier: BSD-2-Clause */
/* All that one snapshot says about TLS: an acceptor for each worker and listener. */
#include "io/tls_private.h"

#include "base/log.h"

#include <stdlib.h>
#include <time.h>

#define DAY_S 86400
#define WARN_S (21 * DAY_S)

struct tls_store {
    const struct settings *settings;
    uint32_t workers;
    uint32_t listeners;
    uint32_t services;
    struct tls_acceptor **acceptors; /* [worker][listener] */
    struct tls_dialer **dialers;     /* [worker][service] */
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

struct tls_store *tls_store_new(const struct settings *settings, tls_tell *tell, void *owner)
{
    struct tls_store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        tls_say(tell, owner, "out of memory");
        return NULL;
    }
    /* Fewer workers in a file that is reloaded do not end those that run. */
    store->settings = settings;
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
    return store;
}

void tls_store_free(struct tls_store **held)
{
    struct tls_store *store = *held;

    *held = NULL;
    if (store == NULL) {
        return;
    }
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

static int64_t seconds_left(const struct tls_certificate *certificate)
{
    return certificate->not_after_s - (int64_t)time(NULL);
}

bool tls_store_certificate(const struct tls_store *store, uint32_t listener, uint32_t index,
                           struct tls_certificate_facts *facts)
{
    const struct listener_settings *settings;
    const struct tls_certificate *certificate;

    if (listener >= store->listeners || store->acceptors[listener] == NULL) {
        return false;
    }
    settings = &store->settings->listeners[listener];
    certificate = tls_acceptor_certificate(store->acceptors[listener], index);
    if (certificate == NULL) {
        return false;
    }
    *facts = (struct tls_certificate_facts){
        .listener = settings->name,
        .cert = settings->tls.certificates[index].cert,
        .key = settings->tls.certificates[index].key,
        .subject = certificate->subject,
        .issuer = certificate->issuer,
        .key_type = certificate->key_type,
        .names = (const char *const *)certificate->names,
        .name_count = certificate->name_count,
        .not_before_s = certificate->not_before_s,
        .not_after_s = certificate->not_after_s,
    };
    return true;
}

void tls_store_warn(const struct tls_store *store, tls_tell *tell, void *owner)
{
    for (uint32_t i = 0; i < store->listeners; i++) {
        const struct tls_certificate *certificate;

        for (uint32_t n = 0; store->acceptors[i] != NULL &&
                             (certificate = tls_acceptor_certificate(store->acceptors[i], n));
             n++) {
            int64_t left_s = seconds_left(certificate);
            const struct listener_settings *listener = &store->settings->listeners[i];

            if (left_s < WARN_S) {
                tls_say(tell, owner, "%s: the certificate of %s on %s %s %lld days",
                        listener->tls.certificates[n].cert, certificate->subject, listener->name,
                        left_s < 0 ? "has expired since" : "expires in",
                        (long long)((left_s < 0 ? -left_s : left_s) / DAY_S));
            }
        }
    }
}
