/* SPDX-License-Identifier: BSD-2-Clause */
/* 128 bits as hexadecimal digits: for a request's id, and the ticket of a waiting room. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define HEX_DIGITS 32

/* Sixteen bytes at a time; both compilers make SSE2 or NEON of it, or plain code. */
typedef int8_t hex_vector __attribute__((vector_size(16)));

/* 0 to 15, each as its digit. */
static inline hex_vector hex_digits(hex_vector nibbles)
{
    return nibbles + '0' + ((nibbles > 9) & ('a' - '9' - 1));
}

/* With zeros in front. */
static inline void hex_put(char out[HEX_DIGITS], uint64_t high, uint64_t low)
{
    uint64_t words[2] = {htobe64(high), htobe64(low)};
    hex_vector bytes;
    hex_vector first; /* digit of each byte */
    hex_vector second;
    hex_vector halves[2];

    memcpy(&bytes, words, sizeof(bytes));
    first = hex_digits((bytes >> 4) & 15);
    second = hex_digits(bytes & 15);
    halves[0] = __builtin_shufflevector(first, second, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,
                                        22, 7, 23);
    halves[1] = __builtin_shufflevector(first, second, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29,
                                        14, 30, 15, 31);
    memcpy(out, halves, sizeof(halves));
}

#endif
