/* SPDX-License-Identifier: BSD-2-Clause */
/* A listener as its connections see it: found by its key, and when they go where it leaves. */
#include "client/client_private.h"

#include "tls/tls.h"

#define LEAVE_SPREAD_MS 500

struct client_listener *client_listener_find(struct client_context *context, uint32_t key)
{
    LIST_EACH (struct client_listener, listener, &context->listeners, link) {
        if (listener->key == key) {
            return listener;
        }
    }
    return NULL;
}

uint32_t client_leaving_idle_ms(const struct client_connection *connection)
{
    const struct client_listener *listener = connection->listener;
    struct client_context *context = listener->context;
    uint64_t now_us = loop_now(context->worker_context->loop);
    uint64_t left_ms = listener->leave_by_us > now_us ? (listener->leave_by_us - now_us) / 1000 : 0;
    uint64_t spread_ms = left_ms > CLIENT_LEAVE_GRACE_MS ? left_ms - CLIENT_LEAVE_GRACE_MS : 0;

    /* Spread, so that they do not all come back in one moment. */
    return CLIENT_LEAVE_GRACE_MS +
           (uint32_t)random_below(&context->worker_context->random, spread_ms + 1);
}

bool client_leaves_now(const struct client_connection *connection)
{
    const struct client_listener *listener = connection->listener;
    uint64_t all_us = listener->leave_by_us - listener->left_us;
    uint64_t spread_us =
        all_us / 2 < LEAVE_SPREAD_MS * 1000u ? all_us / 2 : LEAVE_SPREAD_MS * 1000u;
    uint32_t place =
        (uint32_t)connection->transport.fd * 2654435761u; /* as if drawn, but lasting */

    return loop_now(listener->context->worker_context->loop) >=
           listener->left_us + (spread_us * place >> 32);
}

struct tls_acceptor *client_listener_acceptor(const struct client_listener *listener)
{
    const struct client_context *context = listener->context;
    const struct tls_store *store = listener->leaves ? generation_tls(listener->last)
                                                     : exchange_context_tls(context->exchanges);

    return tls_store_acceptor(store, context->worker_context->worker, listener->index);
}
