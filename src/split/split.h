/* SPDX-License-Identifier: BSD-2-Clause */
/* Which arm of a split a user gets, as pure arithmetic on whole numbers: the same on every
 * worker, machine and day, with no table of users.
 *
 *   salt  = SipHash-2-4 of the salt's bytes under the keys {0, 0} and {0, 1}: two words
 *   seed  = SipHash-2-4(salt, name of the arm's service)
 *   place = SipHash-2-4(salt, what names the user)
 *   draw  = SipHash-2-4({seed, salt.second}, place): eight bytes, least significant first
 *   cost  = -log2((draw + 1) / 2^64) in whole 2^-32, bit by bit as split_cost has it
 *
 * The arm with the least cost / weight wins; of equals, the smaller seed. This is weighted
 * rendezvous hashing. A user leaves arm a for arm b only if b's weight grew in relation to a's:
 * so while one arm grows and the others keep their proportions, users only move into it, and as
 * it shrinks the last ones in leave first. With three arms or more nothing stateless can promise
 * more than that: if an arm's users depended on its own weight alone, the arms would overlap.
 *
 * An arm of weight 0 never wins; the order of the arms does not matter. */
#ifndef SPLIT_SPLIT_H
#define SPLIT_SPLIT_H

#include "base/siphash.h"

struct split_seeds {
    struct siphash_key salt;
    uint64_t *arms; /* one an arm, borrowed */
    uint32_t count;
};

/* The salt's part. */
struct siphash_key split_salt(struct bytes salt);
uint64_t split_arm_seed(const struct siphash_key *salt, const char *service);
/* Where a user stands. */
uint64_t split_place(const struct siphash_key *salt, struct bytes user);

/* Weights, at most SPLIT_WHOLE each, must add up to more than 0. Returns an index. */
uint32_t split_arm(const struct split_seeds *seeds, const uint32_t *weights, uint64_t place);
/* The weight, in 0.01 % and with the others in the proportions they have, above which this place
 * belongs to `arm`: 0 to 9999, spread evenly over the places. With two arms it never changes. */
uint32_t split_bucket(const struct split_seeds *seeds, const uint32_t *weights, uint32_t arm,
                      uint64_t place);
/* Both at once, which costs little more than one of them: the arm, and the bucket of `arm`. */
uint32_t split_arm_and_bucket(const struct split_seeds *seeds, const uint32_t *weights,
                              uint32_t arm, uint64_t place, uint32_t *bucket);
/* For tests, and for checks of another implementation. */
uint64_t split_cost(uint64_t draw);

#endif
