/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a client is too slow: it may pause for so long, and in each window of time it must move so
 * many bytes. Only the time counts in which the client alone is waited for. Nothing is computed
 * while bytes flow: the owner looks when either limit may be reached (client_h1_clock.c,
 * client_h2_clock.c). Knows no
 * clock and no socket. */
#ifndef CLIENT_GUARD_MIN_RATE_H
#define CLIENT_GUARD_MIN_RATE_H

#include "exchange/exchange.h"

struct min_rate_rule {
    uint32_t idle_ms; /* longest time without a byte */
    uint32_t rate;    /* bytes a second; 0: any */
    uint32_t window_ms;
};

struct min_rate {
    uint64_t window_us;    /* when the window began; 0: nothing has begun */
    uint64_t window_bytes; /* moved by then */
    uint64_t moved_us;     /* when a byte moved last */
    uint64_t bytes;        /* moved by the last check */
    uint64_t checked_us;
    uint64_t held_us; /* since when the client is not waited for; 0: it is */
};

enum min_rate_verdict { MIN_RATE_FINE, MIN_RATE_STOPPED, MIN_RATE_TOO_SLOW };

/* What holds for an exchange: what its route says, else its listener; of its request's body or of its
 * answer. */
struct min_rate_rule min_rate_rule_of(const struct exchange *exchange,
                                      const struct min_rates_settings *of_listener, bool body);

/* `bytes` counts from anywhere; only its growth matters. `now_us` is never 0. */
void min_rate_begin(struct min_rate *min_rate, uint64_t now_us, uint64_t bytes);
/* We make it wait: that time is not the client's. Holding twice is harmless, and so is going on
 * with what was not held. */
void min_rate_hold(struct min_rate *min_rate, uint64_t now_us);
void min_rate_go_on(struct min_rate *min_rate, uint64_t now_us);
enum min_rate_verdict min_rate_check(struct min_rate *min_rate, const struct min_rate_rule *rule,
                                     uint64_t now_us, uint64_t bytes);
/* After this many milliseconds the verdict may have changed. */
uint32_t min_rate_next_check_ms(const struct min_rate *min_rate, const struct min_rate_rule *rule,
                                uint64_t now_us);

static inline bool min_rate_has_begun(const struct min_rate *min_rate)
{
    return min_rate->window_us != 0;
}

static inline bool min_rate_runs(const struct min_rate *min_rate)
{
    return min_rate->window_us != 0 && min_rate->held_us == 0;
}

static inline void min_rate_end(struct min_rate *min_rate)
{
    min_rate->window_us = 0;
}

/* While it is held time stands still: going on adds what has passed by then. */
static inline void min_rate_moved(struct min_rate *min_rate, uint64_t now_us)
{
    min_rate->moved_us = min_rate->held_us != 0 ? min_rate->held_us : now_us;
}

#endif
