/* SPDX-License-Identifier: BSD-2-Clause */
/* The book's lock is held while it is read, hence copies, names included. */
#include "control/origin_readings.h"

#include "control/rows.h"

#include <stdlib.h>
#include <string.h>

struct taking {
    struct origin_readings *readings;
    size_t room;
    bool failed;
};

static bool make_room(struct taking *taking)
{
    struct origin_readings *readings = taking->readings;
    struct origin_reading *rows =
        rows_with_room(readings->rows, readings->count, &taking->room, sizeof(*rows));

    if (rows == NULL) {
        return false;
    }
    readings->rows = rows;
    return true;
}

static void on_seen(void *owner, const struct origin_reading *reading)
{
    struct taking *taking = owner;
    char *name = make_room(taking) ? strdup(reading->name) : NULL;

    if (name == NULL) {
        taking->failed = true;
        return;
    }
    taking->readings->rows[taking->readings->count] = *reading;
    taking->readings->rows[taking->readings->count++].name = name;
}

static int compare_names(const void *left, const void *right)
{
    const struct origin_reading *a = left;
    const struct origin_reading *b = right;

    return strcmp(a->name, b->name);
}

bool origin_readings_take(const struct control_sources *sources, struct origin_readings *readings)
{
    struct taking taking = {.readings = readings};

    *readings = (struct origin_readings){0};
    origin_book_read(sources->origins, on_seen, &taking);
    if (taking.failed) {
        origin_readings_release(readings);
        return false;
    }
    if (readings->count > 1) {
        qsort(readings->rows, readings->count, sizeof(*readings->rows), compare_names);
    }
    return true;
}

void origin_readings_release(struct origin_readings *readings)
{
    for (size_t i = 0; i < readings->count; i++) {
        free((char *)readings->rows[i].name);
    }
    free(readings->rows);
    *readings = (struct origin_readings){0};
}

const struct origin_reading *origin_readings_find(const struct origin_readings *readings,
                                                  const char *name)
{
    const struct origin_reading wanted = {.name = name};

    return readings->count > 0 ? bsearch(&wanted, readings->rows, readings->count,
                                         sizeof(*readings->rows), compare_names)
                               : NULL;
}

const char *origin_readings_state(const struct origin_reading *reading)
{
    if (reading == NULL) {
        return "unknown";
    }
    if (reading->drained) {
        return "drained";
    }
    if (reading->verdict == ORIGIN_VERDICT_DOWN) {
        return "down";
    }
    return origin_phase_name(reading->phase);
}
