/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters of all workers added up by name, for those who show them. */
#ifndef CONTROL_PAGES_MERGED_H
#define CONTROL_PAGES_MERGED_H

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
uint64_t merged_event(const struct control_sources *sources, enum metrics_event event);

#endif
