/* SPDX-License-Identifier: BSD-2-Clause */
/* The SRV names of a directory, and the origins that they stand for. What becomes of an answer:
 * srv_name_answer.c. */
#include "origin/srv_name.h"

#include <stdio.h>
#include <stdlib.h>

bool srv_name_tells(const struct srv_name *name)
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

void srv_name_mark(const struct srv_name *name, struct origin *origin)
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
        srv_name_mark(name, origin);
    }
    return origin;
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
        name->watched =
            resolver_watch_srv(directory->resolver, text, directory->events->srv_answered, name);
    }
    if (name->watched == NULL ||
        (srv_name_tells(name) &&
         !origin_book_tell_srv(directory->book, text, SRV_UNKNOWN, NULL, 0))) {
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
    if (srv_name_tells(name)) {
        origin_book_forget_srv(name->directory->book, name->name);
    }
    name_free(name);
}
