/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache/cache_answer.h"

#include "cache/http_time.h"
#include "http/characters.h"

/* --- Vary -------------------------------------------------------------------------------- */

static bool is_ours(struct bytes name)
{
    switch (http_header_id_of(name.at, name.length)) {
    case HTTP_HEADER_CLIENT_CERT:
    case HTTP_HEADER_CLIENT_CERT_CHAIN:
    case HTTP_HEADER_CONNECTION:
    case HTTP_HEADER_FORWARDED:
    case HTTP_HEADER_TRACEPARENT:
    case HTTP_HEADER_VIA:
    case HTTP_HEADER_X_FORWARDED_FOR:
    case HTTP_HEADER_X_REAL_IP:
    case HTTP_HEADER_X_REQUEST_ID:
    case HTTP_HEADER_X_REQUEST_TIMEOUT_MS:
        return true;
    default:
        return false;
    }
}

/* Names only, and of none of the fields that the gateway writes for each request by itself: of those
 * no client can have the same. */
static bool vary_is_plain(struct bytes value)
{
    struct bytes name;

    while (http_list_next(&value, &name)) {
        if (!http_all_are(name, HTTP_CHAR_TOKEN) || bytes_equal(name, BYTES("*")) ||
            is_ours(name)) {
            return false;
        }
    }
    return true;
}

#define VARY_NAMES_MOST 32

/* Sorted, each once, without regard to case. */
struct names {
    uint32_t count;
    bool too_many;
    struct bytes each[VARY_NAMES_MOST];
};

