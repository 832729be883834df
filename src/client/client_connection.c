/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's connection by itself: its state, its clock, how long it may be idle, its one end; and what
 * happens to it from outside: its socket is ready, its timer has run out. What that means follows
 * from its state.
 *
 *   accepted -> (PROXY header) -> (handshake) -> idle <-> serves (h1/, h2/) -> (lingers) -> closed
 *
 * Called by the loop, by client_accept.c and by what serves it. */
#include "client/client_private.h"

#include "base/check.h"
#include "tls/tls.h"

#include <errno.h>

#define LINGER_MS 3000
#define LINGER_MOST_MS 10000
/* Longer only as its client goes on to take what was sent. A window that was closed opens in steps:
 * one look that finds nothing taken says little. */
#define LINGER_LOOK_MS 2500
#define LINGER_LOOKS 12 /* half a minute */
#define LINGER_BYTES (16u * 1024 * 1024)

#define TICK_BITS 16 /* of microseconds: 1/16 s or so, of which 32 bits last for years */

struct client_context *client_context_of(const struct client_connection *connection)
{
    return connection->listener->context;
}

uint32_t client_clock_ms(const struct client_context *context)
{
    return (uint32_t)(loop_now(context->worker_context->loop) / 1000);
}

const struct client_codec *client_codec_of(const struct client_connection *connection)
{
    if (connection->h1 == NULL) {
        return NULL;
    }
    return connection->speaks_h2 ? &client_h2_codec : &client_h1_codec;
}

static uint32_t ticks_of(uint64_t us)
{
    return (uint32_t)(us >> TICK_BITS);
}

uint32_t client_ticks_now(const struct client_connection *connection)
{
    return ticks_of(loop_now(client_context_of(connection)->worker_context->loop));
}

/* --- state and clock --------------------------------------------------------------------- */

#define FROM(state) (1u << CLIENT_##state)

/* What each may follow. */
static const uint16_t formers[] = {
    [CLIENT_AWAITS_PROXY_HEADER] = 0,
    [CLIENT_AWAITS_HANDSHAKE] = FROM(AWAITS_PROXY_HEADER),
    [CLIENT_IDLE] = FROM(AWAITS_PROXY_HEADER) | FROM(AWAITS_HANDSHAKE) | FROM(SERVES),
    [CLIENT_SERVES] = FROM(IDLE),
    [CLIENT_LINGERS] = FROM(SERVES),
    [CLIENT_CLOSED] = FROM(CLOSED) - 1, /* all but itself */
};

void client_set_state(struct client_connection *connection, enum client_state state)
{
    struct client_context *context = client_context_of(connection);

    CHECK((formers[state] >> connection->state & 1) != 0);
    connection->state = (uint8_t)state;
    if (state == CLIENT_IDLE) {
        connection->since_ms = client_clock_ms(context);
    }
    list_remove(&connection->link);
    list_add_last(state == CLIENT_IDLE     ? &context->idle
                  : state == CLIENT_CLOSED ? &context->deferred_frees
                                           : &context->busy,
                  &connection->link);
}

void client_set_timer(struct client_connection *connection, uint32_t milliseconds)
{
    timer_set(client_context_of(connection)->timers, &connection->timer, milliseconds);
}

void client_rest_timer(struct client_connection *connection)
{
    timer_rest(client_context_of(connection)->timers, &connection->timer);
}

size_t client_held(const struct client_connection *connection)
{
    const struct client_codec *codec = client_codec_of(connection);

    return sizeof(*connection) + transport_kept(&connection->transport) +
           (codec != NULL ? codec->held(connection) : 0);
}

/* --- ending ------------------------------------------------------------------------------ */

void client_count(struct client_context *context, uint32_t change)
{
    /* One writer: a plain load and store, readable from other threads. */
    atomic_store_explicit(&context->count,
                          atomic_load_explicit(&context->count, memory_order_relaxed) + change,
                          memory_order_relaxed);
}

uint32_t client_context_handshakes(const struct client_context *context)
{
    return atomic_load_explicit(&context->handshakes.at_once, memory_order_relaxed);
}

uint32_t client_context_count(const struct client_context *context)
{
    return atomic_load_explicit(&context->count, memory_order_relaxed);
}

void client_release_handshake_slot(struct client_connection *connection)
{
    if (connection->has_handshake_slot) {
        connection->has_handshake_slot = false;
        client_context_of(connection)->handshakes.at_once--;
        client_penalty_end(client_context_of(connection), &connection->ip);
    }
}

void client_close(struct client_connection *connection, enum outcome_end end)
{
    struct client_context *context = client_context_of(connection);
    const struct client_codec *codec = client_codec_of(connection);

    if (connection->state == CLIENT_CLOSED) {
        return;
    }
    if (codec != NULL) {
        codec->end(connection, end);
    }
    client_release_handshake_slot(connection);
    timer_clear(context->timers, &connection->timer);
    transport_close(&connection->transport);
    client_set_state(connection, CLIENT_CLOSED);
    connection->listener->connections--;
    client_count(context, (uint32_t)-1);
    client_note_gone(context);
    metrics_note(context->metrics, METRICS_CLIENT_CLOSED);
    exchange_context_dismiss(context->exchanges, &connection->slot);
}

