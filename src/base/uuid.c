/* SPDX-License-Identifier: BSD-2-Clause */
/* The 128 bits of a UUIDv7 as text: 48 of time, 4 version, 12 random, 2 variant, 62 random. */
#include "base/uuid.h"

#include <endian.h>

#define VARIANT ((uint64_t)2 << 62)

/* Sixteen bytes at a time; both compilers make SSE2 or NEON of it, or plain code. */
typedef int8_t vector __attribute__((vector_size(16)));

/* 0 to 15, each as its digit. */
static inline vector hex_digits(vector nibbles)
{
    return nibbles + '0' + ((nibbles > 9) & ('a' - '9' - 1));
}

static void put_hex(char out[32], uint64_t high, uint64_t low)
{
    uint64_t words[2] = {htobe64(high), htobe64(low)};
    vector bytes;
    vector first; /* digit of each byte */
    vector second;
    vector halves[2];

    memcpy(&bytes, words, sizeof(bytes));
    first = hex_digits((bytes >> 4) & 15);
    second = hex_digits(bytes & 15);
    halves[0] = __builtin_shufflevector(first, second, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,
                                        22, 7, 23);
    halves[1] = __builtin_shufflevector(first, second, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29,
                                        14, 30, 15, 31);
    memcpy(out, halves, sizeof(halves));
}

void uuid_v7(char *out, uint64_t milliseconds, struct random *random)
{
    uint64_t first = random_next(random);
    uint64_t high = milliseconds << 16 | 0x7000 | (first & 0x0fff);
    uint64_t low = VARIANT | random_next(random) >> 2;
    char digits[32];

    put_hex(digits, high, low);
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
