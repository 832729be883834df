/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the counters of the first worker into an array and sorts it by name; those of further workers are
 * added to the rows that are there. */
#include "control/pages/merged.h"

#include "control/pages/rows.h"
#include "control/yield.h"

#include <stdlib.h>
#include <string.h>

struct gathering {
    struct merged *merged;
    size_t sorted; /* rows that can be found by name: those of the workers before */
    bool failed;
};

static void add_each(uint64_t *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] += from[i];
    }
}

/* All that follows the name are counters. */
static void add_reading(struct metrics_reading *to, const struct metrics_reading *from)
{
    add_each(&to->exchanges, &from->exchanges,
             (sizeof(*to) - offsetof(struct metrics_reading, exchanges)) / sizeof(uint64_t));
}

static void on_seen(void *owner, const struct metrics_reading *reading)
{
    struct gathering *gathering = owner;
    struct merged *merged = gathering->merged;
    struct metrics_reading *row =
        rows_find(merged->rows, gathering->sorted, sizeof(*row), reading->name);

    if (row != NULL) {
        add_reading(row, reading);
        return;
    }
    if (merged->count == merged->room) {
        size_t room = merged->room > 0 ? merged->room * 2 : 64;
        struct metrics_reading *rows = realloc(merged->rows, room * sizeof(*rows));

        if (rows == NULL) {
            gathering->failed = true;
            return;
        }
        merged->rows = rows;
        merged->room = room;
    }
    merged->rows[merged->count++] = *reading;
    yield_each(merged->count, 1, YIELD_ROWS);
}

static void sort(struct gathering *gathering)
{
    struct merged *merged = gathering->merged;

    if (merged->count > gathering->sorted) {
        rows_sort(merged->rows, merged->count, sizeof(*merged->rows));
        gathering->sorted = merged->count;
    }
}

static void for_all(const struct control_sources *sources, void (*what)(struct metrics *metrics))
{
    uint32_t workers = sources->workers;

    for (uint32_t worker = 0; worker < workers; worker++) {
        what(sources->metrics(sources->owner, worker));
    }
}

bool merged_read(const struct control_sources *sources, enum metrics_kind kind,
                 struct merged *merged)
{
    *merged = (struct merged){0};
    return merged_read_again(sources, kind, merged);
}

bool merged_read_again(const struct control_sources *sources, enum metrics_kind kind,
                       struct merged *merged)
{
    struct gathering gathering = {.merged = merged};
    uint32_t workers = sources->workers;

    merged->count = 0;
    merged->held = sources;
    for_all(sources, metrics_hold);
    for (uint32_t worker = 0; worker < workers; worker++) {
        metrics_read(sources->metrics(sources->owner, worker), kind, on_seen, &gathering);
        sort(&gathering);
    }
    if (gathering.failed) {
        merged_release(merged);
        return false;
    }
    return true;
}

void merged_let_go(struct merged *merged)
{
    if (merged->held != NULL) {
        for_all(merged->held, metrics_let_go);
    }
    merged->held = NULL;
    merged->count = 0; /* their names are the metrics' own */
}

void merged_release(struct merged *merged)
{
    merged_let_go(merged);
    free(merged->rows);
    *merged = (struct merged){0};
}

const struct metrics_reading *merged_find(const struct merged *merged, const char *name)
{
    return rows_find(merged->rows, merged->count, sizeof(*merged->rows), name);
}

void merged_add_counts(struct json *json, const struct metrics_reading *reading)
{
    static const struct metrics_reading none = {.name = ""};

    reading = reading != NULL ? reading : &none;
    json_number(json, "exchanges", reading->exchanges);
    json_number(json, "errors", reading->errors);
    json_number(json, "received_bytes", reading->bytes_in);
    json_number(json, "sent_bytes", reading->bytes_out);
}

uint64_t merged_sum(const struct control_sources *sources, metrics_tally *tally, unsigned which)
{
    uint32_t workers = sources->workers;
    uint64_t sum = 0;

    for (uint32_t worker = 0; worker < workers; worker++) {
        sum += tally(sources->metrics(sources->owner, worker), which);
    }
    return sum;
}

struct control_load merged_load(const struct control_sources *sources)
{
    uint32_t workers = sources->workers;
    struct control_load sum = {.connections = 0};

    for (uint32_t worker = 0; worker < workers; worker++) {
        struct control_load load;

        sources->load(sources->owner, worker, &load);
        sum.connections += load.connections;
        sum.handshakes += load.handshakes;
        sum.begun += load.begun;
    }
    return sum;
}

/* --- exemplars --------------------------------------------------------------------------- */

static void on_exemplars(void *owner, const char *name,
                         const struct metrics_exemplar exemplars[static METRICS_EXEMPLARS])
{
    struct exemplar_rows *all = owner;

    if (!rows_grow(&all->rows, all->count, sizeof(*all->rows))) {
        all->failed = true;
        return;
    }
    all->rows[all->count].name = name;
    memcpy(all->rows[all->count++].buckets, exemplars, sizeof(all->rows->buckets));
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
    uint32_t workers = sources->workers;

    *rows = (struct exemplar_rows){0};
    for (uint32_t worker = 0; worker < workers; worker++) {
        metrics_read_exemplars(sources->metrics(sources->owner, worker), kind, on_exemplars, rows);
    }
    if (rows->failed) {
        exemplar_rows_release(rows);
        return false;
    }
    rows_sort(rows->rows, rows->count, sizeof(*rows->rows));
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
    const struct exemplar_row *found =
        rows_find(rows->rows, rows->count, sizeof(*rows->rows), name);

    return found != NULL ? found->buckets : NULL;
}
