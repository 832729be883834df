/* SPDX-License-Identifier: BSD-2-Clause */
/* The context of a worker: all its connections of clients, their memory, and how they end with it. */
#include "client/client_private.h"
#include "client/guard/client_list.h"

#include <stdlib.h>

#define MOVABLE_CHECK 16
#define DEFERRED_ACCEPTS_MS 1300 /* the kernel's second, and a slow round trip */

/* --- one that may move ------------------------------------------------------------------- */

/* The connection used last that has no TLS or HTTP/2, whose state belongs to this worker. NULL: none
 * of the last few. */
static struct client_connection *find_movable(struct client_context *context)
{
    struct link *link = context->idle.previous;

    for (int i = 0; i < MOVABLE_CHECK && link != &context->idle; i++, link = link->previous) {
        struct client_connection *connection = CONTAINER_OF(link, struct client_connection, link);

        if (connection->transport.ops->plain && !connection->speaks_h2) {
            return connection;
        }
    }
    return NULL;
}

int client_context_give_idle(struct client_context *context, struct address *from, uint32_t *key)
{
    struct client_connection *connection = find_movable(context);
    int fd;

    if (connection == NULL) {
        return -1;
    }
    if (connection->listener->leaves) {
        return -1; /* a listener that a reload removed: each connection has a time to close */
    }
    ip_to_address(&connection->ip, connection->port, from);
    *key = connection->listener->key;
    fd = transport_give_up(&connection->transport);
    client_close(connection, OUTCOME_ANSWERED);
    return fd;
}

/* --- life -------------------------------------------------------------------------------- */

struct client_context *client_context_new(struct exchange_context *exchanges,
                                          struct worker_context *worker_context,
                                          struct metrics *metrics,
                                          const struct client_placing *placing, void *owner)
{
    struct client_context *context = calloc(1, sizeof(*context));

    if (context == NULL) {
        return NULL;
    }
    context->exchanges = exchanges;
    context->worker_context = worker_context;
    context->metrics = metrics;
    context->placing = placing;
    context->owner = owner;
    list_init(&context->listeners);
    list_init(&context->idle);
    list_init(&context->busy);
    list_init(&context->deferred_frees);
    list_init(&context->deferred_stream_frees);
    list_init(&context->handshakes.line);
    list_init(&context->handshakes.penalized);
    list_init(&context->handshakes.judged);
    list_init(&context->held_back);
    context->connections = slab_pool_new(sizeof(struct client_connection));
    context->streams = slab_pool_new(sizeof(struct client_h1));
    context->timers = timer_group_new(context->worker_context->loop, client_connection_late);
    if (!client_h2_context_begin(context) || context->connections == NULL ||
        context->streams == NULL || context->timers == NULL) {
        client_context_free(&context);
        return NULL;
    }
    slab_pool_account(context->connections, pressure_slabs(context->worker_context->pressure));
    slab_pool_clear(context->streams, sizeof(struct client_h1));
    slab_pool_account(context->streams, pressure_slabs(context->worker_context->pressure));
    loop_at_turn_end(context->worker_context->loop, client_free_deferred, context);
    return context;
}

void client_context_free(struct client_context **context)
{
    if (*context == NULL) {
        return;
    }
    (*context)->ending = true;
    alarm_clear((*context)->worker_context->loop, &(*context)->idle_grace);
    alarm_clear((*context)->worker_context->loop, &(*context)->deferred_accepts);
    alarm_clear((*context)->worker_context->loop, &(*context)->full_check);
    alarm_clear((*context)->worker_context->loop, &(*context)->retiring_over);
    later_cancel(&(*context)->space_free);
    alarm_clear((*context)->worker_context->loop, &(*context)->handshakes.penalized_turn);
    client_listeners_release(*context);
    client_free_deferred(*context);
    client_list_drop(*context);
    slab_pool_free(&(*context)->connections);
    slab_pool_free(&(*context)->streams);
    client_h2_context_end(*context);
    free(*context);
    *context = NULL;
}

/* --- what metrics ask ----------------------------------------------------------------------------- */

