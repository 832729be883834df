/* SPDX-License-Identifier: BSD-2-Clause */
/* Between a worker's lines and the quotas in the registry: taking and giving back, waking the
 * request that is next. */
#include "origin/pool/limits.h"

#include "origin/service/service_private.h"

#include <stdlib.h>

/* Nothing should need it: a call that could not be posted, or something kept for a worker that
 * did not come for it. */
#define CHECK_AGAIN_MS 10  /* no longer than the patience of a request: adaptive.c */
#define ASK_PAUSE_US 10000 /* between two rounds of calls about one origin or service */
#define STANDING_LINE_SHARE \
    5 /* so small a part of pool.pending_timeout is waited in a line that stands */

enum {
    SLOT_OF_ORIGIN = 1,
    SLOT_OF_SERVICE = 2,
    SLOTS_OF_REQUEST = SLOT_OF_ORIGIN | SLOT_OF_SERVICE,
    SLOT_UNFINISHED = 4, /* at its origin */
    SLOT_UNFINISHED_OF_SERVICE = 8,
    SLOTS_UNFINISHED = SLOT_UNFINISHED | SLOT_UNFINISHED_OF_SERVICE,
};

static struct origin_directory *directory_of(const struct origin *origin)
{
    return origin->directory;
}

static uint32_t worker_of(const struct origin *origin)
{
    return origin->directory->worker_context->worker;
}

static uint64_t now_of(const struct origin *origin)
{
    return loop_now(origin->directory->worker_context->loop);
}

static const struct service_limits_settings *limits_of(const struct origin_request *request)
{
    return &request->service->settings->limits;
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
    wake(directory_of(origin), worker_of(origin));
}

_Static_assert(PRIORITY_COUNT *QUOTA_NEEDS_OF_CLASS == QUOTA_NEEDS, "two of each class");

/* Of a request that waits, or is about to. */
static unsigned need_of(const struct origin_request *request)
{
    bool first = !limits_bound_unfinished(request) || pool_is_overdue(request);

    return request->priority * QUOTA_NEEDS_OF_CLASS +
           (unsigned)(first ? QUOTA_NEED_FIRST : QUOTA_NEED_LATER);
}

static bool limits_take(const struct origin_request *request, struct quota *quota, uint32_t limit)
{
    struct origin *origin = request->origin;
    uint32_t worker = worker_of(origin);
    uint64_t now_us = now_of(origin);

    if (quota_take(quota, limit, worker, now_us)) {
        return true;
    }
    quota_mark_waiting(quota, worker, need_of(request));
    block(origin); /* also where the next look finds one: the mark is there */
    if (request->service != NULL && list_is_empty(&request->service->blocked)) {
        list_add_last(&directory_of(origin)->blocked_services, &request->service->blocked);
    }
    return quota_take(quota, limit, worker, now_us);
}

static void give(struct origin *origin, struct quota *quota)
{
    wake(directory_of(origin), quota_give(quota, worker_of(origin), now_of(origin)));
}

static void limits_give_on(struct origin *origin, struct quota *quota)
{
    wake(directory_of(origin), quota_give_on(quota, worker_of(origin), now_of(origin)));
}

/* --- what adapts --------------------------------------------------------------------------- */

static bool is_adaptive(const struct origin_request *request)
{
    return request->service != NULL && limits_of(request)->adaptive;
}

static uint32_t whole_limit(const struct origin_request *request, const struct origin *origin)
{
    uint32_t fixed = limits_of(request)->max_concurrent_requests_per_origin;
    uint32_t now = limits_of(request)->adaptive ? adaptive_now(&origin->entry->adaptive) : 0;

    return fixed == 0 || (now != 0 && now < fixed) ? now : fixed;
}

uint32_t limits_most_at_origin(const struct origin_request *request, const struct origin *origin)
{
    return recovery_slots(&origin->entry->recovery, whole_limit(request, origin), now_of(origin));
}

