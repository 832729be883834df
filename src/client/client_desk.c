/* SPDX-License-Identifier: BSD-2-Clause */
/* The desk of a worker: all its connections of clients, their memory, and how they end with it. */
#include "client/client_private.h"
#include "client/guard/client_list.h"

#include <stdlib.h>

#define MOVABLE_LOOK 16
#define LATE_COMERS_MS 1300 /* the kernel's second, and a slow round trip */

/* --- one that may move ------------------------------------------------------------------- */

/* Used last, and without TLS, whose state belongs to this worker. NULL: none of the last few. */
static struct client_connection *find_movable(struct client_desk *desk)
{
    struct link *link = desk->idle.previous;

    for (int i = 0; i < MOVABLE_LOOK && link != &desk->idle; i++, link = link->previous) {
        struct client_connection *connection = CONTAINER_OF(link, struct client_connection, link);

        if (connection->transport.ops->plain) {
            return connection;
        }
    }
    return NULL;
}

int client_desk_give_idle(struct client_desk *desk, struct address *from, uint32_t *key)
{
    struct client_connection *connection = find_movable(desk);
    int fd;

    if (connection == NULL) {
        return -1;
    }
    if (connection->listener->leaves) {
        return -1; /* its time to go is drawn already */
    }
    ip_to_address(&connection->ip, connection->port, from);
    *key = connection->listener->key;
    fd = transport_give_up(&connection->transport);
    client_close(connection, OUTCOME_ANSWERED);
    return fd;
}

/* --- life -------------------------------------------------------------------------------- */

static void bury_dead(void *owner)
{
    struct client_desk *desk = owner;
    struct link *link;

    if (desk->handshakes.begun > 0 || !list_is_empty(&desk->handshakes.line)) {
        client_handshakes_go_on(desk);
    }
    while ((link = list_first(&desk->stream_graves)) != NULL) {
        list_remove(link);
        slab_give(desk->streams, CONTAINER_OF(link, struct client_h1, link));
    }
    while ((link = list_first(&desk->graves)) != NULL) {
        list_remove(link);
        slab_give(desk->connections, CONTAINER_OF(link, struct client_connection, link));
    }
}

struct client_desk *client_desk_new(struct exchange_desk *exchanges,
                                    const struct client_placing *placing, void *owner)
{
    struct client_desk *desk = calloc(1, sizeof(*desk));

    if (desk == NULL) {
        return NULL;
    }
    desk->exchanges = exchanges;
    desk->bench = exchange_desk_bench(exchanges);
    desk->metrics = exchange_desk_metrics(exchanges);
    desk->placing = placing;
    desk->owner = owner;
    list_init(&desk->listeners);
    list_init(&desk->idle);
    list_init(&desk->busy);
    list_init(&desk->graves);
    list_init(&desk->stream_graves);
    list_init(&desk->handshakes.line);
    list_init(&desk->handshakes.debtors);
    list_init(&desk->handshakes.judged);
    list_init(&desk->held_back);
    desk->connections = slab_pool_new(sizeof(struct client_connection));
    desk->streams = slab_pool_new(sizeof(struct client_h1));
    desk->timers = timer_group_new(desk->bench->loop, client_connection_late);
    if (desk->connections == NULL || desk->streams == NULL || desk->timers == NULL) {
        client_desk_free(&desk);
        return NULL;
    }
    slab_pool_account(desk->connections, pressure_slabs(desk->bench->pressure));
    slab_pool_clear(desk->streams, offsetof(struct client_h1, ip_text));
    slab_pool_account(desk->streams, pressure_slabs(desk->bench->pressure));
    loop_at_turn_end(desk->bench->loop, bury_dead, desk);
    return desk;
}

void client_desk_free(struct client_desk **desk)
{
    if (*desk == NULL) {
        return;
    }
    (*desk)->ending = true;
    alarm_clear((*desk)->bench->loop, &(*desk)->idle_grace);
    alarm_clear((*desk)->bench->loop, &(*desk)->late_comers);
    alarm_clear((*desk)->bench->loop, &(*desk)->full_look);
    alarm_clear((*desk)->bench->loop, &(*desk)->crowd_over);
    later_cancel(&(*desk)->place_free);
    alarm_clear((*desk)->bench->loop, &(*desk)->handshakes.debtors_turn);
    client_listeners_release(*desk);
    bury_dead(*desk);
    client_list_drop(*desk);
    slab_pool_free(&(*desk)->connections);
    slab_pool_free(&(*desk)->streams);
    free(*desk);
    *desk = NULL;
}

