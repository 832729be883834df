/* SPDX-License-Identifier: BSD-2-Clause */
/* What an origin is to one worker: made when it is first named, found by name from then on, with
 * its address and its part in the origin registry. An origin that no service names any more goes:
 * its connections first, a few at a time. */
#include "origin/origin_private.h"
#include "origin/pool/lines.h"

#include "base/check.h"

#include <stdlib.h>

struct origin *origin_named(struct origin_directory *directory, const char *name,
                            const struct origin *after)
{
    struct named *named =
        name_table_find(&directory->origins, name, after != NULL ? &after->named : NULL);

    return named != NULL ? CONTAINER_OF(named, struct origin, named) : NULL;
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

    while (origin != NULL &&
           (!is_same_tls(origin, settings) || origin->protocol != settings->protocol)) {
        origin = origin_named(directory, settings->name, origin);
    }
    return origin;
}

static void origin_free(struct origin *origin)
{
    if (!list_is_empty(&origin->named.link)) {
        name_table_remove(&origin->named);
        origin->directory->origin_count--;
    }
    alarm_clear(origin->directory->worker_context->loop, &origin->reserve);
    alarm_clear(origin->directory->worker_context->loop, &origin->stall);
    list_remove(&origin->blocked);
    list_remove(&origin->nameless);
    lines_release(origin);
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

static bool enter_registry(struct origin *origin)
{
    origin->entry = origin_entry_get(origin->directory->registry, origin->name);
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
    list_init(&origin->named.link);
    list_init(&origin->leaving);
    list_init(&origin->idle);
    list_init(&origin->busy);
    list_init(&origin->dials);
    list_init(&origin->carriers);
    list_init(&origin->line);
    list_init(&origin->lines);
    list_init(&origin->probes);
    list_init(&origin->blocked);
    list_init(&origin->nameless);
    origin->directory = directory;
    origin->address = settings->address;
    origin->protocol = settings->protocol;
    origin->absence = ORIGIN_FAILURE_NAME_UNKNOWN;
    origin->counters = metrics_origin(directory->metrics, settings->name);
    if (origin->counters != NULL) {
        origin->name = metrics_origin_name(origin->counters);
    }
    if (origin->counters == NULL || !keep_tls(origin, settings) || !enter_registry(origin)) {
        origin_free(origin);
        return NULL;
    }
    name_table_add(&directory->origins, &origin->named, origin->name);
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

uint32_t origin_load(const struct origin *origin)
{
    return TALLY_READ(origin->tally.busy) + TALLY_READ(origin->tally.waiting);
}

bool origin_is_unknown(const struct origin *origin)
{
    return origin->resolved && !origin_has_address(origin);
}

#define LEAVE_TICK_MS 10
#define LEAVE_A_TICK 32

/* true: none is left. */
static bool close_some(struct link *connections, uint32_t *most)
{
    struct link *link;

    while ((link = list_first(connections)) != NULL && *most > 0) {
        origin_connection_close(CONTAINER_OF(link, struct origin_connection, link));
        (*most)--;
    }
    return link == NULL;
}

/* A few closed connections a tick: a thousand in one go would be a pause for everybody else. */
void origins_leave(struct origin_directory *directory, uint32_t most)
{
    struct origin *origin;

    while (most > 0 && (origin = LIST_FIRST(&directory->leaving, struct origin, leaving)) != NULL) {
        most--;
        if (close_some(&origin->idle, &most) && close_some(&origin->dials, &most) &&
            close_some(&origin->carriers, &most)) {
            list_remove(&origin->leaving);
            origin_free(origin);
        }
    }
}

static void on_leave_tick(void *owner)
{
    struct origin_directory *directory = owner;

    origins_leave(directory, LEAVE_A_TICK);
    if (!list_is_empty(&directory->leaving)) {
        alarm_set(directory->worker_context->loop, &directory->leave_tick, LEAVE_TICK_MS,
                  on_leave_tick, directory);
    }
}

void origin_put(struct origin **held)
{
    struct origin *origin = *held;

    *held = NULL;
    if (origin == NULL || --origin->references > 0) {
        return;
    }
    CHECK(TALLY_READ(origin->tally.busy) == 0 && TALLY_READ(origin->tally.waiting) == 0);
    if (list_is_empty(&origin->idle) && list_is_empty(&origin->dials) &&
        list_is_empty(&origin->carriers)) {
        origin_free(origin);
        return;
    }
    list_add_last(&origin->directory->leaving, &origin->leaving);
    if (!alarm_is_set(&origin->directory->leave_tick)) {
        alarm_set(origin->directory->worker_context->loop, &origin->directory->leave_tick,
                  LEAVE_TICK_MS, on_leave_tick, origin->directory);
    }
}
