/* SPDX-License-Identifier: BSD-2-Clause */
/* What an exchange asks of its request's connection, handed to whatever carries it: HTTP/1 (h1/) or a
 * stream of HTTP/2 (h2/). A request that waits in line, or is over, has no connection. Called by
 * exchange/attempt.c. */
#include "origin/origin_private.h"

bool origin_request_send_head(struct origin_request *request, const struct request_head *head)
{
    return request->connection->ops->send_head(request->connection, head);
}

size_t origin_request_send_body(struct origin_request *request, const struct bytes *pieces,
                                int count)
{
    struct origin_connection *connection = request->connection;

    return connection != NULL ? connection->ops->send_body(connection, pieces, count) : 0;
}

void origin_request_send_end(struct origin_request *request, const struct http_fields *trailers)
{
    struct origin_connection *connection = request->connection;

    if (connection != NULL) {
        connection->ops->send_end(connection, trailers);
    }
}

void origin_request_flush(struct origin_request *request)
{
    struct origin_connection *connection = request->connection;

    if (connection != NULL) {
        connection->ops->flush(connection);
    }
}

void origin_request_resume(struct origin_request *request)
{
    struct origin_connection *connection = request->connection;

    if (connection != NULL) {
        connection->ops->resume(connection);
    }
}

size_t origin_request_held(const struct origin_request *request)
{
    const struct origin_connection *connection = request->connection;

    return connection != NULL ? connection->ops->held(connection) : 0;
}
