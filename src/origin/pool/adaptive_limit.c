/* SPDX-License-Identifier: BSD-2-Clause */
/* The limit follows the gradient: the base latency over that of the last window. At more than
 * the origin has room for, requests queue inside it, and the ratio falls by just so much as there are
 * too many; at less, it is one. The base is measured by short probes: for some answers' time a part
 * of the limit is not given out, and what begins then meets an origin without a queue. */
#include "origin/pool/adaptive_limit.h"

#include <math.h>

#define WINDOW_US 100000
#define WINDOW_ANSWERS 12    /* fewer say too little, unless a window lasts long */
#define WINDOW_LONG 4        /* base latencies */
#define TOLERANCE_LEAST 0.05 /* of the base: latency may vary so much without a queue */
#define TOLERANCE_MOST 0.10  /* where times scatter by SCATTER_MOST */
#define SCATTER_MOST 0.25    /* standard deviation over mean, of a window's times */
#define SCATTER_STEP 0.2     /* of a window's scatter */
#define CLEAR 0.6      /* of the tolerance: below, no queue is seen, and the limit grows fast */
#define GROWTH 1.15    /* so fast, a window */
#define LEAST_ROOM 0.5 /* for growth: few slots would else get a queue as long as they are many */
#define LOOSE_LEAST_ROOM 0.75 /* where times scatter */
#define LEAST_GRADIENT 0.85   /* a limit in force lets no more in: nothing is urgent */
#define SLOW 1.5              /* times the base: has the origin become slower, or is it a queue? */
#define SLOW_WINDOWS 2        /* before a probe is to tell */
#define PROBE_SHARE 0.65      /* of the limit, while it is measured */
#define DRAIN_LONG 1.5        /* base latencies, until what had queued is gone */
#define PROBE_ANSWERS 12      /* at the least */
#define PROBE_LONG 6          /* base latencies; with fewer answers it says nothing */
#define PROBE_OFTEN_US 500000 /* while probes still find another base */
#define PROBE_SELDOM_US 4000000
#define STILL_QUEUES 0.75 /* of what it took before: nearly as much less as there are fewer */
#define PROBE_REST 40     /* base latencies between two */
#define CHANCE 3          /* standard errors of a probe's mean: more is no chance */
#define SLOW_CHANCE 2     /* of a window's: the next one has to say the same */
#define BASE_STEP 0.3     /* of a probe that says nearly what was known */
#define CLEAN_STEP 0.03   /* of a window in which few were under way */
#define FAST_WINDOWS 2    /* in a row, in half of the base: not by chance */
#define OTHER_BASE 0.25   /* a probe that says something else: the origin has changed */
#define FIRST_WINDOWS 3   /* at once, before the first probe */
#define SAMPLE_MOST 10    /* base latencies: one that hung counts for no more */

void adaptive_limit_init(struct adaptive_limit *limit, uint64_t now_us)
{
    *limit = (struct adaptive_limit){.limit = ADAPTIVE_INITIAL,
                                     .window_from_us = now_us,
                                     .first_windows = FIRST_WINDOWS,
                                     .probe_pause_us = PROBE_OFTEN_US};
}

uint32_t adaptive_limit_now(const struct adaptive_limit *limit)
{
    double now = limit->phase == ADAPTIVE_STEADY ? limit->limit : limit->limit * limit->probe_share;

    return now < 1 ? 1 : (uint32_t)(now + 0.5);
}

static void begin_window(struct adaptive_limit *limit, uint64_t now_us)
{
    limit->window_from_us = now_us;
    limit->window = (struct adaptive_times){0};
    limit->most = 0;
}

static double time_of(const struct adaptive_limit *limit, const struct adaptive_sample *sample)
{
    double time_us = (double)(sample->now_us - sample->begun_us) + 1;

    return limit->base_us != 0 && time_us > limit->base_us * SAMPLE_MOST
               ? limit->base_us * SAMPLE_MOST
               : time_us;
}

static void add_time(struct adaptive_times *times, double time_us)
{
    times->answers++;
    times->sum_us += time_us;
    times->squares += time_us * time_us;
}

static double mean_of(const struct adaptive_times *times)
{
    return times->sum_us / times->answers;
}

/* The standard error of the mean. */
static double error_of(const struct adaptive_times *times)
{
    double mean_us = mean_of(times);
    double variance = times->squares / times->answers - mean_us * mean_us;

    return variance > 0 ? sqrt(variance / times->answers) : 0;
}

