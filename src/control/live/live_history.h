/* SPDX-License-Identifier: BSD-2-Clause */
/* The last hour, a sample a second: how many requests, how many of them failed, how long they
 * took. Sampled on the control thread, with and without a viewer, so that a browser that opens the
 * live page sees what came before. Fixed memory: 3,600 samples of 24 bytes. */
#ifndef CONTROL_LIVE_HISTORY_H
#define CONTROL_LIVE_HISTORY_H

#include "base/page.h"
#include "control/pages/merged.h"

#define LIVE_HISTORY_SECONDS 3600

struct live_sample {
    uint32_t requests; /* that ended in this second */
    uint32_t failures; /* 5xx, or broken off */
    uint32_t p50_us;   /* 0: there was no request */
    uint32_t p99_us;
    uint32_t p999_us;
    uint32_t connections; /* of clients, open */
};

struct live_totals {
    uint64_t requests;
    uint64_t failures;
    uint64_t durations[METRICS_DURATION_BUCKETS];
};

struct live_history {          /* zeroed at first */
    struct live_totals before; /* zeros at first: counters begin with the process */
    uint64_t count;            /* samples, ever: the number of the newest one */
    struct live_sample samples[LIVE_HISTORY_SECONDS];
};

/* Once a second. Walks the counters of the listeners, which are few however many routes there are. */
void live_history_sample(struct live_history *history, const struct control_sources *sources);
/* The newest one as members of a JSON object, without braces; zeros before the first. */
void live_history_add_last(const struct live_history *history, struct page *page);
/* The same of all: a list for each series, oldest first. */
void live_history_add(const struct live_history *history, struct page *page);

#endif
