/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's connection from accept to close: its state, its clock, its one end.
 *
 *   accepted -> (PROXY header) -> idle <-> serves (client_h1.c) -> (lingers) -> closed */
#include "client/client_list.h"
#include "client/client_private.h"

#include "base/check.h"
#include "http/proxy_protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define LINGER_MS 3000
#define LINGER_MOST_MS 10000
#define LINGER_BYTES (16u * 1024 * 1024)
#define FULL_LOOK_MS 50
#define STOPPING_IDLE_MS 300
#define MOVABLE_LOOK 16

static void on_ready(int fd, short what, void *owner);

struct client_desk *client_desk_of(const struct client_connection *connection)
{
    return connection->listener->desk;
}

/* In 1/16 s or so: 32 bits of it last for years. */
static uint32_t ticks_of(uint64_t us)
{
    return (uint32_t)(us >> 16);
}

static uint32_t ticks_now(const struct client_connection *connection)
{
    return ticks_of(loop_now(client_desk_of(connection)->bench->loop));
}

/* --- state and clock --------------------------------------------------------------------- */

static bool may_follow(enum client_state from, enum client_state to)
{
    switch (to) {
    case CLIENT_AWAITS_PROXY_HEADER:
        return false;
    case CLIENT_AWAITS_HANDSHAKE:
        return from == CLIENT_AWAITS_PROXY_HEADER;
    case CLIENT_IDLE:
        return from == CLIENT_AWAITS_PROXY_HEADER || from == CLIENT_AWAITS_HANDSHAKE ||
               from == CLIENT_SERVES;
    case CLIENT_SERVES:
        return from == CLIENT_IDLE;
    case CLIENT_LINGERS:
        return from == CLIENT_SERVES;
    case CLIENT_CLOSED:
        return from != CLIENT_CLOSED;
    }
    return false;
}

uint32_t client_clock_ms(const struct client_desk *desk)
{
    return (uint32_t)(loop_now(desk->bench->loop) / 1000);
}

static void set_state(struct client_connection *connection, enum client_state state)
{
    struct client_desk *desk = client_desk_of(connection);

    CHECK(may_follow((enum client_state)connection->state, state));
    connection->state = (uint8_t)state;
    connection->put_off = false;
    if (state == CLIENT_IDLE) {
        connection->since_ms = client_clock_ms(desk);
    }
    list_remove(&connection->link);
    list_add_last(state == CLIENT_IDLE     ? &desk->idle
                  : state == CLIENT_CLOSED ? &desk->graves
                                           : &desk->busy,
                  &connection->link);
}

void client_set_timer(struct client_connection *connection, uint32_t milliseconds)
{
    timer_set(client_desk_of(connection)->timers, &connection->timer, milliseconds);
}

void client_rest_timer(struct client_connection *connection)
{
    timer_rest(client_desk_of(connection)->timers, &connection->timer);
}

static enum cut_cause cause_of_timeout(enum client_state state)
{
    switch (state) {
    case CLIENT_AWAITS_PROXY_HEADER:
        return CUT_HANDSHAKE;
    case CLIENT_LINGERS:
        return CUT_LINGER;
    default:
        return CUT_KEEPALIVE;
    }
}

static void on_timer(struct timer *timer)
{
    struct client_connection *connection = CONTAINER_OF(timer, struct client_connection, timer);

    if (connection->state == CLIENT_SERVES) {
        client_h1_late(connection->h1);
    } else if (connection->state == CLIENT_AWAITS_HANDSHAKE) {
        client_handshake_late(connection);
    } else if (connection->state != CLIENT_AWAITS_PROXY_HEADER ||
               !client_crowd_puts_off(connection,
                                      connection->listener->budgets.timeouts.handshake / 2)) {
        client_cut(connection, cause_of_timeout((enum client_state)connection->state));
    }
}

size_t client_held(const struct client_connection *connection)
{
    const struct client_h1 *h1 = connection->h1;
    size_t held = sizeof(*connection);

    if (h1 != NULL) {
        held += sizeof(*h1) + buffer_held(h1->in) + buffer_held(h1->head) +
                buffer_queue_held(&h1->out.queue);
        held += h1->exchange != NULL ? exchange_held(h1->exchange) : 0;
    }
    return held;
}

/* --- ending ------------------------------------------------------------------------------ */

static void count_connections(struct client_desk *desk, uint32_t change)
{
    /* One writer: a plain load and store, readable from other threads. */
    atomic_store_explicit(&desk->count,
                          atomic_load_explicit(&desk->count, memory_order_relaxed) + change,
                          memory_order_relaxed);
}

