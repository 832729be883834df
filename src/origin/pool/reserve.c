/* SPDX-License-Identifier: BSD-2-Clause */
/* A share of an origin's connections is not for slow clients. Where the origin is at its limit
 * (pool.max_connections) and exchanges wait in line, no more of them may have slow clients than what
 * pool.reserve leaves; of those beyond it, the ones that moved the least in their time give theirs
 * up. As long as no request waits, no slow one is disturbed.
 *
 * The limit is that of all workers, and so is the count of slow ones: while a request waits each
 * worker that has connections there looks for those of its own, counts them in the origin's entry,
 * and lets the slowest go where there are too many. What is counted is marked, so that it is taken
 * back with the connection's request; who lets one go takes it back first, so that two workers do
 * not both do it for one.
 *
 * What holds for other limits as well, and for requests whose body is not whole, is in limits.c and
 * give_way.c, which is called from here. Called by pool.c, and by connections as their clients come and
 * go.
 *
 * Slow is who is waited for now, has held its connection for a second, has made it wait for more
 * than half of that time, and moves less than SLOW_RATE. Who is slow because the origin is, is not
 * meant; nor is a two-way stream that is quiet, as long as its client takes the answer. */
#include "origin/pool/limits.h"

#define CHECK_MS 100
#define SLOW_AFTER_US 1000000
#define SLOW_RATE (128 * 1024) /* bytes a second: a line that carries this much is in use */

void reserve_client_waited_for(struct origin_connection *connection)
{
    if (connection->client_from_us == 0) {
        connection->client_from_us = loop_now(connection->origin->directory->worker_context->loop);
    }
}

void reserve_client_came(struct origin_connection *connection)
{
    if (connection->client_from_us != 0) {
        connection->client_us += loop_now(connection->origin->directory->worker_context->loop) -
                                 connection->client_from_us;
        connection->client_from_us = 0;
    }
}

/* The client of an RPC, or one that has an answer already, sends when there is something to say: a
 * pause is no sign of a slow client. */
bool reserve_is_two_way(const struct origin_connection *connection)
{
    return connection->request->unfinished &&
           (connection->request->is_rpc || connection->state == ORIGIN_CONNECTION_READS_BODY);
}

/* Bytes a second, both ways; UINT64_MAX for one that is not slow. */
static uint64_t slowness_of(const struct origin_connection *connection, uint64_t now_us)
{
    uint64_t held_us = now_us - connection->request->bound_us;
    uint64_t client_us = connection->client_us + now_us - connection->client_from_us;
    uint64_t moved = connection->passed + connection->out.written - connection->written_before;
    uint64_t rate;

    /* Once the request is whole it is the origin's turn, and its client may have left. */
    if (connection->client_from_us == 0 || held_us < SLOW_AFTER_US || client_us < held_us / 2) {
        return UINT64_MAX;
    }
    if (reserve_is_two_way(connection) && !connection->answer_paused) {
        return UINT64_MAX;
    }
    rate = moved * 1000000 / held_us;
    return rate < SLOW_RATE ? rate : UINT64_MAX;
}

/* --- counted over all workers -------------------------------------------------------------- */

static void mark(struct origin_connection *connection, bool slow)
{
    _Atomic uint32_t *count = &connection->origin->entry->slow;

    if (slow && !connection->counted_slow) {
        atomic_fetch_add(count, 1);
    } else if (!slow && connection->counted_slow) {
        atomic_fetch_sub(count, 1);
    }
    connection->counted_slow = slow;
}

void reserve_end(struct origin_connection *connection)
{
    mark(connection, false);
}

static void forget(struct origin *origin)
{
    for (struct link *link = origin->busy.next; link != &origin->busy; link = link->next) {
        mark(CONTAINER_OF(link, struct origin_connection, link), false);
    }
}

/* Marks those of this worker; the slowest of them, or NULL. */
static struct origin_connection *count_slow(struct origin *origin)
{
    uint64_t now_us = loop_now(origin->directory->worker_context->loop);
    struct origin_connection *slowest = NULL;
    uint64_t lowest = UINT64_MAX;

    LIST_EACH (struct origin_connection, connection, &origin->busy, link) {
        uint64_t rate = slowness_of(connection, now_us);

        mark(connection, rate != UINT64_MAX);
        if (rate < lowest) {
            lowest = rate;
            slowest = connection;
        }
    }
    return slowest;
}

static uint32_t most_slow(const struct pool_settings *pool)
{
    return pool->reserve < SPLIT_WHOLE ? limits_most_unfinished(pool, pool->max_connections) : 0;
}

/* false: no more of them are slow than may be. */
static bool let_go(struct origin_connection *slowest)
{
    const struct pool_settings *pool = slowest->request->pool;
    _Atomic uint32_t *count = &slowest->origin->entry->slow;
    uint32_t slow = atomic_load(count);

    do {
        if (pool->max_connections == 0 || slow <= most_slow(pool)) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(count, &slow, slow - 1));
    slowest->counted_slow = false;
    slowest->request->events->give_way(slowest->request->owner);
    return true;
}

/* --- while a request waits ----------------------------------------------------------------- */

/* Here or elsewhere. */
static uint32_t waiting_for(const struct origin *origin)
{
    return atomic_load_explicit(&origin->entry->waiting, memory_order_relaxed);
}

static bool has_unfinished(const struct origin *origin)
{
    return !list_is_empty(&origin->busy) && atomic_load(&origin->entry->unfinished.used) > 0;
}

static void check(void *owner)
{
    struct origin *origin = owner;
    uint32_t waiting = waiting_for(origin);

    /* A request that gives way makes room for the first in line at once. */
    for (uint32_t i = 0; i < waiting && waiting_for(origin) > 0; i++) {
        struct origin_connection *slowest = count_slow(origin);

        if (slowest == NULL || !let_go(slowest)) {
            break;
        }
    }
    origin_hurry_uploads(origin);
    if (waiting_for(origin) > 0 || has_unfinished(origin)) {
        alarm_set(origin->directory->worker_context->loop, &origin->reserve, CHECK_MS, check,
                  origin);
    } else {
        forget(origin);
    }
}

void reserve_watch(struct origin *origin)
{
    if (!alarm_is_set(&origin->reserve)) {
        alarm_set(origin->directory->worker_context->loop, &origin->reserve, CHECK_MS, check,
                  origin);
    }
}
