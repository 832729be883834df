/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast named counters move: rates and latency percentiles of the last seconds, made from two
 * readings of counters that only ever grow. Used by the live page (live_rows.c) while it is looked
 * at; plain arithmetic, the clock comes with the call. */
#ifndef CONTROL_LIVE_METER_H
#define CONTROL_LIVE_METER_H

#include "control/pages/merged.h"

struct live_meter {
    char *name;
    uint64_t exchanges; /* as last read, and so on */
    uint64_t failures;
    uint64_t durations[METRICS_DURATION_BUCKETS];
    uint64_t by_cache[OUTCOME_CACHE_COUNT];
    /* What came in the last seconds; older ones count less and less. */
    float recent[METRICS_DURATION_BUCKETS];
    float recent_exchanges;
    float recent_failures;
    float recent_seconds;
    bool idle; /* nothing is recent */
    bool told; /* the caller's: what it shows of the idle meter was told; false once it moves */
};

struct live_meters {
    struct live_meter *rows; /* in the order of names */
    size_t count;
};

/* Takes in what was counted since the last call, `seconds` ago. A name's first reading is where
 * it begins. false: out of memory, nothing changed. */
bool live_meters_update(struct live_meters *meters, const struct merged *merged, double seconds);
void live_meters_release(struct live_meters *meters);
/* NULL: no such name. */
struct live_meter *live_meters_find(const struct live_meters *meters, const char *name);

/* In a second. */
double live_meter_rate(const struct live_meter *meter);
double live_meter_failure_rate(const struct live_meter *meter);
/* Answers of 5xx, and those that broke off half way. */
uint64_t live_failures_of(const struct metrics_reading *reading);
/* The duration in microseconds that `share` of the recent exchanges stayed below; 0: there were
 * none. */
uint64_t live_meter_percentile(const struct live_meter *meter, double share);
/* The same of any buckets. */
uint64_t live_percentile(const float counts[static METRICS_DURATION_BUCKETS], double share);

#endif
