/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of an answer: the targets are noted, the probes follow, the services take them in,
 * and whoever waited for the first answer goes on. Worker 0 writes it into the origin book, for
 * those who show it, and says it in the log. */
#include "origin/srv_name.h"

#include "base/log.h"
#include "origin/limits.h"
#include "origin/prober.h"
#include "origin/service_private.h"

#include <stdio.h>
#include <stdlib.h>

static const char *prefix = "srv:";

static bool tells(const struct srv_name *name)
{
    return name->directory->bench->worker == 0;
}

/* --- origins of a name ------------------------------------------------------------------- */

struct origin *srv_name_origin(struct origin_directory *directory,
                               const struct origin_settings *settings,
                               const struct srv_target *target)
{
    char name[SRV_HOST_ROOM + 8];
    char host[SRV_HOST_ROOM + 2];
    struct origin_settings at = {.name = name, .host = host, .port = target->port};
    struct origin *origin;
    char *identity = NULL;

    snprintf(name, sizeof(name), "%s:%u", target->host, target->port);
    snprintf(host, sizeof(host), "%s.", target->host); /* whole as it is: no search domains */
    if (settings->tls_identity != NULL) {
        at.tls_name = settings->tls_name != NULL ? settings->tls_name : target->host;
        if (asprintf(&identity, "%s%s", at.tls_name, settings->tls_identity) < 0) {
            return NULL;
        }
        at.tls_identity = identity;
    }
    origin = origin_get(directory, &at);
    free(identity);
    return origin;
}

static void mark_stand_in(const struct srv_name *name, struct origin *origin)
{
    origin->resolved = name->state != SRV_UNKNOWN;
    origin->absence =
        name->state == SRV_DECLINED ? ORIGIN_FAILURE_NOT_OFFERED : ORIGIN_FAILURE_NAME_UNKNOWN;
}

struct origin *srv_name_stand_in(const struct srv_name *name,
                                 const struct origin_settings *settings)
{
    const struct origin_settings plain = {.name = settings->name, .srv = settings->srv};
    struct origin *origin = origin_get(name->directory, &plain);

    if (origin != NULL) {
        mark_stand_in(name, origin);
    }
    return origin;
}

/* --- changes ----------------------------------------------------------------------------- */

static void tell_targets(const struct srv_name *name, const struct srv_answer *answer)
{
    if (answer->declined) {
        log_error("%s%s: its target is \".\": the service is decidedly not available; requests "
                  "get 503",
                  prefix, name->name);
        return;
    }
    log_info("%s%s: %u target%s", prefix, name->name, answer->count, answer->count == 1 ? "" : "s");
    if (answer->refused > 0) {
        log_warning("%s%s: %u records are left out: no host name, or no port", prefix, name->name,
                    answer->refused);
    }
    if (answer->cut > 0) {
        log_warning("%s%s: more than %u targets; %u of the last priority are left out", prefix,
                    name->name, SRV_TARGETS_MOST, answer->cut);
    }
}

/* Each goes the way of a new request, which may end it or others at once. */
static void move_line(struct srv_name *name, struct origin *origin)
{
    struct random *random = &name->directory->bench->random;

    for (uint32_t left = TALLY_READ(origin->tally.waiting); left > 0; left--) {
        struct origin_request *request = pool_take_first(origin);
        struct origin *other;

        if (request == NULL) {
            return;
        }
        other = request->service != NULL ? service_pick(request->service, random, NULL, request)
                                         : origin;
        if (other == NULL) {
            origin_fail_request(request, ORIGIN_FAILURE_NONE_FIT);
            continue;
        }
        request->events->moved(request->owner, other);
        origin_request_start(request, other);
    }
}

/* Held meanwhile: what the requests do may let go of it. */
static void attend_stand_in(struct srv_name *name, struct origin *origin)
{
    struct origin *held = origin;

    if (origin == NULL) {
        return;
    }
    if (name->state == SRV_TARGETS) {
        origin->references++;
        move_line(name, origin);
        origin_put(&held);
        return;
    }
    mark_stand_in(name, origin);
    origin_book_changed(name->directory->book);
    while (!list_is_empty(&origin->line)) {
        pool_dial_failed(origin, origin->absence);
    }
}

