/* SPDX-License-Identifier: BSD-2-Clause */
/* Between a worker's lines and the quotas in the registry: what a request and a connection take of their
 * limits, and how many may wait. Called by pool.c; slots are taken and given back in limits_waking.c. */
#include "origin/pool/limits_private.h"

/* --- requests ---------------------------------------------------------------------------- */

bool limits_take_request(struct origin_request *request)
{
    const struct service_limits_settings *limits;
    uint32_t most;

    if (request->service == NULL || (request->slots & SLOTS_OF_REQUEST) != 0) {
        return true;
    }
    limits = limits_settings_of(request);
    most = limits_most_at_origin(request, request->origin);
    if (most != 0) {
        if (!limits_take_slot(request, &request->origin->entry->requests, most)) {
            return false;
        }
        request->slots |= SLOT_OF_ORIGIN;
        request->slot_us = limits_now_of(request->origin);
    }
    if (limits->max_concurrent_requests != 0) {
        if (!limits_take_slot(request, &request->service->entry->requests,
                              limits->max_concurrent_requests)) {
            limits_pass_request_on(request);
            return false;
        }
        request->slots |= SLOT_OF_SERVICE;
    }
    return true;
}

/* Those of the kind `which` that it has. */
static void give_those(struct origin_request *request, unsigned which,
                       void (*give_one)(struct origin *origin, struct quota *quota))
{
    struct origin *origin = request->origin;
    unsigned slots = request->slots & which;

    request->slots &= (uint8_t)~which;
    if ((slots & SLOT_OF_ORIGIN) != 0) {
        recovery_note_slot_given(&origin->entry->recovery, request->slot_us);
        give_one(origin, &origin->entry->requests);
    }
    if ((slots & SLOT_OF_SERVICE) != 0) {
        give_one(origin, &request->service->entry->requests);
    }
    if ((slots & SLOT_UNFINISHED) != 0) {
        give_one(origin, &origin->entry->unfinished);
    }
    if ((slots & SLOT_UNFINISHED_OF_SERVICE) != 0) {
        give_one(origin, &request->service->entry->unfinished);
    }
}

void limits_give_request(struct origin_request *request)
{
    if (request->slots != 0) {
        give_those(request, SLOTS_OF_REQUEST | SLOTS_UNFINISHED, limits_give_slot);
    }
}

void limits_pass_request_on(struct origin_request *request)
{
    if ((request->slots & SLOTS_OF_REQUEST) != 0) {
        give_those(request, SLOTS_OF_REQUEST, limits_give_slot_on);
    }
}

/* --- unfinished requests ----------------------------------------------------------------- */

bool limits_bound_unfinished(const struct origin_request *request)
{
    return request->unfinished && (request->pool->max_connections != 0 || request->pool->limited);
}

bool limits_take_unfinished(struct origin_request *request)
{
    uint32_t most = limits_most_unfinished_of_origin(request);
    uint32_t most_of_service = limits_most_unfinished_of_service(request);

    if ((request->slots & SLOTS_UNFINISHED) != 0) {
        return true;
    }
    /* Counted also where only the service has a limit: give_way.c looks for them. */
    if (!limits_take_slot(request, &request->origin->entry->unfinished, most)) {
        return false;
    }
    request->slots |= SLOT_UNFINISHED;
    if (most_of_service != 0) {
        if (!limits_take_slot(request, &request->service->entry->unfinished, most_of_service)) {
            give_those(request, SLOTS_UNFINISHED, limits_give_slot_on);
            return false;
        }
        request->slots |= SLOT_UNFINISHED_OF_SERVICE;
    }
    return true;
}

void limits_give_unfinished(struct origin_request *request)
{
    give_those(request, SLOTS_UNFINISHED, limits_give_slot);
}

/* --- connections ------------------------------------------------------------------------- */

void limits_untake_connection(struct origin *origin, struct origin_request *request)
{
    limits_give_slot(origin, &origin->entry->connections);
    if (request->service_slot) {
        request->service_slot = false;
        limits_give_slot(origin, &request->service->entry->connections);
    }
}

void limits_bind_connection(struct origin_connection *connection, struct origin_request *request)
{
    connection->placed = true;
    if (request->service_slot) {
        request->service_slot = false;
        connection->service_entry = service_entry_hold(request->service->entry);
    }
}

void limits_give_connection(struct origin_connection *connection)
{
    if (!connection->placed) {
        return;
    }
    connection->placed = false;
    limits_give_slot(connection->origin, &connection->origin->entry->connections);
    if (connection->service_entry != NULL) {
        limits_give_slot(connection->origin, &connection->service_entry->connections);
        service_entry_put(&connection->service_entry);
    }
}

