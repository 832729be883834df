/* SPDX-License-Identifier: BSD-2-Clause */
/* Two one-sided exact tests. The second is one of ranks in disguise: how many of the slowest
 * answers, slower than the old arm's p99 and what is allowed on top, are the new arm's. */
#include "split/ramp_analysis.h"

#include <math.h>
#include <stdio.h>

/* lgamma keeps the sign in a global. */
static double log_factorial(double number)
{
    int sign;

    return lgamma_r(number + 1, &sign);
}

double guard_tail(uint64_t count, double each, uint64_t least)
{
    double term;
    double sum = 0;

    if (least == 0) {
        return 1;
    }
    if (least > count || each <= 0) {
        return 0;
    }
    if (each >= 1) {
        return 1;
    }
    if ((double)least <= (double)count * each) {
        return 1; /* a half or so: no extreme at all */
    }
    term = exp(log_factorial((double)count) - log_factorial((double)least) -
               log_factorial((double)(count - least)) + (double)least * log(each) +
               (double)(count - least) * log1p(-each));
    /* Beyond the mean each term is smaller than the one before it. */
    for (uint64_t k = least; term > 0 && term > sum * 1e-12; k++) {
        sum += term;
        if (k == count) {
            break;
        }
        term *= (double)(count - k) / (double)(k + 1) * each / (1 - each);
    }
    return sum < 1 ? sum : 1;
}

void guard_add(struct group_counts *counts, const struct group_counts *before,
               const struct group_counts *now)
{
    counts->requests += now->requests - before->requests;
    counts->failures += now->failures - before->failures;
    for (int i = 0; i < METRICS_DURATION_BUCKETS; i++) {
        counts->durations[i] += now->durations[i] - before->durations[i];
    }
    for (int i = 0; i < ARM_USERS; i++) {
        counts->user_requests[i] += now->user_requests[i] - before->user_requests[i];
        counts->user_failures[i] += now->user_failures[i] - before->user_failures[i];
        for (int j = 0; j < ARM_SPEEDS && now->user_requests[i] != before->user_requests[i]; j++) {
            counts->user_speeds[i][j] += now->user_speeds[i][j] - before->user_speeds[i][j];
        }
    }
}

/* Counted anew: another thread's counters need not agree with one another to the last one. */
static uint64_t timed(const struct group_counts *counts)
{
    uint64_t sum = 0;

    for (int i = 0; i < METRICS_DURATION_BUCKETS; i++) {
        sum += counts->durations[i];
    }
    return sum;
}

static unsigned p99_bucket(const struct group_counts *counts)
{
    uint64_t above = timed(counts) / 100;
    uint64_t sum = 0;
    unsigned bucket = METRICS_DURATION_BUCKETS - 1;

    while (bucket > 0 && sum + counts->durations[bucket] <= above) {
        sum += counts->durations[bucket--];
    }
    return bucket;
}

uint64_t guard_p99(const struct group_counts *counts)
{
    return timed(counts) == 0 ? 0 : metrics_duration_limit(p99_bucket(counts));
}

static uint64_t slower_than(const struct group_counts *counts, uint64_t limit_us)
{
    uint64_t sum = 0;

    for (unsigned i = metrics_duration_bucket(limit_us) + 1; i < METRICS_DURATION_BUCKETS; i++) {
        sum += counts->durations[i];
    }
    return sum;
}

/* Of `mine` and `others`, each request's chance to be one of the new arm's is `share`. */
static bool is_no_chance(uint64_t mine, uint64_t others, double share)
{
    return guard_tail(mine + others, share, mine) < GUARD_CHANCE;
}

static double share_of(const struct group_counts *arm, const struct group_counts *control)
{
    return (double)arm->requests / (double)(arm->requests + control->requests);
}

static bool fails_more(const struct ramp_settings *ramp, const struct group_counts *arm,
                       const struct group_counts *control)
{
    double rate = (double)arm->failures / (double)arm->requests;
    double other = (double)control->failures / (double)control->requests;

    return rate - other > (double)ramp->error_rate / SPLIT_WHOLE &&
           is_no_chance(arm->failures, control->failures, share_of(arm, control));
}

static uint64_t allowed_p99(const struct ramp_settings *ramp, const struct group_counts *control)
{
    double p99 = (double)guard_p99(control);

    return (uint64_t)(p99 + p99 * ramp->p99 / SPLIT_WHOLE);
}

static bool is_slower(const struct ramp_settings *ramp, const struct group_counts *arm,
                      const struct group_counts *control)
{
    uint64_t allowed_us = allowed_p99(ramp, control);
    uint64_t slow;

    if (p99_bucket(control) == METRICS_DURATION_BUCKETS - 1) {
        return false; /* nothing can be told apart up there */
    }
    slow = slower_than(arm, allowed_us);
    return slow > timed(arm) / 100 &&
           is_no_chance(slow, slower_than(control, allowed_us), share_of(arm, control));
}

/* --- without one client -------------------------------------------------------------------- */

static uint64_t rest_of(uint64_t all, uint64_t part)
{
    return all > part ? all - part
                      : 0; /* another thread's counters need not agree to the last one */
}

