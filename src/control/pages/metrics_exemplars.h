/* SPDX-License-Identifier: BSD-2-Clause */
/* Exemplars of all workers by name, the newest of each bucket: for /metrics where OpenMetrics is asked
 * for (metrics_page.c). The metrics are held (merged_read) from before the reading until after the
 * release. */
#ifndef CONTROL_PAGES_METRICS_EXEMPLARS_H
#define CONTROL_PAGES_METRICS_EXEMPLARS_H

#include "control/sources.h"

struct exemplar_row {
    const char *name; /* valid while the metrics are held */
    struct metrics_exemplar buckets[METRICS_EXEMPLARS];
};

struct exemplar_rows {
    struct exemplar_row *rows; /* one a name, in the order of names */
    size_t count;
};

/* false: out of memory, and there are none. */
bool exemplar_rows_read(const struct control_sources *sources, enum metrics_kind kind,
                        struct exemplar_rows *rows);
void exemplar_rows_release(struct exemplar_rows *rows);
/* METRICS_EXEMPLARS of them; NULL: none. */
const struct metrics_exemplar *exemplar_rows_find(const struct exemplar_rows *rows,
                                                  const char *name);

#endif
