/* SPDX-License-Identifier: BSD-2-Clause */
/* All that one snapshot says about TLS: an acceptor for each worker and listener. */
#include "io/tls_private.h"

#include <stdlib.h>

struct tls_store {
    uint32_t workers;
    uint32_t listeners;
    struct tls_acceptor **acceptors; /* [worker][listener] */
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

struct tls_store *tls_store_new(const struct settings *settings, tls_tell *tell, void *owner)
{
    struct tls_store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        tls_say(tell, owner, "out of memory");
        return NULL;
    }
    store->workers = settings->workers;
    store->listeners = settings->listener_count;
    store->acceptors = calloc((size_t)store->workers * store->listeners + 1, sizeof(void *));
    if (store->acceptors == NULL) {
        tls_say(tell, owner, "out of memory");
        tls_store_free(&store);
        return NULL;
    }
    for (uint32_t worker = 0; worker < store->workers; worker++) {
        if (!make_acceptors(store, settings, worker, tell, owner)) {
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
    free(store->acceptors);
    free(store);
}

struct tls_acceptor *tls_store_acceptor(const struct tls_store *store, uint32_t worker,
                                        uint32_t listener)
{
    return worker < store->workers && listener < store->listeners
               ? store->acceptors[worker * store->listeners + listener]
               : NULL;
}
