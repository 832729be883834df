/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the sums of the second before and writes down what came on top. */
#include "control/live/live_history.h"

#include "control/live/live_meter.h"

#include <stdlib.h>

struct totals {
    uint64_t requests;
    uint64_t failures;
    uint64_t durations[METRICS_DURATION_BUCKETS];
};

struct live_history {
    struct totals before; /* zeros at first: counters begin with the process */
    uint64_t count;       /* samples, ever */
    struct live_sample samples[LIVE_HISTORY_SECONDS];
};

struct live_history *live_history_new(void)
{
    return calloc(1, sizeof(struct live_history));
}

void live_history_free(struct live_history **history)
{
    free(*history);
    *history = NULL;
}

/* --- sampling ---------------------------------------------------------------------------- */

static void on_seen(void *owner, const struct metrics_reading *reading)
{
    struct totals *totals = owner;

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

static void write_down(struct live_history *history, const struct totals *now, uint32_t connections)
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
    struct totals now = {.requests = 0};
    uint32_t workers = control_workers(sources);

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

uint64_t live_history_count(const struct live_history *history)
{
    return history->count;
}

struct live_sample live_history_last(const struct live_history *history)
{
    const struct live_sample none = {.requests = 0};

    return history->count > 0 ? history->samples[(history->count - 1) % LIVE_HISTORY_SECONDS]
                              : none;
}

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

static void add_series(const struct live_history *history, const struct series *row,
                       struct page *page)
{
    uint64_t kept = history->count < LIVE_HISTORY_SECONDS ? history->count : LIVE_HISTORY_SECONDS;

    page_format(page, "\"%s\":[", row->name);
    for (uint64_t i = history->count - kept; i < history->count; i++) {
        const struct live_sample *sample = &history->samples[i % LIVE_HISTORY_SECONDS];
        uint32_t value;

        memcpy(&value, (const char *)sample + row->offset, sizeof(value));
        page_add_number(page, value);
        page_add_char(page, ',');
    }
    if (kept > 0) {
        page->length -= !page->failed; /* the last comma */
    }
    page_add_char(page, ']');
}

void live_history_add(const struct live_history *history, struct page *page)
{
    for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++) {
        page_add_text(page, i > 0 ? "," : "");
        add_series(history, &series[i], page);
    }
}
