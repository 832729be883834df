/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to a connection from outside: its socket is ready, its timer has run out. What that
 * means follows from its state. Called by the loop. */
#include "client/client_private.h"

void client_connection_ready(int fd, short what, void *owner)
{
    struct client_connection *connection = owner;
    struct loop *loop = client_desk_of(connection)->bench->loop;

    (void)fd;
    loop_note_event(loop);
    switch ((enum client_state)connection->state) {
    case CLIENT_AWAITS_PROXY_HEADER:
        client_proxy_header_ready(connection);
        break;
    case CLIENT_AWAITS_HANDSHAKE:
        client_handshake_ready(connection);
        loop_tell_time(loop); /* of what that took, whoever comes next should know */
        break;
    case CLIENT_IDLE:
        client_begin_serving(connection);
        if (connection->state == CLIENT_SERVES) {
            client_h1_ready(connection->h1, what);
        }
        break;
    case CLIENT_SERVES:
        client_h1_ready(connection->h1, what);
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
        client_cut(connection, CUT_KEEPALIVE);
        break;
    case CLIENT_SERVES:
        client_h1_late(connection->h1);
        break;
    case CLIENT_LINGERS:
        client_cut(connection, CUT_LINGER);
        break;
    case CLIENT_CLOSED:
        break;
    }
}
