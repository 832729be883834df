/* SPDX-License-Identifier: BSD-2-Clause */
/* How many requests an origin can be given at once, learnt from the times of its answers
 * (doc/decisions/018-adaptive-concurrency.md). Pure arithmetic: the caller brings the time and every
 * answer; no clock, no I/O, no memory of its own. Called by adaptive.c for a service with
 * `concurrency: auto`, and by a simulation in tests/unit.
 *
 * What must stay true: the limit is never below 1 and never above ADAPTIVE_MOST, and it grows only
 * while requests come up against it. */
#ifndef ORIGIN_POOL_ADAPTIVE_LIMIT_H
#define ORIGIN_POOL_ADAPTIVE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define ADAPTIVE_INITIAL 16
#define ADAPTIVE_MOST 100000

enum adaptive_phase {
    ADAPTIVE_STEADY,
    ADAPTIVE_DRAINS,   /* a probe: what was too much at the origin ends */
    ADAPTIVE_MEASURES, /* and the requests begun since then say how long one takes without a queue */
};

/* Of some answers: what their mean is, and what chance may have made of it. */
struct adaptive_times {
    uint32_t answers;
    double sum_us;
    double squares;
};

struct adaptive_limit {
    double limit;
    double base_us;   /* of an answer that waited for no other at the origin; 0: not known yet */
    double recent_us; /* moving mean of the answers' times */
    double scatter;   /* of the answers' times: moving mean of deviation over mean */
    enum adaptive_phase phase;
    uint64_t phase_from_us;
    uint64_t probe_at_us;    /* the next one, at the earliest */
    uint32_t probe_pause_us; /* between the last one and that */
    uint32_t slow_windows;   /* in a row, far above the base, not by chance */
    uint32_t fast_windows;   /* in a row, far below it */
    uint32_t first_windows;  /* before the base may be believed */
    bool probed;             /* ever */

    /* The present window, and the present probe. */
    uint64_t window_from_us;
    struct adaptive_times window;
    uint32_t most; /* requests that were under way at once */
    struct adaptive_times probe;
    double probe_share;     /* of the limit, meanwhile */
    double probe_before_us; /* recent_us then */
};

/* One whole answer of the origin, of a request that it was given at begun_us. */
struct adaptive_sample {
    uint64_t begun_us;
    uint64_t now_us;
    uint32_t in_flight; /* when the request was given, or now: the greater of the two */
};

void adaptive_limit_init(struct adaptive_limit *limit, uint64_t now_us);
/* true: a window has ended, what may be under way may have changed. */
bool adaptive_limit_note(struct adaptive_limit *limit, const struct adaptive_sample *sample);
/* So many may be under way now. */
uint32_t adaptive_limit_now(const struct adaptive_limit *limit);

#endif