void client_close(struct client_connection *connection, enum outcome_end end)
{
    struct client_desk *desk = client_desk_of(connection);

    if (connection->state == CLIENT_CLOSED) {
        return;
    }
    if (connection->h1 != NULL) {
        client_h1_abandon(connection->h1, end);
        client_h1_release(connection->h1);
    }
    client_handshake_leave(connection);
    timer_clear(desk->timers, &connection->timer);
    transport_close(&connection->transport);
    set_state(connection, CLIENT_CLOSED);
    connection->listener->connections--;
    count_connections(desk, (uint32_t)-1);
    metrics_note(desk->metrics, METRICS_CLIENT_CLOSED);
    exchange_desk_dismiss(desk->exchanges, &connection->place);
}

/* A reset where an answer is under way: what the kernel still holds of it is given up, and it
 * cannot pass for whole. */
void client_cut(struct client_connection *connection, enum cut_cause cause)
{
    struct client_h1 *h1 = connection->h1;

    if (connection->state == CLIENT_CLOSED) {
        return;
    }
    metrics_note_cut(client_desk_of(connection)->metrics, cause);
    if (h1 != NULL && h1->exchange != NULL) {
        exchange_note_cut(h1->exchange, cause);
        if (h1->out.blocked) {
            transport_reset(&connection->transport);
        }
    }
    client_close(connection, cause == CUT_STOP          ? OUTCOME_CUT_BY_STOP
                             : cause == CUT_HALF_CLOSED ? OUTCOME_CLIENT_GONE
                                                        : OUTCOME_CUT_BY_TIMEOUT);
}

/* What is on its way to us when we say our last goes on coming for a round trip. */
static uint32_t linger_time(const struct client_connection *connection)
{
    uint32_t time_ms = LINGER_MS + transport_round_trip_ms(&connection->transport);

    return time_ms < LINGER_MOST_MS ? time_ms : LINGER_MOST_MS;
}

void client_linger(struct client_connection *connection)
{
    client_h1_release(connection->h1);
    set_state(connection, CLIENT_LINGERS);
    connection->lingered = 0;
    transport_finish(&connection->transport);
    transport_want(&connection->transport, LOOP_READABLE);
    client_set_timer(connection, linger_time(connection));
}

/* RFC 9112 section 9.6: closing with bytes unread resets the connection, and the reset may
 * overtake our last answer. Bounded in bytes and time. */
static void linger_on(struct client_connection *connection)
{
    char waste[16384];

    for (int i = 0; i < 4; i++) {
        ssize_t count = transport_read(&connection->transport, waste, sizeof(waste));

        if (count < 0 && errno == EAGAIN) {
            return;
        }
        if (count <= 0) {
            client_close(connection, OUTCOME_ANSWERED);
            return;
        }
        connection->lingered += (uint32_t)count;
        if (connection->lingered > LINGER_BYTES) {
            client_cut(connection, CUT_LINGER);
            return;
        }
    }
}

/* --- between requests -------------------------------------------------------------------- */

/* While the process stops, whoever comes late gets no more than the grace that others had. */
static uint32_t idle_time(const struct client_connection *connection)
{
    if (client_desk_of(connection)->stopping) {
        return STOPPING_IDLE_MS;
    }
    if (connection->listener->leaves) {
        return client_leaving_idle_ms(connection);
    }
    return connection->listener->budgets.timeouts.keepalive_idle;
}

/* Up to an eighth of `most`, another one for each connection. */
static uint32_t spread(const struct client_connection *connection, uint32_t most)
{
    uint32_t mixed = (connection->born * 31u + connection->port) * 2654435761u;

    return (uint32_t)((uint64_t)mixed * (most / 8) >> 32);
}

enum cut_cause client_worn_by(const struct client_connection *connection)
{
    const struct client_budgets *budgets = &connection->listener->budgets;
    uint32_t requests = budgets->limits.requests;
    uint32_t lifetime = ticks_of(budgets->timeouts.lifetime * UINT64_C(1000));

    if (requests != 0 && connection->served >= requests - requests / 8 &&
        connection->served >= requests - (requests >= 100 ? spread(connection, requests) : 0)) {
        return CUT_REQUESTS;
    }
    if (lifetime != 0 &&
        ticks_now(connection) - connection->born >= lifetime - spread(connection, lifetime)) {
        return CUT_LIFETIME;
    }
    return CUT_NONE;
}

static void be_idle(struct client_connection *connection, uint32_t time_ms)
{
    client_h1_release(connection->h1);
    set_state(connection, CLIENT_IDLE);
    connection->unwatched = false;
    transport_want(&connection->transport, LOOP_READABLE);
    client_set_timer(connection, time_ms);
}

void client_become_idle(struct client_connection *connection)
{
    be_idle(connection, idle_time(connection));
}

