/* SPDX-License-Identifier: BSD-2-Clause */
/* How long an origin keeps idle connections, as far as one worker has seen: so that a request
 * that cannot be sent again does not meet a connection that is just being closed. Part of a
 * struct origin; asked and told by pool.c. Knows no clock: every call brings the time. */
#ifndef ORIGIN_POOL_KEEPING_H
#define ORIGIN_POOL_KEEPING_H

#include "base/bytes.h"

/* Zeroed: nothing is known. */
struct keeping {
    uint64_t doubted_until_us; /* no idle connection is trusted before; 0: none was idle yet */
    uint64_t window_us;        /* when the present window began */
    uint64_t least_us;         /* shortest age at which one was closed in it; 0: none */
    uint64_t least_before_us;  /* in the window before */
    uint32_t doubt_ms;         /* how long the next doubt lasts */
};

/* Shorter than what any origin is set to, longer than two busy programs need to hear of each
 * other. */
#define KEEPING_SHORT_US UINT64_C(100000)

/* A connection has become idle. Before the first one has been so for a while nothing is known. */
void keeping_note_idle(struct keeping *keeping, uint64_t now_us);

/* The origin closed a connection that had been idle for so long. */
void keeping_note_closed(struct keeping *keeping, uint64_t now_us, uint64_t age_us);

/* A connection idle for no longer than this is as good as sure to be open still. */
uint64_t keeping_trusted_us(const struct keeping *keeping, uint64_t now_us);
/* The same, while nothing is known yet (keeping_is_new): with a connection at hand that has been
 * idle for `proof_us` and is open still. */
uint64_t keeping_trusted_at_first_us(uint64_t proof_us);

static inline bool keeping_is_new(const struct keeping *keeping, uint64_t now_us)
{
    return keeping->doubt_ms == 0 && now_us < keeping->doubted_until_us;
}

/* When to close a connection before the origin does; `most_ms` by the settings, `reported_ms` by the
 * origin (0: nothing). As the settings say where the origin says nothing and closed none (least_us). */
uint32_t keeping_idle_ms(const struct keeping *keeping, uint64_t now_us, uint32_t most_ms,
                         uint32_t reported_ms);

/* A Keep-Alive field: "timeout=5, max=100". What it does not say is left as it is. */
void keeping_read_field(struct bytes value, uint32_t *kept_ms, uint32_t *requests_more);

#endif
