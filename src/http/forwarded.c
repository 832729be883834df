/* SPDX-License-Identifier: BSD-2-Clause */
/* Forwarded (RFC 7239 section 4), element by element from the right, strict about quotes. */
#include "http/forwarded.h"

#include "http/characters.h"

/* --- one element -------------------------------------------------------------------------- */

/* Length of the quoted string at the start, quotes included; 0: nothing closes it. */
static size_t quoted_length(struct bytes text)
{
    for (size_t at = 1; at < text.length; at++) {
        if (text.at[at] == '\\') {
            at++;
        } else if (text.at[at] == '"') {
            return at + 1;
        }
    }
    return 0;
}

/* Addresses with colons and brackets stand unquoted in what some proxies write. */
static size_t plain_length(struct bytes text)
{
    size_t length = 0;

    while (length < text.length && text.at[length] != ';' && text.at[length] != '"' &&
           text.at[length] != '\\' && text.at[length] != ' ' && text.at[length] != '\t') {
        length++;
    }
    return length;
}

bool http_forwarded_take_pair(struct bytes *element, struct bytes *name, struct bytes *value)
{
    size_t length = 0;

    while (length < element->length && http_char_is(element->at[length], HTTP_CHAR_TOKEN)) {
        length++;
    }
    if (length == 0 || length == element->length || element->at[length] != '=') {
        return false;
    }
    *name = bytes_first(*element, length);
    *element = bytes_skip(*element, length + 1);
    if (element->length > 0 && element->at[0] == '"') {
        length = quoted_length(*element);
        *value = length > 0 ? bytes_first(bytes_skip(*element, 1), length - 2) : BYTES("");
    } else {
        length = plain_length(*element);
        *value = bytes_first(*element, length);
    }
    *element = bytes_trim(bytes_skip(*element, length));
    if (length == 0 || (element->length > 0 && element->at[0] != ';')) {
        return false;
    }
    *element = bytes_trim(bytes_skip(*element, element->length > 0 ? 1 : 0));
    return true;
}

static bool read_element(struct bytes element, struct bytes *node)
{
    struct bytes name;
    struct bytes value;

    *node = BYTES("");
    while (element.length > 0) {
        if (!http_forwarded_take_pair(&element, &name, &value)) {
            return false;
        }
        if (bytes_equal_fold(name, BYTES("for"))) {
            *node = value;
        }
    }
    return true;
}

/* --- the list ----------------------------------------------------------------------------- */

static bool is_escaped(struct bytes list, size_t at)
{
    size_t slashes = 0;

    while (slashes < at && list.at[at - 1 - slashes] == '\\') {
        slashes++;
    }
    return slashes % 2 == 1;
}

/* Where the last element begins: behind a comma that no quoted string holds, seen from the right. */
static size_t start_of_last(struct bytes list)
{
    bool quoted = false;
    size_t at = list.length;

    for (; at > 0 && (quoted || list.at[at - 1] != ','); at--) {
        if (list.at[at - 1] == '"' && !(quoted && is_escaped(list, at - 1))) {
            quoted = !quoted;
        }
    }
    return at;
}

static struct bytes before(struct bytes list, size_t start)
{
    return bytes_first(list, start > 0 ? start - 1 : 0);
}

bool http_forwarded_take_last(struct bytes *list, struct bytes *node)
{
    while (list->length > 0) {
        size_t start = start_of_last(*list);
        struct bytes element = bytes_trim(bytes_skip(*list, start));

        if (!read_element(element, node)) {
            return false;
        }
        *list = before(*list, start);
        if (element.length > 0) {
            return true;
        }
    }
    return false;
}

struct bytes http_forwarded_sound_end(struct bytes list)
{
    struct bytes left = list;
    struct bytes node;
    size_t from = list.length;

    while (http_forwarded_take_last(&left, &node)) {
        from = left.length > 0 ? left.length + 1 : 0;
    }
    return bytes_trim(bytes_skip(list, from));
}
