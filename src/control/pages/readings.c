/* SPDX-License-Identifier: BSD-2-Clause */
/* A registry's lock is held while it is read, hence copies, names included. */
#include "control/pages/readings.h"

#include "base/address.h"
#include "base/memory/arena.h"
#include "control/pages/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_ROOM 320 /* a host name, its port, a sign */

/* --- taking ------------------------------------------------------------------------------ */

static void on_origin(void *owner, const struct origin_reading *reading)
{
    struct readings *readings = owner;
    struct origin_reading copy = *reading;

    copy.name = arena_copy(readings->texts, bytes_of(reading->name));
    if (!rows_grow(&readings->origins, readings->origin_count, sizeof(copy))) {
        readings->failed = true;
        return;
    }
    readings->origins[readings->origin_count++] = copy;
}

static void on_split(void *owner, const struct split_reading *reading)
{
    struct readings *readings = owner;
    struct split_reading copy = *reading;
    struct split_arm_reading *arms =
        arena_take(readings->texts, reading->arm_count * sizeof(*arms));

    for (uint32_t i = 0; arms != NULL && i < reading->arm_count; i++) {
        arms[i] = reading->arms[i];
        arms[i].service = arena_copy(readings->texts, bytes_of(reading->arms[i].service));
    }
    copy.arms = arms;
    copy.route = arena_copy(readings->texts, bytes_of(reading->route));
    copy.ramp.to = arena_copy(readings->texts, bytes_of(reading->ramp.to));
    copy.ramp.reason = arena_copy(readings->texts, bytes_of(reading->ramp.reason));
    if (!rows_grow(&readings->splits, readings->split_count, sizeof(copy))) {
        readings->failed = true;
        return;
    }
    readings->splits[readings->split_count++] = copy;
}

static void on_name(void *owner, const struct srv_reading *reading)
{
    struct readings *readings = owner;
    struct srv_reading copy = *reading;
    struct srv_target *targets = arena_take(readings->texts, reading->count * sizeof(*targets));

    if (targets != NULL && reading->count > 0) {
        memcpy(targets, reading->targets, reading->count * sizeof(*targets));
    }
    copy.targets = targets;
    copy.name = arena_copy(readings->texts, bytes_of(reading->name));
    if (!rows_grow(&readings->names, readings->name_count, sizeof(copy))) {
        readings->failed = true;
        return;
    }
    readings->names[readings->name_count++] = copy;
}

bool readings_take(const struct control_sources *sources, unsigned what, struct readings *readings)
{
    *readings = (struct readings){.texts = arena_new()};
    if (readings->texts == NULL) {
        return false;
    }
    if (what & READ_ORIGINS) {
        origin_registry_read(sources->origins, on_origin, readings);
    }
    if (what & READ_SPLITS) {
        split_registry_read(sources->splits, on_split, readings);
    }
    if (what & READ_NAMES) {
        origin_registry_read_srv(sources->origins, on_name, readings);
    }
    if (readings->failed || arena_failed(readings->texts)) {
        readings_release(readings);
        return false;
    }
    rows_sort(readings->origins, readings->origin_count, sizeof(*readings->origins));
    rows_sort(readings->splits, readings->split_count, sizeof(*readings->splits));
    rows_sort(readings->names, readings->name_count, sizeof(*readings->names));
    return true;
}

void readings_release(struct readings *readings)
{
    free(readings->origins);
    free(readings->splits);
    free(readings->names);
    arena_free(&readings->texts);
    *readings = (struct readings){0};
}

/* --- origins ----------------------------------------------------------------------------- */

/* The first row that does not come before it. */
static size_t lower_bound(const struct readings *readings, const char *name)
{
    size_t from = 0;
    size_t to = readings->origin_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (strcmp(readings->origins[middle].name, name) < 0) {
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
    if (strcmp(origin_reading_state(row), origin_phase_name(ORIGIN_SERVES)) == 0) {
        summary->serving++;
    }
}

/* Of a name: as long as one address serves, the name does. */
static const char *state_of(const struct origin_summary *summary)
{
    if (summary->sum.drained_itself) {
        return "drained";
    }
    if (summary->serving > 0) {
        return origin_phase_name(ORIGIN_SERVES);
    }
    return summary->addresses > 0 ? origin_reading_state(summary->rows) : "no address";
}

struct origin_summary readings_origin(const struct readings *readings, const char *name)
{
    const struct origin_reading *own =
        rows_find(readings->origins, readings->origin_count, sizeof(*own), name);
    struct origin_summary summary = {.state = origin_reading_state(own)};
    struct address address;
    char prefix[NAME_ROOM];
    int length = snprintf(prefix, sizeof(prefix), "%s@", name);
    size_t first;

    if (own == NULL) {
        return summary;
    }
    summary.sum = *own;
    summary.is_name = !address_parse(bytes_of(name), &address);
    if (!summary.is_name || (size_t)length >= sizeof(prefix)) {
        return summary;
    }
    first = lower_bound(readings, prefix);
    summary.rows = readings->origins + first;
    while (first < readings->origin_count &&
           strncmp(readings->origins[first].name, prefix, (size_t)length) == 0) {
        add_up(&summary, &readings->origins[first++]);
    }
    summary.state = state_of(&summary);
    return summary;
}

const char *origin_reading_state(const struct origin_reading *reading)
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

/* --- splits ------------------------------------------------------------------------------ */

const struct split_reading *readings_split(const struct readings *readings, const char *route)
{
    return rows_find(readings->splits, readings->split_count, sizeof(*readings->splits), route);
}

void split_reading_report(const struct split_reading *reading, struct page *page)
{
    for (uint32_t i = 0; i < reading->arm_count; i++) {
        page_format(page, "%s%s: %.10g%%", i > 0 ? ", " : "", reading->arms[i].service,
                    (double)reading->arms[i].weight / 100);
    }
}

/* --- SRV names --------------------------------------------------------------------------- */

const struct srv_reading *readings_srv(const struct readings *readings, const char *name)
{
    static const struct srv_reading unknown = {.state = NAME_UNKNOWN};
    const struct srv_reading *found =
        rows_find(readings->names, readings->name_count, sizeof(*found), name);

    return found != NULL ? found : &unknown;
}

const char *srv_place(const struct srv_target *target, char room[static SRV_PLACE_ROOM])
{
    snprintf(room, SRV_PLACE_ROOM, "%s:%u", target->host, target->port);
    return room;
}
