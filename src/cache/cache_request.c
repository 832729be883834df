/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache/cache_request.h"

/* Sent once; a second line is left to the origin to judge. */
static void take(struct cache_request *facts, struct bytes *field, struct bytes value)
{
    facts->is_odd |= field->length > 0 || value.length == 0;
    *field = value;
}

static void read_row(struct cache_request *facts, struct bytes name, struct bytes value,
                     bool *pragma)
{
    if (bytes_equal_fold(name, BYTES("Cache-Control"))) {
        cache_control_read(value, &facts->control);
    } else if (bytes_equal_fold(name, BYTES("Pragma"))) {
        *pragma |= bytes_equal_fold(value, BYTES("no-cache"));
    } else if (bytes_equal_fold(name, BYTES("Range"))) {
        take(facts, &facts->range, value);
    } else if (bytes_equal_fold(name, BYTES("If-Range"))) {
        take(facts, &facts->if_range, value);
    } else if (bytes_equal_fold(name, BYTES("If-None-Match"))) {
        take(facts, &facts->if_none_match, value);
    } else if (bytes_equal_fold(name, BYTES("If-Modified-Since"))) {
        take(facts, &facts->if_modified_since, value);
    } else if (bytes_equal_fold(name, BYTES("If-Match")) ||
               bytes_equal_fold(name, BYTES("If-Unmodified-Since"))) {
        facts->is_odd = true;
    }
}

void cache_request_read(const struct http_request *request, struct cache_request *facts)
{
    const struct http_headers *headers = &request->headers;
    bool pragma = false;
    bool has_control = false;

    memset(facts, 0, sizeof(*facts));
    facts->has_authorization = http_has(headers, HTTP_HEADER_AUTHORIZATION);
    facts->has_cookie = http_has(headers, HTTP_HEADER_COOKIE);
    for (uint32_t i = 0; i < headers->count; i++) {
        const struct http_header *row = &headers->rows[i];

        if (row->id == HTTP_HEADER_OTHER) {
            has_control |= row->name_length == 13 &&
                           bytes_equal_fold(http_header_name(row), BYTES("Cache-Control"));
            read_row(facts, http_header_name(row), http_header_value(row), &pragma);
        } else if (row->id == HTTP_HEADER_ACCEPT &&
                   bytes_start_with(http_header_value(row), BYTES("text/event-stream"))) {
            facts->is_odd = true;
        }
    }
    /* RFC 9111 section 5.4: Pragma holds only where there is no Cache-Control. */
    facts->control.no_cache |= pragma && !has_control;
}
