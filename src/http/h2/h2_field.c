/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/h2/h2_field.h"

#include "http/characters.h"

static bool refuse(enum h2_fault *fault, enum h2_fault why)
{
    *fault = why;
    return false;
}

static bool check_name(struct bytes name, enum h2_fault *fault)
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

/* Not one of a connection (section 8.2.2). */
static bool check_connection(const struct http_header *row, enum h2_fault *fault)
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

struct bytes h2_copy(struct text *memory, struct bytes bytes)
{
    const char *from = memory->at;

    text_add_bytes(memory, bytes);
    return text_since(memory, from);
}

bool h2_add_row(const struct http_field *field, struct text *memory, struct http_headers *headers,
                enum h2_fault *fault)
{
    struct http_header *row = &headers->rows[headers->count];
    struct bytes name = field->name;
    struct bytes value = field->value;

    if (headers->count == HTTP_HEADERS_MAX) {
        return refuse(fault, H2_FAULT_HEAD_TOO_LARGE);
    }
    if (!check_name(name, fault) || !h2_check_value(value, fault)) {
        return false;
    }
    if (memory != NULL) {
        name = h2_copy(memory, name);
        value = h2_copy(memory, value);
    }
    *row = (struct http_header){
        .name = name.at,
        .value = value.at,
        .value_length = (uint32_t)value.length,
        .name_length = (uint16_t)name.length,
        .id = (uint16_t)http_header_id_received(name.at, name.length),
    };
    if (!check_connection(row, fault)) {
        return false;
    }
    headers->present |= (uint64_t)1 << row->id;
    headers->count++;
    return true;
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
