/* SPDX-License-Identifier: BSD-2-Clause */
/* The 128 bits of a UUIDv7 as text: 48 of time, 4 version, 12 random, 2 variant, 62 random. */
#include "base/uuid.h"

#define EACH_BYTE(value) (0x0101010101010101u * (value))
#define VARIANT ((uint64_t)2 << 62)

/* Eight hex digits of `word` at once: nibbles are spread to bytes, and those above 9 are
 * moved from after '9' to 'a'. */
static void put_hex(char out[8], uint32_t word)
{
    uint64_t nibbles = word;
    uint64_t letters;

    nibbles = (nibbles | nibbles << 16) & 0x0000ffff0000ffffu;
    nibbles = (nibbles | nibbles << 8) & 0x00ff00ff00ff00ffu;
    nibbles = (nibbles | nibbles << 4) & 0x0f0f0f0f0f0f0f0fu;
    letters = ((nibbles + EACH_BYTE(6)) >> 4) & EACH_BYTE(1);
    nibbles = nibbles + EACH_BYTE('0') + letters * ('a' - '9' - 1);
    nibbles = __builtin_bswap64(nibbles); /* the highest nibble comes first */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    nibbles = __builtin_bswap64(nibbles);
#endif
    memcpy(out, &nibbles, sizeof(nibbles));
}

void uuid_v7(char *out, uint64_t milliseconds, struct random *random)
{
    uint64_t first = random_next(random);
    uint64_t high = milliseconds << 16 | 0x7000 | (first & 0x0fff);
    uint64_t low = VARIANT | random_next(random) >> 2;
    char digits[32];

    put_hex(digits, (uint32_t)(high >> 32));
    put_hex(digits + 8, (uint32_t)high);
    put_hex(digits + 16, (uint32_t)(low >> 32));
    put_hex(digits + 24, (uint32_t)low);

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
