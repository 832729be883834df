/* SPDX-License-Identifier: BSD-2-Clause */
/* A copy of the whole registry of splits, sorted by route, for those who show it. */
#ifndef CONTROL_PAGES_SPLIT_READINGS_H
#define CONTROL_PAGES_SPLIT_READINGS_H

#include "base/page.h"
#include "control/sources.h"

struct split_copy {
    struct split_reading reading; /* its names are copies too */
    struct arena *names;
};

struct split_readings {
    struct split_copy *rows;
    size_t count;
};

/* false: out of memory. */
bool split_readings_take(const struct control_sources *sources, struct split_readings *readings);
void split_readings_release(struct split_readings *readings);
/* NULL: the route has no split. */
const struct split_reading *split_readings_find(const struct split_readings *readings,
                                                const char *route);
/* "old: 95%, new: 5%", as the file would say it. */
void split_reading_report(const struct split_reading *reading, struct page *page);
/* "95%", "0.05%", of hundredths. */
void split_weight_report(uint32_t weight, struct page *page);

#endif
