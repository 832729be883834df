/* SPDX-License-Identifier: BSD-2-Clause */
/* An origin that nobody names any more goes: its connections first, a few at a time. */
#include "origin/origin_private.h"

#include "base/check.h"

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
    struct link *link;

    while (most > 0 && (link = list_first(&directory->leaving)) != NULL) {
        struct origin *origin = CONTAINER_OF(link, struct origin, leaving);

        most--;
        if (close_some(&origin->idle, &most) && close_some(&origin->dials, &most)) {
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
        alarm_set(directory->bench->loop, &directory->leave_tick, LEAVE_TICK_MS, on_leave_tick,
                  directory);
    }
}

void origin_put(struct origin **held)
{
    struct origin *origin = *held;

    *held = NULL;
    if (origin == NULL || --origin->references > 0) {
        return;
    }
    CHECK(TALLY_READ(origin->tally.busy) == 0 && list_is_empty(&origin->line));
    if (list_is_empty(&origin->idle) && list_is_empty(&origin->dials)) {
        origin_free(origin);
        return;
    }
    list_add_last(&origin->directory->leaving, &origin->leaving);
    if (!alarm_is_set(&origin->directory->leave_tick)) {
        alarm_set(origin->directory->bench->loop, &origin->directory->leave_tick, LEAVE_TICK_MS,
                  on_leave_tick, origin->directory);
    }
}
