/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers and JSON strings for the text cursor. On the way of every access-log line,
 * hence the short cuts: digits in pairs, plain JSON bytes eight at a time. */
#include "base/text.h"

#include <stdio.h>

const char text_digit_pairs[] = "00010203040506070809"
                                "10111213141516171819"
                                "20212223242526272829"
                                "30313233343536373839"
                                "40414243444546474849"
                                "50515253545556575859"
                                "60616263646566676869"
                                "70717273747576777879"
                                "80818283848586878889"
                                "90919293949596979899";

static const char hex_digits[] = "0123456789abcdef";

static void add_large_number(struct text *text, uint64_t number)
{
    size_t length = 1;
    char *end;

    for (uint64_t rest = number; rest >= 10; rest /= 10) {
        length++;
    }
    if ((size_t)(text->limit - text->at) < length) {
        text->overflowed = true;
        return;
    }
    text->at += length;
    end = text->at;
    while (number >= 10) { /* in place: a copy of so few bytes costs more than they do */
        end -= 2;
        memcpy(end, text_digit_pairs + number % 100 * 2, 2);
        number /= 100;
        length -= 2;
    }
    if (length > 0) {
        *--end = (char)('0' + number);
    }
}

#define QUICK_BYTES 8 /* and as many digits */

void text_append(char *room, size_t size, const char *text)
{
    size_t length = strlen(room);

    snprintf(room + length, size - length, "%s", text);
}

void text_add_number(struct text *text, uint64_t number)
{
    if (number >= 100000000 || text->limit - text->at < QUICK_BYTES) {
        add_large_number(text, number);
    } else if (number < 10000) {
        text->at = text_put_small(text->at, (unsigned)number);
    } else {
        text->at = text_put_four(text_put_small(text->at, (unsigned)number / 10000),
                                 (unsigned)number % 10000);
    }
}

void text_add_lower(struct text *text, struct bytes bytes)
{
    char *at = text->at;

    text_add_bytes(text, bytes);
    bytes_lower(at, (size_t)(text->at - at));
}

void text_add_hex(struct text *text, uint64_t number)
{
    char digits[16];
    char *first = digits + sizeof(digits);

    do {
        *--first = hex_digits[number & 15];
        number >>= 4;
    } while (number > 0);
    text_add(text, first, (size_t)(digits + sizeof(digits) - first));
}

/* How many bytes at the start stand for themselves in a JSON string. */
static size_t plain_length(struct bytes bytes)
{
    size_t length = 0;

    while (bytes.length - length >= sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, bytes.at + length, sizeof(word));
        if (!text_word_is_plain(word)) {
            break;
        }
        length += sizeof(word);
    }
    while (length < bytes.length && text_byte_is_plain((unsigned char)bytes.at[length])) {
        length++;
    }
    return length;
}

size_t text_utf8_length(struct bytes bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    unsigned char lowest = 0x80;
    unsigned char highest = 0xbf;
    size_t length;

    if (at[0] >= 0xc2 && at[0] <= 0xdf) {
        length = 2;
    } else if (at[0] >= 0xe0 && at[0] <= 0xef) {
        length = 3;
        lowest = at[0] == 0xe0 ? 0xa0 : 0x80;
        highest = at[0] == 0xed ? 0x9f : 0xbf;
    } else if (at[0] >= 0xf0 && at[0] <= 0xf4) {
        length = 4;
        lowest = at[0] == 0xf0 ? 0x90 : 0x80;
        highest = at[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (bytes.length < length || at[1] < lowest || at[1] > highest) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (!text_byte_continues(bytes.at[i])) {
            return 0;
        }
    }
    return length;
}

/* Writes the byte's escape to `out`, which has 6 bytes; returns the length. */
static size_t escape_byte(unsigned char byte, char *out)
{
    if (byte == '"' || byte == '\\') {
        out[0] = '\\';
        out[1] = (char)byte;
        return 2;
    }
    memcpy(out, "\\u00", 4);
    out[4] = hex_digits[byte >> 4];
    out[5] = hex_digits[byte & 15];
    return 6;
}

void text_add_json_cut(struct text *text, struct bytes bytes, size_t most)
{
    for (;;) {
        size_t plain = plain_length(bytes);
        char escape[6];
        const char *piece = escape;
        size_t used;
        size_t length;

        if (plain >= most || plain == bytes.length) {
            text_add_bytes(text, bytes_first(bytes, plain < most ? plain : most));
            return;
        }
        text_add_bytes(text, bytes_first(bytes, plain));
        bytes = bytes_skip(bytes, plain);
        most -= plain;

        used = text_utf8_length(bytes);
        if (used > 0) {
            piece = bytes.at;
            length = used;
        } else {
            used = 1;
            length = escape_byte((unsigned char)bytes.at[0], escape);
        }
        if (length > most) {
            return;
        }
        text_add(text, piece, length);
        bytes = bytes_skip(bytes, used);
        most -= length;
    }
}

void text_add_json(struct text *text, struct bytes bytes)
{
    text_add_json_cut(text, bytes, SIZE_MAX);
}
