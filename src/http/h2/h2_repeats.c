/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/h2/h2_repeats.h"

#include <string.h>

#define MIX UINT64_C(0x9e3779b97f4a7c15)

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * MIX;
    return hash ^ hash >> 32;
}

/* Of less than eight bytes: two words that may overlap. */
static uint64_t short_word(struct bytes bytes)
{
    uint32_t first = 0;
    uint32_t last = 0;

    if (bytes.length >= sizeof(first)) {
        memcpy(&first, bytes.at, sizeof(first));
        memcpy(&last, bytes.at + bytes.length - sizeof(last), sizeof(last));
        return (uint64_t)first << 32 | last;
    }
    for (size_t i = 0; i < bytes.length; i++) {
        first = first << 8 | (uint8_t)bytes.at[i];
    }
    return first;
}

static uint64_t word_at(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* Of long ones the two ends, where values that differ mostly do: who is taken for another is
 * remembered by the library in vain, no more. */
static uint64_t hash_of(uint64_t hash, struct bytes bytes)
{
    const char *end = bytes.at + bytes.length;

    hash = mix(hash, bytes.length);
    if (bytes.length < 8) {
        return mix(hash, short_word(bytes));
    }
    if (bytes.length > 16) {
        hash = mix(hash, word_at(bytes.at + 8) ^ word_at(end - 16) * MIX);
    }
    return mix(hash, word_at(bytes.at) ^ word_at(end - 8) * MIX);
}

static bool note(struct h2_repeats *repeats, struct bytes name, struct bytes value)
{
    uint64_t of_name = hash_of(MIX, name);
    uint64_t of_field = hash_of(of_name, value);
    uint64_t name_bit = UINT64_C(1) << of_name % 64;
    uint16_t tag = (uint16_t)(of_field >> 48 | 1); /* 0: none */
    uint16_t *young = &repeats->young[of_field % H2_REPEATS_YOUNG];
    uint16_t *settled = &repeats->settled[of_field % H2_REPEATS_SETTLED];

    if (*settled == tag) {
        return true;
    }
    if (*young == tag || (repeats->names & name_bit) == 0) {
        repeats->names |= name_bit;
        *settled = tag;
        return true;
    }
    *young = tag;
    return false;
}

/* What a :status may be stands in a table that is always there. */
bool h2_repeats_note(struct h2_repeats *repeats, struct bytes name, struct bytes value)
{
    if (bytes_start_with(name, BYTES(":"))) {
        return true;
    }
    return note(repeats, name, value);
}
