/* SPDX-License-Identifier: BSD-2-Clause */
/* An upload that drips ends early where others wait for what it has: its origin's or its service's
 * requests or connections, of which there is a limit. Without a limit, or while none waits, no
 * upload ends so. The slowest of this worker goes, one at a time over all workers, so that the one
 * that waits can take the place before the next one ends. A two-way stream is no upload and stays.
 * Called by pool.c, every 100 ms while the origin has unfinished requests. */
#include "origin/pool/limits.h"

#include "origin/service/service_private.h"

#define HELD_LEAST_US 2000000 /* who is younger has not shown yet how fast it is */
#define DRIP_RATE 16384       /* bytes a second; below, and mostly waited for */
#define PAUSE_US 100000       /* between two */

static bool waits(const _Atomic uint32_t *waiting)
{
    return atomic_load_explicit(waiting, memory_order_relaxed) > 0;
}

static bool is_needed_at_origin(const struct origin_request *request)
{
    const struct origin_entry *entry = request->origin->entry;
    const struct service *service = request->service;

    return waits(&entry->waiting) &&
           (!quota_has_room(&entry->connections, request->pool->max_connections) ||
            !quota_has_room(&entry->unfinished, limits_most_unfinished_of_origin(request)) ||
            (service != NULL &&
             !quota_has_room(&entry->requests, limits_most_at_origin(request, request->origin))));
}

static bool is_needed_in_service(const struct origin_request *request)
{
    const struct service *service = request->service;
    const struct service_limits_settings *limits;

    if (service == NULL || !waits(&service->entry->waiting)) {
        return false;
    }
    limits = &service->settings->limits;
    return !quota_has_room(&service->entry->requests, limits->max_concurrent_requests) ||
           !quota_has_room(&service->entry->connections, limits->max_connections) ||
           !quota_has_room(&service->entry->unfinished, limits_most_unfinished_of_service(request));
}

/* Bytes a second; UINT64_MAX for one that stays. */
static uint64_t drip_of(const struct origin_connection *connection, uint64_t now_us)
{
    const struct origin_request *request = connection->request;
    uint64_t held_us = now_us - request->bound_us;
    uint64_t client_us;
    uint64_t rate;

    if (!limits_bound_unfinished(request) || connection->client_from_us == 0 ||
        held_us < HELD_LEAST_US || reserve_is_two_way(connection)) {
        return UINT64_MAX;
    }
    client_us = connection->client_us + now_us - connection->client_from_us;
    rate = (connection->out.written - connection->written_before) * 1000000 / held_us;
    if (client_us < held_us / 2 || rate >= DRIP_RATE) {
        return UINT64_MAX;
    }
    return is_needed_at_origin(request) || is_needed_in_service(request) ? rate : UINT64_MAX;
}

static struct origin_connection *slowest_of(struct origin *origin, uint64_t now_us)
{
    struct origin_connection *slowest = NULL;
    uint64_t lowest = UINT64_MAX;

    LIST_EACH (struct origin_connection, connection, &origin->busy, link) {
        uint64_t rate = drip_of(connection, now_us);

        if (rate < lowest) {
            lowest = rate;
            slowest = connection;
        }
    }
    return slowest;
}

void origin_hurry_uploads(struct origin *origin)
{
    uint64_t now_us = loop_now(origin->directory->worker_context->loop);
    uint64_t last_us = atomic_load(&origin->entry->gave_way_us);
    struct origin_connection *slowest;

    if (now_us < last_us + PAUSE_US || atomic_load(&origin->entry->unfinished.used) == 0) {
        return;
    }
    slowest = slowest_of(origin, now_us);
    if (slowest != NULL &&
        atomic_compare_exchange_strong(&origin->entry->gave_way_us, &last_us, now_us)) {
        slowest->request->events->give_way(slowest->request->owner);
    }
}