/* Which of the buckets of one speed a client's were is not known: of the new arm the slowest are
 * taken for them, of the old arm the fastest. */
static void take_speed(struct group_counts *rest, unsigned speed, uint64_t count, bool slowest)
{
    unsigned first = speed == 0 ? 0 : speed * 2 - 1;
    unsigned end =
        speed * 2 + 1 < METRICS_DURATION_BUCKETS ? speed * 2 + 1 : METRICS_DURATION_BUCKETS;

    for (unsigned i = 0; i < end - first && count > 0; i++) {
        uint64_t *bucket = &rest->durations[slowest ? end - 1 - i : first + i];
        uint64_t taken = *bucket < count ? *bucket : count;

        *bucket -= taken;
        count -= taken;
    }
}

/* Fills what is judged: not the clients themselves. */
static void leave_out(const struct group_counts *counts, unsigned user, bool slowest,
                      struct group_counts *rest)
{
    rest->requests = rest_of(counts->requests, counts->user_requests[user]);
    rest->failures = rest_of(counts->failures, counts->user_failures[user]);
    memcpy(rest->durations, counts->durations, sizeof(rest->durations));
    for (unsigned i = 0; i < ARM_SPEEDS; i++) {
        take_speed(rest, i, counts->user_speeds[user][i], slowest);
    }
}

static unsigned most_of(const uint64_t numbers[ARM_USERS])
{
    unsigned most = 0;

    for (unsigned i = 1; i < ARM_USERS; i++) {
        if (numbers[i] > numbers[most]) {
            most = i;
        }
    }
    return most;
}

static unsigned slowest_user(const struct group_counts *counts, uint64_t allowed_us)
{
    unsigned least = arm_speed_of(metrics_duration_bucket(allowed_us) + 1);
    uint64_t slow[ARM_USERS] = {0};

    for (unsigned i = 0; i < ARM_USERS; i++) {
        for (unsigned j = least; j < ARM_SPEEDS; j++) {
            slow[i] += counts->user_speeds[i][j];
        }
    }
    return most_of(slow);
}

typedef bool does_worse(const struct ramp_settings *ramp, const struct group_counts *arm,
                        const struct group_counts *control);

static enum guard_verdict judge_without(const struct ramp_settings *ramp,
                                        const struct guard_window *window, unsigned user,
                                        does_worse *worse)
{
    struct group_counts arm;
    struct group_counts control;

    leave_out(&window->groups[ARM_GROUP_NEW], user, true, &arm);
    leave_out(&window->groups[ARM_GROUP_CONTROL], user, false, &control);
    if (arm.requests == 0 && control.requests == 0) {
        return GUARD_BREACH;
    }
    if (arm.requests < ramp->min_samples || control.requests < ramp->min_samples) {
        return window->has_lasted ? GUARD_BREACH : GUARD_TOO_FEW;
    }
    return worse(ramp, &arm, &control) ? GUARD_BREACH : GUARD_FINE;
}

/* What all together show must not be one client's doing. */
static enum guard_verdict judge(const struct ramp_settings *ramp, const struct guard_window *window,
                                unsigned worst, does_worse *worse)
{
    unsigned busiest = most_of(window->groups[ARM_GROUP_CONTROL].user_requests);
    enum guard_verdict verdict = judge_without(ramp, window, worst, worse);

    return verdict == GUARD_BREACH && busiest != worst ? judge_without(ramp, window, busiest, worse)
                                                       : verdict;
}

enum guard_verdict guard_judge(const struct ramp_settings *ramp, const struct guard_window *window,
                               char reason[GUARD_REASON_MAX])
{
    const struct group_counts *arm = &window->groups[ARM_GROUP_NEW];
    const struct group_counts *control = &window->groups[ARM_GROUP_CONTROL];
    enum guard_verdict verdict = GUARD_FINE;
    enum guard_verdict of_speed = GUARD_FINE;

    if (arm->requests < ramp->min_samples || control->requests < ramp->min_samples) {
        return GUARD_TOO_FEW;
    }
    if (fails_more(ramp, arm, control)) {
        verdict = judge(ramp, window, most_of(arm->user_failures), fails_more);
    }
    if (verdict == GUARD_BREACH) {
        snprintf(reason, GUARD_REASON_MAX,
                 "%.2f%% of %llu requests failed, in the control group %.2f%% of %llu",
                 100.0 * (double)arm->failures / (double)arm->requests,
                 (unsigned long long)arm->requests,
                 100.0 * (double)control->failures / (double)control->requests,
                 (unsigned long long)control->requests);
        return GUARD_BREACH;
    }
    if (is_slower(ramp, arm, control)) {
        of_speed = judge(ramp, window, slowest_user(arm, allowed_p99(ramp, control)), is_slower);
    }
    if (of_speed == GUARD_BREACH) {
        snprintf(reason, GUARD_REASON_MAX,
                 "p99 is %.1f ms over %llu requests, in the control group %.1f ms over %llu",
                 (double)guard_p99(arm) / 1000, (unsigned long long)arm->requests,
                 (double)guard_p99(control) / 1000, (unsigned long long)control->requests);
        return GUARD_BREACH;
    }
    return verdict == GUARD_FINE ? of_speed : verdict;
}