/* Records of TLS that carry nothing must not renew it. (Of a listener that leaves, what is left
 * was reckoned from now on.) */
void client_stay_idle(struct client_connection *connection)
{
    uint32_t since_ms = connection->since_ms;
    uint32_t spent_ms = client_clock_ms(client_desk_of(connection)) - since_ms;
    uint32_t time_ms = idle_time(connection);

    spent_ms = connection->listener->leaves ? 0 : spent_ms;
    be_idle(connection, spent_ms < time_ms ? time_ms - spent_ms : 0);
    connection->since_ms = since_ms;
}

static void begin_serving(struct client_connection *connection)
{
    if (connection->h1 == NULL && client_h1_new(connection) == NULL) {
        client_close(connection, OUTCOME_CLIENT_GONE);
        return;
    }
    set_state(connection, CLIENT_SERVES);
}

void client_handshaken(struct client_connection *connection, bool has_more)
{
    set_state(connection, CLIENT_IDLE);
    client_set_timer(connection, idle_time(connection));
    transport_want(&connection->transport, LOOP_READABLE);
    if (has_more) {
        begin_serving(connection);
        if (connection->state == CLIENT_SERVES) {
            client_h1_ready(connection->h1, LOOP_READABLE);
        }
    }
}

void client_refuse_plain(struct client_connection *connection)
{
    set_state(connection, CLIENT_IDLE);
    begin_serving(connection);
    if (connection->state == CLIENT_SERVES) {
        client_h1_refuse(connection->h1, 400, "this port speaks TLS, and the request came without");
    }
}

/* --- the PROXY header -------------------------------------------------------------------- */

/* true: the header is whole, the connection is idle now (and may have bytes of a request). */
static bool parse_proxy_header(struct client_connection *connection)
{
    struct buffer *in = connection->h1->in;
    struct address source;
    struct address destination;
    bool has_source;
    size_t consumed;

    switch (
        proxy_protocol_parse(buffer_content(in), &consumed, &has_source, &source, &destination)) {
    case PROXY_PROTOCOL_INCOMPLETE:
        return false;
    case PROXY_PROTOCOL_REJECTED:
        client_close(connection, OUTCOME_CLIENT_GONE);
        return false;
    case PROXY_PROTOCOL_COMPLETE:
        break;
    }
    in->start += (uint32_t)consumed;
    if (has_source) {
        connection->ip = ip_of_address(&source);
        connection->port = address_port(&source);
        client_h1_know_client(connection->h1);
    }
    if (!exchange_desk_admits(client_desk_of(connection)->exchanges, &connection->ip,
                              connection->listener->index, true, &connection->place)) {
        client_turn_away(client_desk_of(connection), connection->transport.fd,
                         !client_speaks_tls(connection->listener), METRICS_CLIENT_OVER_LIMIT);
        client_close(connection, OUTCOME_CLIENT_GONE);
        return false;
    }
    set_state(connection,
              client_speaks_tls(connection->listener) ? CLIENT_AWAITS_HANDSHAKE : CLIENT_IDLE);
    return true;
}

static void read_proxy_header(struct client_connection *connection)
{
    struct buffer_pool *buffers = client_desk_of(connection)->bench->buffers;
    struct client_h1 *h1 = connection->h1 != NULL ? connection->h1 : client_h1_new(connection);
    ssize_t count;

    if (h1 == NULL || (h1->in == NULL && (h1->in = buffer_borrow(buffers, BUFFER_SMALL)) == NULL)) {
        client_close(connection, OUTCOME_CLIENT_GONE);
        return;
    }
    count = transport_read(&connection->transport, buffer_tail(h1->in), buffer_room(h1->in));
    if (count < 0 && errno == EAGAIN) {
        return;
    }
    if (count <= 0) {
        client_close(connection, OUTCOME_CLIENT_GONE);
        return;
    }
    h1->in->end += (uint32_t)count;
    if (!parse_proxy_header(connection)) {
        return;
    }
    if (connection->state == CLIENT_AWAITS_HANDSHAKE) {
        client_handshake_ready(connection);
        return;
    }
    if (buffer_length(h1->in) == 0) {
        client_h1_release(h1);
        client_set_timer(connection, idle_time(connection));
        return;
    }
    begin_serving(connection);
    client_h1_process(h1);
}

/* --- events ------------------------------------------------------------------------------ */

