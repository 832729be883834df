/* SPDX-License-Identifier: BSD-2-Clause */
/* The PROXY header that some listeners want before all else: it says who the client is. Called while
 * a connection is AWAITS_PROXY_HEADER. */
#include "client/client_private.h"

#include "http/proxy_protocol.h"

#include <errno.h>

/* true: the header is whole, the connection is idle now (and may have bytes of a request). */
static bool parse(struct client_connection *connection)
{
    struct buffer *in = connection->h1->in;
    struct address source;
    struct address destination;
    struct ip peer = connection->ip;
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
    if (!exchange_context_admits(client_context_of(connection)->exchanges, &connection->ip,
                                 has_source ? &peer : NULL, connection->listener->index, true,
                                 &connection->slot)) {
        client_turn_away(client_context_of(connection), connection->transport.fd,
                         !connection->listener->speaks_tls, METRICS_CLIENT_OVER_LIMIT);
        client_close(connection, OUTCOME_CLIENT_GONE);
        return false;
    }
    client_set_state(connection,
                     connection->listener->speaks_tls ? CLIENT_AWAITS_HANDSHAKE : CLIENT_IDLE);
    return true;
}

void client_proxy_header_ready(struct client_connection *connection)
{
    struct buffer_pool *buffers = client_context_of(connection)->worker_context->buffers;
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
    if (!parse(connection)) {
        return;
    }
    if (connection->state == CLIENT_AWAITS_HANDSHAKE) {
        client_handshake_ready(connection);
        return;
    }
    if (buffer_length(h1->in) == 0) {
        client_h1_release(h1);
        client_set_timer(connection, client_idle_time(connection));
        return;
    }
    client_begin_serving(connection);
    client_h1_process(h1);
}
