/* SPDX-License-Identifier: BSD-2-Clause */
/* The right to one more connection: idle ones that are not needed, here and on other workers, make room
 * for it. Called by pool.c through limits.h. */
#include "origin/pool/limits_private.h"

#include <stdlib.h>

#define ASK_PAUSE_US 10000 /* between two rounds of calls about one origin or service */

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
    if (!limits_take_slot(request, &entry->connections, limit)) {
        ask_others(origin, NULL, entry, &service->asked_us);
        return false;
    }
    request->service_slot = true;
    return true;
}

bool limits_take_connection(struct origin *origin, struct origin_request *request)
{
    if (!limits_take_slot(request, &origin->entry->connections, request->pool->max_connections)) {
        ask_others(origin, origin->entry, NULL, &origin->asked_us);
        return false;
    }
    if (!take_of_service(origin, request)) {
        limits_give_slot_on(origin, &origin->entry->connections);
        return false;
    }
    return true;
}
