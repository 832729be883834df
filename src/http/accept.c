/* SPDX-License-Identifier: BSD-2-Clause */
/* A bad weight counts as none: the client has named the type all the same. */
#include "http/accept.h"

#include "http/characters.h"

#define WHOLE 1000u /* thousandths */

/* Takes what stands before the next ";" off the element. */
static struct bytes take_part(struct bytes *element)
{
    const char *end = memchr(element->at, ';', element->length);
    size_t length = end != NULL ? (size_t)(end - element->at) : element->length;
    struct bytes part = bytes_trim(bytes_first(*element, length));

    *element = bytes_skip(*element, length + (end != NULL ? 1 : 0));
    return part;
}

/* "0.85", with up to three digits behind the point (RFC 9110 section 12.4.2). */
static unsigned read_weight(struct bytes text)
{
    unsigned weight = 0;
    unsigned digit_is = WHOLE;

    if (text.length == 0 || text.length > 5 || (text.at[0] != '0' && text.at[0] != '1') ||
        (text.length > 1 && text.at[1] != '.')) {
        return WHOLE;
    }
    for (size_t i = 0; i < text.length; i += i == 0 ? 2 : 1) {
        if (!http_char_is(text.at[i], HTTP_CHAR_DIGIT)) {
            return WHOLE;
        }
        weight += (unsigned)(text.at[i] - '0') * digit_is;
        digit_is /= 10;
    }
    return weight < WHOLE ? weight : WHOLE;
}

/* Of "text/html;level=1;q=0.5". */
static unsigned weight_of(struct bytes parameters)
{
    while (parameters.length > 0) {
        struct bytes part = take_part(&parameters);

        if (part.length >= 2 && (part.at[0] == 'q' || part.at[0] == 'Q') && part.at[1] == '=') {
            return read_weight(bytes_skip(part, 2));
        }
    }
    return WHOLE;
}

static unsigned weight_in(struct bytes list, struct bytes type)
{
    struct bytes element;
    unsigned weight = 0;

    while (http_list_next(&list, &element)) {
        if (bytes_equal_fold(take_part(&element), type)) {
            unsigned own = weight_of(element);

            weight = own > weight ? own : weight;
        }
    }
    return weight;
}

unsigned http_accept_weight(const struct http_headers *headers, struct bytes type)
{
    unsigned weight = 0;

    for (uint32_t i = 0; http_has(headers, HTTP_HEADER_ACCEPT) && i < headers->count; i++) {
        if (headers->rows[i].id == HTTP_HEADER_ACCEPT) {
            unsigned own = weight_in(http_header_value(&headers->rows[i]), type);

            weight = own > weight ? own : weight;
        }
    }
    return weight;
}
