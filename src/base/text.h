/* SPDX-License-Identifier: BSD-2-Clause */
/* A cursor that appends text to memory of a fixed size. Running out of room is not
 * an error at each step: it sets `overflowed`, which the caller tests once at the end. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/bytes.h"

struct text {
    char *start;
    char *at;    /* where the next byte goes */
    char *limit; /* one past the last usable byte */
    bool overflowed;
};

static inline struct text text_over(void *memory, size_t size)
{
    return (struct text){memory, memory, (char *)memory + size, false};
}

static inline size_t text_length(const struct text *text)
{
    return (size_t)(text->at - text->start);
}

/* Adds to the text in memory of that size; cut where the memory ends. */
void text_append(char *room, size_t size, const char *text);

/* What was added since the cursor stood at `from`. */
static inline struct bytes text_since(const struct text *text, const char *from)
{
    return (struct bytes){from, (size_t)(text->at - from)};
}

static inline void text_add(struct text *text, const void *from, size_t length)
{
    if (__builtin_expect((size_t)(text->limit - text->at) < length, 0)) {
        text->overflowed = true;
        return;
    }
    memcpy(text->at, from, length);
    text->at += length;
}

#define text_add_literal(text, literal) text_add((text), (literal), sizeof(literal) - 1)

static inline void text_add_bytes(struct text *text, struct bytes bytes)
{
    if (bytes.length > 0) {
        text_add(text, bytes.at, bytes.length);
    }
}

static inline void text_add_char(struct text *text, char byte)
{
    if (__builtin_expect(text->at == text->limit, 0)) {
        text->overflowed = true;
        return;
    }
    *text->at++ = byte;
}

#define TEXT_NUMBER_MAX 20            /* digits of UINT64_MAX */
extern const char text_digit_pairs[]; /* "00" to "99" */

/* Written where `at` points, without a look at the room; what is returned is behind it. */
static inline char *text_put_pair(char *at, unsigned below_100)
{
    memcpy(at, text_digit_pairs + below_100 * 2, 2);
    return at + 2;
}

static inline char *text_put_four(char *at, unsigned below_10000)
{
    return text_put_pair(text_put_pair(at, below_10000 / 100), below_10000 % 100);
}

static inline char *text_put_small(char *at, unsigned below_10000)
{
    if (below_10000 < 10) {
        *at = (char)('0' + below_10000);
        return at + 1;
    }
    if (below_10000 < 100) {
        return text_put_pair(at, below_10000);
    }
    if (below_10000 < 1000) {
        *at = (char)('0' + below_10000 / 100);
        return text_put_pair(at + 1, below_10000 % 100);
    }
    return text_put_four(at, below_10000);
}

/* ASCII letters in lower case. */
void text_add_lower(struct text *text, struct bytes bytes);
void text_add_number(struct text *text, uint64_t number);
void text_add_hex(struct text *text, uint64_t number);

/* Appends it; what was added. */
static inline struct bytes text_number(struct text *text, uint64_t number)
{
    const char *from = text->at;

    text_add_number(text, number);
    return text_since(text, from);
}

#define TEXT_EACH_BYTE(value) (0x0101010101010101u * (value))

/* Eight bytes that stand for themselves in a JSON string: none above 0x7f, and no control
 * character, quote or backslash, from which a subtraction borrows. */
static inline bool text_word_is_plain(uint64_t word)
{
    uint64_t control = word - TEXT_EACH_BYTE(0x20);
    uint64_t quote = (word ^ TEXT_EACH_BYTE('"')) - TEXT_EACH_BYTE(0x01);
    uint64_t backslash = (word ^ TEXT_EACH_BYTE('\\')) - TEXT_EACH_BYTE(0x01);

    return ((word | control | quote | backslash) & TEXT_EACH_BYTE(0x80)) == 0;
}

static inline bool text_byte_is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* Length of the multi-byte character at the start, 0 when it is not well-formed
 * (RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t text_utf8_length(struct bytes bytes);
/* A byte that goes on with a character of UTF-8, and takes no column. */
static inline bool text_byte_continues(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* As the inside of a JSON string: quotes, backslashes and bytes below 0x20 escaped,
 * bytes that are not valid UTF-8 shown as \u00XX. */
void text_add_json(struct text *text, struct bytes bytes);
/* The same, cut between two characters so that it adds at most `most` bytes. */
void text_add_json_cut(struct text *text, struct bytes bytes, size_t most);

#endif
