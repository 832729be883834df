/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the new arm of a ramp do worse than the old one? Pure: two windows of counts in, a
 * verdict out. Called by the split book (exchange/ramp.c) once a second for each ramp.
 *
 * A breach must be large enough to matter (more than error_rate or p99 allow) and too large to
 * be chance: were both arms alike, each failure (or slow answer) would fall to the new arm as
 * often as a request does, so that their number is binomial. Looks of a whole ramp may number
 * thousands; at GUARD_CHANCE each, all of them together see ghosts in well under 1 % of ramps. */
#ifndef EXCHANGE_RAMP_GUARD_H
#define EXCHANGE_RAMP_GUARD_H

#include "exchange/live_split.h"

#define GUARD_CHANCE 1e-6

struct group_counts {
    uint64_t requests;
    uint64_t failures;
    uint64_t durations[METRICS_DURATION_BUCKETS];
};

struct guard_window {
    struct group_counts groups[ARM_GROUP_COUNT];
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