/* A reset where an answer is under way: what the kernel still holds of it is given up, and it
 * cannot pass for whole. */
void client_cut(struct client_connection *connection, enum cut_cause cause)
{
    const struct client_codec *codec = client_codec_of(connection);

    if (connection->state == CLIENT_CLOSED) {
        return;
    }
    metrics_note_cut(client_context_of(connection)->metrics, cause);
    if (codec != NULL && codec->note_cut(connection, cause)) {
        transport_reset(&connection->transport);
    }
    client_close(connection, cause == CUT_STOP ? OUTCOME_CUT_BY_STOP : OUTCOME_CUT_BY_TIMEOUT);
}

void client_free_deferred(void *owner)
{
    struct client_context *context = owner;
    struct client_connection *connection;
    struct client_h1 *h1;

    if (context->handshakes.begun > 0 || !list_is_empty(&context->handshakes.line)) {
        client_handshakes_go_on(context);
    }
    while ((h1 = LIST_FIRST(&context->deferred_stream_frees, struct client_h1, link)) != NULL) {
        list_remove(&h1->link);
        slab_give(context->streams, h1);
    }
    if (!list_is_empty(&context->h2.deferred_stream_frees) ||
        !list_is_empty(&context->h2.deferred_frees)) {
        client_h2_context_bury(context);
    }
    while ((connection = LIST_FIRST(&context->deferred_frees, struct client_connection, link)) !=
           NULL) {
        list_remove(&connection->link);
        slab_give(context->connections, connection);
    }
}

/* What is on its way to us when we say our last goes on coming for a round trip. */
static uint32_t linger_time(const struct client_connection *connection)
{
    uint32_t time_ms = LINGER_MS + transport_round_trip_ms(&connection->transport);

    return time_ms < LINGER_MOST_MS ? time_ms : LINGER_MOST_MS;
}

void client_linger(struct client_connection *connection)
{
    client_codec_of(connection)->end(connection, OUTCOME_ANSWERED);
    client_set_state(connection, CLIENT_LINGERS);
    connection->lingered = 0;
    connection->looks = 0;
    connection->stalls = false;
    transport_finish(&connection->transport);
    connection->untaken = (uint32_t)transport_unacknowledged(&connection->transport);
    transport_want(&connection->transport, WATCH_READABLE);
    client_set_timer(connection, linger_time(connection));
}

/* RFC 9112 section 9.6: closing with bytes unread resets the connection, and the reset may
 * overtake our last answer. Bounded in bytes and time. */