static void spread(struct srv_name *name)
{
    struct origin_directory *directory = name->directory;
    char stand_in[SRV_HOST_ROOM + 8];
    struct link *next;

    if (tells(name)) {
        origin_book_tell_srv(directory->book, name->name, name->state, name->targets, name->count);
    }
    if (directory->prober != NULL) {
        prober_follow_names(directory->prober);
    }
    for (struct link *link = directory->named.next; link != &directory->named; link = next) {
        struct service *service = CONTAINER_OF(link, struct service, named);

        next = link->next;
        service_follow_name(service, name);
    }
    snprintf(stand_in, sizeof(stand_in), "%s%s", prefix, name->name);
    attend_stand_in(name, origin_named(directory, stand_in, NULL));
}

static bool take_targets(struct srv_name *name, const struct srv_answer *answer)
{
    size_t size = answer->count * sizeof(*answer->targets);
    struct srv_target *targets = size > 0 ? malloc(size) : NULL;

    if (size > 0 && targets == NULL) {
        return false;
    }
    if (size > 0) {
        memcpy(targets, answer->targets, size);
    }
    free(name->targets);
    name->targets = targets;
    name->count = answer->count;
    return true;
}

static void take_answer(struct srv_name *name, const struct srv_answer *answer)
{
    if (answer == NULL) {
        name->state = SRV_UNRESOLVED;
        if (tells(name)) {
            log_warning("%s%s cannot be resolved; requests get 502 until it can", prefix,
                        name->name);
        }
        spread(name);
        return;
    }
    if (!take_targets(name, answer)) {
        log_error("out of memory: %s%s stays as it was", prefix, name->name);
        return;
    }
    name->state = answer->declined ? SRV_DECLINED : SRV_TARGETS;
    if (tells(name)) {
        tell_targets(name, answer);
    }
    spread(name);
}

/* Held meanwhile: what requests do then may end the last service that names it. */
static void on_answer(void *owner, const struct srv_answer *answer)
{
    struct srv_name *name = owner;

    name->references++;
    take_answer(name, answer);
    srv_name_put(&name);
}

/* --- life -------------------------------------------------------------------------------- */

struct srv_name *srv_name_find(struct origin_directory *directory, const char *name)
{
    for (struct link *link = directory->srv_names.next; link != &directory->srv_names;
         link = link->next) {
        struct srv_name *found = CONTAINER_OF(link, struct srv_name, link);

        if (strcmp(found->name, name) == 0) {
            return found;
        }
    }
    return NULL;
}

static void name_free(struct srv_name *name)
{
    resolver_unwatch(&name->watched);
    list_remove(&name->link);
    free(name->targets);
    free(name->name);
    free(name);
}

static struct srv_name *name_new(struct origin_directory *directory, const char *text)
{
    struct srv_name *name = calloc(1, sizeof(*name));

    if (name == NULL) {
        return NULL;
    }
    list_init(&name->link);
    name->directory = directory;
    name->name = strdup(text);
    if (name->name != NULL) {
        name->watched = resolver_watch_srv(directory->resolver, text, on_answer, name);
    }
    if (name->watched == NULL ||
        (tells(name) && !origin_book_tell_srv(directory->book, text, SRV_UNKNOWN, NULL, 0))) {
        name_free(name);
        return NULL;
    }
    list_add_last(&directory->srv_names, &name->link);
    return name;
}

struct srv_name *srv_name_get(struct origin_directory *directory, const char *text)
{
    struct srv_name *name = srv_name_find(directory, text);

    if (name == NULL) {
        name = name_new(directory, text);
    }
    if (name != NULL) {
        name->references++;
    }
    return name;
}

void srv_name_put(struct srv_name **held)
{
    struct srv_name *name = *held;

    *held = NULL;
    if (name == NULL || --name->references > 0) {
        return;
    }
    if (tells(name)) {
        origin_book_forget_srv(name->directory->book, name->name);
    }
    name_free(name);
}
