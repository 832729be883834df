/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker holds for all its HTTP/2 connections. Called by client_context.c. */
#include "client/h2/client_h2_private.h"

#include "base/memory/pieces.h"

#include <stdlib.h>

bool client_h2_context_begin(struct client_context *context)
{
    struct client_h2_context *h2 = &context->h2;

    list_init(&h2->deferred_frees);
    list_init(&h2->deferred_stream_frees);
    h2->pieces = piece_pool_new();
    h2->sessions = h2_sessions_new(&client_h2_events, h2->pieces);
    h2->connections = slab_pool_new(sizeof(struct client_h2));
    h2->streams = slab_pool_new(sizeof(struct client_h2_stream));
    if (h2->pieces == NULL || h2->sessions == NULL || h2->connections == NULL ||
        h2->streams == NULL) {
        return false;
    }
    slab_pool_clear(h2->connections, sizeof(struct client_h2));
    slab_pool_account(h2->connections, pressure_slabs(context->worker_context->pressure));
    piece_pool_account(h2->pieces, pressure_slabs(context->worker_context->pressure));
    h2_sessions_account(h2->sessions, pressure_slabs(context->worker_context->pressure));
    slab_pool_clear(h2->streams, sizeof(struct client_h2_stream));
    slab_pool_account(h2->streams, pressure_slabs(context->worker_context->pressure));
    return true;
}

void client_h2_context_end(struct client_context *context)
{
    slab_pool_free(&context->h2.connections);
    slab_pool_free(&context->h2.streams);
    h2_sessions_free(&context->h2.sessions);
    piece_pool_free(&context->h2.pieces);
    free(context->h2.section);
}

/* Streams first: their connections' memory is asked for no more then. */
void client_h2_context_bury(struct client_context *context)
{
    struct link *link;

    while ((link = list_first(&context->h2.deferred_stream_frees)) != NULL) {
        struct client_h2_stream *stream = CONTAINER_OF(link, struct client_h2_stream, link);

        list_remove(link);
        client_h2_stream_free(stream, context->h2.pieces);
        slab_give(context->h2.streams, stream);
    }
    while ((link = list_first(&context->h2.deferred_frees)) != NULL) {
        struct client_h2 *h2 = CONTAINER_OF(link, struct client_h2, link);

        list_remove(link);
        h2_session_free(&h2->session);
        slab_give(context->h2.connections, h2);
    }
}

void client_h2_context_trim(struct client_context *context)
{
    slab_pool_trim(context->h2.connections);
    slab_pool_trim(context->h2.streams);
    h2_sessions_trim(context->h2.sessions);
    piece_pool_trim(context->h2.pieces);
}

size_t client_h2_context_memory(const struct client_context *context)
{
    return slab_pool_used(context->h2.connections) * sizeof(struct client_h2) +
           slab_pool_used(context->h2.streams) * sizeof(struct client_h2_stream);
}
