/* SPDX-License-Identifier: BSD-2-Clause */
/* What an origin is to one worker: made when it is first named, found by name from then on, with its
 * address and its part in the origin book. It goes in origin_leaving.c. */
#include "origin/origin_private.h"

#include <stdlib.h>

uint32_t origin_bucket(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash % ORIGIN_BUCKETS;
}

static struct link *bucket_of(struct origin_directory *directory, const char *name)
{
    return &directory->origins[origin_bucket(name)];
}

struct origin *origin_named(struct origin_directory *directory, const char *name,
                            const struct origin *after)
{
    struct link *bucket = bucket_of(directory, name);

    for (struct link *link = after != NULL ? after->link.next : bucket->next; link != bucket;
         link = link->next) {
        struct origin *origin = CONTAINER_OF(link, struct origin, link);

        if (strcmp(origin->name, name) == 0) {
            return origin;
        }
    }
    return NULL;
}

static bool is_same_tls(const struct origin *origin, const struct origin_settings *settings)
{
    if (origin->tls_identity == NULL || settings->tls_identity == NULL) {
        return origin->tls_identity == NULL && settings->tls_identity == NULL;
    }
    return strcmp(origin->tls_identity, settings->tls_identity) == 0;
}

static struct origin *find(struct origin_directory *directory,
                           const struct origin_settings *settings)
{
    struct origin *origin = origin_named(directory, settings->name, NULL);

    while (origin != NULL && !is_same_tls(origin, settings)) {
        origin = origin_named(directory, settings->name, origin);
    }
    return origin;
}

void origin_free(struct origin *origin)
{
    if (!list_is_empty(&origin->link)) {
        list_remove(&origin->link);
        origin->directory->origin_count--;
    }
    alarm_clear(origin->directory->bench->loop, &origin->reserve);
    alarm_clear(origin->directory->bench->loop, &origin->stall);
    list_remove(&origin->blocked);
    list_remove(&origin->nameless);
    if (origin->entry != NULL) {
        origin_entry_leave(origin->entry, &origin->tally);
        origin_entry_put(&origin->entry);
    }
    metrics_origin_leaves(origin->directory->metrics, &origin->counters);
    tls_session_forget(&origin->resumable);
    tls_dialer_unref(&origin->dialer);
    free(origin->tls_identity);
    free(origin->tls_name);
    free(origin->stands_for);
    free(origin);
}

static bool enter_book(struct origin *origin)
{
    origin->entry = origin_entry_get(origin->directory->book, origin->name);
    if (origin->entry == NULL) {
        return false;
    }
    origin_entry_join(origin->entry, &origin->tally);
    return true;
}

static bool keep_tls(struct origin *origin, const struct origin_settings *settings)
{
    if (settings->tls_identity == NULL) {
        return true;
    }
    origin->tls_identity = strdup(settings->tls_identity);
    origin->tls_name = strdup(settings->tls_name);
    return origin->tls_identity != NULL && origin->tls_name != NULL;
}

static struct origin *origin_new(struct origin_directory *directory,
                                 const struct origin_settings *settings)
{
    struct origin *origin = calloc(1, sizeof(*origin));

    if (origin == NULL) {
        return NULL;
    }
    list_init(&origin->link);
    list_init(&origin->leaving);
    list_init(&origin->idle);
    list_init(&origin->busy);
    list_init(&origin->dials);
    list_init(&origin->line);
    list_init(&origin->probes);
    list_init(&origin->blocked);
    list_init(&origin->nameless);
    origin->directory = directory;
    origin->address = settings->address;
    origin->absence = ORIGIN_FAILURE_NAME_UNKNOWN;
    origin->counters = metrics_origin(directory->metrics, settings->name);
    if (origin->counters != NULL) {
        origin->name = metrics_origin_name(origin->counters);
    }
    if (origin->counters == NULL || !keep_tls(origin, settings) || !enter_book(origin)) {
        origin_free(origin);
        return NULL;
    }
    list_add_last(bucket_of(directory, origin->name), &origin->link);
    directory->origin_count++;
    return origin;
}

struct origin *origin_get(struct origin_directory *directory,
                          const struct origin_settings *settings)
{
    struct origin *origin = find(directory, settings);

    if (origin == NULL) {
        origin = origin_new(directory, settings);
    }
    if (origin != NULL) {
        origin->references++;
        list_remove(&origin->leaving); /* it comes back before it is gone */
    }
    return origin;
}

void origin_dial_with(struct origin *origin, struct tls_dialer *dialer)
{
    if (origin->dialer == dialer || origin->tls_identity == NULL) {
        return;
    }
    tls_session_forget(&origin->resumable);
    tls_dialer_unref(&origin->dialer);
    origin->dialer = dialer != NULL ? tls_dialer_ref(dialer) : NULL;
}

const char *origin_name(const struct origin *origin)
{
    return origin->name;
}

uint32_t origin_load(const struct origin *origin)
{
    return TALLY_READ(origin->tally.busy) + TALLY_READ(origin->tally.waiting);
}

bool origin_is_unknown(const struct origin *origin)
{
    return origin->resolved && !origin_has_address(origin);
}
