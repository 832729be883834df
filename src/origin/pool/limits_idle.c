/* SPDX-License-Identifier: BSD-2-Clause */
/* One more connection where their number is limited: at the limit one that lies idle goes for it, of
 * this worker or, asked for by letter, of another one. */
#include "origin/pool/limits.h"

#include "origin/service/service_private.h"

#include <stdlib.h>

#define ASK_PAUSE_US 10000 /* between two rounds of letters about one origin or service */

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
    for (struct link *link = directory->limited.next; link != &directory->limited;
         link = link->next) {
        struct service *service = CONTAINER_OF(link, struct service, limited);

        for (uint32_t i = 0; service->entry == entry && i < service->count; i++) {
            if (close_idle_of(service->origins[i], entry)) {
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
    const char *name = entry->place.name;
    struct origin *origin = origin_named(directory, name, NULL);

    while (origin != NULL && (!list_is_empty(&origin->line) || !close_idle_of(origin, NULL))) {
        origin = origin_named(directory, name, origin);
    }
}

/* --- of others --------------------------------------------------------------------------- */

/* Somebody waits elsewhere for what slow clients may hold here. */
static void watch_reserve_of_entry(struct origin_directory *directory,
                                   const struct origin_entry *entry)
{
    const char *name = entry->place.name;
    struct origin *origin = origin_named(directory, name, NULL);

    for (; origin != NULL; origin = origin_named(directory, name, origin)) {
        if (!list_is_empty(&origin->busy)) {
            reserve_watch(origin);
        }
    }
}

/* "Close one that you do not need": of an origin, or of a service. Holds the entry. */
struct letter {
    struct origin_directory *to;
    struct origin_entry *origin;
    struct service_entry *service;
};

static void on_letter(void *owner)
{
    struct letter *letter = owner;

    if (letter->service != NULL) {
        close_idle_of_service(letter->to, letter->service);
    } else {
        close_idle_of_entry(letter->to, letter->origin);
        watch_reserve_of_entry(letter->to, letter->origin);
    }
    origin_entry_put(&letter->origin);
    service_entry_put(&letter->service);
    free(letter);
}

static void send_letter(struct origin_book *book, uint32_t worker, struct origin_entry *origin,
                        struct service_entry *service)
{
    struct letter *letter = calloc(1, sizeof(*letter));

    if (letter == NULL) {
        return; /* looked at again later */
    }
    letter->to = origin_book_desk(book, worker);
    letter->origin = origin != NULL ? origin_entry_hold(origin) : NULL;
    letter->service = service != NULL ? service_entry_hold(service) : NULL;
    if (letter->to == NULL || !loop_post(letter->to->bench->loop, on_letter, letter)) {
        origin_entry_put(&letter->origin);
        service_entry_put(&letter->service);
        free(letter);
    }
}

static void ask_others(struct origin *origin, struct origin_entry *entry,
                       struct service_entry *service, uint64_t *asked_us)
{
    struct origin_book *book = origin->directory->book;
    uint64_t now_us = loop_now(origin->directory->bench->loop);

    if (now_us - *asked_us < ASK_PAUSE_US) {
        return;
    }
    *asked_us = now_us;
    for (uint32_t i = 0; i < origin_book_workers(book); i++) {
        if (i != origin->directory->bench->worker) {
            send_letter(book, i, entry, service);
        }
    }
}

/* --- taking ------------------------------------------------------------------------------ */

static bool take_of_service(struct origin *origin, struct origin_request *request)
{
    struct service *service = request->service;
    struct service_entry *entry;
    uint32_t limit;

    if (service == NULL || service->settings->limits.connections == 0) {
        return true;
    }
    entry = service->entry;
    limit = service->settings->limits.connections;
    if (!quota_has_room(&entry->connections, limit)) {
        close_idle_of_service(origin->directory, entry);
    }
    if (!limits_take(origin, &entry->connections, limit)) {
        ask_others(origin, NULL, entry, &service->asked_us);
        return false;
    }
    request->service_slot = true;
    return true;
}

bool limits_take_connection(struct origin *origin, struct origin_request *request)
{
    if (!limits_take(origin, &origin->entry->connections, request->pool->connections)) {
        ask_others(origin, origin->entry, NULL, &origin->asked_us);
        return false;
    }
    if (!take_of_service(origin, request)) {
        limits_give_on(origin, &origin->entry->connections);
        return false;
    }
    return true;
}