/* 0: each answer takes as long as the last one; 1: their times scatter as widely as is looked at. */
static double looseness(const struct adaptive_limit *limit)
{
    return fmin(limit->scatter / SCATTER_MOST, 1);
}

/* An origin whose answers always take as long shows a short queue clearly, and gets no longer one. */
static double tolerance(const struct adaptive_limit *limit)
{
    return 1 + TOLERANCE_LEAST + (TOLERANCE_MOST - TOLERANCE_LEAST) * looseness(limit);
}

/* Where times scatter, a mean is above the base by chance: without more room the limit would fall. */
static double room_for_growth(const struct adaptive_limit *limit)
{
    double loose = looseness(limit);

    return fmax(LEAST_ROOM + (LOOSE_LEAST_ROOM - LEAST_ROOM) * loose,
                sqrt(limit->limit) / (8 - 4 * loose));
}

/* --- probes -------------------------------------------------------------------------------- */

static void begin_drain(struct adaptive_limit *limit, double share, uint64_t now_us)
{
    limit->phase = ADAPTIVE_DRAINS;
    limit->phase_from_us = now_us;
    limit->probe_share = share;
    limit->probe = (struct adaptive_times){0};
}

static void learn_from_probe(struct adaptive_limit *limit)
{
    double found_us = mean_of(&limit->probe);
    double change = found_us / limit->base_us - 1;
    /* A mean that is low by chance has a low error as well. */
    double chance = CHANCE * error_of(&limit->probe) / fmin(found_us, limit->base_us);
    bool is_other = fabs(change) > (chance > OTHER_BASE ? chance : OTHER_BASE);

    /* The first windows have the quick answers alone: nothing better is known than the first probe. */
    limit->base_us += (is_other || !limit->probed ? 1 : BASE_STEP) * change * limit->base_us;
    limit->probed = true;
    limit->probe_pause_us = fabs(change) > OTHER_BASE / 2 && fabs(change) > chance / 2
                                ? PROBE_OFTEN_US
                                : limit->probe_pause_us * 2;
    if (limit->probe_pause_us > PROBE_SELDOM_US) {
        limit->probe_pause_us = PROBE_SELDOM_US;
    }
}

/* With fewer at once each took so much less time, not by chance: they queued there still. */
static bool goes_deeper(struct adaptive_limit *limit, uint64_t now_us)
{
    double found_us = mean_of(&limit->probe);
    bool fell = found_us + error_of(&limit->probe) < limit->recent_us * STILL_QUEUES;

    limit->recent_us = found_us;
    if (!fell || limit->limit * limit->probe_share * PROBE_SHARE < 1) {
        return false;
    }
    begin_drain(limit, limit->probe_share * PROBE_SHARE, now_us);
    return true;
}

/* The limit was far too high: one step down, not many windows, each as long as the queue. */
static void leave_deep_queue(struct adaptive_limit *limit)
{
    double ratio = limit->base_us * tolerance(limit) / limit->probe_before_us;

    if (limit->probe_share < PROBE_SHARE && ratio < 1) {
        limit->limit = limit->limit * ratio + room_for_growth(limit);
    }
}

static void end_probe(struct adaptive_limit *limit, uint64_t now_us)
{
    if (limit->probe.answers >= PROBE_ANSWERS / 2 && goes_deeper(limit, now_us)) {
        return;
    }
    limit->phase = ADAPTIVE_STEADY;
    limit->slow_windows = 0;
    begin_window(limit, now_us);
    if (limit->probe.answers >= PROBE_ANSWERS / 2) {
        learn_from_probe(limit);
        leave_deep_queue(limit);
    }
    /* With a base of seconds a probe takes as long: still a small part of the time. */
    limit->probe_at_us = now_us + limit->probe_pause_us + (uint64_t)(limit->base_us * PROBE_REST);
}

static void step_probe(struct adaptive_limit *limit, const struct adaptive_sample *sample)
{
    double since_us = (double)(sample->now_us - limit->phase_from_us);

    if (limit->phase == ADAPTIVE_DRAINS) {
        if (since_us >= DRAIN_LONG * limit->recent_us) {
            limit->phase = ADAPTIVE_MEASURES;
            limit->phase_from_us = sample->now_us;
        }
        return;
    }
    /* Whenever it began: of those that begin from now on, the ones that take long would be missing. */
    add_time(&limit->probe, time_of(limit, sample));
    if ((limit->probe.answers >= PROBE_ANSWERS && since_us >= 2 * limit->base_us) ||
        since_us >= PROBE_LONG * limit->recent_us) {
        end_probe(limit, sample->now_us);
    }
}

/* --- windows ------------------------------------------------------------------------------- */

