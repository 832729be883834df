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

struct bytes h2_add_name(struct text *text, struct bytes name)
{
    const char *from = text->at;

    for (size_t i = 0; i < name.length; i++) {
        bool upper = name.at[i] >= 'A' && name.at[i] <= 'Z';

        text_add_char(text, (char)(upper ? name.at[i] | 0x20 : name.at[i]));
    }
    return text_since(text, from);
}
