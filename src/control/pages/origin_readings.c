/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry's lock is held while it is read, hence copies, names included. */
#include "control/pages/origin_readings.h"

#include "base/address.h"
#include "control/pages/rows.h"

#include <stdlib.h>
#include <string.h>

#define NAME_ROOM 320 /* a host name, its port, a sign */

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
    origin_registry_read(sources->origins, on_seen, &taking);
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

static const struct origin_reading *origin_readings_find(const struct origin_readings *readings,
                                                         const char *name)
{
    const struct origin_reading wanted = {.name = name};

    return readings->count > 0 ? bsearch(&wanted, readings->rows, readings->count,
                                         sizeof(*readings->rows), compare_names)
                               : NULL;
}

/* The first row that does not come before it. */
static size_t lower_bound(const struct origin_readings *readings, const char *name)
{
    size_t from = 0;
    size_t to = readings->count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (strcmp(readings->rows[middle].name, name) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static void add_up(struct origin_summary *summary, const struct origin_reading *row)
{
    struct origin_reading *sum = &summary->sum;

    sum->connections += row->connections;
    sum->http2_connections += row->http2_connections;
    sum->http2_streams += row->http2_streams;
    sum->in_flight += row->in_flight;
    sum->waiting += row->waiting;
    sum->adapts = sum->adapts || row->adapts;
    sum->limit += row->limit;
    sum->refused += row->refused;
    sum->requests += row->requests;
    sum->failures += row->failures;
    sum->ejected += row->ejected;
    sum->probes += row->probes;
    sum->probes_failed += row->probes_failed;
    if (row->verdict > sum->verdict) {
        sum->verdict = row->verdict; /* "down" is told rather than "up" */
    }
    summary->addresses++;
    if (strcmp(origin_readings_state(row), origin_phase_name(ORIGIN_SERVES)) == 0) {
        summary->serving++;
    }
}

/* Of a name: as long as one address serves, the name does. */
static const char *state_of(const struct origin_readings *readings, size_t first,
                            const struct origin_summary *summary)
{
    if (summary->sum.drained_itself) {
        return "drained";
    }
    if (summary->serving > 0) {
        return origin_phase_name(ORIGIN_SERVES);
    }
    return summary->addresses > 0 ? origin_readings_state(&readings->rows[first]) : "no address";
}

struct origin_summary origin_readings_sum(const struct origin_readings *readings, const char *name)
{
    const struct origin_reading *own = origin_readings_find(readings, name);
    struct origin_summary summary = {.state = origin_readings_state(own)};
    struct address address;
    size_t length = strlen(name);
    char prefix[NAME_ROOM];
    size_t first;

    if (own == NULL) {
        return summary;
    }
    summary.sum = *own;
    summary.is_name = !address_parse(bytes_of(name), &address);
    if (!summary.is_name || length + 2 > sizeof(prefix)) {
        return summary;
    }
    memcpy(prefix, name, length);
    memcpy(prefix + length, "@", 2);
    first = lower_bound(readings, prefix);
    for (size_t i = first;
         i < readings->count && strncmp(readings->rows[i].name, prefix, length + 1) == 0; i++) {
        add_up(&summary, &readings->rows[i]);
    }
    summary.state = state_of(readings, first, &summary);
    return summary;
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