static int compare_names(struct bytes a, struct bytes b)
{
    int order = strncasecmp(a.at, b.at, a.length < b.length ? a.length : b.length);

    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static void add_name(struct names *names, struct bytes name)
{
    uint32_t at = 0;
    int order = -1;

    while (at < names->count && (order = compare_names(name, names->each[at])) > 0) {
        at++;
    }
    if (at < names->count && order == 0) {
        return;
    }
    if (names->count == VARY_NAMES_MOST) {
        names->too_many = true;
        return;
    }
    memmove(&names->each[at + 1], &names->each[at], (names->count - at) * sizeof(name));
    names->each[at] = name;
    names->count++;
}

static void find_names(const struct http_headers *headers, struct names *names)
{
    for (uint32_t i = 0; !names->too_many && i < headers->count; i++) {
        struct bytes list = http_header_value(&headers->rows[i]);
        struct bytes name;

        if (headers->rows[i].id != HTTP_HEADER_OTHER ||
            !bytes_equal_fold(http_header_name(&headers->rows[i]), BYTES("Vary"))) {
            continue;
        }
        while (!names->too_many && http_list_next(&list, &name)) {
            add_name(names, name);
        }
    }
}

bool cache_vary_add_names(const struct http_headers *headers, struct text *text)
{
    struct names names = {0, false, {{NULL, 0}}};

    find_names(headers, &names);
    for (uint32_t i = 0; i < names.count; i++) {
        text_add_lower(text, names.each[i]);
        text_add_char(text, ',');
    }
    return !names.too_many && !text->overflowed;
}

/* No value has a line's end in it. A field that is absent differs from an empty one, and one in two
 * lines from both in one. */
static void add_values(struct bytes name, const struct http_headers *headers, struct text *text)
{
    for (uint32_t i = 0; i < headers->count; i++) {
        if (bytes_equal_fold(http_header_name(&headers->rows[i]), name)) {
            text_add_char(text, '\r');
            text_add_bytes(text, http_header_value(&headers->rows[i]));
        }
    }
    text_add_char(text, '\n');
}

void cache_vary_add_key(struct bytes names, const struct http_headers *headers, struct text *text)
{
    struct bytes name;

    while (http_list_next(&names, &name)) {
        add_values(name, headers, text);
    }
}

/* --- an answer --------------------------------------------------------------------------- */

static void read_times(struct cache_answer *answer, struct bytes name, struct bytes value)
{
    int64_t seconds = 0;

    if (bytes_equal_fold(name, BYTES("Expires"))) {
        /* Of two the earlier one holds; "0" and the like mean long ago (section 5.3). */
        seconds = http_time_read(value, &seconds) ? seconds : 0;
        answer->expires =
            answer->has_expires && answer->expires < seconds ? answer->expires : seconds;
        answer->has_expires = true;
    } else if (bytes_equal_fold(name, BYTES("Age"))) {
        if (!cache_seconds_read(value, &answer->age)) {
            answer->age = CACHE_SECONDS_MOST;
        }
    } else if (bytes_equal_fold(name, BYTES("Last-Modified"))) {
        answer->last_modified = value;
    }
}

static void read_row(struct cache_answer *answer, struct bytes name, struct bytes value)
{
    if (bytes_equal_fold(name, BYTES("Cache-Control"))) {
        cache_control_read(value, &answer->control);
    } else if (bytes_equal_fold(name, BYTES("ETag"))) {
        answer->etag = value;
    } else if (bytes_equal_fold(name, BYTES("Vary"))) {
        answer->has_vary = true;
        answer->varies_by_all |= !vary_is_plain(value);
    } else if (bytes_equal_fold(name, BYTES("Pragma"))) {
        answer->control.no_cache |= cache_pragma_forbids(value);
    } else {
        read_times(answer, name, value);
    }
}

void cache_answer_read(const struct http_response *response, struct cache_answer *answer)
{
    const struct http_headers *headers = &response->headers;

    memset(answer, 0, sizeof(*answer));
    answer->date = -1;
    answer->has_set_cookie = http_has(headers, HTTP_HEADER_SET_COOKIE);
    for (uint32_t i = 0; i < headers->count; i++) {
        const struct http_header *row = &headers->rows[i];

        if (row->id == HTTP_HEADER_OTHER) {
            read_row(answer, http_header_name(row), http_header_value(row));
        } else if (row->id == HTTP_HEADER_DATE) {
            if (!http_time_read(http_header_value(row), &answer->date)) {
                answer->date = -1;
            }
        } else if (row->id == HTTP_HEADER_CONTENT_TYPE) {
            answer->is_stream |=
                bytes_start_with(http_header_value(row), BYTES("text/event-stream"));
        }
    }
}

/* RFC 9110 section 15.1; of these, what a route's own `ttl` may be about. */
static bool is_heuristic(uint16_t status)
{
    switch (status) {
    case 200:
    case 203:
    case 204:
    case 300:
    case 301:
    case 308:
    case 404:
    case 405:
    case 410:
    case 414:
        return true;
    default:
        return false;
    }
}

/* A client's credentials went along: RFC 9111 section 3.5. */
static bool is_meant_for_all(const struct cache_answer *answer)
{
    return answer->control.is_public || answer->control.s_maxage.said ||
           answer->control.must_revalidate;
}

/* A status outside of those named is not understood well enough, even where the answer allows it. */
static bool is_own(const struct caching_settings *settings, const struct cache_request *request,
                   const struct http_response *response, const struct cache_answer *answer)
{
    const struct cache_control *control = &answer->control;

    return control->no_store || control->no_cache || control->is_private ||
           request->control.no_store || answer->varies_by_all || answer->is_stream ||
           (answer->has_set_cookie && !settings->answers_with_set_cookie) ||
           (request->has_authorization &&
            !(settings->requests_with_authorization && is_meant_for_all(answer))) ||
           (request->has_cookie && !settings->requests_with_cookie) ||
           (!is_heuristic(response->status) && response->status != 302 &&
            response->status != 307) ||
           response->framing == HTTP_UNTIL_CLOSE;
}

/* false: the answer itself says nothing. */
static bool says_lifetime(const struct cache_answer *answer, uint64_t *lifetime_s)
{
    if (answer->control.s_maxage.said) {
        *lifetime_s = answer->control.s_maxage.seconds;
        return true;
    }
    if (answer->control.max_age.said) {
        *lifetime_s = answer->control.max_age.seconds;
        return true;
    }
    if (answer->has_expires) {
        *lifetime_s = answer->date >= 0 && answer->expires > answer->date
                          ? (uint64_t)(answer->expires - answer->date)
                          : 0;
        return true;
    }
    return false;
}

bool cache_answer_is_error(uint16_t status)
{
    return status >= 500 || status == 429;
}

static enum cache_use use_of(const struct caching_settings *settings,
                             const struct cache_request *request,
                             const struct http_response *response,
                             const struct cache_answer *answer, uint64_t *lifetime_ms)
{
    uint64_t lifetime_s;

    if (is_own(settings, request, response, answer)) {
        return CACHE_OWN;
    }
    if (says_lifetime(answer, &lifetime_s)) {
        *lifetime_ms = lifetime_s * 1000;
        if (lifetime_s <= answer->age) {
            return CACHE_OWN; /* stale as it comes: each needs one of its own */
        }
        return settings->on ? CACHE_STORED : CACHE_SHARED;
    }
    if (!is_heuristic(response->status)) {
        return CACHE_OWN;
    }
    *lifetime_ms = settings->ttl;
    return settings->on && settings->ttl > (uint64_t)answer->age * 1000 ? CACHE_STORED
                                                                        : CACHE_SHARED;
}

enum cache_use cache_answer_use(const struct caching_settings *settings,
                                const struct cache_request *request,
                                const struct http_response *response,
                                const struct cache_answer *answer, uint64_t *lifetime_ms)
{
    enum cache_use use;

    *lifetime_ms = 0;
    if (response->status >= 500) {
        return CACHE_FAILED;
    }
    use = use_of(settings, request, response, answer, lifetime_ms);
    return use == CACHE_OWN && response->status >= 400 ? CACHE_REFUSED : use;
}

uint64_t cache_answer_age_s(const struct cache_answer *answer, int64_t now_s, uint64_t delay_s)
{
    uint64_t apparent =
        answer->date >= 0 && now_s > answer->date ? (uint64_t)(now_s - answer->date) : 0;
    uint64_t corrected = answer->age + delay_s;

    return apparent > corrected ? apparent : corrected;
}
