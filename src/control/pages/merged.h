/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters of all workers added up by name, for those who show them. */
#ifndef CONTROL_PAGES_MERGED_H
#define CONTROL_PAGES_MERGED_H

#include "base/json.h"
#include "control/sources.h"

struct merged {
    struct metrics_reading *rows; /* one a name, in the order of names */
    size_t count;
    size_t room;
    const struct control_sources *held; /* NULL: nothing is read */
};

/* false: out of memory. Until it is released, no worker forgets a name. */
bool merged_read(const struct control_sources *sources, enum metrics_kind kind,
                 struct merged *merged);
void merged_release(struct merged *merged);
/* The same for a caller that reads again and again: `merged`, zeroed at first, keeps its room from one
 * reading to the next, and merged_let_go ends a reading. merged_release frees the room. */
bool merged_read_again(const struct control_sources *sources, enum metrics_kind kind,
                       struct merged *merged);
void merged_let_go(struct merged *merged);
/* NULL: never counted. */
const struct metrics_reading *merged_find(const struct merged *merged, const char *name);
/* Exchanges, errors and bytes, as members; `reading` may be NULL. */
void merged_add_counts(struct json *json, const struct metrics_reading *reading);
/* metrics_noted, metrics_cuts or metrics_h2_faults. */
uint64_t merged_sum(const struct control_sources *sources, metrics_tally *tally, unsigned which);
struct control_load merged_load(const struct control_sources *sources);

/* The newest exemplar of each bucket, whichever worker has it, by name. */
struct exemplar_row {
    const char *name; /* valid while the metrics are held */
    struct metrics_exemplar buckets[METRICS_EXEMPLARS];
};
struct exemplar_rows {
    struct exemplar_row *rows; /* in the order of names */
    size_t count;
    bool failed;
};
/* false: out of memory, and there are none. */
bool exemplar_rows_read(const struct control_sources *sources, enum metrics_kind kind,
                        struct exemplar_rows *rows);
void exemplar_rows_release(struct exemplar_rows *rows);
/* METRICS_EXEMPLARS of them; NULL: none. */
const struct metrics_exemplar *exemplar_rows_find(const struct exemplar_rows *rows,
                                                  const char *name);

#endif
