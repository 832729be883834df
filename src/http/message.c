/* SPDX-License-Identifier: BSD-2-Clause */
/* Lookups in a message head, and what RFC 9110 says of methods and status codes.
 * Used by every layer above and by the codecs beside it. */
#include "http/message.h"

#include "http/uri.h"

const struct http_header *http_find(const struct http_headers *headers, enum http_header_id id)
{
    if (id != HTTP_HEADER_OTHER && !http_has(headers, id)) {
        return NULL;
    }
    for (uint32_t i = 0; i < headers->count; i++) {
        if (headers->rows[i].id == id) {
            return &headers->rows[i];
        }
    }
    return NULL;
}

const struct http_header *http_find_named(const struct http_headers *headers, struct bytes name)
{
    enum http_header_id id = http_header_id_of(name.at, name.length);

    if (id != HTTP_HEADER_OTHER) {
        return http_find(headers, id);
    }
    for (uint32_t i = 0; i < headers->count; i++) {
        if (bytes_equal_fold(http_header_name(&headers->rows[i]), name)) {
            return &headers->rows[i];
        }
    }
    return NULL;
}

/* --- methods ------------------------------------------------------------------------------ */

static const struct {
    struct bytes text;
    bool safe;
    bool idempotent;
} methods[] = {
#define METHOD(name, safe, idempotent) \
    [HTTP_##name] = {{#name, sizeof(#name) - 1}, safe, idempotent}
    METHOD(GET, true, true),
    METHOD(HEAD, true, true),
    METHOD(POST, false, false),
    METHOD(PUT, false, true),
    METHOD(DELETE, false, true),
    METHOD(CONNECT, false, false),
    METHOD(OPTIONS, true, true),
    METHOD(TRACE, true, true),
    METHOD(PATCH, false, false),
#undef METHOD
    [HTTP_METHOD_OTHER] = {{"", 0}, false, false},
};

bool http_method_is_safe(enum http_method method)
{
    return methods[method].safe;
}

bool http_method_is_idempotent(enum http_method method)
{
    return methods[method].idempotent;
}

enum http_method http_method_of(struct bytes text)
{
    if (bytes_equal(text, BYTES("GET"))) {
        return HTTP_GET;
    }
    /* Methods are told apart by case (RFC 9110 section 9.1). */
    for (int method = 0; method < HTTP_METHOD_OTHER; method++) {
        if (bytes_equal(text, methods[method].text)) {
            return (enum http_method)method;
        }
    }
    return HTTP_METHOD_OTHER;
}

/* --- what a head says, in either version ---------------------------------------------------- */

const struct http_header *http_find_only(const struct http_headers *headers, enum http_header_id id,
                                         bool *twice)
{
    const struct http_header *found = NULL;

    *twice = false;
    for (const struct http_header *row = headers->rows; row < headers->rows + headers->count;
         row++) {
        if (row->id == id) {
            *twice = found != NULL;
            found = row;
        }
    }
    return found;
}

bool http_expectation_is_known(const struct http_headers *headers)
{
    for (uint32_t i = 0; i < headers->count; i++) {
        if (headers->rows[i].id == HTTP_HEADER_EXPECT &&
            !bytes_equal_fold(http_header_value(&headers->rows[i]), BYTES("100-continue"))) {
            return false;
        }
    }
    return true;
}

bool http_set_authority(struct http_request *request, struct bytes authority, struct bytes *port)
{
    request->authority = authority;
    if (!uri_split_authority(authority, &request->host, port)) {
        return false;
    }
    if (request->host.at[request->host.length - 1] == '.') {
        request->host.length--; /* "example.com." names the same host */
    }
    return true;
}

/* --- status codes ------------------------------------------------------------------------- */

/* The IANA registry of status codes; unused and withdrawn ones left out. */
static const struct bytes reasons[] = {
#define REASON(text) \
    { \
        (text), sizeof(text) - 1 \
    }
    [100] = REASON("Continue"),
    [101] = REASON("Switching Protocols"),
    [102] = REASON("Processing"),
    [103] = REASON("Early Hints"),
    [200] = REASON("OK"),
    [201] = REASON("Created"),
    [202] = REASON("Accepted"),
    [203] = REASON("Non-Authoritative Information"),
    [204] = REASON("No Content"),
    [205] = REASON("Reset Content"),
    [206] = REASON("Partial Content"),
    [207] = REASON("Multi-Status"),
    [208] = REASON("Already Reported"),
    [226] = REASON("IM Used"),
    [300] = REASON("Multiple Choices"),
    [301] = REASON("Moved Permanently"),
    [302] = REASON("Found"),
    [303] = REASON("See Other"),
    [304] = REASON("Not Modified"),
    [305] = REASON("Use Proxy"),
    [307] = REASON("Temporary Redirect"),
    [308] = REASON("Permanent Redirect"),
    [400] = REASON("Bad Request"),
    [401] = REASON("Unauthorized"),
    [402] = REASON("Payment Required"),
    [403] = REASON("Forbidden"),
    [404] = REASON("Not Found"),
    [405] = REASON("Method Not Allowed"),
    [406] = REASON("Not Acceptable"),
    [407] = REASON("Proxy Authentication Required"),
    [408] = REASON("Request Timeout"),
    [409] = REASON("Conflict"),
    [410] = REASON("Gone"),
    [411] = REASON("Length Required"),
    [412] = REASON("Precondition Failed"),
    [413] = REASON("Content Too Large"),
    [414] = REASON("URI Too Long"),
    [415] = REASON("Unsupported Media Type"),
    [416] = REASON("Range Not Satisfiable"),
    [417] = REASON("Expectation Failed"),
    [421] = REASON("Misdirected Request"),
    [422] = REASON("Unprocessable Content"),
    [423] = REASON("Locked"),
    [424] = REASON("Failed Dependency"),
    [425] = REASON("Too Early"),
    [426] = REASON("Upgrade Required"),
    [428] = REASON("Precondition Required"),
    [429] = REASON("Too Many Requests"),
    [431] = REASON("Request Header Fields Too Large"),
    [451] = REASON("Unavailable For Legal Reasons"),
    [500] = REASON("Internal Server Error"),
    [501] = REASON("Not Implemented"),
    [502] = REASON("Bad Gateway"),
    [503] = REASON("Service Unavailable"),
    [504] = REASON("Gateway Timeout"),
    [505] = REASON("HTTP Version Not Supported"),
    [506] = REASON("Variant Also Negotiates"),
    [507] = REASON("Insufficient Storage"),
    [508] = REASON("Loop Detected"),
    [511] = REASON("Network Authentication Required"),
#undef REASON
};

struct bytes http_reason_of(unsigned status)
{
    if (status >= sizeof(reasons) / sizeof(reasons[0]) || reasons[status].at == NULL) {
        return BYTES("");
    }
    return reasons[status];
}

bool http_status_forbids_body(unsigned status)
{
    return (status >= 100 && status <= 199) || status == 204 || status == 304;
}

/* --- lists -------------------------------------------------------------------------------- */

/* How many bytes the first element takes: up to a comma that no quoted string holds. */
static size_t element_length(struct bytes list)
{
    bool quoted = false;
    size_t i;

    for (i = 0; i < list.length; i++) {
        char byte = list.at[i];

        if (quoted && byte == '\\') {
            i++; /* an escaped quote does not end the string (RFC 9110 section 5.6.4) */
        } else if (byte == '"') {
            quoted = !quoted;
        } else if (byte == ',' && !quoted) {
            return i;
        }
    }
    return list.length;
}

bool http_list_next(struct bytes *list, struct bytes *element)
{
    while (list->length > 0) {
        size_t length = element_length(*list);
        bool comma = length < list->length;

        *element = bytes_trim(bytes_first(*list, length));
        *list = bytes_skip(*list, length + (comma ? 1 : 0));
        if (element->length > 0) {
            return true;
        }
    }
    return false;
}

bool http_names(const struct http_headers *headers, enum http_header_id id, struct bytes member)
{
    for (uint32_t i = 0; http_has(headers, id) && i < headers->count; i++) {
        struct bytes list = http_header_value(&headers->rows[i]);
        struct bytes element;

        while (headers->rows[i].id == id && http_list_next(&list, &element)) {
            if (bytes_equal_fold(element, member)) {
                return true;
            }
        }
    }
    return false;
}
