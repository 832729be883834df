/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-2-4 of Jean-Philippe Aumasson and Daniel J. Bernstein: a keyed hash that is short to
 * state, the same on every machine, and cannot be steered by who does not know the key. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/bytes.h"

struct siphash_key {
    uint64_t first;
    uint64_t second;
};

/* The first eight bytes of the paper's 16 are `first`, least significant one first. */
uint64_t siphash(const struct siphash_key *key, struct bytes message);
/* The same of eight bytes, least significant one first. */
uint64_t siphash_number(const struct siphash_key *key, uint64_t message);

#endif