/* So few were under way that none of them waited for another. */
static bool is_clean(const struct adaptive_limit *limit)
{
    return limit->most * 2 <= adaptive_limit_now(limit);
}

static bool is_pressed(const struct adaptive_limit *limit)
{
    return limit->most >= adaptive_limit_now(limit);
}

static void follow(struct adaptive_limit *limit)
{
    double gradient = limit->base_us * tolerance(limit) / limit->recent_us;
    double next;

    if (limit->recent_us < limit->base_us * (1 + CLEAR * (tolerance(limit) - 1))) {
        next = limit->limit * GROWTH;
    } else if (gradient >= 1) {
        next = limit->limit;
    } else {
        next = limit->limit * (gradient > LEAST_GRADIENT ? gradient : LEAST_GRADIENT);
    }
    next += room_for_growth(limit);
    limit->limit += (next - limit->limit) / 2;
    if (limit->limit > ADAPTIVE_MOST) {
        limit->limit = ADAPTIVE_MOST;
    }
}

static void learn_scatter(struct adaptive_limit *limit, double mean_us)
{
    double deviation = error_of(&limit->window) * sqrt(limit->window.answers) / mean_us;

    limit->scatter += (limit->base_us == 0 ? 1 : SCATTER_STEP) * (deviation - limit->scatter);
}

/* What was seen while the origin was slower says nothing any more. */
static void forget_slow_times(struct adaptive_limit *limit, double mean_us)
{
    limit->fast_windows++;
    if (limit->fast_windows == 1) {
        limit->recent_us = mean_us;
    } else if (limit->fast_windows == FAST_WINDOWS) {
        limit->base_us = limit->recent_us;
        limit->fast_windows = 0;
    }
}

static void learn_base(struct adaptive_limit *limit, double mean_us)
{
    if (limit->base_us == 0) {
        limit->base_us = mean_us;
    } else if (mean_us < limit->base_us / 2) {
        forget_slow_times(limit, mean_us);
        return;
    } else if (is_clean(limit) || limit->limit < 2) {
        limit->base_us += CLEAN_STEP * (mean_us - limit->base_us);
    }
    limit->fast_windows = 0;
}

/* At few slots a window of a dozen answers is often far above the base by chance alone. */
static bool is_slow(const struct adaptive_limit *limit)
{
    return limit->recent_us - SLOW_CHANCE * error_of(&limit->window) > limit->base_us * SLOW;
}

static bool is_time_to_probe(struct adaptive_limit *limit, uint64_t now_us)
{
    if (limit->limit < 2 || !is_pressed(limit)) {
        return false;
    }
    limit->slow_windows = is_slow(limit) ? limit->slow_windows + 1 : 0;
    return limit->slow_windows >= SLOW_WINDOWS || now_us >= limit->probe_at_us;
}

static void end_window(struct adaptive_limit *limit, uint64_t now_us)
{
    double mean_us = mean_of(&limit->window);

    limit->recent_us = limit->recent_us == 0 ? mean_us : (limit->recent_us + mean_us) / 2;
    learn_scatter(limit, mean_us);
    learn_base(limit, mean_us);
    if (limit->first_windows > 0) {
        limit->first_windows--;
        limit->probe_at_us = now_us;
    } else if (is_time_to_probe(limit, now_us)) {
        limit->probe_before_us = limit->recent_us;
        begin_drain(limit, PROBE_SHARE, now_us);
    } else if (is_pressed(limit)) {
        follow(limit);
    }
    begin_window(limit, now_us);
}

/* A shorter one than an answer takes would show what an earlier limit did. While answers are faster
 * than the base says, it is they that tell how long that is. */
static bool window_is_over(const struct adaptive_limit *limit, uint64_t now_us)
{
    double since_us = (double)(now_us - limit->window_from_us);
    double answer_us = fmin(limit->base_us, mean_of(&limit->window));

    return since_us >= WINDOW_US && since_us >= answer_us &&
           (limit->window.answers >= WINDOW_ANSWERS || since_us >= answer_us * WINDOW_LONG);
}

bool adaptive_limit_note(struct adaptive_limit *limit, const struct adaptive_sample *sample)
{
    if (limit->phase != ADAPTIVE_STEADY) {
        step_probe(limit, sample);
        return true;
    }
    add_time(&limit->window, time_of(limit, sample));
    if (sample->in_flight > limit->most) {
        limit->most = sample->in_flight;
    }
    if (!window_is_over(limit, sample->now_us)) {
        return false;
    }
    end_window(limit, sample->now_us);
    return true;
}
