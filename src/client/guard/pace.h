/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a client is too slow: it may pause for so long, and in each window of time it must move so
 * many bytes. Only the time counts in which the client alone is waited for. Nothing is reckoned
 * while bytes flow: the owner looks when either limit may be reached (client_h1_clock.c). Knows no
 * clock and no socket. */
#ifndef CLIENT_GUARD_PACE_H
#define CLIENT_GUARD_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace_rule {
    uint32_t idle_ms; /* longest time without a byte */
    uint32_t rate;    /* bytes a second; 0: any */
    uint32_t window_ms;
};

struct pace {
    uint64_t window_us;    /* when the window began; 0: nothing has begun */
    uint64_t window_bytes; /* moved by then */
    uint64_t moved_us;     /* when a byte moved last */
    uint64_t bytes;        /* moved by the last look */
    uint64_t looked_us;
    uint64_t held_us; /* since when the client is not waited for; 0: it is */
};

enum pace_verdict { PACE_FINE, PACE_STOPPED, PACE_TOO_SLOW };

/* `bytes` counts from anywhere; only its growth matters. `now_us` is never 0. */
void pace_begin(struct pace *pace, uint64_t now_us, uint64_t bytes);
/* We make it wait: that time is not the client's. Holding twice is harmless, and so is going on
 * with what was not held. */
void pace_hold(struct pace *pace, uint64_t now_us);
void pace_go_on(struct pace *pace, uint64_t now_us);
enum pace_verdict pace_look(struct pace *pace, const struct pace_rule *rule, uint64_t now_us,
                            uint64_t bytes);
/* After this many milliseconds the verdict may have changed. */
uint32_t pace_next_look(const struct pace *pace, const struct pace_rule *rule, uint64_t now_us);

static inline bool pace_has_begun(const struct pace *pace)
{
    return pace->window_us != 0;
}

static inline bool pace_runs(const struct pace *pace)
{
    return pace->window_us != 0 && pace->held_us == 0;
}

static inline void pace_end(struct pace *pace)
{
    pace->window_us = 0;
}

static inline void pace_moved(struct pace *pace, uint64_t now_us)
{
    pace->moved_us = now_us;
}

#endif
