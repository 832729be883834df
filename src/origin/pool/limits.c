/* SPDX-License-Identifier: BSD-2-Clause */
/* Between a worker's lines and the quotas in the book: taking and giving back, waking whoever is
 * next. */
#include "origin/pool/limits.h"

#include "origin/service/service_private.h"

/* Nothing should need it: a letter that could not be sent, or something kept for a worker that
 * did not come for it. */
#define LOOK_AGAIN_MS 100

enum { SLOT_OF_ORIGIN = 1, SLOT_OF_SERVICE = 2 };

static struct origin_directory *directory_of(const struct origin *origin)
{
    return origin->directory;
}

static uint32_t worker_of(const struct origin *origin)
{
    return origin->directory->bench->worker;
}

static uint64_t now_of(const struct origin *origin)
{
    return loop_now(origin->directory->bench->loop);
}

static const struct service_limits_settings *limits_of(const struct origin_request *request)
{
    return &request->service->settings->limits;
}

/* --- lines that cannot move -------------------------------------------------------------- */

static void on_look_again(void *owner);

static void serve_blocked(void *owner)
{
    struct origin_directory *directory = owner;
    struct link blocked;
    struct link *link;

    list_init(&blocked);
    while ((link = list_first(&directory->blocked)) != NULL) {
        list_remove(link);
        list_add_last(&blocked, link);
    }
    while ((link = list_first(&blocked)) != NULL) {
        struct origin *origin = CONTAINER_OF(link, struct origin, blocked);

        list_remove(link);
        directory->events->line_may_move(origin);
    }
}

static void on_look_again(void *owner)
{
    serve_blocked(owner);
}

static void block(struct origin *origin)
{
    struct origin_directory *directory = directory_of(origin);

    if (list_is_empty(&origin->blocked)) {
        list_add_last(&directory->blocked, &origin->blocked);
    }
    if (!alarm_is_set(&directory->look_again)) {
        alarm_set(directory->bench->loop, &directory->look_again, LOOK_AGAIN_MS, on_look_again,
                  directory);
    }
}

/* Somebody may go on, here or elsewhere. */
static void wake(struct origin_directory *directory, uint32_t worker)
{
    if (worker == directory->bench->worker) {
        loop_later(directory->bench->loop, &directory->serve_blocked, serve_blocked, directory);
    } else if (worker != QUOTA_NOBODY) {
        origin_book_wake(directory->book, worker);
    }
}

bool limits_take(struct origin *origin, struct quota *quota, uint32_t limit)
{
    uint32_t worker = worker_of(origin);
    uint64_t now_us = now_of(origin);

    if (quota_take(quota, limit, worker, now_us)) {
        return true;
    }
    quota_mark_hungry(quota, worker);
    if (quota_take(quota, limit, worker, now_us)) {
        return true;
    }
    block(origin);
    return false;
}

static void give(struct origin *origin, struct quota *quota)
{
    wake(directory_of(origin), quota_give(quota, worker_of(origin), now_of(origin)));
}

void limits_give_on(struct origin *origin, struct quota *quota)
{
    wake(directory_of(origin), quota_give_on(quota, worker_of(origin), now_of(origin)));
}

/* --- requests ---------------------------------------------------------------------------- */

bool limits_take_slots(struct origin_request *request)
{
    struct origin *origin = request->origin;
    const struct service_limits_settings *limits;

    if (request->service == NULL || request->slots != 0) {
        return true;
    }
    limits = limits_of(request);
    if (limits->origin_requests != 0) {
        if (!limits_take(origin, &origin->entry->requests, limits->origin_requests)) {
            return false;
        }
        request->slots |= SLOT_OF_ORIGIN;
    }
    if (limits->requests != 0) {
        if (!limits_take(origin, &request->service->entry->requests, limits->requests)) {
            limits_pass_request_on(request);
            return false;
        }
        request->slots |= SLOT_OF_SERVICE;
    }
    return true;
}

