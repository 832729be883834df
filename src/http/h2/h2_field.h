/* SPDX-License-Identifier: BSD-2-Clause */
/* What holds of each field of a message in HTTP/2, of a client's or an origin's (RFC 9113 section
 * 8.2). The checks are called by h2_request.c and h2_answer.c; false: *fault says why the message
 * is malformed. Names are written by client/h2 and origin/h2. */
#ifndef HTTP_H2_H2_FIELD_H
#define HTTP_H2_H2_FIELD_H

#include "base/text.h"
#include "http/h2/h2_request.h"

static inline bool h2_is_pseudo(const struct http_field *field)
{
    return field->name.length > 0 && field->name.at[0] == ':';
}

bool h2_check_value(struct bytes value, enum h2_fault *fault);

/* Rows are added between these two. */
static inline void h2_begin_rows(struct http_headers *headers)
{
    headers->count = 0;
    headers->present = 0;
}

static inline void h2_end_rows(struct http_headers *headers)
{
    headers->present &= ~((uint64_t)1 << HTTP_HEADER_OTHER);
}

/* A field that is no pseudo field becomes a row: of a copy in `memory`, or where that is NULL of
 * the field's own bytes. */
bool h2_add_row(const struct http_field *field, struct text *memory, struct http_headers *headers,
                enum h2_fault *fault);
struct bytes h2_copy(struct text *memory, struct bytes bytes);

/* Appends the name in lower case, as it must go out (section 8.2.1). */
struct bytes h2_add_name(struct text *text, struct bytes name);

#endif
