/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock's side of the ramps in a split registry: process/state/state_store.c ticks once a second, tells
 * what moved to the audit log, and keeps where each ramp is in a file. */
#ifndef SPLIT_RAMP_H
#define SPLIT_RAMP_H

#include "split/split_registry.h"

struct ramp_event {
    char route[72];
    char what[16]; /* "step", "breach", "done" */
    uint32_t step; /* counted from 1 */
    uint32_t step_count;
    char before[192]; /* weights, as in the file: "old: 95%, new: 5%" */
    char after[192];
    char why[160]; /* "" or the breach */
};

/* Looks at the ramps from *cursor on (0 at first) until one moves; false when all were looked
 * at. `now_ms` since 1970. */
bool split_registry_tick(struct split_registry *registry, uint64_t now_ms, uint32_t *cursor,
                         struct ramp_event *event);

/* Where all ramps are, as lines of text. */
void split_registry_save_ramps(struct split_registry *registry, struct page *page);
/* From now on no ramp begins: there is no place to remember a breach over a restart. Splits stay
 * with their other weights, and a line in the log says why. */
void split_registry_forgo_ramps(struct split_registry *registry);
/* Where the ramps of the process before were in the end, as lines of that text: those that are about
 * the same moves and steps go on from there. */
void split_registry_follow_ramps(struct split_registry *registry, char *text);
/* Before the first configuration is adopted. Lines that are not understood are told and left
 * out. false: no memory. */
bool split_registry_restore_ramps(struct split_registry *registry, char *text);

#endif
