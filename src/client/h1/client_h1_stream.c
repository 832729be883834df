/* SPDX-License-Identifier: BSD-2-Clause */
/* A stream by itself: made and given up, and what the loop watches it for. */
#include "client/client_private.h"

#include "base/check.h"
#include "tls/tls.h"

static struct buffer_pool *buffers_of(const struct client_h1 *h1)
{
    return client_desk_of(h1->connection)->bench->buffers;
}

struct client_h1 *client_h1_new(struct client_connection *connection)
{
    struct client_h1 *h1 = slab_take(client_desk_of(connection)->streams);

    if (h1 == NULL) {
        return NULL;
    }
    list_init(&h1->link);
    h1->connection = connection;
    h1->began_us = loop_now(client_desk_of(connection)->bench->loop);
    h1->state = CLIENT_H1_READS_HEAD;
    h1->facts = (struct client_facts){
        .listener = connection->listener->name,
        .listener_index = connection->listener->index,
        .may_be_proxied = connection->listener->was_proxied,
        .scheme = connection->transport.ops->scheme,
        .tls = connection->transport.ops->plain ? NULL : tls_facts_of(&connection->transport),
        .rules = connection->listener->has_rules ? &connection->listener->rules : NULL,
    };
    client_h1_know_client(h1);
    connection->h1 = h1;
    return h1;
}

void client_h1_know_client(struct client_h1 *h1)
{
    h1->facts.ip = h1->connection->ip;
    h1->facts.port = h1->connection->port;
    h1->facts.ip_text = (struct bytes){h1->ip_text, ip_format(&h1->facts.ip, h1->ip_text)};
}

void client_h1_release(struct client_h1 *h1)
{
    CHECK(h1->exchange == NULL);
    h1->connection->h1 = NULL;
    buffer_return(buffers_of(h1), &h1->in);
    buffer_return(buffers_of(h1), &h1->head);
    outbox_clear(&h1->out, buffers_of(h1));
    later_cancel(&h1->flush);
    list_remove(&h1->link);
    /* A callback up the stack may still look at it. */
    list_add_last(&client_desk_of(h1->connection)->stream_graves, &h1->link);
}

void client_h1_abandon(struct client_h1 *h1, enum outcome_end end)
{
    struct exchange *exchange = h1->exchange;

    if (exchange != NULL) {
        h1->exchange = NULL;
        exchange_client_gone(exchange, end);
    }
}

struct h1_limits client_h1_limits(const struct client_h1 *h1)
{
    const struct limits_settings *limits =
        &exchange_desk_settings(client_desk_of(h1->connection)->exchanges)->limits;

    return (struct h1_limits){limits->head_bytes, limits->target_bytes, limits->headers, 0};
}

bool client_h1_expects_much(const struct client_h1 *h1)
{
    return h1->state == CLIENT_H1_TUNNELS ||
           (h1->state == CLIENT_H1_READS_BODY &&
            (h1->framing == HTTP_CHUNKED || h1->body_left > BUFFER_SMALL_BYTES));
}

void client_h1_want(struct client_h1 *h1)
{
    struct client_connection *connection = h1->connection;
    bool has_room =
        h1->in == NULL || h1->state != CLIENT_H1_AWAITS_END || buffer_room(h1->in) >= 256;
    short wanted =
        !h1->read_closed && !h1->body_paused && !h1->held_back && has_room ? WATCH_READABLE : 0;

    if (h1->out.blocked) {
        wanted |= WATCH_WRITABLE;
    } else if (connection->unwatched && h1->state == CLIENT_H1_AWAITS_END) {
        return; /* until its clock says that this takes longer (client_h1_late) */
    }
    connection->unwatched = false;
    transport_want(&connection->transport, wanted);
    if (h1->yields && transport_is_open(&connection->transport)) {
        watch_call(&connection->transport.watch);
    }
}