bool limits_claim_idle(const struct origin_connection *connection, const struct pool_settings *pool)
{
    struct origin *origin = connection->origin;
    const struct origin_request *first = pool_first_in_line(origin);
    unsigned here = first != NULL ? limits_need_of(first) : QUOTA_NO_NEED;

    if (pool->max_connections != 0 &&
        quota_is_due_elsewhere(&origin->entry->connections, limits_worker_of(origin),
                               limits_now_of(origin), here)) {
        return true;
    }
    return connection->service_entry != NULL &&
           quota_is_due_elsewhere(&connection->service_entry->connections, limits_worker_of(origin),
                                  limits_now_of(origin), here);
}

/* --- lines ------------------------------------------------------------------------------- */

static bool is_one_too_many(const struct origin_request *request, const struct origin *origin)
{
    return limits_bound_unfinished(request) && (request->slots & SLOT_UNFINISHED) == 0 &&
           (!quota_has_room(&origin->entry->unfinished,
                            limits_most_unfinished_of_origin(request)) ||
            (request->service != NULL &&
             !quota_has_room(&request->service->entry->unfinished,
                             limits_most_unfinished_of_service(request))));
}

/* It has one, or would get one: its own does not count against it. */
static bool has_request_slot(const struct origin_request *request, const struct origin *origin)
{
    const struct service *service = request->service;

    return (request->slots & SLOTS_OF_REQUEST) != 0 ||
           (quota_has_room(&origin->entry->requests, limits_most_at_origin(request, origin)) &&
            quota_has_room(&service->entry->requests,
                           service->settings->limits.max_concurrent_requests));
}

bool limits_may_go(const struct origin_request *request, const struct origin *origin)
{
    const struct service *service = request->service;

    if (!origin_has_address(origin) || is_one_too_many(request, origin) ||
        !quota_has_room(&origin->entry->connections, request->pool->max_connections)) {
        return false;
    }
    return service == NULL || !request->pool->limited ||
           (has_request_slot(request, origin) &&
            quota_has_room(&service->entry->connections,
                           service->settings->limits.max_connections));
}

/* The last places of a line are not for the unfinished either. */
static uint32_t places_in_line(const struct origin_request *request, uint32_t limit)
{
    return limits_bound_unfinished(request) ? limits_most_unfinished(request->pool, limit) : limit;
}

static uint32_t places_at_origin(const struct origin_request *request)
{
    return places_in_line(request, request->pool->max_pending);
}

static uint32_t places_in_service(const struct origin_request *request)
{
    uint32_t limit = request->service->settings->limits.max_pending;

    return limit != 0 ? places_in_line(request, limit) : UINT32_MAX;
}

bool limits_service_line_is_full(const struct origin_request *request)
{
    return request->service != NULL &&
           atomic_load_explicit(&request->service->entry->waiting, memory_order_relaxed) >=
               places_in_service(request);
}

bool limits_line_is_full(const struct origin_request *request, const struct origin *origin)
{
    return !limits_may_go(request, origin) &&
           (atomic_load_explicit(&origin->entry->waiting, memory_order_relaxed) >=
                places_at_origin(request) ||
            limits_service_line_is_full(request));
}

/* In one step: other workers count here too. */
static bool add_below(_Atomic uint32_t *count, uint32_t most)
{
    uint32_t now = atomic_load_explicit(count, memory_order_relaxed);

    while (now < most) {
        if (atomic_compare_exchange_weak_explicit(count, &now, now + 1, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

bool limits_take_place(struct origin_request *request)
{
    struct origin_entry *entry = request->origin->entry;
    bool may_go = limits_may_go(request, request->origin);

    if (!add_below(&entry->waiting, may_go ? UINT32_MAX : places_at_origin(request))) {
        return false;
    }
    if (request->service != NULL && !add_below(&request->service->entry->waiting,
                                               may_go ? UINT32_MAX : places_in_service(request))) {
        atomic_fetch_sub_explicit(&entry->waiting, 1, memory_order_relaxed);
        return false;
    }
    if (limits_is_adaptive(request)) {
        atomic_fetch_add_explicit(&entry->adaptive.waiting[request->priority], 1,
                                  memory_order_relaxed);
    }
    return true;
}

void limits_give_place(struct origin_request *request)
{
    atomic_fetch_sub_explicit(&request->origin->entry->waiting, 1, memory_order_relaxed);
    if (request->service != NULL) {
        atomic_fetch_sub_explicit(&request->service->entry->waiting, 1, memory_order_relaxed);
    }
    if (limits_is_adaptive(request)) {
        atomic_fetch_sub_explicit(&request->origin->entry->adaptive.waiting[request->priority], 1,
                                  memory_order_relaxed);
    }
}
