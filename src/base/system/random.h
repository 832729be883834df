/* SPDX-License-Identifier: BSD-2-Clause */
/* Fast random numbers, one generator a worker: for choices (split arms, two random choices,
 * jitter) and request ids. Not for keys or anything that must not be guessed. */
#ifndef BASE_SYSTEM_RANDOM_H
#define BASE_SYSTEM_RANDOM_H

#include "base/bytes.h"

struct random {
    uint64_t state[4];
};

/* Seeds from the kernel. */
void random_init(struct random *random);

/* xoshiro256++ by David Blackman and Sebastiano Vigna: four words of state, a few adds and
 * rotations, period 2^256 - 1. */
static inline uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t sum = s[0] + s[3];
    uint64_t result = ((sum << 23) | (sum >> 41)) + s[0];
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

/* 0 to bound - 1; 0 for a bound of 0. The high half of a product instead of a division; the
 * bias is below bound / 2^64. */
static inline uint64_t random_below(struct random *random, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)random_next(random) * bound) >> 64);
}

#endif
