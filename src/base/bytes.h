/* SPDX-License-Identifier: BSD-2-Clause */
/* A borrowed run of bytes: pointer and length, never NUL-terminated, never owned.
 * Used at every level; the function that hands one out says how long it stays valid. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/system/sanitizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct bytes {
    const char *at;
    size_t length;
};

#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})

static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, text != NULL ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

/* ASCII letters become lower case, where they stand. */
static inline void bytes_lower(char *at, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        at[i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] + ('a' - 'A') : at[i]);
    }
}

/* ASCII letters compare without case; used for host names, header names and tokens. */
static inline bool bytes_equal_fold(struct bytes a, struct bytes b)
{
    return a.length == b.length && (a.length == 0 || strncasecmp(a.at, b.at, a.length) == 0);
}

static inline bool bytes_start_with(struct bytes whole, struct bytes prefix)
{
    return whole.length >= prefix.length &&
           (prefix.length == 0 || memcmp(whole.at, prefix.at, prefix.length) == 0);
}

/* What is behind the first `count` bytes, of which there are so many. Checked under sanitizers only:
 * it stands in every loop. */
static inline struct bytes bytes_skip(struct bytes whole, size_t count)
{
#ifdef ADDRESS_SANITIZER
    if (count > whole.length) {
        __builtin_trap(); /* not CHECK, whose log line is itself made of bytes */
    }
#endif
    return (struct bytes){whole.at + count, whole.length - count};
}

/* At most `count` bytes: never more than there are. */
static inline struct bytes bytes_first(struct bytes whole, size_t count)
{
    return (struct bytes){whole.at, count < whole.length ? count : whole.length};
}

/* What stands before the first such byte, or all; *rest is what is behind it. */
static inline struct bytes bytes_take_until(struct bytes *rest, char byte)
{
    const char *at = rest->length > 0 ? memchr(rest->at, byte, rest->length) : NULL;
    struct bytes part = bytes_first(*rest, at != NULL ? (size_t)(at - rest->at) : rest->length);

    *rest = bytes_skip(*rest, part.length + (at != NULL));
    return part;
}

/* Removes spaces and tabs (RFC 9110 section 5.6.3, OWS) at both ends. */
static inline struct bytes bytes_trim(struct bytes text)
{
    while (text.length > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
        text.at++;
        text.length--;
    }
    while (text.length > 0 &&
           (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t')) {
        text.length--;
    }
    return text;
}

/* Decimal digits and nothing else; a number above `most` (up to UINT64_MAX / 10 - 1) counts as that.
 * false: it is none. */
static inline bool bytes_read_number(struct bytes text, uint64_t most, uint64_t *number)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return false;
        }
        sum = sum * 10 + (uint64_t)(text.at[i] - '0');
        sum = sum < most ? sum : most;
    }
    *number = sum;
    return text.length > 0;
}

/* Decimal digits and nothing else, one to `most` of them (up to nine); false: it is not. */
static inline bool bytes_read_decimal(struct bytes text, size_t most, uint32_t *number)
{
    uint64_t read;
    bool is_one = text.length <= most && bytes_read_number(text, UINT32_MAX, &read);

    if (is_one) {
        *number = (uint32_t)read;
    }
    return is_one;
}

#endif
