/* SPDX-License-Identifier: BSD-2-Clause */
/* Field sections of HTTP/2 out of one run of bytes, which must stay: as unit tests write them and as
 * fuzzers find them. Called by the tests of h2_request and h2_answer. */
#ifndef TESTS_FAKES_H2_SECTION_H
#define TESTS_FAKES_H2_SECTION_H

#include "base/check.h"
#include "http/fields.h"

/* One line a field, "name=value\n". */
static inline uint32_t h2_section_of_lines(struct bytes text, struct http_field *fields)
{
    uint32_t count = 0;

    while (text.length > 0) {
        const char *end = memchr(text.at, '\n', text.length);
        const char *equals = memchr(text.at, '=', text.length);

        CHECK(end != NULL && equals != NULL && equals < end);
        fields[count++] = (struct http_field){{text.at, (size_t)(equals - text.at)},
                                              {equals + 1, (size_t)(end - equals - 1)}};
        text = bytes_skip(text, (size_t)(end + 1 - text.at));
    }
    return count;
}

/* Up to two NULs, which are taken off too. */
static inline struct bytes h2_section_take_part(struct bytes *rest)
{
    size_t length = 0;
    struct bytes part;

    while (length < rest->length && !bytes_start_with(bytes_skip(*rest, length), BYTES("\0\0"))) {
        length++;
    }
    part = bytes_first(*rest, length);
    *rest = bytes_skip(*rest, length + 2 <= rest->length ? length + 2 : rest->length);
    return part;
}

/* "name NUL NUL value NUL NUL" each, of any bytes; at most `most` fields. */
static inline uint32_t h2_section_of_any(struct bytes rest, struct http_field *fields,
                                         uint32_t most)
{
    uint32_t count = 0;

    while (rest.length > 0 && count < most) {
        fields[count].name = h2_section_take_part(&rest);
        fields[count].value = h2_section_take_part(&rest);
        count++;
    }
    return count;
}

#endif
