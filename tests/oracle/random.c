/* SPDX-License-Identifier: BSD-2-Clause */
/* SplitMix64: the same numbers on every machine. */
#include "oracle.h"

uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)((random_next(state) >> 32) * limit >> 32);
}

bool random_chance(uint64_t *state, uint32_t in_ten_thousand)
{
    return random_below(state, 10000) < in_ten_thousand;
}
