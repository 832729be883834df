/* SPDX-License-Identifier: BSD-2-Clause */
/* The reckoning. With the rate R, a client that moves r bytes a second is found too slow after
 * grace / (1 - r/R): one that drips at once after the grace, one at two thirds of the rate after
 * three times the grace, and one that keeps to the rate never. That is so where bytes flow evenly; in
 * lumps they may put it off, so that after three graces all that was moved is held against the rate. */
#include "client/pace.h"

#include "base/check.h"

static uint64_t most_left_us(const struct pace_rule *rule)
{
    return (uint64_t)rule->grace_ms * 2000;
}

void pace_begin(struct pace *pace, const struct pace_rule *rule, uint64_t now_us, uint64_t bytes)
{
    CHECK(now_us != 0);
    pace->began_us = now_us;
    pace->settled_us = now_us;
    pace->moved_us = now_us;
    pace->held_us = 0;
    pace->bytes = bytes;
    pace->bytes_then = bytes;
    pace->left_us = (uint64_t)rule->grace_ms * 1000;
}

void pace_hold(struct pace *pace, uint64_t now_us)
{
    if (pace_runs(pace)) {
        pace->held_us = now_us;
    }
}

void pace_go_on(struct pace *pace, uint64_t now_us)
{
    if (pace->settled_us != 0 && pace->held_us != 0) {
        pace->began_us += now_us - pace->held_us;
        pace->settled_us += now_us - pace->held_us;
        pace->moved_us += now_us - pace->held_us;
        pace->held_us = 0;
    }
}

static void settle(struct pace *pace, const struct pace_rule *rule, uint64_t now_us, uint64_t bytes)
{
    uint64_t spent_us = now_us - pace->settled_us;

    if (bytes > pace->bytes) {
        if (rule->rate != 0) {
            pace->left_us += (bytes - pace->bytes) * 1000000 / rule->rate;
        }
        if (pace->moved_us <= pace->settled_us) {
            pace->moved_us = now_us; /* nobody saw when */
        }
        pace->bytes = bytes;
    }
    pace->left_us = pace->left_us > spent_us ? pace->left_us - spent_us : 0;
    if (pace->left_us > most_left_us(rule)) {
        pace->left_us = most_left_us(rule);
    }
    pace->settled_us = now_us;
}

static uint64_t most_ms(const struct pace_rule *rule)
{
    return (uint64_t)rule->grace_ms * 3;
}

static uint64_t age_ms(const struct pace *pace, uint64_t now_us)
{
    return (now_us - pace->began_us) / 1000;
}

/* Of what a client at the rate moves in that time. */
static bool has_moved_enough_for(const struct pace *pace, const struct pace_rule *rule,
                                 uint64_t time_ms)
{
    return (pace->bytes - pace->bytes_then) * 1000 >= rule->rate * time_ms;
}

static bool is_too_slow(const struct pace *pace, const struct pace_rule *rule, uint64_t now_us)
{
    uint64_t time_ms = age_ms(pace, now_us);

    return pace->left_us == 0 ||
           (time_ms >= most_ms(rule) && !has_moved_enough_for(pace, rule, time_ms));
}

enum pace_verdict pace_look(struct pace *pace, const struct pace_rule *rule, uint64_t now_us,
                            uint64_t bytes)
{
    CHECK(pace_runs(pace));
    settle(pace, rule, now_us, bytes);
    if (now_us - pace->moved_us >= (uint64_t)rule->idle_ms * 1000) {
        return PACE_STOPPED;
    }
    return rule->rate != 0 && is_too_slow(pace, rule, now_us) ? PACE_TOO_SLOW : PACE_FINE;
}

uint32_t pace_spare_ms(const struct pace *pace, const struct pace_rule *rule, uint64_t now_us,
                       uint32_t came_ms)
{
    uint64_t time_ms = age_ms(pace, now_us) + came_ms;
    uint64_t spare_ms = time_ms < most_ms(rule) ? most_ms(rule) - time_ms : 0;

    return (uint32_t)(spare_ms < most_ms(rule) / 2 ? spare_ms : most_ms(rule) / 2);
}

uint32_t pace_next_look(const struct pace *pace, const struct pace_rule *rule, uint64_t now_us)
{
    uint64_t idle_us = (uint64_t)rule->idle_ms * 1000;
    uint64_t silent_us = now_us - pace->moved_us;
    uint64_t wait_us = idle_us > silent_us ? idle_us - silent_us : 0;
    uint64_t spent_us = now_us - pace->settled_us;
    uint64_t left_us = pace->left_us > spent_us ? pace->left_us - spent_us : 0;
    uint64_t trial_us = pace->began_us + most_ms(rule) * 1000;

    if (rule->rate != 0 && left_us < wait_us) {
        wait_us = left_us;
    }
    if (rule->rate != 0 && trial_us > now_us && trial_us - now_us < wait_us &&
        !has_moved_enough_for(pace, rule, most_ms(rule))) {
        wait_us = trial_us - now_us;
    }
    return (uint32_t)((wait_us + 999) / 1000);
}
