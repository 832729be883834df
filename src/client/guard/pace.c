/* SPDX-License-Identifier: BSD-2-Clause */
/* See pace.h. A client that keeps to the rate in each window is never found too slow, in whatever
 * lumps its bytes move within the window. */
#include "client/guard/pace.h"

#include "base/check.h"

void pace_begin(struct pace *pace, uint64_t now_us, uint64_t bytes)
{
    CHECK(now_us != 0);
    *pace = (struct pace){
        .window_us = now_us,
        .window_bytes = bytes,
        .moved_us = now_us,
        .bytes = bytes,
        .looked_us = now_us,
    };
}

void pace_hold(struct pace *pace, uint64_t now_us)
{
    if (pace_runs(pace)) {
        pace->held_us = now_us;
    }
}

void pace_go_on(struct pace *pace, uint64_t now_us)
{
    if (pace_has_begun(pace) && pace->held_us != 0) {
        pace->window_us += now_us - pace->held_us;
        pace->moved_us += now_us - pace->held_us;
        pace->looked_us += now_us - pace->held_us;
        pace->held_us = 0;
    }
}

/* What was acknowledged is seen by looking only: it counts from the look that saw it. */
static void take_progress(struct pace *pace, uint64_t now_us, uint64_t bytes)
{
    if (bytes > pace->bytes) {
        if (pace->moved_us <= pace->looked_us) {
            pace->moved_us = now_us;
        }
        pace->bytes = bytes;
    }
    pace->looked_us = now_us;
}

static uint64_t window_us(const struct pace_rule *rule)
{
    return (uint64_t)rule->window_ms * 1000;
}

static bool is_too_slow(struct pace *pace, const struct pace_rule *rule, uint64_t now_us)
{
    uint64_t spent_us = now_us - pace->window_us;
    uint64_t moved = pace->bytes - pace->window_bytes;

    if (rule->rate == 0 || spent_us < window_us(rule)) {
        return false;
    }
    pace->window_us = now_us;
    pace->window_bytes = pace->bytes;
    return moved * 1000000 < rule->rate * window_us(rule);
}

enum pace_verdict pace_look(struct pace *pace, const struct pace_rule *rule, uint64_t now_us,
                            uint64_t bytes)
{
    CHECK(pace_runs(pace));
    take_progress(pace, now_us, bytes);
    if (now_us - pace->moved_us >= (uint64_t)rule->idle_ms * 1000) {
        return PACE_STOPPED;
    }
    return is_too_slow(pace, rule, now_us) ? PACE_TOO_SLOW : PACE_FINE;
}

/* How much of `most_us` is left since `from_us`. */
static uint64_t left_us(uint64_t most_us, uint64_t from_us, uint64_t now_us)
{
    uint64_t spent_us = now_us - from_us;

    return most_us > spent_us ? most_us - spent_us : 0;
}

uint32_t pace_next_look(const struct pace *pace, const struct pace_rule *rule, uint64_t now_us)
{
    uint64_t wait_us = left_us((uint64_t)rule->idle_ms * 1000, pace->moved_us, now_us);

    if (rule->rate != 0) {
        uint64_t rest_us = left_us(window_us(rule), pace->window_us, now_us);

        wait_us = rest_us < wait_us ? rest_us : wait_us;
    }
    return (uint32_t)((wait_us + 999) / 1000);
}
