/* SPDX-License-Identifier: BSD-2-Clause */
/* The listeners of a context: how they begin, what new settings make of them, and how one leaves
 * that no settings name any more. Called by process/ on the worker's thread.
 *
 * A listener is known by its key, which is the same on all workers and stays when settings come
 * that put it at another index. Its name and index follow the settings that run. */
#include "client/client_private.h"

#include "net/socket_facts.h"
#include "tls/tls.h"

#include <stdlib.h>
#include <unistd.h>

#define SWEEP_MS 10
#define SWEEP_A_TICK 512
#define LEAVE_SPREAD_MS 500
#define FORGET_MS 5000 /* a connection in the mail from another worker may still name it */

static void on_sweep(void *owner);

static struct loop *loop_of(const struct client_context *context)
{
    return context->worker_context->loop;
}

/* --- beginning --------------------------------------------------------------------------- */

/* Everything that a listener takes from its settings. They outlive it, or others come before. */
static void take_settings(struct client_listener *listener,
                          const struct listener_settings *settings, uint32_t index)
{
    listener->name = settings->name;
    listener->index = index;
    listener->proxy_protocol = settings->proxy_protocol;
    listener->was_proxied |= settings->proxy_protocol;
    listener->proxy_from = settings->proxy_from;
    listener->proxy_from_count = settings->proxy_from_count;
    listener->rules =
        (struct listener_rules){settings->redirect_to_https, settings->hsts,
                                settings->has_access_rules ? &settings->access_rules : NULL};
    listener->has_rules =
        settings->redirect_to_https || settings->hsts.length > 0 || settings->has_access_rules;
    listener->speaks_tls = settings->tls.certificate_count > 0;
    listener->half_close = settings->half_close;
    listener->h2c = settings->h2c;
    listener->budgets =
        (struct client_budgets){.timeouts = settings->timeouts,
                                .limits = settings->limits,
                                .rates = settings->min_rates,
                                .h1_buffer = limits_buffer(&settings->limits, false),
                                .h2_buffer = limits_buffer(&settings->limits, true)};
    listening_bound_unsent(listener_descriptor(listener->listener), listener->budgets.h1_buffer);
}

static struct client_listener *listener_make(struct client_context *context,
                                             const struct client_socket *at, const char *name)
{
    struct client_listener *listener = calloc(1, sizeof(*listener));

    if (listener == NULL) {
        close(at->fd);
        return NULL;
    }
    list_init(&listener->link);
    listener->context = context;
    listener->key = at->key;
    listener->own_name = strdup(name);
    if (listener->own_name != NULL) {
        listener->listener = listener_new(loop_of(context), at->fd, client_on_accepted, listener);
    }
    if (listener->listener == NULL) {
        close(at->fd);
        free(listener->own_name);
        free(listener);
        return NULL;
    }
    list_add_last(&context->listeners, &listener->link);
    return listener;
}

static bool join(struct client_listener *listener, int fd)
{
    if (!listener_join(listener->listener, fd)) {
        close(fd);
        return false;
    }
    return true;
}

bool client_context_listen(struct client_context *context, const struct client_socket *at,
                           const struct listener_settings *settings, uint32_t index)
{
    struct client_listener *listener = client_listener_find(context, at->key);

    if (listener != NULL) {
        return join(listener, at->fd);
    }
    listener = listener_make(context, at, settings->name);
    if (listener == NULL) {
        return false;
    }
    take_settings(listener, settings, index);
    return true;
}

static void listener_end(struct client_listener *listener)
{
    list_remove(&listener->link);
    listener_free(&listener->listener);
    if (listener->last != NULL) {
        exchange_context_let_go(listener->context->exchanges, listener->last);
    }
    free(listener->own_name);
    free(listener->next.own_name);
    free(listener);
}

void client_listeners_release(struct client_context *context)
{
    struct link *link;

    alarm_clear(loop_of(context), &context->sweep);
    while ((link = list_first(&context->listeners)) != NULL) {
        listener_end(CONTAINER_OF(link, struct client_listener, link));
    }
}

/* --- new settings ------------------------------------------------------------------------ */

static bool prepare_one(struct client_context *context, const struct client_socket *at,
                        const struct listener_settings *settings, uint32_t index)
{
    struct client_listener *listener = client_listener_find(context, at->key);

    if (listener == NULL) {
        listener = listener_make(context, at, settings->name);
        if (listener == NULL) {
            return false;
        }
        listener->is_fresh = true;
        listener_pause(listener->listener);
    }
    listener->next.settings = settings;
    listener->next.index = index;
    listener->next.own_name = strdup(settings->name);
    return listener->next.own_name != NULL;
}

bool client_context_prepare(struct client_context *context, const struct settings *settings,
                            struct client_socket *sockets)
{
    bool good = true;

    context->former = generation_ref(exchange_context_generation(context->exchanges));
    for (uint32_t i = 0; i < settings->listener_count; i++) {
        if (good) {
            good = prepare_one(context, &sockets[i], &settings->listeners[i], i);
            sockets[i].fd = -1;
        }
    }
    return good;
}

