/* SPDX-License-Identifier: BSD-2-Clause */
/* Idle connections to origins that close while descriptors are short, since others have more use for
 * theirs. Called by process/worker/pressure_watch.c, and by pool.c where none is left to dial with. */
#include "origin/origin_private.h"

#define IDLE_LEAST_US 1000000

static struct origin_connection *longest_idle(struct origin *origin)
{
    struct link *link = list_last(&origin->idle);

    return link != NULL ? CONTAINER_OF(link, struct origin_connection, link)
                        : origin_h2_idle(origin);
}

/* The origin behind `after` (NULL: the first); NULL: there is no further one. */
static struct origin *next_origin(const struct origin_directory *directory,
                                  const struct origin *after)
{
    struct named *named =
        name_table_next(&directory->origins, after != NULL ? &after->named : NULL);

    return named != NULL ? CONTAINER_OF(named, struct origin, named) : NULL;
}

void origin_directory_relieve(struct origin_directory *directory)
{
    uint64_t now_us = loop_now(directory->worker_context->loop);
    struct origin *origin = NULL;

    while ((origin = next_origin(directory, origin)) != NULL) {
        struct origin_connection *connection;

        while ((connection = longest_idle(origin)) != NULL &&
               now_us >= connection->last_used_us + IDLE_LEAST_US) {
            origin_connection_close(connection);
        }
    }
}

bool origin_directory_spare_one(struct origin_directory *directory)
{
    struct origin_connection *oldest = NULL;
    struct origin *origin = NULL;

    while ((origin = next_origin(directory, origin)) != NULL) {
        struct origin_connection *connection = longest_idle(origin);

        if (connection != NULL &&
            (oldest == NULL || connection->last_used_us < oldest->last_used_us)) {
            oldest = connection;
        }
    }
    if (oldest != NULL) {
        origin_connection_close(oldest);
    }
    return oldest != NULL;
}