static void give_all(struct origin_request *request,
                     void (*give_one)(struct origin *origin, struct quota *quota))
{
    struct origin *origin = request->origin;
    unsigned slots = request->slots;

    request->slots = 0;
    if ((slots & SLOT_OF_ORIGIN) != 0) {
        give_one(origin, &origin->entry->requests);
    }
    if ((slots & SLOT_OF_SERVICE) != 0) {
        give_one(origin, &request->service->entry->requests);
    }
}

void limits_give_slots(struct origin_request *request)
{
    give_all(request, give);
}

void limits_pass_request_on(struct origin_request *request)
{
    if (request->slots != 0) {
        give_all(request, limits_give_on);
    }
}

/* --- connections ------------------------------------------------------------------------- */

void limits_untake_connection(struct origin *origin, struct origin_request *request)
{
    give(origin, &origin->entry->connections);
    if (request->service_slot) {
        request->service_slot = false;
        give(origin, &request->service->entry->connections);
    }
}

void limits_bind_connection(struct origin_connection *connection, struct origin_request *request)
{
    if (request->service_slot) {
        request->service_slot = false;
        connection->service_entry = service_entry_hold(request->service->entry);
    }
}

void limits_give_connection(struct origin_connection *connection)
{
    give(connection->origin, &connection->origin->entry->connections);
    if (connection->service_entry != NULL) {
        give(connection->origin, &connection->service_entry->connections);
        service_entry_put(&connection->service_entry);
    }
}

bool limits_claim_counted(const struct origin_connection *connection,
                          const struct pool_settings *pool)
{
    const struct origin *origin = connection->origin;
    bool needed = !list_is_empty(&origin->line);

    if (pool->connections != 0 &&
        quota_is_due_elsewhere(&origin->entry->connections, worker_of(origin), now_of(origin),
                               needed)) {
        return true;
    }
    return connection->service_entry != NULL &&
           quota_is_due_elsewhere(&connection->service_entry->connections, worker_of(origin),
                                  now_of(origin), needed);
}

/* --- lines ------------------------------------------------------------------------------- */

static bool may_go(const struct origin_request *request, const struct origin *origin)
{
    const struct service *service = request->service;

    if (!origin_has_address(origin) ||
        !quota_has_room(&origin->entry->connections, request->pool->connections)) {
        return false;
    }
    return service == NULL || !request->pool->limited ||
           (quota_has_room(&origin->entry->requests, service->settings->limits.origin_requests) &&
            quota_has_room(&service->entry->requests, service->settings->limits.requests) &&
            quota_has_room(&service->entry->connections, service->settings->limits.connections));
}

bool limits_line_is_full(const struct origin_request *request, const struct origin *origin)
{
    const struct service *service = request->service;

    if (may_go(request, origin)) {
        return false;
    }
    if (atomic_load_explicit(&origin->entry->waiting, memory_order_relaxed) >=
        request->pool->waiting) {
        return true;
    }
    return service != NULL && service->settings->limits.waiting != 0 &&
           atomic_load_explicit(&service->entry->waiting, memory_order_relaxed) >=
               service->settings->limits.waiting;
}

void limits_note_waiting(struct origin_request *request)
{
    atomic_fetch_add_explicit(&request->origin->entry->waiting, 1, memory_order_relaxed);
    if (request->service != NULL) {
        atomic_fetch_add_explicit(&request->service->entry->waiting, 1, memory_order_relaxed);
    }
}

void limits_note_left(struct origin_request *request)
{
    atomic_fetch_sub_explicit(&request->origin->entry->waiting, 1, memory_order_relaxed);
    if (request->service != NULL) {
        atomic_fetch_sub_explicit(&request->service->entry->waiting, 1, memory_order_relaxed);
    }
}

/* --- the worker's desk ------------------------------------------------------------------- */

void limits_open_desk(struct origin_directory *directory)
{
    list_init(&directory->blocked);
    list_init(&directory->limited);
    origin_book_open_desk(directory->book, directory->bench->worker, directory,
                          directory->bench->loop, serve_blocked);
}

void limits_close_desk(struct origin_directory *directory)
{
    origin_book_close_desk(directory->book, directory->bench->worker);
    alarm_clear(directory->bench->loop, &directory->look_again);
    later_cancel(&directory->serve_blocked);
}
