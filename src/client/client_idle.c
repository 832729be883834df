/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's connection between two requests, and how long it may be idle. What the kernel still
 * holds of its answers is the client's to take meanwhile.
 *
 * Called by client_h1.c, client_listeners.c and, when the timer has run out, by
 * client_connection_events.c. */
#include "client/client_private.h"

#define STOPPING_IDLE_MS 300

/* While the process stops, a late client gets no more than the time that others had. */
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

static void be_idle(struct client_connection *connection, uint32_t time_ms)
{
    client_h1_release(connection->h1);
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
    uint32_t spent_ms = client_clock_ms(client_desk_of(connection)) - connection->since_ms;
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

    be_idle(connection, rest_of_idle_time(connection));
    connection->since_ms = since_ms;
}
