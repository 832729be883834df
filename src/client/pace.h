/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a client keeps to its rate: an allowance of time that runs down while the client alone
 * is waited for, and that every byte it moves fills up again, each by its share of a second. It
 * begins with the grace and never holds more than twice that, so that a fast start buys no long
 * silence. What has fallen short in all when three graces are over is too slow, too: buffers on the
 * way of one that reads next to nothing fill up bit by bit, as if it read. Nothing is reckoned while
 * bytes flow: only when either might be so does somebody look (client_h1_clock.c). Knows no clock
 * and no socket. */
#ifndef CLIENT_PACE_H
#define CLIENT_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace_rule {
    uint32_t rate; /* bytes a second; 0: any */
    uint32_t grace_ms;
    uint32_t idle_ms; /* longest time without a byte */
};

struct pace {
    uint64_t began_us;
    uint64_t settled_us; /* what was before is reckoned already; 0: has not begun */
    uint64_t moved_us;   /* when a byte moved last */
    uint64_t held_us;    /* since when it is not the client who is waited for; 0: it is */
    uint64_t bytes;      /* moved by settled_us */
    uint64_t bytes_then; /* the same when it began */
    uint64_t left_us;
};

enum pace_verdict { PACE_FINE, PACE_STOPPED, PACE_TOO_SLOW };

/* `bytes` counts from anywhere; only its growth matters. `now_us` is never 0. */
void pace_begin(struct pace *pace, const struct pace_rule *rule, uint64_t now_us, uint64_t bytes);
/* We make it wait: that time is not the client's. Holding twice is harmless, and so is going on
 * with what was not held. */
void pace_hold(struct pace *pace, uint64_t now_us);
void pace_go_on(struct pace *pace, uint64_t now_us);
enum pace_verdict pace_look(struct pace *pace, const struct pace_rule *rule, uint64_t now_us,
                            uint64_t bytes);
/* How much longer one that is too slow may be let go where too many are to be cut at once: up to
 * one and a half graces, and never beyond three graces from its beginning, for which it has taken
 * `came_ms` already before. */
uint32_t pace_spare_ms(const struct pace *pace, const struct pace_rule *rule, uint64_t now_us,
                       uint32_t came_ms);
/* After this many milliseconds the verdict may have changed. */
uint32_t pace_next_look(const struct pace *pace, const struct pace_rule *rule, uint64_t now_us);

static inline bool pace_runs(const struct pace *pace)
{
    return pace->settled_us != 0 && pace->held_us == 0;
}

static inline void pace_end(struct pace *pace)
{
    pace->settled_us = 0;
}

static inline void pace_moved(struct pace *pace, uint64_t now_us)
{
    pace->moved_us = now_us;
}

#endif
