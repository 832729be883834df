/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection begins to serve: its first byte is there, or TLS stands, or plain HTTP came where TLS
 * is spoken. */
#include "client/client_private.h"

void client_begin_serving(struct client_connection *connection)
{
    if (connection->h1 == NULL && client_h1_new(connection) == NULL) {
        client_close(connection, OUTCOME_CLIENT_GONE);
        return;
    }
    client_set_state(connection, CLIENT_SERVES);
}

void client_handshaken(struct client_connection *connection, bool has_more)
{
    client_set_state(connection, CLIENT_IDLE);
    client_set_timer(connection, client_idle_time(connection));
    transport_want(&connection->transport, WATCH_READABLE);
    if (has_more) {
        client_begin_serving(connection);
        if (connection->state == CLIENT_SERVES) {
            client_h1_ready(connection->h1, WATCH_READABLE);
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
