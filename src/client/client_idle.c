/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's connection between two requests. It may be idle for so long; and meanwhile it is looked
 * at what it leaves in the kernel of answers that are over. We are done with them, so a client that
 * takes nothing could hold them for as long as it may be idle, and with a small request now and
 * then for as long as it lives. One look a grace (rates.grace): a system call for every answer
 * would be paid by all for a few. Who takes nothing from one look to the next, and nothing to the
 * one after, is cut, as in the middle of an answer.
 *
 * Called by client_h1.c, client_listeners.c and, when the timer has run out, by
 * client_connection_events.c. */
#include "client/client_private.h"

#define STOPPING_IDLE_MS 300
#define LOOKS_IN_VAIN 3 /* the first finds that something is there */

/* While the process stops, whoever comes late gets no more than the grace that others had. */
uint32_t client_idle_time(const struct client_connection *connection)
{
    if (client_desk_of(connection)->stopping) {
        return STOPPING_IDLE_MS;
    }
    if (connection->listener->leaves) {
        return client_leaving_idle_ms(connection);
    }
    return connection->listener->budgets.timeouts.keepalive_idle;
}

/* --- what it has not taken ----------------------------------------------------------------- */

static uint32_t grace_of(const struct client_connection *connection)
{
    return connection->listener->budgets.rates.grace;
}

/* Timers that were late, all of them, must not look twice in a row. */
static bool is_too_early(const struct client_connection *connection, uint32_t now_ms)
{
    return now_ms - connection->looked_ms < grace_of(connection) / 8 * 7;
}

static void look(struct client_connection *connection, uint32_t now_ms)
{
    size_t untaken;
    uint32_t taken;
    bool moves;

    if (is_too_early(connection, now_ms)) {
        return;
    }
    untaken = transport_unacknowledged(&connection->transport);
    taken = connection->written - (uint32_t)untaken;
    moves = (int32_t)(taken - connection->taken_then) > 0;
    if (untaken == 0) {
        connection->looks = 0;
    } else if (connection->looks == 0 || moves) {
        connection->looks = 1;
    } else if (connection->looks < LOOKS_IN_VAIN) {
        connection->looks++;
    }
    connection->taken_then = taken;
    connection->looked_ms = now_ms;
}

static bool may_be_looked_at(const struct client_connection *connection)
{
    return connection->listener->budgets.rates.answer != 0 && !connection->listener->leaves &&
           !client_desk_of(connection)->stopping;
}

/* --- its time ------------------------------------------------------------------------------ */

/* One that is to be cut rings at once: its caller may still be busy with it. */
void client_rests(struct client_connection *connection, uint32_t time_ms)
{
    uint32_t now_ms = client_clock_ms(client_desk_of(connection));
    uint32_t grace_ms = grace_of(connection);

    connection->is_looked_at = time_ms > grace_ms && may_be_looked_at(connection);
    if (connection->is_looked_at) {
        look(connection, now_ms);
    }
    client_set_timer(connection, !connection->is_looked_at            ? time_ms
                                 : connection->looks == LOOKS_IN_VAIN ? 1
                                                                      : grace_ms);
}

static void be_idle(struct client_connection *connection, uint32_t time_ms)
{
    connection->written += (uint32_t)connection->h1->out.written;
    client_h1_release(connection->h1);
    client_set_state(connection, CLIENT_IDLE);
    connection->unwatched = false;
    transport_want(&connection->transport, WATCH_READABLE);
    client_rests(connection, time_ms);
}

void client_become_idle(struct client_connection *connection)
{
    be_idle(connection, client_idle_time(connection));
}

static uint32_t rest_of_idle_time(const struct client_connection *connection, uint32_t now_ms)
{
    uint32_t spent_ms = now_ms - connection->since_ms;
    uint32_t time_ms = client_idle_time(connection);

    if (connection->listener->leaves) {
        return time_ms; /* reckoned from now on */
    }
    return spent_ms < time_ms ? time_ms - spent_ms : 0;
}

/* Records of TLS that carry nothing must not renew it. */
void client_stay_idle(struct client_connection *connection)
{
    uint32_t since_ms = connection->since_ms;

    be_idle(connection, rest_of_idle_time(connection, client_clock_ms(client_desk_of(connection))));
    connection->since_ms = since_ms;
}

void client_rested(struct client_connection *connection)
{
    uint32_t now_ms = client_clock_ms(client_desk_of(connection));
    uint32_t rest_ms = rest_of_idle_time(connection, now_ms);

    if (!connection->is_looked_at || rest_ms == 0) {
        client_cut(connection, CUT_KEEPALIVE);
        return;
    }
    look(connection, now_ms);
    if (connection->looks == LOOKS_IN_VAIN) {
        transport_reset(&connection->transport);
        client_cut(connection, CUT_ANSWER_RATE);
    } else if (connection->looks > 0) {
        client_rests(connection, rest_ms);
    } else {
        connection->is_looked_at = false;
        client_set_timer(connection, rest_ms);
    }
}
