/* SPDX-License-Identifier: BSD-2-Clause */
/* A share of an origin's connections is not for slow clients. Where the origin is at its limit
 * (pool.connections) and exchanges wait in line, the connections whose clients are slow may be no
 * more than what pool.reserve leaves of this worker's; of those beyond it, the ones that moved the
 * least in their time give theirs up. As long as nobody waits, nobody is disturbed.
 *
 * Slow is who is waited for now, has held its connection for a second, has made it wait for more than half of that
 * time, and moves less than SLOW_RATE. Who is slow because the origin is, is not meant. */
#include "origin/origin_private.h"

#include "config/settings.h"

#define LOOK_MS 100
#define SLOW_AFTER_US 1000000
#define SLOW_RATE (128 * 1024) /* bytes a second: a line that carries this much is in use */

void reserve_client_waited_for(struct origin_connection *connection)
{
    if (connection->client_from_us == 0) {
        connection->client_from_us = loop_now(connection->origin->directory->bench->loop);
    }
}

void reserve_client_came(struct origin_connection *connection)
{
    if (connection->client_from_us != 0) {
        connection->client_us +=
            loop_now(connection->origin->directory->bench->loop) - connection->client_from_us;
        connection->client_from_us = 0;
    }
}

void reserve_begin(struct origin_connection *connection)
{
    connection->client_from_us = 0;
    connection->client_us = 0;
    connection->passed = 0;
}

/* Bytes a second, both ways; UINT64_MAX for one that is not slow. */
static uint64_t slowness_of(const struct origin_connection *connection, uint64_t now_us)
{
    uint64_t held_us = now_us - connection->request->bound_us;
    uint64_t client_us = connection->client_us + now_us - connection->client_from_us;
    uint64_t moved = connection->passed + connection->out.written - connection->written_before;
    uint64_t rate;

    /* Once the request is whole it is the origin's turn, and maybe nobody is there any more. */
    if (connection->client_from_us == 0 || held_us < SLOW_AFTER_US || client_us < held_us / 2) {
        return UINT64_MAX;
    }
    rate = moved * 1000000 / held_us;
    return rate < SLOW_RATE ? rate : UINT64_MAX;
}

/* NULL: no more of them are slow than may be. */
static struct origin_connection *find_excess(struct origin *origin, uint32_t reserve)
{
    uint64_t now_us = loop_now(origin->directory->bench->loop);
    struct origin_connection *slowest = NULL;
    uint64_t lowest = UINT64_MAX;
    uint64_t count = 0;
    uint64_t slow = 0;

    for (struct link *link = origin->busy.next; link != &origin->busy; link = link->next) {
        struct origin_connection *connection = CONTAINER_OF(link, struct origin_connection, link);
        uint64_t rate = slowness_of(connection, now_us);

        count++;
        slow += rate != UINT64_MAX;
        if (rate < lowest) {
            lowest = rate;
            slowest = connection;
        }
    }
    return slow * SPLIT_WHOLE >= count * (SPLIT_WHOLE - reserve) + SPLIT_WHOLE ? slowest : NULL;
}

static struct origin_request *first_in_line(struct origin *origin)
{
    struct link *link = list_first(&origin->line);

    return link != NULL ? CONTAINER_OF(link, struct origin_request, in_line) : NULL;
}

static void look(void *owner)
{
    struct origin *origin = owner;
    uint32_t waiting = TALLY_READ(origin->tally.waiting);
    struct origin_request *first;

    /* Whoever gives way makes room for the first in line at once. */
    for (uint32_t i = 0; i < waiting && (first = first_in_line(origin)) != NULL; i++) {
        struct origin_connection *slow = find_excess(origin, first->pool->reserve);

        if (slow == NULL) {
            break;
        }
        slow->request->events->give_way(slow->request->owner);
    }
    if (!list_is_empty(&origin->line)) {
        alarm_set(origin->directory->bench->loop, &origin->reserve, LOOK_MS, look, origin);
    }
}

void reserve_watch(struct origin *origin)
{
    if (!alarm_is_set(&origin->reserve)) {
        alarm_set(origin->directory->bench->loop, &origin->reserve, LOOK_MS, look, origin);
    }
}
