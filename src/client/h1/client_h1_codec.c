/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1 as a connection and those who look after connections see it (struct client_codec). */
#include "client/client_private.h"

/* Ends the exchange under way without an answer. */
static void abandon(struct client_h1 *h1, enum outcome_end end)
{
    struct exchange *exchange = h1->exchange;

    if (exchange != NULL) {
        h1->exchange = NULL;
        exchange_client_gone(exchange, end);
    }
}

static void end(struct client_connection *connection, enum outcome_end end)
{
    abandon(connection->h1, end);
    client_h1_release(connection->h1);
}

static bool note_cut(struct client_connection *connection, enum cut_cause cause)
{
    const struct client_h1 *h1 = connection->h1;

    if (h1->exchange == NULL) {
        return false;
    }
    exchange_note_cut(h1->exchange, cause);
    return h1->out.blocked;
}

static size_t held(const struct client_connection *connection)
{
    const struct client_h1 *h1 = connection->h1;

    return sizeof(*h1) + buffer_held(h1->in) + buffer_queue_held(&h1->out.queue) +
           (h1->exchange != NULL ? exchange_held(h1->exchange) : 0);
}

/* What the kernel still holds of an answer has not reached its client. */
static uint64_t moved_by(const struct client_h1 *h1)
{
    uint64_t written = h1->out.written;

    if (h1->out.blocked) {
        size_t waits = transport_unacknowledged(&h1->connection->transport);

        written = waits < written ? written - waits : 0;
    }
    return h1->received + written;
}

static void cost(const struct client_connection *connection, uint64_t now_us,
                 struct client_cost *cost)
{
    const struct client_h1 *h1 = connection->h1;

    cost->moved = moved_by(h1);
    cost->ms = (now_us - h1->began_us) / 1000;
    cost->waits_for_client =
        h1->out.blocked || h1->state == CLIENT_H1_READS_HEAD ||
        (h1->state == CLIENT_H1_READS_BODY && !h1->body_paused && !h1->held_back);
}

static const char *state(const struct client_connection *connection)
{
    const struct client_h1 *h1 = connection->h1;

    if (h1->state == CLIENT_H1_TUNNELS) {
        return "tunnels";
    }
    if (h1->out.blocked) {
        return "takes-answer";
    }
    return h1->state == CLIENT_H1_READS_HEAD   ? "reads-head"
           : h1->state == CLIENT_H1_READS_BODY ? "reads-body"
                                               : "awaits-origin";
}

static const char *route(const struct client_connection *connection)
{
    const struct client_h1 *h1 = connection->h1;

    return h1->exchange != NULL ? exchange_route(h1->exchange) : NULL;
}

static uint32_t streams(const struct client_connection *connection)
{
    return connection->h1->exchange != NULL ? 1 : 0;
}

/* The next answer says so (client_h1_send_head). */
static void drain(struct client_connection *connection)
{
    (void)connection;
}

const struct client_codec client_h1_codec = {
    .ready = client_h1_ready,
    .late = client_h1_late,
    .end = end,
    .note_cut = note_cut,
    .held = held,
    .cost = cost,
    .state = state,
    .route = route,
    .streams = streams,
    .drain = drain,
};
