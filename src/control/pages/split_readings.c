/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry's lock is held while it is read, hence copies, names included. */
#include "control/pages/split_readings.h"

#include "base/json.h"
#include "base/memory/arena.h"
#include "control/pages/rows.h"

#include <stdlib.h>
#include <string.h>

struct taking {
    struct split_readings *readings;
    size_t room;
    bool failed;
};

static bool make_room(struct taking *taking)
{
    struct split_readings *readings = taking->readings;
    struct split_copy *rows =
        rows_with_room(readings->rows, readings->count, &taking->room, sizeof(*rows));

    if (rows == NULL) {
        return false;
    }
    readings->rows = rows;
    return true;
}

static bool copy_reading(struct split_copy *copy, const struct split_reading *reading)
{
    struct split_arm_reading *arms;

    copy->reading = *reading;
    copy->names = arena_new();
    if (copy->names == NULL) {
        return false;
    }
    arms = arena_take(copy->names, reading->arm_count * sizeof(*arms));
    for (uint32_t i = 0; arms != NULL && i < reading->arm_count; i++) {
        arms[i] = reading->arms[i];
        arms[i].service = arena_copy(copy->names, bytes_of(reading->arms[i].service));
    }
    copy->reading.arms = arms;
    copy->reading.route = arena_copy(copy->names, bytes_of(reading->route));
    copy->reading.ramp.to = arena_copy(copy->names, bytes_of(reading->ramp.to));
    copy->reading.ramp.reason = arena_copy(copy->names, bytes_of(reading->ramp.reason));
    if (arena_failed(copy->names)) {
        arena_free(&copy->names);
        return false;
    }
    return true;
}

static void on_seen(void *owner, const struct split_reading *reading)
{
    struct taking *taking = owner;
    struct split_readings *readings = taking->readings;

    if (make_room(taking) && copy_reading(&readings->rows[readings->count], reading)) {
        readings->count++;
    } else {
        taking->failed = true;
    }
}

static int compare_routes(const void *left, const void *right)
{
    const struct split_copy *a = left;
    const struct split_copy *b = right;

    return strcmp(a->reading.route, b->reading.route);
}

bool split_readings_take(const struct control_sources *sources, struct split_readings *readings)
{
    struct taking taking = {.readings = readings};

    *readings = (struct split_readings){0};
    split_registry_read(sources->splits, on_seen, &taking);
    if (taking.failed) {
        split_readings_release(readings);
        return false;
    }
    if (readings->count > 1) {
        qsort(readings->rows, readings->count, sizeof(*readings->rows), compare_routes);
    }
    return true;
}

void split_readings_release(struct split_readings *readings)
{
    for (size_t i = 0; i < readings->count; i++) {
        arena_free(&readings->rows[i].names);
    }
    free(readings->rows);
    *readings = (struct split_readings){0};
}

const struct split_reading *split_readings_find(const struct split_readings *readings,
                                                const char *route)
{
    const struct split_copy wanted = {.reading = {.route = route}};
    const struct split_copy *found = NULL;

    if (readings->count > 0) {
        found = bsearch(&wanted, readings->rows, readings->count, sizeof(*readings->rows),
                        compare_routes);
    }
    return found != NULL ? &found->reading : NULL;
}

void split_weight_report(uint32_t weight, struct page *page)
{
    if (weight % 100 == 0) {
        page_format(page, "%u%%", weight / 100);
    } else if (weight % 10 == 0) {
        page_format(page, "%u.%u%%", weight / 100, weight % 100 / 10);
    } else {
        page_format(page, "%u.%02u%%", weight / 100, weight % 100);
    }
}

void split_reading_report(const struct split_reading *reading, struct page *page)
{
    for (uint32_t i = 0; i < reading->arm_count; i++) {
        page_format(page, "%s%s: ", i > 0 ? ", " : "", reading->arms[i].service);
        split_weight_report(reading->arms[i].weight, page);
    }
}
