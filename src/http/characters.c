/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of character classes. */
#include "http/characters.h"

#define TOKEN HTTP_CHAR_TOKEN
#define HOST HTTP_CHAR_HOST
#define UNRESERVED (HTTP_CHAR_TOKEN | HTTP_CHAR_UNRESERVED | HTTP_CHAR_HOST)
#define HEX_LETTER (UNRESERVED | HTTP_CHAR_HEX)
#define DIGIT (HEX_LETTER | HTTP_CHAR_DIGIT)

/* "," is a sub-delim that a reg-name may hold, but in Host it would be the trace of two
 * Host lines joined into one (RFC 9110 section 5.3), so HOST leaves it out. */
const uint8_t http_character_classes[256] = {
    ['!'] = TOKEN | HOST,
    ['#'] = TOKEN,
    ['$'] = TOKEN | HOST,
    ['%'] = TOKEN,
    ['&'] = TOKEN | HOST,
    ['\''] = TOKEN | HOST,
    ['('] = HOST,
    [')'] = HOST,
    ['*'] = TOKEN | HOST,
    ['+'] = TOKEN | HOST,
    ['-'] = UNRESERVED,
    ['.'] = UNRESERVED,
    ['0' ... '9'] = DIGIT,
    [';'] = HOST,
    ['='] = HOST,
    ['A' ... 'F'] = HEX_LETTER,
    ['G' ... 'Z'] = UNRESERVED,
    ['^'] = TOKEN,
    ['_'] = UNRESERVED,
    ['`'] = TOKEN,
    ['a' ... 'f'] = HEX_LETTER,
    ['g' ... 'z'] = UNRESERVED,
    ['|'] = TOKEN,
    ['~'] = UNRESERVED,
};
