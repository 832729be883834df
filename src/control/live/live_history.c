/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the sums of the second before and writes down what came on top. */
#include "control/live/live_history.h"

#include "control/live/live_meter.h"

#include <string.h>

/* --- sampling ---------------------------------------------------------------------------- */

static void on_seen(void *owner, const struct metrics_reading *reading)
{
    struct live_totals *totals = owner;

    totals->requests += reading->exchanges;
    totals->failures += live_failures_of(reading);
    for (unsigned i = 0; i < METRICS_DURATION_BUCKETS; i++) {
        totals->durations[i] += reading->durations[i];
    }
}

/* Listeners that were removed long ago take their counts with them: such a second counts none. */
static uint32_t more(uint64_t now, uint64_t before)
{
    uint64_t count = now > before ? now - before : 0;

    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static uint32_t percentile(const float *counts, double share)
{
    uint64_t duration = live_percentile(counts, share);

    return duration < UINT32_MAX ? (uint32_t)duration : UINT32_MAX;
}

static void write_down(struct live_history *history, const struct live_totals *now,
                       uint32_t connections)
{
    struct live_sample *sample = &history->samples[history->count++ % LIVE_HISTORY_SECONDS];
    float counts[METRICS_DURATION_BUCKETS];

    for (unsigned i = 0; i < METRICS_DURATION_BUCKETS; i++) {
        counts[i] = (float)more(now->durations[i], history->before.durations[i]);
    }
    *sample = (struct live_sample){.requests = more(now->requests, history->before.requests),
                                   .failures = more(now->failures, history->before.failures),
                                   .p50_us = percentile(counts, 0.5),
                                   .p99_us = percentile(counts, 0.99),
                                   .p999_us = percentile(counts, 0.999),
                                   .connections = connections};
}

void live_history_sample(struct live_history *history, const struct control_sources *sources)
{
    struct live_totals now = {.requests = 0};
    uint32_t workers = sources->workers;

    for (uint32_t worker = 0; worker < workers; worker++) {
        struct metrics *metrics = sources->metrics(sources->owner, worker);

        metrics_hold(metrics);
        metrics_read(metrics, METRICS_LISTENERS, on_seen, &now);
        metrics_let_go(metrics);
    }
    write_down(history, &now, merged_load(sources).connections);
    history->before = now;
}

/* --- reading ----------------------------------------------------------------------------- */

static const struct series {
    const char *name;
    size_t offset;
} series[] = {
    {"requests", offsetof(struct live_sample, requests)},
    {"failures", offsetof(struct live_sample, failures)},
    {"p50_us", offsetof(struct live_sample, p50_us)},
    {"p99_us", offsetof(struct live_sample, p99_us)},
    {"p999_us", offsetof(struct live_sample, p999_us)},
    {"connections", offsetof(struct live_sample, connections)},
};

/* Of the sample number `at`, from 0. */
static void add_value(const struct live_history *history, const struct series *row, uint64_t at,
                      struct page *page)
{
    uint32_t value;

    memcpy(&value, (const char *)&history->samples[at % LIVE_HISTORY_SECONDS] + row->offset,
           sizeof(value));
    page_add_number(page, value);
}

void live_history_add_last(const struct live_history *history, struct page *page)
{
    for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++) {
        page_format(page, "%s\"%s\":", i > 0 ? "," : "", series[i].name);
        add_value(history, &series[i], history->count + LIVE_HISTORY_SECONDS - 1, page);
    }
}

void live_history_add(const struct live_history *history, struct page *page)
{
    uint64_t kept = history->count < LIVE_HISTORY_SECONDS ? history->count : LIVE_HISTORY_SECONDS;

    for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++) {
        page_format(page, "%s\"%s\":[", i > 0 ? "," : "", series[i].name);
        for (uint64_t at = history->count - kept; at < history->count; at++) {
            page_add_text(page, at > history->count - kept ? "," : "");
            add_value(history, &series[i], at, page);
        }
        page_add_char(page, ']');
    }
}
