/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections come in: accepted here, or by another worker that gives them away. Accepting pauses
 * while the process has as many as it may (limits.connections), or this worker its part of those for
 * which there are descriptors. If clients wait then, a few of the longest idle or costliest
 * connections give way, and answers say Connection: close until no client has waited for a while. */
#include "client/client_private.h"

#include <poll.h>
#include <unistd.h>

#define FULL_LOOK_MS 50
#define CROWD_MS 2000

/* One is served in any case. */
static bool is_short_of_descriptors(const struct client_desk *desk)
{
    const struct pressure *pressure = desk->bench->pressure;
    uint32_t count = client_desk_count(desk);

    return count >= pressure_client_places(pressure) ||
           (count > 0 && pressure_of(pressure, PRESSURE_DESCRIPTORS) >= PRESSURE_REFUSES);
}

static bool is_full(struct client_desk *desk)
{
    uint32_t most = exchange_desk_settings(desk->exchanges)->limits.connections;

    return is_short_of_descriptors(desk) ||
           (most != 0 && desk->placing->count_all(desk->owner) >= most);
}

static void resume_listeners(struct client_desk *desk)
{
    desk->paused = false;
    for (struct link *link = desk->listeners.next; link != &desk->listeners; link = link->next) {
        struct client_listener *listener = CONTAINER_OF(link, struct client_listener, link);

        if (listener->listener != NULL && !listener->is_fresh) {
            listener_resume(listener->listener);
        }
    }
}

static bool has_clients_waiting(struct client_desk *desk)
{
    for (struct link *link = desk->listeners.next; link != &desk->listeners; link = link->next) {
        struct client_listener *listener = CONTAINER_OF(link, struct client_listener, link);
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
    struct client_desk *desk = owner;

    desk->crowded = false;
}

static bool is_crowded(struct client_desk *desk)
{
    if (!has_clients_waiting(desk)) {
        return false;
    }
    desk->crowded = true;
    alarm_set(desk->bench->loop, &desk->crowd_over, CROWD_MS, on_crowd_over, desk);
    return true;
}

static void look_for_space(void *owner)
{
    struct client_desk *desk = owner;

    if (!is_full(desk)) {
        alarm_clear(desk->bench->loop, &desk->full_look);
        resume_listeners(desk);
    } else {
        if (is_crowded(desk)) {
            client_desk_make_room(desk);
        }
        alarm_set(desk->bench->loop, &desk->full_look, FULL_LOOK_MS, look_for_space, desk);
    }
}

static void on_place_free(void *owner)
{
    struct client_desk *desk = owner;

    if (desk->paused && !is_full(desk)) {
        look_for_space(desk);
    }
}

void client_note_gone(struct client_desk *desk)
{
    if (desk->paused && !desk->ending) {
        loop_later(desk->bench->loop, &desk->place_free, on_place_free, desk);
    }
}

static void hold_listeners_when_full(struct client_desk *desk)
{
    if (!is_full(desk) || desk->paused) {
        return;
    }
    desk->paused = true;
    is_crowded(desk);
    alarm_set(desk->bench->loop, &desk->full_look, FULL_LOOK_MS, look_for_space, desk);
    metrics_note(desk->metrics, METRICS_ACCEPT_PAUSED);
    for (struct link *link = desk->listeners.next; link != &desk->listeners; link = link->next) {
        struct client_listener *listener = CONTAINER_OF(link, struct client_listener, link);

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
    struct client_desk *desk = listener->desk;
    struct ip ip = ip_of_address(from);
    client_place place = 0;
    struct client_connection *connection;

    if (expects_proxy_header && !client_may_send_proxy_header(listener, &ip)) {
        close(fd);
        return;
    }
    if (!client_may_come(listener, fd, &ip, is_new, !expects_proxy_header, &place)) {
        return;
    }
    connection = slab_take(desk->connections);
    if (connection == NULL) {
        exchange_desk_dismiss(desk->exchanges, &place);
        metrics_note(desk->metrics, METRICS_PRESSURE_REFUSED);
        close(fd);
        return;
    }
    memset(connection, 0, sizeof(*connection));
    list_init(&connection->link);
    connection->listener = listener;
    connection->ip = ip;
    connection->place = place;
    connection->port = ip_is_none(&connection->ip) ? 0 : address_port(from);
    connection->state = expects_proxy_header ? CLIENT_AWAITS_PROXY_HEADER
                        : expects_tls        ? CLIENT_AWAITS_HANDSHAKE
                                             : CLIENT_IDLE;
    if (!transport_start_tcp(&connection->transport, desk->bench->loop, fd,
                             reads_at_once ? 0 : WATCH_READABLE, client_connection_ready,
                             connection)) {
        exchange_desk_dismiss(desk->exchanges, &place);
        metrics_note(desk->metrics, METRICS_PRESSURE_REFUSED);
        slab_give(desk->connections, connection);
        return;
    }
    connection->unwatched = reads_at_once;
    connection->since_ms = client_clock_ms(desk);
    connection->born = client_ticks_now(connection);
    list_add_last(connection->state == CLIENT_IDLE ? &desk->idle : &desk->busy, &connection->link);
    listener->connections++;
    client_count(desk, 1);
    metrics_note(desk->metrics, METRICS_CLIENT_ACCEPTED);
    client_set_timer(connection, connection->state != CLIENT_IDLE
                                     ? client_handshake_time(connection)
                                     : client_idle_time(connection));
    hold_listeners_when_full(desk);
    if (reads_at_once) {
        client_connection_ready(fd, WATCH_READABLE, connection);
    }
}

void client_on_accepted(void *owner, int fd, const struct address *from)
{
    struct client_listener *listener = owner;
    struct client_desk *desk = listener->desk;

    if (desk->ending) {
        close(fd);
        return;
    }
    if (!desk->stopping && !listener->leaves &&
        desk->placing->place(desk->owner, fd, from, listener->key)) {
        metrics_note(desk->metrics, METRICS_CLIENT_HANDED_OVER);
        return;
    }
    add_connection(listener, fd, from, true);
}

void client_desk_take_over(struct client_desk *desk, int fd, const struct address *from,
                           uint32_t key, bool is_new)
{
    struct client_listener *listener = client_listener_find(desk, key);

    if (listener == NULL) {
        close(fd);
        return;
    }
    add_connection(listener, fd, from, is_new);
}
