/* SPDX-License-Identifier: BSD-2-Clause */
/* How access_line writes: each function puts something where `at` points and returns where the
 * next one goes, without asking for room, since a line has room for all its fields at their
 * longest. Nothing is written behind what is returned. */
#ifndef OBSERVE_ACCESS_APPEND_H
#define OBSERVE_ACCESS_APPEND_H

#include "base/text.h"

/* Copied with a length known to the compiler. */
#define APPEND_LITERAL(at, literal) \
    (memcpy((at), (literal), sizeof(literal) - 1), (at) + sizeof(literal) - 1)

char *append_large_number(char *at, uint64_t number);

static inline char *append_number(char *at, uint64_t number)
{
    return number < 10000 ? text_put_small(at, (unsigned)number) : append_large_number(at, number);
}

static inline char *append_six_digits(char *at, uint32_t number)
{
    at = text_put_pair(at, number / 10000);
    at = text_put_pair(at, number / 100 % 100);
    return text_put_pair(at, number % 100);
}

/* Nothing in it needs an escape. Two pieces that overlap cover all lengths of one to two of their
 * size, in less time than a call. */
static inline char *append_plain(char *at, struct bytes bytes, size_t most)
{
    size_t length = bytes.length < most ? bytes.length : most;

    if (length > 16) {
        memcpy(at, bytes.at, length);
    } else if (length >= 8) {
        memcpy(at, bytes.at, 8);
        memcpy(at + length - 8, bytes.at + length - 8, 8);
    } else if (length >= 4) {
        memcpy(at, bytes.at, 4);
        memcpy(at + length - 4, bytes.at + length - 4, 4);
    } else if (length >= 2) {
        memcpy(at, bytes.at, 2);
        memcpy(at + length - 2, bytes.at + length - 2, 2);
    } else if (length == 1) {
        *at = *bytes.at;
    }
    return at + length;
}

/* Of our own: nothing in it needs an escape. */
static inline char *append_word(char *at, const char *word, size_t most)
{
    return append_plain(at, bytes_of(word), most);
}

/* Eight bytes or more, the last ones perhaps a second time. */
static inline bool append_copy_long(char *at, struct bytes bytes)
{
    size_t last = bytes.length - 8;
    uint64_t word;

    for (size_t i = 0; i < last; i += 8) {
        memcpy(&word, bytes.at + i, 8);
        memcpy(at + i, &word, 8);
        if (!text_word_is_plain(word)) {
            return false;
        }
    }
    memcpy(&word, bytes.at + last, 8);
    memcpy(at + last, &word, 8);
    return text_word_is_plain(word);
}

/* Two bytes or three. */
static inline bool append_copy_two(char *at, struct bytes bytes)
{
    uint16_t first;
    uint16_t last;
    uint64_t both;

    memcpy(&first, bytes.at, 2);
    memcpy(&last, bytes.at + bytes.length - 2, 2);
    memcpy(at, &first, 2);
    memcpy(at + bytes.length - 2, &last, 2);
    both = (uint64_t)first << 16 | last;
    return text_word_is_plain(both << 32 | both);
}

/* Looked at in one word, filled up with what is there twice. */
static inline bool append_copy_short(char *at, struct bytes bytes)
{
    uint32_t first;
    uint32_t last;

    if (bytes.length >= 4) {
        memcpy(&first, bytes.at, 4);
        memcpy(&last, bytes.at + bytes.length - 4, 4);
        memcpy(at, &first, 4);
        memcpy(at + bytes.length - 4, &last, 4);
        return text_word_is_plain((uint64_t)first << 32 | last);
    }
    if (bytes.length >= 2) {
        return append_copy_two(at, bytes);
    }
    if (bytes.length == 1) {
        *at = *bytes.at;
        return text_byte_is_plain((unsigned char)*at);
    }
    return true;
}

char *append_json_slowly(char *at, struct bytes bytes, size_t most);

/* The inside of a JSON string, cut so that it takes no more than `most`. Copied while it is looked
 * at; where something needs an escape, or may, it is begun anew. */
static inline char *append_json(char *at, struct bytes bytes, size_t most)
{
    if (bytes.length <= most &&
        (bytes.length >= 8 ? append_copy_long(at, bytes) : append_copy_short(at, bytes))) {
        return at + bytes.length;
    }
    return append_json_slowly(at, bytes, most);
}

#endif