static void forget_former(struct client_context *context)
{
    if (context->former != NULL) {
        exchange_context_let_go(context->exchanges, context->former);
        context->former = NULL;
    }
}

static void forget_next(struct client_listener *listener)
{
    free(listener->next.own_name);
    memset(&listener->next, 0, sizeof(listener->next));
}

void client_context_abandon(struct client_context *context)
{
    forget_former(context);
    LIST_EACH_LEAVING (struct client_listener, listener, &context->listeners, link) {
        forget_next(listener);
        if (listener->is_fresh) {
            listener_discard(&listener->listener);
            listener_end(listener);
        }
    }
}

static void begin_leaving(struct client_listener *listener)
{
    struct client_context *context = listener->context;
    uint64_t now_us = loop_now(loop_of(context));
    uint32_t drain_ms = exchange_context_settings(context->exchanges)->timeouts.drain;

    listener->name = listener->own_name;
    listener->last = generation_ref(context->former);
    listener->leaves = true;
    listener->left_us = now_us;
    listener->leave_by_us = now_us + (uint64_t)drain_ms * 1000;
    listener_free(&listener->listener); /* takes those in who wait in the kernel */
    context->sweep_left = client_context_count(context);
    alarm_set(loop_of(context), &context->sweep, CLIENT_LEAVE_GRACE_MS, on_sweep, context);
}

static void take_next(struct client_listener *listener)
{
    take_settings(listener, listener->next.settings, listener->next.index);
    free(listener->own_name);
    listener->own_name = listener->next.own_name;
    listener->next.own_name = NULL;
    forget_next(listener);
    if (listener->is_fresh) {
        listener->is_fresh = false;
        if (!listener->context->paused) {
            listener_resume(listener->listener);
        }
    }
}

void client_context_commit(struct client_context *context)
{
    LIST_EACH_LEAVING (struct client_listener, listener, &context->listeners, link) {
        if (listener->next.settings != NULL) {
            take_next(listener);
        } else if (!listener->leaves) {
            begin_leaving(listener);
        }
    }
    forget_former(context);
}

void client_context_leave(struct client_context *context)
{
    client_context_abandon(context);
    context->former = generation_ref(exchange_context_generation(context->exchanges));
    client_context_commit(context);
}

/* --- leaving ----------------------------------------------------------------------------- */

/* Idle connections of listeners that leave get their time to go: so many a tick, going once round
 * the list. Busy ones get theirs when they become idle, or close after their answer. */
static void on_sweep(void *owner)
{
    struct client_context *context = owner;

    for (uint32_t i = 0; i < SWEEP_A_TICK && context->sweep_left > 0; i++, context->sweep_left--) {
        struct link *link = list_first(&context->idle);
        struct client_connection *connection;

        if (link == NULL) {
            context->sweep_left = 0;
            return;
        }
        connection = CONTAINER_OF(link, struct client_connection, link);
        list_remove(link);
        list_add_last(&context->idle, link);
        if (connection->listener->leaves) {
            client_set_timer(connection, client_leaving_idle_ms(connection));
        }
    }
    if (context->sweep_left > 0) {
        alarm_set(loop_of(context), &context->sweep, SWEEP_MS, on_sweep, context);
    }
}

void client_listeners_forget(struct client_context *context)
{
    uint64_t now_us = loop_now(loop_of(context));
    bool has_orphans = exchange_context_has_orphans(context->exchanges); /* which log its name */

    LIST_EACH_LEAVING (struct client_listener, listener, &context->listeners, link) {
        if (listener->leaves && listener->connections == 0 && !has_orphans &&
            now_us - listener->left_us > FORGET_MS * 1000u) {
            listener_end(listener);
        }
    }
}

/* --- a listener as its connections see it ---------------------------------------------- */

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

static bool is_its_turn(const struct client_connection *connection, uint64_t from_us)
{
    const struct client_listener *listener = connection->listener;
    uint64_t all_us = listener->leave_by_us - listener->left_us;
    uint64_t spread_us =
        all_us / 2 < LEAVE_SPREAD_MS * 1000u ? all_us / 2 : LEAVE_SPREAD_MS * 1000u;
    uint32_t place =
        (uint32_t)connection->transport.fd * 2654435761u; /* as if drawn, but lasting */

    return loop_now(listener->context->worker_context->loop) >= from_us + (spread_us * place >> 32);
}

bool client_leaves_now(const struct client_connection *connection)
{
    return is_its_turn(connection, connection->listener->left_us);
}

bool client_leaves_last(const struct client_connection *connection)
{
    return is_its_turn(connection, connection->listener->leave_by_us);
}

struct tls_acceptor *client_listener_acceptor(const struct client_listener *listener)
{
    const struct client_context *context = listener->context;
    const struct tls_store *store =
        listener->leaves ? generation_tls(listener->last)
                         : generation_tls(exchange_context_generation(context->exchanges));

    return tls_store_acceptor(store, context->worker_context->worker, listener->index);
}
