/* SPDX-License-Identifier: BSD-2-Clause */
/* The directory of a worker's origins: what they share. */
#include "origin/origin_private.h"

#include "base/check.h"
#include "origin/h2/origin_h2.h"
#include "origin/pool/limits.h"

#include <stdlib.h>

struct origin_directory *origin_directory_new(struct worker_context *worker_context,
                                              struct resolver *resolver, struct metrics *metrics,
                                              struct origin_registry *registry)
{
    struct origin_directory *directory = calloc(1, sizeof(*directory));

    if (directory == NULL) {
        return NULL;
    }
    directory->response.headers.rows = directory->response_rows;
    directory->worker_context = worker_context;
    directory->resolver = resolver;
    directory->metrics = metrics;
    directory->registry = registry;
    name_table_init(&directory->origins);
    name_table_init(&directory->names);
    list_init(&directory->deferred_frees);
    list_init(&directory->leaving);
    list_init(&directory->named);
    list_init(&directory->names_changed);
    list_init(&directory->nameless);
    directory->connections = slab_pool_new(sizeof(struct origin_connection));
    directory->streams = slab_pool_new(sizeof(struct origin_h2_stream));
    directory->connection_timers = timer_group_new(worker_context->loop, origin_connection_late);
    directory->wait_timers = timer_group_new(worker_context->loop, pool_wait_over);
    if (worker_context->worker == 0) {
        directory->prober = prober_new(directory);
    }
    if (directory->connections == NULL || directory->streams == NULL ||
        (worker_context->worker == 0 && directory->prober == NULL) ||
        directory->connection_timers == NULL || directory->wait_timers == NULL) {
        prober_free(&directory->prober);
        slab_pool_free(&directory->streams);
        slab_pool_free(&directory->connections);
        free(directory);
        return NULL;
    }
    slab_pool_account(directory->connections, pressure_slabs(worker_context->pressure));
    slab_pool_account(directory->streams, pressure_slabs(worker_context->pressure));
    limits_open_context(directory);
    loop_at_turn_end(worker_context->loop, origin_connections_free, directory);
    return directory;
}

void origin_directory_free(struct origin_directory **directory)
{
    if (*directory == NULL) {
        return;
    }
    prober_free(&(*directory)->prober);
    limits_close_context(*directory);
    alarm_clear((*directory)->worker_context->loop, &(*directory)->leave_tick);
    alarm_clear((*directory)->worker_context->loop, &(*directory)->nameless_check);
    later_cancel(&(*directory)->names_spread);
    origins_leave(*directory, UINT32_MAX);
    CHECK((*directory)->origin_count == 0);
    CHECK(name_table_next(&(*directory)->names, NULL) == NULL);
    origin_connections_free(*directory);
    slab_pool_free(&(*directory)->streams);
    slab_pool_free(&(*directory)->connections);
    free(*directory);
    *directory = NULL;
}

void origin_directory_follow(struct origin_directory *directory, const struct settings *settings)
{
    if (directory->prober != NULL) {
        prober_follow(directory->prober, settings);
    }
}

uint32_t origin_directory_connections(const struct origin_directory *directory)
{
    return (uint32_t)slab_pool_used(directory->connections) - directory->stream_count;
}

size_t origin_directory_memory(const struct origin_directory *directory)
{
    return slab_pool_used(directory->connections) * sizeof(struct origin_connection);
}

void origin_directory_trim(struct origin_directory *directory)
{
    slab_pool_trim(directory->connections);
    slab_pool_trim(directory->streams);
}

/* --- descriptors are short -------------------------------------------------------------------- */

/* Idle connections close then, since others have more use for theirs. Called by
 * process/worker/pressure_watch.c, and by pool.c where none is left to dial with. */

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
