/* SPDX-License-Identifier: BSD-2-Clause */
/* Which byte may stand where in an HTTP/1 message or a URI, as one table, and the scans that carry
 * the cost of parsing, sixteen bytes at a time. Used by http/, and by config/ for what a file may say.
 * Scans never read at or past `end`. */
#ifndef HTTP_CHARACTERS_H
#define HTTP_CHARACTERS_H

#include "base/bytes.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum http_character_class {
    HTTP_CHAR_TOKEN = 1,      /* RFC 9110 section 5.6.2, tchar */
    HTTP_CHAR_UNRESERVED = 2, /* RFC 3986 section 2.3 */
    HTTP_CHAR_HOST = 4,       /* RFC 3986 section 3.2.2, reg-name without "%" and "," */
    HTTP_CHAR_HEX = 8,
    HTTP_CHAR_DIGIT = 16,
};

extern const uint8_t http_character_classes[256];

static inline bool http_char_is(char byte, enum http_character_class class)
{
    return (http_character_classes[(uint8_t)byte] & class) != 0;
}

/* At least one byte, all of one class. */
static inline bool http_all_are(struct bytes text, enum http_character_class class)
{
    for (size_t i = 0; i < text.length; i++) {
        if (!http_char_is(text.at[i], class)) {
            return false;
        }
    }
    return text.length > 0;
}

/* Of a digit for which HTTP_CHAR_HEX holds. */
static inline unsigned http_hex_value(char digit)
{
    return (unsigned)(digit & 15) + (digit >= 'A' ? 9 : 0);
}

#ifdef __SSE2__
/* Letters, digits, "-" and ".": a bit each. */
static inline unsigned http_plain_bits(__m128i bytes)
{
    __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    /* Moved up so that the range ends at 127, one signed comparison finds it. */
    __m128i letter =
        _mm_cmpgt_epi8(_mm_add_epi8(lower, _mm_set1_epi8(127 - 'z')), _mm_set1_epi8(127 - 26));
    __m128i digit = _mm_cmpgt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8(127 - '9')),
                                   _mm_set1_epi8(127 - 13)); /* from "-": with "/" */
    __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('/'));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, _mm_andnot_si128(slash, digit)));
}

/* What cannot stand in a field value: controls other than HTAB, and DEL. */
static inline unsigned http_not_in_value_bits(__m128i bytes)
{
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    __m128i delete = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), delete));
}

/* Visible ASCII and spaces, which most values are made of: a bit each. Moved up by one, so that DEL
 * counts as negative, one signed comparison finds them. */
static inline unsigned http_visible_bits(__m128i bytes)
{
    return (unsigned)_mm_movemask_epi8(
        _mm_cmpgt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8(1)), _mm_set1_epi8(0x20)));
}

/* Eight bytes, and NULs above them. */
static inline __m128i http_load_half(const char *at)
{
    return _mm_loadl_epi64((const __m128i *)at);
}
#endif

/* Behind letters, digits, "-" and "." as long as eight bytes are there: most names are nothing
 * else, and all of these are characters of tokens and hosts. What follows is for the table. */
static inline const char *http_skip_plain(const char *at, const char *end)
{
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        unsigned others = http_plain_bits(_mm_loadu_si128((const __m128i *)at)) ^ 0xffff;

        if (others != 0) {
            return at + __builtin_ctz(others);
        }
    }
    if (end - at >= 8) {
        at += __builtin_ctz(http_plain_bits(http_load_half(at)) ^ 0xffff);
    }
#else
    (void)end;
#endif
    return at;
}

/* The first byte that cannot stand in a field value. */
static inline const char *http_scan_value(const char *at, const char *end)
{
#ifdef __SSE2__
    const char *start = at;

    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        unsigned others = http_visible_bits(bytes) ^ 0xffff;
        unsigned wrong;

        if (others == 0) {
            continue;
        }
        if (at[__builtin_ctz(others)] == '\r') { /* as nearly always */
            return at + __builtin_ctz(others);
        }
        wrong = http_not_in_value_bits(bytes);
        if (wrong != 0) {
            return at + __builtin_ctz(wrong);
        }
    }
    if (end - at >= 8) {
        at += __builtin_ctz(http_not_in_value_bits(http_load_half(at)));
    } else if (end - start >= 8) { /* the last eight, some of which were looked at before */
        return end - 8 + __builtin_ctz(http_not_in_value_bits(http_load_half(end - 8)));
    }
#endif
    while (at < end && ((uint8_t)*at >= 0x20 || *at == '\t') && *at != 0x7f) {
        at++;
    }
    return at;
}

/* The first byte that cannot stand in a request target: anything but visible ASCII, and "#". */
static inline const char *http_scan_target(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i first_visible = _mm_set1_epi8(0x21);
    const __m128i hash = _mm_set1_epi8('#');
    const __m128i delete = _mm_set1_epi8(0x7f);

    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        /* Compared as signed, so that 0x80 and above count as below. */
        __m128i wrong =
            _mm_or_si128(_mm_cmplt_epi8(bytes, first_visible),
                         _mm_or_si128(_mm_cmpeq_epi8(bytes, hash), _mm_cmpeq_epi8(bytes, delete)));
        int mask = _mm_movemask_epi8(wrong);

        if (mask != 0) {
            return at + __builtin_ctz((unsigned)mask);
        }
        at += 16;
    }
#endif
    while (at < end && (uint8_t)*at > 0x20 && (uint8_t)*at < 0x7f && *at != '#') {
        at++;
    }
    return at;
}

#endif
