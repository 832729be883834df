/* SPDX-License-Identifier: BSD-2-Clause */
/* The one hash for names of the configuration and for telling files apart. It withstands no attack:
 * what a client may choose is hashed with a key (siphash.h). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

#define HASH_START 0xcbf29ce484222325u

/* FNV-1a, 64 bits. A hash over several pieces begins with HASH_START. */
static inline uint64_t hash_more(uint64_t hash, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        hash = (hash ^ (unsigned char)bytes.at[i]) * 0x100000001b3u;
    }
    return hash;
}

/* Its low bits may be taken alone. */
static inline uint64_t hash_of_bytes(struct bytes bytes)
{
    uint64_t hash = hash_more(HASH_START, bytes);

    return hash ^ (hash >> 32);
}

#endif
