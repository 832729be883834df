/* SPDX-License-Identifier: BSD-2-Clause */
/* Lookups in a message head, and what RFC 9110 says of methods and status codes.
 * Used by every layer above and by the codecs beside it. */
#include "http/message.h"

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

/* --- status codes ------------------------------------------------------------------------- */

/* The IANA registry of status codes; unused and withdrawn ones left out. */
static const char *const reasons[] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [102] = "Processing",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [208] = "Already Reported",
    [226] = "IM Used",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [305] = "Use Proxy",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [506] = "Variant Also Negotiates",
    [507] = "Insufficient Storage",
    [508] = "Loop Detected",
    [511] = "Network Authentication Required",
};

struct bytes http_reason_of(unsigned status)
{
    if (status >= sizeof(reasons) / sizeof(reasons[0]) || reasons[status] == NULL) {
        return BYTES("");
    }
    return bytes_of(reasons[status]);
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
