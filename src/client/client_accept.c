/* SPDX-License-Identifier: BSD-2-Clause */
/* New client connections: accepted here, or handed over by another worker. Accepting pauses while
 * the process has limits.max_connections of them, or this worker its share of those for which there
 * are descriptors. If clients wait in the kernel's queue then (`crowded`), a few of the longest
 * idle or costliest connections close, and answers say Connection: close until none has waited for
 * a while. */
#include "client/client_private.h"

#include <poll.h>
#include <unistd.h>

#define FULL_CHECK_MS 50
#define CROWD_MS 2000 /* without waiting clients, until answers keep connections open again */

/* One client is served in any case. */
static bool is_short_of_descriptors(const struct client_context *context)
{
    const struct pressure *pressure = context->worker_context->pressure;
    uint32_t count = client_context_count(context);

    return count >= pressure_client_places(pressure) ||
           (count > 0 && pressure_of(pressure, PRESSURE_DESCRIPTORS) >= PRESSURE_REFUSES);
}

static bool is_full(struct client_context *context)
{
    uint32_t most = exchange_context_settings(context->exchanges)->limits.max_connections;

    return is_short_of_descriptors(context) ||
           (most != 0 && context->placing->count_all(context->owner) >= most);
}

static void resume_listeners(struct client_context *context)
{
    context->paused = false;
    LIST_EACH (struct client_listener, listener, &context->listeners, link) {
        if (listener->listener != NULL && !listener->is_fresh) {
            listener_resume(listener->listener);
        }
    }
}

static bool has_clients_waiting(struct client_context *context)
{
    LIST_EACH (struct client_listener, listener, &context->listeners, link) {
        struct pollfd queue = {.events = POLLIN};

        queue.fd = listener->listener != NULL ? listener_descriptor(listener->listener) : -1;
        if (poll(&queue, 1, 0) > 0) {
            return true;
        }
    }
    return false;
}

static void on_crowd_over(void *owner)
{
    struct client_context *context = owner;

    context->crowded = false;
}

static bool is_crowded(struct client_context *context)
{
    if (!has_clients_waiting(context)) {
        return false;
    }
    context->crowded = true;
    alarm_set(context->worker_context->loop, &context->retiring_over, CROWD_MS, on_crowd_over,
              context);
    return true;
}

static void check_for_space(void *owner)
{
    struct client_context *context = owner;

    if (!is_full(context)) {
        alarm_clear(context->worker_context->loop, &context->full_check);
        resume_listeners(context);
    } else {
        if (is_crowded(context)) {
            client_context_make_room(context);
        }
        alarm_set(context->worker_context->loop, &context->full_check, FULL_CHECK_MS,
                  check_for_space, context);
    }
}

static void on_space_free(void *owner)
{
    struct client_context *context = owner;

    if (context->paused && !is_full(context)) {
        check_for_space(context);
    }
}

void client_note_gone(struct client_context *context)
{
    if (context->paused && !context->ending) {
        loop_later(context->worker_context->loop, &context->space_free, on_space_free, context);
    }
}

static void hold_listeners_when_full(struct client_context *context)
{
    if (!is_full(context) || context->paused) {
        return;
    }
    context->paused = true;
    is_crowded(context);
    alarm_set(context->worker_context->loop, &context->full_check, FULL_CHECK_MS, check_for_space,
              context);
    metrics_note(context->metrics, METRICS_ACCEPT_PAUSED);
    LIST_EACH (struct client_listener, listener, &context->listeners, link) {
        if (listener->listener != NULL) {
            listener_pause(listener->listener);
        }
    }
}

/* The first request has often come by the time a connection is accepted. It is read at once
 * then, and a short connection is over before the loop ever had to watch it. */
static void add_connection(struct client_listener *listener, int fd, const struct address *from,
                           bool is_new)
{
    bool expects_proxy_header = is_new && listener->proxy_protocol;
    bool expects_tls = is_new && listener->speaks_tls;
    bool reads_at_once = is_new && !expects_proxy_header;
    struct client_context *context = listener->context;
    struct ip ip = ip_of_address(from);
    client_slot slot = 0;
    struct client_connection *connection;

    if (expects_proxy_header && !client_may_send_proxy_header(listener, &ip)) {
        close(fd);
        return;
    }
    if (!client_may_come(listener, fd, &ip, is_new, !expects_proxy_header, &slot)) {
        return;
    }
    connection = slab_take(context->connections);
    if (connection == NULL) {
        exchange_context_dismiss(context->exchanges, &slot);
        metrics_note(context->metrics, METRICS_PRESSURE_REFUSED);
        close(fd);
        return;
    }
    memset(connection, 0, sizeof(*connection));
    list_init(&connection->link);
    connection->listener = listener;
    connection->ip = ip;
    connection->slot = slot;
    connection->port = ip_is_none(&connection->ip) ? 0 : address_port(from);
    connection->state = expects_proxy_header ? CLIENT_AWAITS_PROXY_HEADER
                        : expects_tls        ? CLIENT_AWAITS_HANDSHAKE
                                             : CLIENT_IDLE;
    if (!transport_start_tcp(&connection->transport, context->worker_context->loop, fd,
                             reads_at_once ? 0 : WATCH_READABLE, client_connection_ready,
                             connection)) {
        exchange_context_dismiss(context->exchanges, &slot);
        metrics_note(context->metrics, METRICS_PRESSURE_REFUSED);
        slab_give(context->connections, connection);
        return;
    }
    connection->unwatched = reads_at_once;
    connection->since_ms = client_clock_ms(context);
    connection->born = client_ticks_now(connection);
    list_add_last(connection->state == CLIENT_IDLE ? &context->idle : &context->busy,
                  &connection->link);
    listener->connections++;
    client_count(context, 1);
    metrics_note(context->metrics, METRICS_CLIENT_ACCEPTED);
    client_set_timer(connection, connection->state != CLIENT_IDLE
                                     ? client_handshake_time(connection)
                                     : client_idle_time(connection));
    hold_listeners_when_full(context);
    if (reads_at_once) {
        client_connection_ready(fd, WATCH_READABLE, connection);
    }
}

void client_on_accepted(void *owner, int fd, const struct address *from)
{
    struct client_listener *listener = owner;
    struct client_context *context = listener->context;

    if (context->ending) {
        close(fd);
        return;
    }
    if (!context->stopping && !listener->leaves &&
        context->placing->place(context->owner, fd, from, listener->key)) {
        metrics_note(context->metrics, METRICS_CLIENT_HANDED_OVER);
        return;
    }
    add_connection(listener, fd, from, true);
}

void client_context_take_over(struct client_context *context, int fd, const struct address *from,
                              uint32_t key, bool is_new)
{
    struct client_listener *listener = client_listener_find(context, key);

    if (listener == NULL) {
        close(fd);
        return;
    }
    add_connection(listener, fd, from, is_new);
}