uint64_t client_context_begun(const struct client_context *context)
{
    return atomic_load_explicit(&context->begun, memory_order_relaxed);
}

size_t client_context_memory(const struct client_context *context)
{
    return slab_pool_used(context->connections) * sizeof(struct client_connection) +
           slab_pool_used(context->streams) * sizeof(struct client_h1) +
           client_h2_context_memory(context);
}

void client_context_trim(struct client_context *context)
{
    client_listeners_forget(context);
    slab_pool_trim(context->connections);
    slab_pool_trim(context->streams);
    client_h2_context_trim(context);
}

/* --- stopping ---------------------------------------------------------------------------- */

static void close_each(struct link *list, enum outcome_end end)
{
    struct client_connection *connection;

    while ((connection = LIST_FIRST(list, struct client_connection, link)) != NULL) {
        client_close(connection, end);
    }
}

static void cut_each(struct link *list)
{
    struct client_connection *connection;

    while ((connection = LIST_FIRST(list, struct client_connection, link)) != NULL) {
        client_cut(connection, CUT_STOP);
    }
}

void client_context_stop_listening(struct client_context *context)
{
    alarm_clear(context->worker_context->loop, &context->deferred_accepts);
    LIST_EACH (struct client_listener, listener, &context->listeners, link) {
        listener_free(&listener->listener);
    }
}

void client_context_discard_listening(struct client_context *context)
{
    LIST_EACH (struct client_listener, listener, &context->listeners, link) {
        listener_discard(&listener->listener);
    }
}

bool client_context_listens(const struct client_context *context)
{
    LIST_EACH (struct client_listener, listener, &context->listeners, link) {
        if (listener->listener != NULL) {
            return true;
        }
    }
    return false;
}

/* HTTP/2 says GOAWAY at once, HTTP/1 Connection: close in its next answer. */
static void drain_each(struct link *list)
{
    LIST_EACH (struct client_connection, connection, list, link) {
        const struct client_codec *codec = client_codec_of(connection);

        if (codec != NULL) {
            codec->drain(connection);
        }
    }
}

/* Connections without their PROXY header or TLS handshake so far. */
static void limit_handshake_each(struct link *list)
{
    LIST_EACH (struct client_connection, connection, list, link) {
        if (connection->state == CLIENT_AWAITS_PROXY_HEADER ||
            connection->state == CLIENT_AWAITS_HANDSHAKE) {
            uint32_t spent_ms =
                client_clock_ms(client_context_of(connection)) - connection->since_ms;
            uint32_t most_ms = client_handshake_time(connection);

            client_set_timer(connection, spent_ms < most_ms ? most_ms - spent_ms : 1);
        }
    }
}

static void on_grace_over(void *owner)
{
    struct client_context *context = owner;

    close_each(&context->idle, OUTCOME_ANSWERED);
    limit_handshake_each(&context->busy);
    limit_handshake_each(&context->handshakes.line);
    limit_handshake_each(&context->handshakes.penalized);
    limit_handshake_each(&context->handshakes.judged);
}

static void on_deferred_accepts_over(void *owner)
{
    client_context_stop_listening(owner);
}

/* The kernel may hold connections back whose clients have said nothing yet (TCP_DEFER_ACCEPT), for a
 * second at most. A socket that closes forgets them without a word: they would wait for ever. */
void client_context_drain(struct client_context *context, uint32_t grace_ms)
{
    context->stopping = true;
    exchange_context_drain(context->exchanges);
    drain_each(&context->idle);
    drain_each(&context->busy);
    LIST_EACH (struct client_listener, listener, &context->listeners, link) {
        listener_take_silent(listener->listener);
    }
    alarm_set(context->worker_context->loop, &context->idle_grace, grace_ms, on_grace_over,
              context);
    alarm_set(context->worker_context->loop, &context->deferred_accepts, DEFERRED_ACCEPTS_MS,
              on_deferred_accepts_over, context);
}

void client_context_close_all(struct client_context *context)
{
    cut_each(&context->idle);
    cut_each(&context->busy);
    cut_each(&context->handshakes.line);
    cut_each(&context->handshakes.penalized);
    cut_each(&context->handshakes.judged);
}
