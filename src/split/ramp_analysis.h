/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the new arm of a ramp do worse than the old one? Pure: two windows of counts in, a
 * verdict out. Called by the split registry (split/ramp.c) once a second for each ramp.
 *
 * One client must not end a ramp, by requests that fail or are slow by their own fault, nor by many
 * that make the old arm look better than it is: a breach must be one without the client that did worst
 * in the new arm, and without the one that asked the old arm most. Where there is no other client it
 * counts in full; where the others are too few to be judged, it does once the window has lasted its time, since
 * a ramp that goes back for nothing does less harm than one that fails for the one who is all traffic.
 *
 * A breach must be large enough to matter (more than error_rate or p99 allow) and too large to
 * be chance: were both arms alike, each failure (or slow answer) would fall to the new arm as
 * often as a request does, so that their number is binomial. Looks of a whole ramp may number
 * thousands; at GUARD_CHANCE each, all of them together see ghosts in well under 1 % of ramps. */
#ifndef SPLIT_RAMP_ANALYSIS_H
#define SPLIT_RAMP_ANALYSIS_H

#include "split/live_split.h"

#define GUARD_CHANCE 1e-6

struct group_counts {
    uint64_t requests;
    uint64_t failures;
    uint64_t durations[METRICS_DURATION_BUCKETS];
    uint64_t user_requests[ARM_USERS];
    uint64_t user_failures[ARM_USERS];
    uint32_t user_speeds[ARM_USERS][ARM_SPEEDS];
};

struct guard_window {
    struct group_counts groups[ARM_GROUP_COUNT];
    bool has_lasted; /* as long as ramp.window */
};

enum guard_verdict { GUARD_TOO_FEW, GUARD_FINE, GUARD_BREACH };

#define GUARD_REASON_MAX 160

/* `reason` is filled for a breach. */
enum guard_verdict guard_judge(const struct ramp_settings *ramp, const struct guard_window *window,
                               char reason[GUARD_REASON_MAX]);
/* Adds what came on top of `before` up to `now`. */
void guard_add(struct group_counts *counts, const struct group_counts *before,
               const struct group_counts *now);
/* In microseconds, rounded up to a bucket's limit; 0 for no requests. */
uint64_t guard_p99(const struct group_counts *counts);
/* The chance that a binomial number of `count` trials, each with chance `each`, is `least` or
 * more. */
double guard_tail(uint64_t count, double each, uint64_t least);

#endif