static void on_ready(int fd, short what, void *owner)
{
    struct client_connection *connection = owner;
    struct loop *loop = client_desk_of(connection)->bench->loop;

    (void)fd;
    loop_note_event(loop);
    switch ((enum client_state)connection->state) {
    case CLIENT_AWAITS_PROXY_HEADER:
        read_proxy_header(connection);
        break;
    case CLIENT_AWAITS_HANDSHAKE:
        client_handshake_ready(connection);
        loop_tell_time(loop); /* of what that took, whoever comes next should know */
        break;
    case CLIENT_IDLE:
        begin_serving(connection);
        if (connection->state == CLIENT_SERVES) {
            client_h1_ready(connection->h1, what);
        }
        break;
    case CLIENT_SERVES:
        client_h1_ready(connection->h1, what);
        break;
    case CLIENT_LINGERS:
        linger_on(connection);
        break;
    case CLIENT_CLOSED:
        break;
    }
}

/* --- the desk ---------------------------------------------------------------------------- */

static bool is_full(struct client_desk *desk)
{
    uint32_t most = exchange_desk_settings(desk->exchanges)->limits.connections;

    return most != 0 && desk->placing->count_all(desk->owner) >= most;
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

static void look_for_space(void *owner)
{
    struct client_desk *desk = owner;

    if (!is_full(desk)) {
        resume_listeners(desk);
    } else {
        alarm_set(desk->bench->loop, &desk->full_look, FULL_LOOK_MS, look_for_space, desk);
    }
}

static void hold_listeners_when_full(struct client_desk *desk)
{
    if (!is_full(desk) || desk->paused) {
        return;
    }
    desk->paused = true;
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
    bool expects_tls = is_new && client_speaks_tls(listener);
    bool reads_at_once = is_new && !expects_proxy_header;
    struct client_desk *desk = listener->desk;
    struct ip ip = ip_of_address(from);
    client_place place = 0;
    struct client_connection *connection;

    if (!client_may_come(listener, fd, &ip, is_new, !expects_proxy_header, &place)) {
        return;
    }
    connection = slab_take(desk->connections);
    if (connection == NULL) {
        exchange_desk_dismiss(desk->exchanges, &place);
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
                             reads_at_once ? 0 : LOOP_READABLE, on_ready, connection)) {
        exchange_desk_dismiss(desk->exchanges, &place);
        slab_give(desk->connections, connection);
        return;
    }
    connection->unwatched = reads_at_once;
    connection->since_ms = client_clock_ms(desk);
    connection->born = ticks_now(connection);
    list_add_last(connection->state == CLIENT_IDLE ? &desk->idle : &desk->busy, &connection->link);
    listener->connections++;
    count_connections(desk, 1);
    metrics_note(desk->metrics, METRICS_CLIENT_ACCEPTED);
    client_set_timer(connection, connection->state != CLIENT_IDLE
                                     ? listener->budgets.timeouts.handshake
                                     : idle_time(connection));
    hold_listeners_when_full(desk);
    if (reads_at_once) {
        on_ready(fd, LOOP_READABLE, connection);
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
    list_init(&desk->held_back);
    desk->connections = slab_pool_new(sizeof(struct client_connection));
    desk->streams = slab_pool_new(sizeof(struct client_h1));
    desk->timers = timer_group_new(desk->bench->loop, on_timer);
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
    alarm_clear((*desk)->bench->loop, &(*desk)->full_look);
    alarm_clear((*desk)->bench->loop, &(*desk)->handshakes.debtors_turn);
    client_listeners_release(*desk);
    bury_dead(*desk);
    client_list_drop(*desk);
    slab_pool_free(&(*desk)->connections);
    slab_pool_free(&(*desk)->streams);
    free(*desk);
    *desk = NULL;
}

uint32_t client_desk_count(const struct client_desk *desk)
{
    return atomic_load_explicit(&desk->count, memory_order_relaxed);
}

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

static void stop_listening(struct client_desk *desk)
{
    for (struct link *link = desk->listeners.next; link != &desk->listeners; link = link->next) {
        listener_free(&CONTAINER_OF(link, struct client_listener, link)->listener);
    }
}

static void on_grace_over(void *owner)
{
    struct client_desk *desk = owner;

    stop_listening(desk);
    close_each(&desk->idle, OUTCOME_ANSWERED);
}

/* The kernel may hold connections back whose clients have said nothing yet (TCP_DEFER_ACCEPT).
 * A socket that closes takes them along, so it stays open as long as idle ones do. */
void client_desk_drain(struct client_desk *desk, uint32_t grace_ms)
{
    desk->stopping = true;
    alarm_clear(desk->bench->loop, &desk->full_look);
    exchange_desk_drain(desk->exchanges);
    alarm_set(desk->bench->loop, &desk->idle_grace, grace_ms, on_grace_over, desk);
}

void client_desk_close_all(struct client_desk *desk)
{
    cut_each(&desk->idle);
    cut_each(&desk->busy);
    cut_each(&desk->handshakes.line);
    cut_each(&desk->handshakes.debtors);
}
