/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots of the quotas in the registry, taken and given back for the requests of one worker: a line that
 * cannot move marks its worker as waiting, and the worker that gives a slot back wakes it. Called by the
 * other files of limits.h, and by pool.c through it. */
#include "origin/pool/limits_private.h"

/* Nothing should need it: a call that could not be posted, or something kept for a worker that
 * did not come for it. */
#define CHECK_AGAIN_MS 10 /* no longer than the patience of a request: adaptive.c */

static struct origin_directory *directory_of(const struct origin *origin)
{
    return origin->directory;
}

/* --- lines that cannot move -------------------------------------------------------------- */

static void wake(struct origin_directory *directory, uint32_t worker);

typedef void quota_visit(struct origin_directory *directory, struct quota *quota);

static void unmark(struct origin_directory *directory, struct quota *quota)
{
    quota_unmark(quota, directory->worker_context->worker);
}

/* Requests have left the line before they could come for what is kept for them. */
static void decline(struct origin_directory *directory, struct quota *quota)
{
    wake(directory, quota_decline(quota, directory->worker_context->worker,
                                  loop_now(directory->worker_context->loop)));
}

static void visit_quotas_of_origin(struct link *link, quota_visit *visit)
{
    struct origin *origin = CONTAINER_OF(link, struct origin, blocked);

    visit(directory_of(origin), &origin->entry->requests);
    visit(directory_of(origin), &origin->entry->unfinished);
    visit(directory_of(origin), &origin->entry->connections);
}

static void visit_quotas_of_service(struct link *link, quota_visit *visit)
{
    struct service *service = CONTAINER_OF(link, struct service, blocked);

    visit(service->directory, &service->entry->requests);
    visit(service->directory, &service->entry->unfinished);
    visit(service->directory, &service->entry->connections);
}

static void unmark_all(struct origin_directory *directory)
{
    for (struct link *link = directory->blocked.next; link != &directory->blocked;
         link = link->next) {
        visit_quotas_of_origin(link, unmark);
    }
    for (struct link *link = directory->blocked_services.next; link != &directory->blocked_services;
         link = link->next) {
        visit_quotas_of_service(link, unmark);
    }
}

/* What origins of other services have left of it. */
static void decline_of_services(struct origin_directory *directory)
{
    struct link seen;
    struct link *link;

    list_init(&seen);
    list_take_all(&seen, &directory->blocked_services);
    while ((link = list_first(&seen)) != NULL) {
        list_remove(link);
        visit_quotas_of_service(link, decline);
        if (!list_is_empty(&directory->blocked)) {
            list_add_last(&directory->blocked_services, link);
        }
    }
}

/* What still waits marks itself again: a line that has become empty leaves no mark, for which
 * something would be kept. */
static void serve_blocked(void *owner)
{
    struct origin_directory *directory = owner;
    struct link blocked;
    struct link *link;

    unmark_all(directory);
    list_init(&blocked);
    list_take_all(&blocked, &directory->blocked);
    while ((link = list_first(&blocked)) != NULL) {
        list_remove(link);
        pool_serve_line(CONTAINER_OF(link, struct origin, blocked));
        visit_quotas_of_origin(link, decline);
    }
    decline_of_services(directory);
}

static void on_check_again(void *owner)
{
    serve_blocked(owner);
}

static void block(struct origin *origin)
{
    struct origin_directory *directory = directory_of(origin);

    if (list_is_empty(&origin->blocked)) {
        list_add_last(&directory->blocked, &origin->blocked);
    }
    if (!alarm_is_set(&directory->check_again)) {
        alarm_set(directory->worker_context->loop, &directory->check_again, CHECK_AGAIN_MS,
                  on_check_again, directory);
    }
}

/* A request may go on, here or on another worker. */
static void wake(struct origin_directory *directory, uint32_t worker)
{
    if (worker == directory->worker_context->worker) {
        loop_later(directory->worker_context->loop, &directory->serve_blocked, serve_blocked,
                   directory);
    } else if (worker != QUOTA_NOBODY) {
        origin_registry_wake(directory->registry, worker);
    }
}

void limits_check_again(struct origin *origin)
{
    block(origin);
}

void limits_serve_later(struct origin *origin)
{
    block(origin);
    wake(directory_of(origin), limits_worker_of(origin));
}

/* --- slots ------------------------------------------------------------------------------- */

_Static_assert(PRIORITY_COUNT *QUOTA_NEEDS_OF_CLASS == QUOTA_NEEDS, "two of each class");

unsigned limits_need_of(const struct origin_request *request)
{
    bool first = !limits_bound_unfinished(request) || pool_is_overdue(request);

    return request->priority * QUOTA_NEEDS_OF_CLASS +
           (unsigned)(first ? QUOTA_NEED_FIRST : QUOTA_NEED_LATER);
}

bool limits_take_slot(const struct origin_request *request, struct quota *quota, uint32_t limit)
{
    struct origin *origin = request->origin;
    uint32_t worker = limits_worker_of(origin);
    uint64_t now_us = limits_now_of(origin);

    if (quota_take(quota, limit, worker, now_us)) {
        return true;
    }
    quota_mark_waiting(quota, worker, limits_need_of(request));
    block(origin); /* also where the next look finds one: the mark is there */
    if (request->service != NULL && list_is_empty(&request->service->blocked)) {
        list_add_last(&directory_of(origin)->blocked_services, &request->service->blocked);
    }
    return quota_take(quota, limit, worker, now_us);
}

void limits_give_slot(struct origin *origin, struct quota *quota)
{
    wake(directory_of(origin), quota_give(quota, limits_worker_of(origin), limits_now_of(origin)));
}

void limits_give_slot_on(struct origin *origin, struct quota *quota)
{
    wake(directory_of(origin),
         quota_give_on(quota, limits_worker_of(origin), limits_now_of(origin)));
}

/* --- the worker's context ------------------------------------------------------------------- */

void limits_open_context(struct origin_directory *directory)
{
    list_init(&directory->blocked);
    list_init(&directory->blocked_services);
    list_init(&directory->limited);
    origin_registry_open_context(directory->registry, directory->worker_context->worker, directory,
                                 directory->worker_context->loop, serve_blocked);
}

void limits_close_context(struct origin_directory *directory)
{
    origin_registry_close_context(directory->registry, directory->worker_context->worker);
    alarm_clear(directory->worker_context->loop, &directory->check_again);
    later_cancel(&directory->serve_blocked);
}
