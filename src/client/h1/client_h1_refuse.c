/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1 with a client: what is not to be read as a request gets an answer without one. What turns out to
 * be HTTP/2 goes on as that where the listener allows it. Called by client_h1.c, by its clock, and for
 * plain HTTP on a port of TLS. */
#include "client/client_private.h"

#include "http/h2/h2_refusal.h"

static void refuse_as(struct client_h1 *h1, struct exchange *exchange, enum http_version version,
                      uint16_t status, const char *what)
{
    h1->exchange = exchange;
    client_h1_count_begun(h1);
    h1->version = HTTP_1_1;
    h1->body.framing = HTTP_NO_BODY;
    h1->state = CLIENT_H1_AWAITS_END;
    h1->closes = true; /* where the next request begins is not known */
    client_rest_timer(h1->connection);
    exchange_refuse(exchange, version, status, what, h1->in != NULL ? buffer_length(h1->in) : 0,
                    client_h1_head_age_us(h1));
}

static void refuse(struct client_h1 *h1, struct exchange *exchange, uint16_t status,
                   const char *what)
{
    refuse_as(h1, exchange, HTTP_1_1, status, what);
}

/* By prior knowledge (RFC 9113 section 3.3), with its first bytes: never behind a request. What is no
 * HTTP/1 either is a preface that is wrong, and HTTP/2 says so (section 3.4). */
static bool begins_h2(const struct client_h1 *h1)
{
    const struct client_connection *connection = h1->connection;
    struct bytes input = buffer_content(h1->in);

    return connection->listener->h2c && connection->transport.ops->plain &&
           connection->served == 0 && (h2_refusal_begins(input) || h2_refusal_is_no_http(input));
}

static void become_h2(struct client_h1 *h1)
{
    struct client_connection *connection = h1->connection;
    struct buffer_pool *buffers = client_context_of(connection)->worker_context->buffers;
    struct buffer *in = h1->in;

    h1->in = NULL;
    client_h1_release(h1);
    connection->unwatched = false;
    if (client_h2_new(connection)) {
        client_h2_take(connection, buffer_content(in));
    } else {
        client_close(connection, OUTCOME_CLIENT_GONE);
    }
    buffer_return(buffers, &in);
}

void client_h1_refuse_malformed(struct client_h1 *h1, struct exchange *exchange,
                                const struct h1_problem *problem)
{
    struct client_context *context = client_context_of(h1->connection);

    if (begins_h2(h1)) {
        exchange_discard(exchange);
        become_h2(h1);
        return;
    }
    if (!h2_refusal_begins(buffer_content(h1->in))) {
        refuse(h1, exchange, problem->status, problem->what);
        return;
    }
    exchange_discard(exchange);
    exchange = exchange_new(context->exchanges, &client_h1_refusal_ops, h1, &h1->facts);
    if (exchange == NULL) {
        client_close(h1->connection, OUTCOME_CLIENT_GONE);
        return;
    }
    refuse_as(h1, exchange, HTTP_2, 505, "the client speaks HTTP/2 where HTTP/1.1 is expected");
}

void client_h1_refuse_head(struct client_h1 *h1, uint16_t status, const char *what,
                           enum cut_cause cause)
{
    struct client_context *context = client_context_of(h1->connection);
    struct exchange *exchange = exchange_new(context->exchanges, &client_h1_ops, h1, &h1->facts);

    if (exchange == NULL) {
        client_cut(h1->connection, cause);
        return;
    }
    metrics_note_cut(context->metrics, cause);
    exchange_note_cut(exchange, cause);
    refuse(h1, exchange, status, what);
}

void client_h1_cut_body(struct client_h1 *h1, const char *what, enum cut_cause cause)
{
    h1->closes = true;
    metrics_note_cut(client_context_of(h1->connection)->metrics, cause);
    exchange_note_cut(h1->exchange, cause);
    exchange_body_failed(h1->exchange, 408, what);
}

void client_h1_refuse(struct client_h1 *h1, uint16_t status, const char *what)
{
    struct exchange *exchange;

    if (client_h1_make_room(h1) && buffer_room(h1->in) > 0) {
        ssize_t count =
            transport_read(&h1->connection->transport, buffer_tail(h1->in), buffer_room(h1->in));

        h1->in->end += count > 0 ? (uint32_t)count : 0;
    }
    exchange =
        exchange_new(client_context_of(h1->connection)->exchanges, &client_h1_ops, h1, &h1->facts);
    if (exchange == NULL) {
        client_close(h1->connection, OUTCOME_CLIENT_GONE);
        return;
    }
    refuse(h1, exchange, status, what);
}
