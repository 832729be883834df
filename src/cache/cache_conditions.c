/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache/cache_conditions.h"

#include "cache/http_time.h"

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

static bool read_number(struct bytes text, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return false;
        }
        *number = *number < UINT64_MAX / 20 ? *number * 10 + (uint64_t)(text.at[i] - '0')
                                            : UINT64_MAX / 20;
    }
    return text.length > 0;
}

/* "-500": the last ones. */
static enum cache_range find_last(struct bytes text, uint64_t length, uint64_t *first,
                                  uint64_t *count)
{
    uint64_t last;

    if (!read_number(text, &last)) {
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
    if (!read_number((struct bytes){text.at, (size_t)(dash - text.at)}, first) ||
        (end.length > 0 && (!read_number(end, &last) || last < *first))) {
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