static void client_linger_on(struct client_connection *connection)
{
    char waste[16384];

    for (int i = 0; i < 4; i++) {
        ssize_t count = transport_read(&connection->transport, waste, sizeof(waste));

        if (count < 0 && errno == EAGAIN) {
            return;
        }
        if (count < 0 && errno == TRANSPORT_FLOODED) {
            client_cut(connection, CUT_EMPTY_RECORDS);
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

/* While its client takes what was sent, if slowly; under pressure others need its memory or its
 * connection more, and a stop waits for no such client. */
static bool may_linger_on(struct client_connection *connection)
{
    const struct client_context *context = client_context_of(connection);
    const struct pressure *pressure = context->worker_context->pressure;
    uint32_t before = connection->untaken;
    bool stalled = connection->stalls;

    connection->untaken = (uint32_t)transport_unacknowledged(&connection->transport);
    connection->stalls = connection->untaken >= before;
    return connection->untaken > 0 && !(stalled && connection->stalls) &&
           ++connection->looks < LINGER_LOOKS && pressure_now(pressure) < PRESSURE_BODIES &&
           !context->paused && !context->crowded && !context->stopping;
}

static void client_linger_late(struct client_connection *connection)
{
    if (may_linger_on(connection)) {
        client_set_timer(connection, LINGER_LOOK_MS);
    } else {
        client_cut(connection, CUT_LINGER);
    }
}

/* --- its age ------------------------------------------------------------------------------- */

/* Up to an eighth of `most`, another one for each connection. */
static uint32_t spread(const struct client_connection *connection, uint32_t most)
{
    uint32_t mixed = (connection->born * 31u + connection->port) * 2654435761u;

    return (uint32_t)((uint64_t)mixed * (most / 8) >> 32);
}

enum cut_cause client_retired_by(const struct client_connection *connection)
{
    const struct client_budgets *budgets = &connection->listener->budgets;
    uint32_t requests = budgets->limits.requests_per_connection;
    uint32_t lifetime = ticks_of(budgets->timeouts.lifetime * UINT64_C(1000));

    if (requests != 0 && connection->served >= requests - requests / 8 &&
        connection->served >= requests - (requests >= 100 ? spread(connection, requests) : 0)) {
        return CUT_REQUESTS;
    }
    if (lifetime != 0 && client_ticks_now(connection) - connection->born >=
                             lifetime - spread(connection, lifetime)) {
        return CUT_LIFETIME;
    }
    return CUT_NONE;
}

#define STOPPING_IDLE_MS 300

/* While the process stops, a late client gets no more than the time that others had. */
uint32_t client_idle_time(const struct client_connection *connection)
{
    if (client_context_of(connection)->stopping) {
        return STOPPING_IDLE_MS;
    }
    if (connection->listener->leaves) {
        return client_leaving_idle_ms(connection);
    }
    return connection->listener->budgets.timeouts.keepalive_idle;
}

#define REST_MS 1000 /* idle for so long, an HTTP/2 connection gives up what it can have again */

static void be_idle(struct client_connection *connection, uint32_t time_ms)
{
    if (!connection->speaks_h2) {
        client_h1_release(connection->h1);
    } else if (time_ms > REST_MS) {
        connection->may_rest = true;
        time_ms = REST_MS;
    }
    client_set_state(connection, CLIENT_IDLE);
    connection->unwatched = false;
    transport_want(&connection->transport, WATCH_READABLE);
    client_set_timer(connection, time_ms);
}

void client_become_idle(struct client_connection *connection)
{
    be_idle(connection, client_idle_time(connection));
}

static uint32_t rest_of_idle_time(const struct client_connection *connection)
{
    uint32_t spent_ms = client_clock_ms(client_context_of(connection)) - connection->since_ms;
    uint32_t time_ms = client_idle_time(connection);

    if (connection->listener->leaves) {
        return time_ms; /* reckoned from now on */
    }
    return spent_ms < time_ms ? time_ms - spent_ms : 0;
}

static void rest(struct client_connection *connection)
{
    connection->may_rest = false;
    client_codec_of(connection)->rest(connection);
    client_set_timer(connection, rest_of_idle_time(connection));
}

/* Records of TLS that carry nothing must not renew it. */
void client_stay_idle(struct client_connection *connection)
{
    uint32_t since_ms = connection->since_ms;

    be_idle(connection, rest_of_idle_time(connection));
    connection->since_ms = since_ms;
}

void client_begin_serving(struct client_connection *connection)
{
    bool has_codec =
        connection->h1 != NULL ||
        (connection->speaks_h2 ? client_h2_new(connection) : client_h1_new(connection) != NULL);

    if (!has_codec) {
        client_close(connection, OUTCOME_CLIENT_GONE);
        return;
    }
    client_set_state(connection, CLIENT_SERVES);
}

void client_handshaken(struct client_connection *connection, bool has_more)
{
    connection->speaks_h2 = tls_facts_of(&connection->transport)->speaks_h2;
    client_set_state(connection, CLIENT_IDLE);
    client_set_timer(connection, client_idle_time(connection));
    transport_want(&connection->transport, WATCH_READABLE);
    if (has_more || connection->speaks_h2) { /* our SETTINGS need not wait */
        client_begin_serving(connection);
        if (connection->state == CLIENT_SERVES) {
            client_codec_of(connection)->ready(connection, WATCH_READABLE);
        }
    }
}

void client_refuse_plain(struct client_connection *connection)
{
    client_set_state(connection, CLIENT_IDLE);
    client_begin_serving(connection);
    if (connection->state == CLIENT_SERVES) {
        client_h1_refuse(connection->h1, 400, "this port speaks TLS, and the request came without");
    }
}

void client_connection_ready(int fd, short what, void *owner)
{
    struct client_connection *connection = owner;
    struct loop *loop = client_context_of(connection)->worker_context->loop;

    (void)fd;
    loop_note_event(loop);
    switch ((enum client_state)connection->state) {
    case CLIENT_AWAITS_PROXY_HEADER:
        client_proxy_header_ready(connection);
        break;
    case CLIENT_AWAITS_HANDSHAKE:
        client_handshake_ready(connection);
        loop_read_clock(loop); /* the next connection should know what that took */
        break;
    case CLIENT_IDLE:
        client_begin_serving(connection);
        if (connection->state == CLIENT_SERVES) {
            client_codec_of(connection)->ready(connection, what);
        }
        break;
    case CLIENT_SERVES:
        client_codec_of(connection)->ready(connection, what);
        break;
    case CLIENT_LINGERS:
        client_linger_on(connection);
        break;
    case CLIENT_CLOSED:
        break;
    }
}

void client_connection_late(struct timer *timer)
{
    struct client_connection *connection = CONTAINER_OF(timer, struct client_connection, timer);

    switch ((enum client_state)connection->state) {
    case CLIENT_AWAITS_PROXY_HEADER:
        client_cut(connection, CUT_HANDSHAKE);
        break;
    case CLIENT_AWAITS_HANDSHAKE:
        client_handshake_late(connection);
        break;
    case CLIENT_IDLE:
        if (connection->may_rest) {
            rest(connection);
        } else {
            client_cut(connection, CUT_KEEPALIVE);
        }
        break;
    case CLIENT_SERVES:
        client_codec_of(connection)->late(connection);
        break;
    case CLIENT_LINGERS:
        client_linger_late(connection);
        break;
    case CLIENT_CLOSED:
        break;
    }
}