/* --- looking ----------------------------------------------------------------------------- */

uint64_t client_desk_begun(const struct client_desk *desk)
{
    return atomic_load_explicit(&desk->begun, memory_order_relaxed);
}

size_t client_desk_memory(const struct client_desk *desk)
{
    return slab_pool_used(desk->connections) * sizeof(struct client_connection) +
           slab_pool_used(desk->streams) * sizeof(struct client_h1);
}

void client_desk_trim(struct client_desk *desk)
{
    client_listeners_forget(desk);
    slab_pool_trim(desk->connections);
    slab_pool_trim(desk->streams);
}

/* --- stopping ---------------------------------------------------------------------------- */

static void close_each(struct link *list, enum outcome_end end)
{
    struct link *link;

    while ((link = list_first(list)) != NULL) {
        client_close(CONTAINER_OF(link, struct client_connection, link), end);
    }
}

static void cut_each(struct link *list)
{
    struct link *link;

    while ((link = list_first(list)) != NULL) {
        client_cut(CONTAINER_OF(link, struct client_connection, link), CUT_STOP);
    }
}

void client_desk_stop_listening(struct client_desk *desk)
{
    alarm_clear(desk->bench->loop, &desk->late_comers);
    for (struct link *link = desk->listeners.next; link != &desk->listeners; link = link->next) {
        listener_free(&CONTAINER_OF(link, struct client_listener, link)->listener);
    }
}

bool client_desk_listens(const struct client_desk *desk)
{
    for (struct link *link = desk->listeners.next; link != &desk->listeners; link = link->next) {
        if (CONTAINER_OF(link, struct client_listener, link)->listener != NULL) {
            return true;
        }
    }
    return false;
}

/* Those that have not said yet who they are. */
static void hurry_each(struct link *list)
{
    for (struct link *link = list->next; link != list; link = link->next) {
        struct client_connection *connection = CONTAINER_OF(link, struct client_connection, link);

        if (connection->state == CLIENT_AWAITS_PROXY_HEADER ||
            connection->state == CLIENT_AWAITS_HANDSHAKE) {
            uint32_t spent_ms = client_clock_ms(client_desk_of(connection)) - connection->since_ms;
            uint32_t most_ms = client_handshake_time(connection);

            client_set_timer(connection, spent_ms < most_ms ? most_ms - spent_ms : 1);
        }
    }
}

static void on_grace_over(void *owner)
{
    struct client_desk *desk = owner;

    close_each(&desk->idle, OUTCOME_ANSWERED);
    hurry_each(&desk->busy);
    hurry_each(&desk->handshakes.line);
    hurry_each(&desk->handshakes.debtors);
    hurry_each(&desk->handshakes.judged);
}

static void on_late_comers_over(void *owner)
{
    client_desk_stop_listening(owner);
}

/* The kernel may hold connections back whose clients have said nothing yet (TCP_DEFER_ACCEPT), for a
 * second at most. A socket that closes forgets them without a word: they would wait for ever. */
void client_desk_drain(struct client_desk *desk, uint32_t grace_ms)
{
    desk->stopping = true;
    exchange_desk_drain(desk->exchanges);
    for (struct link *link = desk->listeners.next; link != &desk->listeners; link = link->next) {
        listener_take_silent(CONTAINER_OF(link, struct client_listener, link)->listener);
    }
    alarm_set(desk->bench->loop, &desk->idle_grace, grace_ms, on_grace_over, desk);
    alarm_set(desk->bench->loop, &desk->late_comers, LATE_COMERS_MS, on_late_comers_over, desk);
}

void client_desk_close_all(struct client_desk *desk)
{
    cut_each(&desk->idle);
    cut_each(&desk->busy);
    cut_each(&desk->handshakes.line);
    cut_each(&desk->handshakes.debtors);
    cut_each(&desk->handshakes.judged);
}