void limits_note_success(const struct origin_request *request)
{
    const struct origin *origin = request->origin;
    struct origin_entry *entry = origin->entry;
    uint32_t limit = whole_limit(request, origin);
    uint64_t outage_us;

    if (limit == 0) {
        return; /* nor was a failure noted of a service without a limit */
    }
    outage_us = recovery_note_success(
        &entry->recovery, limit, atomic_load_explicit(&entry->requests.used, memory_order_relaxed),
        request->bound_us, now_of(origin));
    if (outage_us != 0) {
        adaptive_note_outage(&entry->adaptive, outage_us, now_of(origin));
    }
}

void limits_note_failure(const struct origin_request *request)
{
    if (whole_limit(request, request->origin) != 0) {
        recovery_note_failure(&request->origin->entry->recovery, now_of(request->origin));
    }
}

bool limits_waits_too_long(const struct origin_request *request, const struct origin *origin,
                           uint64_t time_left_ms)
{
    if (!is_adaptive(request) || limits_waits_for_dial(request) || limits_may_go(request, origin)) {
        return false;
    }
    /* After an outage fewer are let in, but not for long enough to tell by how much it delays. */
    return adaptive_refuses(&origin->entry->adaptive, request->priority,
                            whole_limit(request, origin), time_left_ms);
}

bool limits_waits_for_dial(const struct origin_request *request)
{
    return is_adaptive(request) && (request->slots & SLOT_OF_ORIGIN) != 0;
}

/* It waits for what others have, in a line that is longer than what is served and has not been empty for
 * half of the time in which one may wait: what goes in order of arrival then goes just before its client
 * gives up, and all of it is lost. */
static bool line_stands(const struct origin_request *request)
{
    const struct origin *origin = request->origin;

    return (request->pool->limited || request->pool->max_connections != 0) &&
           (request->slots & SLOTS_OF_REQUEST) == 0 && origin->dialing == 0 &&
           TALLY_READ(origin->tally.waiting) > 1 &&
           TALLY_READ(origin->tally.waiting) > TALLY_READ(origin->tally.busy) &&
           now_of(origin) - origin->line_from_us >= (uint64_t)request->pool->pending_timeout * 500;
}

uint32_t limits_patience_ms(const struct origin_request *request)
{
    uint32_t most_ms = request->pool->pending_timeout;
    uint32_t patience_ms;

    /* Waiting for a name is not waiting for the origin. */
    if (!origin_has_address(request->origin)) {
        return most_ms;
    }
    if (!is_adaptive(request)) {
        return line_stands(request) ? most_ms / STANDING_LINE_SHARE : most_ms;
    }
    patience_ms = adaptive_patience_ms(&request->origin->entry->adaptive, request->priority);
    return patience_ms < most_ms ? patience_ms : most_ms;
}

bool limits_has_waited_enough(const struct origin_request *request)
{
    return (is_adaptive(request)
                ? !limits_waits_for_dial(request)
                : line_stands(request) && limits_may_go(request, request->origin)) &&
           now_of(request->origin) - request->waits_from_us >
               (uint64_t)limits_patience_ms(request) * 1000;
}

enum origin_failure limits_failure(const struct origin_request *request)
{
    if (!is_adaptive(request)) {
        return ORIGIN_FAILURE_LINE_TIMEOUT;
    }
    limits_note_refused(request);
    return ORIGIN_FAILURE_OVERLOADED;
}

void limits_note_refused(const struct origin_request *request)
{
    atomic_fetch_add_explicit(&request->origin->entry->adaptive.refused[request->priority], 1,
                              memory_order_relaxed);
}

void limits_note_given(struct origin_request *request, uint64_t waited_us)
{
    struct origin_entry *entry = request->origin->entry;

    if (is_adaptive(request)) {
        request->in_flight = atomic_load_explicit(&entry->requests.used, memory_order_relaxed);
        adaptive_note_given(&entry->adaptive, request->priority, waited_us);
    }
}

