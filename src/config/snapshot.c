/* SPDX-License-Identifier: BSD-2-Clause */
/* A counted box around the settings and their arena. The count is the only thing in it that
 * changes, and the only thing that threads share. */
#include "config/snapshot.h"

#include "base/check.h"

#include <stdatomic.h>
#include <stdlib.h>

struct snapshot {
    struct arena *arena;
    const struct settings *settings;
    atomic_uint references;
};

struct snapshot *snapshot_new(struct arena *arena, const struct settings *settings)
{
    struct snapshot *snapshot = malloc(sizeof(*snapshot));

    if (snapshot == NULL) {
        return NULL;
    }
    snapshot->arena = arena;
    snapshot->settings = settings;
    atomic_init(&snapshot->references, 1);
    return snapshot;
}

const struct settings *snapshot_settings(const struct snapshot *snapshot)
{
    return snapshot->settings;
}

void snapshot_hold_workers(struct snapshot *snapshot, uint32_t workers)
{
    ((struct settings *)snapshot->settings)->workers = workers; /* in the snapshot's own arena */
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_unref(struct snapshot **snapshot)
{
    struct snapshot *last = *snapshot;

    if (last == NULL) {
        return;
    }
    *snapshot = NULL;
    CHECK(atomic_load_explicit(&last->references, memory_order_relaxed) > 0);
    /* Release what this user read; the last one acquires all of that before it frees. */
    if (atomic_fetch_sub_explicit(&last->references, 1, memory_order_acq_rel) == 1) {
        arena_free(&last->arena);
        free(last);
    }
}
