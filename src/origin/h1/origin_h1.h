/* SPDX-License-Identifier: BSD-2-Clause */
/* What both directions of HTTP/1 towards an origin need: origin_h1_request.c, origin_h1_answer.c. */
#ifndef ORIGIN_H1_ORIGIN_H1_H
#define ORIGIN_H1_ORIGIN_H1_H

#include "origin/origin_private.h"

/* origin_h1_answer.c */
void origin_h1_resume(struct origin_connection *connection);

static inline struct origin_directory *directory_of(const struct origin_connection *connection)
{
    return connection->origin->directory;
}

static inline struct buffer_pool *buffers_of(const struct origin_connection *connection)
{
    return directory_of(connection)->worker_context->buffers;
}

static inline void set_clock(struct origin_connection *connection, uint32_t milliseconds)
{
    timer_set(directory_of(connection)->connection_timers, &connection->timer, milliseconds);
}

static inline void stop_clock(struct origin_connection *connection)
{
    timer_rest(directory_of(connection)->connection_timers, &connection->timer);
}

#endif
