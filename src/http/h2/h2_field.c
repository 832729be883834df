/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/h2/h2_field.h"

#include "http/characters.h"

static bool refuse(enum h2_fault *fault, enum h2_fault why)
{
    *fault = why;
    return false;
}

bool h2_check_name(struct bytes name, enum h2_fault *fault)
{
    if (name.length == 0 || name.length > UINT16_MAX) {
        return refuse(fault, name.length == 0 ? H2_FAULT_NAME_EMPTY : H2_FAULT_HEAD_TOO_LARGE);
    }
    for (size_t i = 0; i < name.length; i++) {
        if (name.at[i] >= 'A' && name.at[i] <= 'Z') {
            return refuse(fault, H2_FAULT_NAME_CASE);
        }
        if (!http_char_is(name.at[i], HTTP_CHAR_TOKEN)) {
            return refuse(fault, H2_FAULT_NAME_CHARACTER);
        }
    }
    return true;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

bool h2_check_value(struct bytes value, enum h2_fault *fault)
{
    if (value.length == 0) {
        return true;
    }
    if (http_scan_value(value.at, value.at + value.length) != value.at + value.length) {
        return refuse(fault, H2_FAULT_VALUE_CHARACTER);
    }
    if (is_space(value.at[0]) || is_space(value.at[value.length - 1])) {
        return refuse(fault, H2_FAULT_VALUE_SPACE);
    }
    return true;
}

/* RFC 9113 section 8.2.2 */
bool h2_check_connection(const struct http_header *row, enum h2_fault *fault)
{
    switch (row->id) {
    case HTTP_HEADER_CONNECTION:
    case HTTP_HEADER_PROXY_CONNECTION:
    case HTTP_HEADER_KEEP_ALIVE:
    case HTTP_HEADER_TRANSFER_ENCODING:
    case HTTP_HEADER_UPGRADE:
        return refuse(fault, H2_FAULT_CONNECTION_FIELD);
    case HTTP_HEADER_TE:
        return bytes_equal_fold(http_header_value(row), BYTES("trailers")) ||
               refuse(fault, H2_FAULT_TE);
    default:
        return true;
    }
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Eight bytes with their upper case letters in lower case: the bit by which the cases differ is set
 * where a byte without its top bit is between "A" and "Z", which the sums tell by carrying into it. */
static uint64_t lower_word(uint64_t word)
{
    uint64_t low = word & EACH_BYTE(0x7f);
    uint64_t from_a = low + EACH_BYTE(0x80 - 'A');
    uint64_t beyond_z = low + EACH_BYTE(0x80 - 'Z' - 1);

    return word | ((from_a & ~beyond_z & ~word & EACH_BYTE(0x80)) >> 2);
}

/* The last word may overlap the one before it, which is read from `from` again. */
static void lower(char *to, const char *from, size_t length)
{
    uint64_t word = 0;

    if (length < sizeof(word)) {
        memcpy(&word, from, length);
        word = lower_word(word);
        memcpy(to, &word, length);
        return;
    }
    for (size_t at = 0; at < length; at += sizeof(word)) {
        size_t here = at < length - sizeof(word) ? at : length - sizeof(word);

        memcpy(&word, from + here, sizeof(word));
        word = lower_word(word);
        memcpy(to + here, &word, sizeof(word));
    }
}

struct bytes h2_add_name(struct text *text, struct bytes name)
{
    char *at = text->at;

    if ((size_t)(text->limit - at) < name.length) {
        text->overflowed = true;
        return (struct bytes){at, 0};
    }
    lower(at, name.at, name.length);
    text->at += name.length;
    return (struct bytes){at, name.length};
}
