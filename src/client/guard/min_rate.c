/* SPDX-License-Identifier: BSD-2-Clause */
/* See min_rate.h. A client that keeps to the rate in each window is never found too slow, however
 * its bytes are spread within the window. */
#include "client/guard/min_rate.h"

#include "base/check.h"

static uint32_t route_or_listener(uint32_t of_route, uint32_t of_listener)
{
    return of_route != RATE_UNSAID ? of_route : of_listener;
}

struct min_rate_rule min_rate_rule_of(const struct exchange *exchange,
                                      const struct min_rates_settings *of_listener, bool body)
{
    const struct min_rates_settings *own = exchange_min_rates(exchange);
    const struct timeouts_settings *timeouts = exchange_timeouts(exchange);
    struct min_rate_rule rule = {
        .idle_ms = body ? timeouts->body_idle : timeouts->response_idle,
        .rate = body ? of_listener->request_body : of_listener->response,
        .window_ms = of_listener->window,
    };

    if (own != NULL) {
        rule.rate = route_or_listener(body ? own->request_body : own->response, rule.rate);
        rule.window_ms = route_or_listener(own->window, rule.window_ms);
    }
    return rule;
}

void min_rate_begin(struct min_rate *min_rate, uint64_t now_us, uint64_t bytes)
{
    CHECK(now_us != 0);
    *min_rate = (struct min_rate){
        .window_us = now_us,
        .window_bytes = bytes,
        .moved_us = now_us,
        .bytes = bytes,
        .checked_us = now_us,
    };
}

void min_rate_hold(struct min_rate *min_rate, uint64_t now_us)
{
    if (min_rate_runs(min_rate)) {
        min_rate->held_us = now_us;
    }
}

void min_rate_go_on(struct min_rate *min_rate, uint64_t now_us)
{
    if (min_rate_has_begun(min_rate) && min_rate->held_us != 0) {
        min_rate->window_us += now_us - min_rate->held_us;
        min_rate->moved_us += now_us - min_rate->held_us;
        min_rate->checked_us += now_us - min_rate->held_us;
        min_rate->held_us = 0;
    }
}

/* Acknowledged bytes show at a check only: they count from the check that saw them. */
static void take_progress(struct min_rate *min_rate, uint64_t now_us, uint64_t bytes)
{
    if (bytes > min_rate->bytes) {
        if (min_rate->moved_us <= min_rate->checked_us) {
            min_rate->moved_us = now_us;
        }
        min_rate->bytes = bytes;
    }
    min_rate->checked_us = now_us;
}

static uint64_t window_us(const struct min_rate_rule *rule)
{
    return (uint64_t)rule->window_ms * 1000;
}

static bool is_too_slow(struct min_rate *min_rate, const struct min_rate_rule *rule,
                        uint64_t now_us)
{
    uint64_t spent_us = now_us - min_rate->window_us;
    uint64_t moved = min_rate->bytes - min_rate->window_bytes;

    if (rule->rate == 0 || spent_us < window_us(rule)) {
        return false;
    }
    min_rate->window_us = now_us;
    min_rate->window_bytes = min_rate->bytes;
    return moved * 1000000 < rule->rate * window_us(rule);
}

enum min_rate_verdict min_rate_check(struct min_rate *min_rate, const struct min_rate_rule *rule,
                                     uint64_t now_us, uint64_t bytes)
{
    CHECK(min_rate_runs(min_rate));
    take_progress(min_rate, now_us, bytes);
    if (now_us - min_rate->moved_us >= (uint64_t)rule->idle_ms * 1000) {
        return MIN_RATE_STOPPED;
    }
    return is_too_slow(min_rate, rule, now_us) ? MIN_RATE_TOO_SLOW : MIN_RATE_FINE;
}

/* How much of `most_us` is left since `from_us`. */
static uint64_t left_us(uint64_t most_us, uint64_t from_us, uint64_t now_us)
{
    uint64_t spent_us = now_us - from_us;

    return most_us > spent_us ? most_us - spent_us : 0;
}

uint32_t min_rate_next_check_ms(const struct min_rate *min_rate, const struct min_rate_rule *rule,
                                uint64_t now_us)
{
    uint64_t wait_us = left_us((uint64_t)rule->idle_ms * 1000, min_rate->moved_us, now_us);

    if (rule->rate != 0) {
        uint64_t rest_us = left_us(window_us(rule), min_rate->window_us, now_us);

        wait_us = rest_us < wait_us ? rest_us : wait_us;
    }
    return (uint32_t)((wait_us + 999) / 1000);
}