void limits_note_answer(const struct origin_request *request, uint64_t asked_us)
{
    struct origin_entry *entry = request->origin->entry;
    uint32_t now;

    if (is_adaptive(request)) {
        now = atomic_load_explicit(&entry->requests.used, memory_order_relaxed);
        adaptive_note_answer(
            &entry->adaptive, request->priority,
            &(struct adaptive_sample){asked_us, now_of(request->origin),
                                      now > request->in_flight ? now : request->in_flight});
    }
}

/* --- requests ---------------------------------------------------------------------------- */

bool limits_take_request(struct origin_request *request)
{
    const struct service_limits_settings *limits;
    uint32_t most;

    if (request->service == NULL || (request->slots & SLOTS_OF_REQUEST) != 0) {
        return true;
    }
    limits = limits_of(request);
    most = limits_most_at_origin(request, request->origin);
    if (most != 0) {
        if (!limits_take(request, &request->origin->entry->requests, most)) {
            return false;
        }
        request->slots |= SLOT_OF_ORIGIN;
        request->slot_us = now_of(request->origin);
    }
    if (limits->max_concurrent_requests != 0) {
        if (!limits_take(request, &request->service->entry->requests,
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
        give_those(request, SLOTS_OF_REQUEST | SLOTS_UNFINISHED, give);
    }
}

void limits_pass_request_on(struct origin_request *request)
{
    if ((request->slots & SLOTS_OF_REQUEST) != 0) {
        give_those(request, SLOTS_OF_REQUEST, limits_give_on);
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
    if (!limits_take(request, &request->origin->entry->unfinished, most)) {
        return false;
    }
    request->slots |= SLOT_UNFINISHED;
    if (most_of_service != 0) {
        if (!limits_take(request, &request->service->entry->unfinished, most_of_service)) {
            give_those(request, SLOTS_UNFINISHED, limits_give_on);
            return false;
        }
        request->slots |= SLOT_UNFINISHED_OF_SERVICE;
    }
    return true;
}

void limits_give_unfinished(struct origin_request *request)
{
    give_those(request, SLOTS_UNFINISHED, give);
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
    give(connection->origin, &connection->origin->entry->connections);
    if (connection->service_entry != NULL) {
        give(connection->origin, &connection->service_entry->connections);
        service_entry_put(&connection->service_entry);
    }
}

bool limits_claim_idle(const struct origin_connection *connection, const struct pool_settings *pool)
{
    struct origin *origin = connection->origin;
    const struct origin_request *first = pool_first_in_line(origin);
    unsigned here = first != NULL ? need_of(first) : QUOTA_NO_NEED;

    if (pool->max_connections != 0 &&
        quota_is_due_elsewhere(&origin->entry->connections, worker_of(origin), now_of(origin),
                               here)) {
        return true;
    }
    return connection->service_entry != NULL &&
           quota_is_due_elsewhere(&connection->service_entry->connections, worker_of(origin),
                                  now_of(origin), here);
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
    if (is_adaptive(request)) {
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
    if (is_adaptive(request)) {
        atomic_fetch_sub_explicit(&request->origin->entry->adaptive.waiting[request->priority], 1,
                                  memory_order_relaxed);
    }
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

/* --- of this worker ---------------------------------------------------------------------- */

/* The one that was not needed for the longest time. */
static bool close_idle_of(struct origin *origin, const struct service_entry *service)
{
    for (struct link *link = origin->idle.previous; link != &origin->idle; link = link->previous) {
        struct origin_connection *connection = CONTAINER_OF(link, struct origin_connection, link);

        if (service == NULL || connection->service_entry == service) {
            origin_connection_close(connection);
            return true;
        }
    }
    return false;
}

static bool close_idle_of_service(struct origin_directory *directory,
                                  const struct service_entry *entry)
{
    LIST_EACH (struct service, service, &directory->limited, limited) {
        for (uint32_t i = 0; service->entry == entry && i < service->host_set.count; i++) {
            if (close_idle_of(service->host_set.origins[i], entry)) {
                return true;
            }
        }
    }
    return false;
}

/* Of any of those whose connections count together. */
static void close_idle_of_entry(struct origin_directory *directory,
                                const struct origin_entry *entry)
{
    const char *name = entry->common.name;
    struct origin *origin = origin_named(directory, name, NULL);

    while (origin != NULL && (origin_has_line(origin) || !close_idle_of(origin, NULL))) {
        origin = origin_named(directory, name, origin);
    }
}

/* --- of others --------------------------------------------------------------------------- */

/* A request of another worker waits for what slow clients may hold here. */
static void watch_reserve_of_entry(struct origin_directory *directory,
                                   const struct origin_entry *entry)
{
    const char *name = entry->common.name;
    struct origin *origin = origin_named(directory, name, NULL);

    for (; origin != NULL; origin = origin_named(directory, name, origin)) {
        if (!list_is_empty(&origin->busy)) {
            reserve_watch(origin);
        }
    }
}

/* A posted call: that worker closes one that it does not need, of an origin or of a service. Holds the
 * entry. */
struct posted_close {
    struct origin_directory *to;
    struct origin_entry *origin;
    struct service_entry *service;
};

static void on_posted_close(void *owner)
{
    struct posted_close *posted = owner;

    if (posted->service != NULL) {
        close_idle_of_service(posted->to, posted->service);
    } else {
        close_idle_of_entry(posted->to, posted->origin);
        watch_reserve_of_entry(posted->to, posted->origin);
    }
    origin_entry_put(&posted->origin);
    service_entry_put(&posted->service);
    free(posted);
}

static void post_close(struct origin_registry *registry, uint32_t worker,
                       struct origin_entry *origin, struct service_entry *service)
{
    struct posted_close *posted = calloc(1, sizeof(*posted));

    if (posted == NULL) {
        return; /* looked at again later */
    }
    posted->to = origin_registry_context(registry, worker);
    posted->origin = origin != NULL ? origin_entry_hold(origin) : NULL;
    posted->service = service != NULL ? service_entry_hold(service) : NULL;
    if (posted->to == NULL ||
        !loop_post(posted->to->worker_context->loop, on_posted_close, posted)) {
        origin_entry_put(&posted->origin);
        service_entry_put(&posted->service);
        free(posted);
    }
}

static void ask_others(struct origin *origin, struct origin_entry *entry,
                       struct service_entry *service, uint64_t *asked_us)
{
    struct origin_registry *registry = origin->directory->registry;
    uint64_t now_us = loop_now(origin->directory->worker_context->loop);

    if (now_us - *asked_us < ASK_PAUSE_US) {
        return;
    }
    *asked_us = now_us;
    for (uint32_t i = 0; i < origin_registry_workers(registry); i++) {
        if (i != origin->directory->worker_context->worker) {
            post_close(registry, i, entry, service);
        }
    }
}

/* --- taking ------------------------------------------------------------------------------ */

static bool take_of_service(struct origin *origin, struct origin_request *request)
{
    struct service *service = request->service;
    struct service_entry *entry;
    uint32_t limit;

    if (service == NULL || service->settings->limits.max_connections == 0) {
        return true;
    }
    entry = service->entry;
    limit = service->settings->limits.max_connections;
    if (!quota_has_room(&entry->connections, limit)) {
        close_idle_of_service(origin->directory, entry);
    }
    if (!limits_take(request, &entry->connections, limit)) {
        ask_others(origin, NULL, entry, &service->asked_us);
        return false;
    }
    request->service_slot = true;
    return true;
}

bool limits_take_connection(struct origin *origin, struct origin_request *request)
{
    if (!limits_take(request, &origin->entry->connections, request->pool->max_connections)) {
        ask_others(origin, origin->entry, NULL, &origin->asked_us);
        return false;
    }
    if (!take_of_service(origin, request)) {
        limits_give_on(origin, &origin->entry->connections);
        return false;
    }
    return true;
}
