/* SPDX-License-Identifier: BSD-2-Clause */
/* Each second what is remembered shrinks by an eighth, so that a figure speaks of about the last
 * eight seconds and does not jump. */
#include "control/live/live_meter.h"

#include "control/pages/rows.h"
#include "control/yield.h"

#include <math.h>
#include <stdlib.h>

#define KEPT_A_SECOND 0.875f
#define NOTHING 0.01f /* of a request: what is left of it is forgotten */

/* --- percentiles ------------------------------------------------------------------------- */

static double limit_of(unsigned bucket)
{
    return bucket + 1 < METRICS_DURATION_BUCKETS ? (double)metrics_duration_limit(bucket)
                                                 : (double)metrics_duration_limit(bucket - 1);
}

/* Within a bucket durations are taken as spread evenly. */
uint64_t live_percentile(const float counts[static METRICS_DURATION_BUCKETS], double share)
{
    double total = 0;
    double below = 0;

    for (unsigned i = 0; i < METRICS_DURATION_BUCKETS; i++) {
        total += (double)counts[i];
    }
    for (unsigned i = 0; i < METRICS_DURATION_BUCKETS && total > 0; i++) {
        double count = (double)counts[i];

        if (count > 0 && below + count >= share * total) {
            double from = i > 0 ? limit_of(i - 1) : 0;

            return (uint64_t)(from + (limit_of(i) - from) * (share * total - below) / count);
        }
        below += count;
    }
    return total > 0 ? (uint64_t)limit_of(METRICS_DURATION_BUCKETS - 1) : 0;
}

uint64_t live_failures_of(const struct metrics_reading *reading)
{
    return reading->by_status[5] + reading->by_end[OUTCOME_ORIGIN_BROKE] +
           reading->by_end[OUTCOME_CUT_BY_TIMEOUT];
}

/* --- one meter --------------------------------------------------------------------------- */

static uint64_t grown(uint64_t *before, uint64_t now)
{
    uint64_t more = now > *before ? now - *before : 0; /* a name that was forgotten begins anew */

    *before = now;
    return more;
}

static void shrink(float *value, float kept)
{
    *value *= kept;
    if (*value < NOTHING) {
        *value = 0;
    }
}

/* Most of a thousand routes stand still from one second to the next. */
static bool stands_still(const struct live_meter *meter, const struct metrics_reading *reading)
{
    return meter->idle && reading->exchanges == meter->exchanges &&
           live_failures_of(reading) == meter->failures;
}

static void add_reading(struct live_meter *meter, const struct metrics_reading *reading,
                        float seconds, float kept)
{
    float most = 0;

    memcpy(meter->by_cache, reading->by_cache, sizeof(meter->by_cache));
    meter->recent_seconds = meter->recent_seconds * kept + seconds;
    if (stands_still(meter, reading)) {
        return;
    }
    shrink(&meter->recent_exchanges, kept);
    shrink(&meter->recent_failures, kept);
    meter->recent_exchanges += (float)grown(&meter->exchanges, reading->exchanges);
    meter->recent_failures += (float)grown(&meter->failures, live_failures_of(reading));
    for (unsigned i = 0; i < METRICS_DURATION_BUCKETS; i++) {
        if (reading->durations[i] == meter->durations[i] && meter->recent[i] <= 0) {
            continue; /* as most are: durations of a route lie close together */
        }
        shrink(&meter->recent[i], kept);
        meter->recent[i] += (float)grown(&meter->durations[i], reading->durations[i]);
        most = meter->recent[i] > most ? meter->recent[i] : most;
    }
    meter->idle = meter->recent_exchanges + meter->recent_failures + most <= 0;
    meter->told = false;
}

static bool begin(struct live_meter *meter, const struct metrics_reading *reading)
{
    *meter = (struct live_meter){.name = strdup(reading->name),
                                 .exchanges = reading->exchanges,
                                 .failures = live_failures_of(reading)};
    memcpy(meter->durations, reading->durations, sizeof(meter->durations));
    return meter->name != NULL;
}

double live_meter_rate(const struct live_meter *meter)
{
    return meter->recent_seconds > 0 ? (double)(meter->recent_exchanges / meter->recent_seconds)
                                     : 0;
}

double live_meter_failure_rate(const struct live_meter *meter)
{
    return meter->recent_seconds > 0 ? (double)(meter->recent_failures / meter->recent_seconds) : 0;
}

uint64_t live_meter_percentile(const struct live_meter *meter, double share)
{
    return live_percentile(meter->recent, share);
}

/* --- all of them ------------------------------------------------------------------------- */

/* Readings that have a meter already. */
static bool all_are_known(const struct live_meters *meters, const struct merged *merged)
{
    if (meters->count != merged->count) {
        return false;
    }
    for (size_t i = 0; i < merged->count; i++) {
        if (strcmp(meters->rows[i].name, merged->rows[i].name) != 0) {
            return false;
        }
    }
    return true;
}

/* New names get meters, those that are gone lose theirs. */
static bool renew(struct live_meters *meters, const struct merged *merged)
{
    struct live_meters next = {calloc(merged->count + 1, sizeof(*next.rows)), 0};

    if (next.rows == NULL) {
        return false;
    }
    for (size_t i = 0; i < merged->count; i++) {
        struct live_meter *old = live_meters_find(meters, merged->rows[i].name);
        char *name = old != NULL ? strdup(old->name) : NULL;

        if (old != NULL && name != NULL) {
            next.rows[next.count] = *old;
            next.rows[next.count++].name = name;
        } else if (old == NULL && begin(&next.rows[next.count], &merged->rows[i])) {
            next.count++;
        } else {
            live_meters_release(&next);
            return false;
        }
    }
    live_meters_release(meters);
    *meters = next;
    return true;
}

bool live_meters_update(struct live_meters *meters, const struct merged *merged, double seconds)
{
    float kept = powf(KEPT_A_SECOND, (float)seconds);

    if (!all_are_known(meters, merged) && !renew(meters, merged)) {
        return false;
    }
    for (size_t i = 0; i < merged->count; i++) {
        add_reading(&meters->rows[i], &merged->rows[i], (float)seconds, kept);
        yield_each(i + 1, 1, YIELD_ROWS);
    }
    return true;
}

void live_meters_release(struct live_meters *meters)
{
    for (size_t i = 0; i < meters->count; i++) {
        free(meters->rows[i].name);
    }
    free(meters->rows);
    *meters = (struct live_meters){0};
}

struct live_meter *live_meters_find(const struct live_meters *meters, const char *name)
{
    return rows_find(meters->rows, meters->count, sizeof(*meters->rows), name);
}
