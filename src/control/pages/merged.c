/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the counters of the first worker into an array and sorts it by name; those of further workers are
 * added to the rows that are there. */
#include "control/pages/merged.h"

#include "control/yield.h"

#include <stdlib.h>
#include <string.h>

struct gathering {
    struct merged *merged;
    size_t sorted; /* rows that can be found by name: those of the workers before */
    bool failed;
};

static int compare_names(const void *left, const void *right)
{
    const struct metrics_reading *a = left;
    const struct metrics_reading *b = right;

    return strcmp(a->name, b->name);
}

static struct metrics_reading *find(const struct merged *merged, size_t count, const char *name)
{
    const struct metrics_reading wanted = {.name = name};

    return count > 0 ? bsearch(&wanted, merged->rows, count, sizeof(*merged->rows), compare_names)
                     : NULL;
}

static void add_each(uint64_t *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] += from[i];
    }
}

static void add_reading(struct metrics_reading *to, const struct metrics_reading *from)
{
    to->exchanges += from->exchanges;
    to->errors += from->errors;
    to->retries += from->retries;
    to->retries_denied += from->retries_denied;
    to->retries_left += from->retries_left;
    to->bytes_in += from->bytes_in;
    to->bytes_out += from->bytes_out;
    to->duration_sum_us += from->duration_sum_us;
    add_each(to->by_status, from->by_status, METRICS_STATUS_CLASSES);
    add_each(to->by_end, from->by_end, OUTCOME_END_COUNT);
    add_each(to->durations, from->durations, METRICS_DURATION_BUCKETS);
    add_each(to->by_cache, from->by_cache, OUTCOME_CACHE_COUNT);
    add_each(to->by_failure, from->by_failure, METRICS_FAILURES_MAX);
}

static void on_seen(void *owner, const struct metrics_reading *reading)
{
    struct gathering *gathering = owner;
    struct merged *merged = gathering->merged;
    struct metrics_reading *row = find(merged, gathering->sorted, reading->name);

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
        qsort(merged->rows, merged->count, sizeof(*merged->rows), compare_names);
        gathering->sorted = merged->count;
    }
}

static void for_all(const struct control_sources *sources, void (*what)(struct metrics *metrics))
{
    struct control_facts facts;

    sources->facts(sources->owner, &facts);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
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
    struct control_facts facts;

    merged->count = 0;
    merged->held = sources;
    for_all(sources, metrics_hold);
    sources->facts(sources->owner, &facts);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
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
    return find(merged, merged->count, name);
}

uint64_t merged_event(const struct control_sources *sources, enum metrics_event event)
{
    struct control_facts facts;
    uint64_t sum = 0;

    sources->facts(sources->owner, &facts);
    for (uint32_t worker = 0; worker < facts.workers; worker++) {
        sum += metrics_noted(sources->metrics(sources->owner, worker), event);
    }
    return sum;
}
