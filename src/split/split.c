/* SPDX-License-Identifier: BSD-2-Clause */
/* Weighted rendezvous without floating point: what a machine's libm rounds in its own way would
 * send a user to one arm here and to another there. */
#include "split/split.h"

#include "base/check.h"
#include "config/settings.h"

#define FRACTION_BITS 32

struct siphash_key split_salt(struct bytes salt)
{
    static const struct siphash_key keys[2] = {{0, 0}, {0, 1}};

    return (struct siphash_key){siphash(&keys[0], salt), siphash(&keys[1], salt)};
}

uint64_t split_arm_seed(const struct siphash_key *salt, const char *service)
{
    return siphash(salt, bytes_of(service));
}

uint64_t split_place(const struct siphash_key *salt, struct bytes user)
{
    return siphash(salt, user);
}

/* The whole part of the logarithm is where the first bit stands; squaring what is left doubles
 * the rest of it, so that each bit that overflows is the next one of the fraction. Below 2^39. */
uint64_t split_cost(uint64_t draw)
{
    uint64_t whole;
    uint64_t rest;
    uint64_t fraction = 0;
    int zeros;

    if (draw == UINT64_MAX) {
        return 0;
    }
    draw++;
    zeros = __builtin_clzll(draw);
    whole = 63 - (uint64_t)zeros;
    rest = draw << zeros; /* 1 to 2, with 63 bits behind the point */
    for (int i = 0; i < FRACTION_BITS; i++) {
        unsigned __int128 square = (unsigned __int128)rest * rest;
        uint64_t overflow = (uint64_t)(square >> 127);

        rest = (uint64_t)(square >> (63 + overflow));
        fraction = fraction << 1 | overflow;
    }
    return ((uint64_t)64 << FRACTION_BITS) - (whole << FRACTION_BITS | fraction);
}

static void find_costs(const struct split_seeds *seeds, uint64_t place, uint64_t *costs)
{
    for (uint32_t i = 0; i < seeds->count; i++) {
        const struct siphash_key key = {seeds->arms[i], seeds->salt.second};

        costs[i] = split_cost(siphash_number(&key, place));
    }
}

/* Products below 2^53. */
static bool beats(uint64_t cost, uint64_t weight, uint64_t seed, uint64_t other_cost,
                  uint64_t other_weight, uint64_t other_seed)
{
    uint64_t mine = cost * other_weight;
    uint64_t others = other_cost * weight;

    return mine < others || (mine == others && seed < other_seed);
}

/* The winner among all but `without`; `seeds->count` when none has a weight. */
static uint32_t best_of(const struct split_seeds *seeds, const uint32_t *weights,
                        const uint64_t *costs, uint32_t without)
{
    uint32_t best = seeds->count;

    for (uint32_t i = 0; i < seeds->count; i++) {
        if (i == without || weights[i] == 0) {
            continue;
        }
        if (best == seeds->count || beats(costs[i], weights[i], seeds->arms[i], costs[best],
                                          weights[best], seeds->arms[best])) {
            best = i;
        }
    }
    return best;
}

/* `arm` wins with weight w against the best of the others, as they share the rest, when
 *     cost / w < other_cost / (other_weight * (whole - w) / sum of the others' weights). */
static uint32_t bucket_of(const struct split_seeds *seeds, const uint32_t *weights,
                          const uint64_t *costs, uint32_t arm)
{
    uint32_t best = best_of(seeds, weights, costs, arm);
    uint64_t others = 0;
    uint64_t against;
    uint64_t bucket;

    if (best == seeds->count) {
        return 0;
    }
    for (uint32_t i = 0; i < seeds->count; i++) {
        others += i == arm ? 0 : weights[i];
    }
    against = costs[best] * others / weights[best];
    if (costs[arm] + against == 0) {
        return 0;
    }
    bucket = (uint64_t)((unsigned __int128)costs[arm] * SPLIT_WHOLE / (costs[arm] + against));
    return bucket < SPLIT_WHOLE ? (uint32_t)bucket : SPLIT_WHOLE - 1;
}

uint32_t split_arm_and_bucket(const struct split_seeds *seeds, const uint32_t *weights,
                              uint32_t arm, uint64_t place, uint32_t *bucket)
{
    uint64_t costs[SPLIT_ARMS_MAX];
    uint32_t best;

    find_costs(seeds, place, costs);
    best = best_of(seeds, weights, costs, seeds->count);
    CHECK(best < seeds->count);
    *bucket = bucket_of(seeds, weights, costs, arm);
    return best;
}

uint32_t split_arm(const struct split_seeds *seeds, const uint32_t *weights, uint64_t place)
{
    uint32_t bucket;

    return split_arm_and_bucket(seeds, weights, 0, place, &bucket);
}

uint32_t split_bucket(const struct split_seeds *seeds, const uint32_t *weights, uint32_t arm,
                      uint64_t place)
{
    uint64_t costs[SPLIT_ARMS_MAX];

    find_costs(seeds, place, costs);
    return bucket_of(seeds, weights, costs, arm);
}
