/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the exemplars of every worker, sorts them by name, keeps the newest of neighbours. */
#include "control/pages/metrics_exemplars.h"

#include "control/pages/rows.h"

#include <stdlib.h>
#include <string.h>

struct gathering {
    struct exemplar_rows *rows;
    size_t room;
    bool failed;
};

static void on_seen(void *owner, const char *name,
                    const struct metrics_exemplar exemplars[static METRICS_EXEMPLARS])
{
    struct gathering *gathering = owner;
    struct exemplar_rows *all = gathering->rows;
    struct exemplar_row *rows =
        gathering->failed ? NULL
                          : rows_with_room(all->rows, all->count, &gathering->room, sizeof(*rows));

    if (rows == NULL) {
        gathering->failed = true;
        return;
    }
    all->rows = rows;
    rows[all->count].name = name;
    memcpy(rows[all->count].buckets, exemplars, sizeof(rows->buckets));
    all->count++;
}

static int compare_names(const void *left, const void *right)
{
    const struct exemplar_row *a = left;
    const struct exemplar_row *b = right;

    return strcmp(a->name, b->name);
}

static void keep_newest(struct exemplar_row *to, const struct exemplar_row *from)
{
    for (unsigned i = 0; i < METRICS_EXEMPLARS; i++) {
        if (from->buckets[i].ended_us > to->buckets[i].ended_us) {
            to->buckets[i] = from->buckets[i];
        }
    }
}

static void join_neighbours(struct exemplar_rows *all)
{
    size_t kept = 0;

    for (size_t i = 1; i < all->count; i++) {
        if (strcmp(all->rows[kept].name, all->rows[i].name) == 0) {
            keep_newest(&all->rows[kept], &all->rows[i]);
        } else {
            all->rows[++kept] = all->rows[i];
        }
    }
    all->count = all->count > 0 ? kept + 1 : 0;
}

bool exemplar_rows_read(const struct control_sources *sources, enum metrics_kind kind,
                        struct exemplar_rows *rows)
{
    struct gathering gathering = {.rows = rows};
    struct control_facts facts;

    *rows = (struct exemplar_rows){0};
    sources->facts(sources->owner, &facts);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
        metrics_read_exemplars(sources->metrics(sources->owner, worker), kind, on_seen, &gathering);
    }
    if (gathering.failed) {
        exemplar_rows_release(rows);
        return false;
    }
    if (rows->count > 1) {
        qsort(rows->rows, rows->count, sizeof(*rows->rows), compare_names);
    }
    join_neighbours(rows);
    return true;
}

void exemplar_rows_release(struct exemplar_rows *rows)
{
    free(rows->rows);
    *rows = (struct exemplar_rows){0};
}

const struct metrics_exemplar *exemplar_rows_find(const struct exemplar_rows *rows,
                                                  const char *name)
{
    const struct exemplar_row wanted = {.name = name};
    const struct exemplar_row *found = rows->count > 0 ? bsearch(&wanted, rows->rows, rows->count,
                                                                 sizeof(*rows->rows), compare_names)
                                                       : NULL;

    return found != NULL ? found->buckets : NULL;
}
