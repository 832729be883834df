/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-2-4: two rounds for each word of eight bytes, four at the end. Words are built by shifts,
 * so that the machine's byte order does not matter. */
#include "base/siphash.h"

struct state {
    uint64_t a;
    uint64_t b;
    uint64_t c;
    uint64_t d;
};

static uint64_t rotate(uint64_t word, int by)
{
    return word << by | word >> (64 - by);
}

/* Always inlined, as is `mix_in`: a call for each round would take as long as the round. */
static inline __attribute__((always_inline)) void sip_round(struct state *v)
{
    v->a += v->b;
    v->b = rotate(v->b, 13) ^ v->a;
    v->a = rotate(v->a, 32);
    v->c += v->d;
    v->d = rotate(v->d, 16) ^ v->c;
    v->a += v->d;
    v->d = rotate(v->d, 21) ^ v->a;
    v->c += v->b;
    v->b = rotate(v->b, 17) ^ v->c;
    v->c = rotate(v->c, 32);
}

static inline __attribute__((always_inline)) void mix_in(struct state *v, uint64_t word)
{
    v->d ^= word;
    sip_round(v);
    sip_round(v);
    v->a ^= word;
}

static struct state begin(const struct siphash_key *key)
{
    return (struct state){
        .a = key->first ^ 0x736F6D6570736575u,
        .b = key->second ^ 0x646F72616E646F6Du,
        .c = key->first ^ 0x6C7967656E657261u,
        .d = key->second ^ 0x7465646279746573u,
    };
}

static uint64_t end(struct state *v)
{
    v->c ^= 0xFF;
    for (int i = 0; i < 4; i++) {
        sip_round(v);
    }
    return v->a ^ v->b ^ v->c ^ v->d;
}

/* Compiles to one load on machines that allow unaligned ones. */
static uint64_t word_at(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;

    return (uint64_t)byte[0] | (uint64_t)byte[1] << 8 | (uint64_t)byte[2] << 16 |
           (uint64_t)byte[3] << 24 | (uint64_t)byte[4] << 32 | (uint64_t)byte[5] << 40 |
           (uint64_t)byte[6] << 48 | (uint64_t)byte[7] << 56;
}

/* The last word, of less than eight bytes. */
static uint64_t word_of(const char *at, size_t length)
{
    uint64_t word = 0;

    for (size_t i = 0; i < length; i++) {
        word |= (uint64_t)(unsigned char)at[i] << (8 * i);
    }
    return word;
}

uint64_t siphash(const struct siphash_key *key, struct bytes message)
{
    struct state v = begin(key);
    uint64_t length = message.length;

    for (; message.length >= 8; message = bytes_skip(message, 8)) {
        mix_in(&v, word_at(message.at));
    }
    mix_in(&v, word_of(message.at, message.length) | length << 56);
    return end(&v);
}

uint64_t siphash_number(const struct siphash_key *key, uint64_t message)
{
    struct state v = begin(key);

    mix_in(&v, message);
    mix_in(&v, (uint64_t)8 << 56);
    return end(&v);
}
