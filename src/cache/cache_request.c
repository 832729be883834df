/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache/cache_request.h"

#include "cache/http_time.h"

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
        *pragma |= cache_pragma_forbids(value);
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

/* --- conditions and ranges ---------------------------------------------------------------- */

static struct bytes without_weak(struct bytes etag)
{
    return bytes_start_with(etag, BYTES("W/")) ? bytes_skip(etag, 2) : etag;
}

/* The weak comparison of RFC 9110 section 8.8.3.2. */
static bool has_match(struct bytes list, struct bytes etag)
{
    struct bytes element;

    if (bytes_equal(list, BYTES("*"))) {
        return true;
    }
    while (etag.length > 0 && http_list_next(&list, &element)) {
        if (bytes_equal(without_weak(element), without_weak(etag))) {
            return true;
        }
    }
    return false;
}

bool cache_is_not_modified(const struct cache_request *request, struct bytes etag,
                           struct bytes last_modified)
{
    int64_t since;
    int64_t changed;

    if (request->if_none_match.length > 0) {
        return has_match(request->if_none_match, etag);
    }
    return request->if_modified_since.length > 0 && last_modified.length > 0 &&
           http_time_read(request->if_modified_since, &since) &&
           http_time_read(last_modified, &changed) && changed <= since;
}

/* RFC 9110 section 13.1.5: a strong validator, the same to the letter. */
static bool holds(struct bytes if_range, struct bytes etag, struct bytes last_modified)
{
    if (if_range.length == 0) {
        return true;
    }
    if (if_range.at[0] == '"') {
        return bytes_equal(if_range, etag);
    }
    return bytes_equal(if_range, last_modified);
}

#define LAST_MOST (UINT64_MAX / 20) /* beyond any answer */

/* "-500": the last ones. */
static enum cache_range find_last(struct bytes text, uint64_t length, uint64_t *first,
                                  uint64_t *count)
{
    uint64_t last;

    if (!bytes_read_number(text, LAST_MOST, &last)) {
        return CACHE_WHOLE;
    }
    if (last == 0 || length == 0) {
        return CACHE_NO_PART;
    }
    *count = last < length ? last : length;
    *first = length - *count;
    return CACHE_PART;
}

static enum cache_range find_part(struct bytes text, uint64_t length, uint64_t *first,
                                  uint64_t *count)
{
    const char *dash = memchr(text.at, '-', text.length);
    struct bytes end;
    uint64_t last = UINT64_MAX;

    if (dash == NULL) {
        return CACHE_WHOLE;
    }
    end = bytes_skip(text, (size_t)(dash - text.at) + 1);
    if (dash == text.at) {
        return find_last(end, length, first, count);
    }
    if (!bytes_read_number((struct bytes){text.at, (size_t)(dash - text.at)}, LAST_MOST, first) ||
        (end.length > 0 && (!bytes_read_number(end, LAST_MOST, &last) || last < *first))) {
        return CACHE_WHOLE;
    }
    if (*first >= length) {
        return CACHE_NO_PART;
    }
    last = last < length - 1 ? last : length - 1;
    *count = last - *first + 1;
    return CACHE_PART;
}

enum cache_range cache_range_find(const struct cache_request *request, struct bytes etag,
                                  struct bytes last_modified, uint64_t length, uint64_t *first,
                                  uint64_t *count)
{
    static const struct bytes unit = BYTES("bytes=");

    if (request->range.length <= unit.length ||
        !bytes_equal_fold(bytes_first(request->range, unit.length), unit) ||
        !holds(request->if_range, etag, last_modified)) {
        return CACHE_WHOLE;
    }
    return find_part(bytes_trim(bytes_skip(request->range, unit.length)), length, first, count);
}
