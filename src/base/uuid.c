/* SPDX-License-Identifier: BSD-2-Clause */
/* The 128 bits of a UUIDv7 as text: 48 of time, 4 version, 12 random, 2 variant, 62 random. */
#include "base/uuid.h"

#include "base/hex.h"

#define VARIANT ((uint64_t)2 << 62)

void uuid_v7(char *out, uint64_t milliseconds, struct random *random)
{
    uint64_t first = random_next(random);
    uint64_t high = milliseconds << 16 | 0x7000 | (first & 0x0fff);
    uint64_t low = VARIANT | random_next(random) >> 2;
    char digits[HEX_DIGITS];

    hex_put(digits, high, low);
    memcpy(out, digits, 8);
    out[8] = '-';
    memcpy(out + 9, digits + 8, 4);
    out[13] = '-';
    memcpy(out + 14, digits + 12, 4);
    out[18] = '-';
    memcpy(out + 19, digits + 16, 4);
    out[23] = '-';
    memcpy(out + 24, digits + 20, 12);
}
