/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds a value in a request (`sticky`, `override`, `pin`, `fair_by`): one short function for each
 * kind of source. */
#include "split/request_source.h"

#include "http/uri.h"

static bool header_value(const struct request_source *source, const struct http_request *request,
                         struct bytes *value)
{
    const struct http_header *header = source->id != HTTP_HEADER_OTHER
                                           ? http_find(&request->headers, source->id)
                                           : http_find_named(&request->headers, source->name);

    if (header != NULL) {
        *value = http_header_value(header);
    }
    return header != NULL;
}

/* RFC 6265 section 4.2.1: "name=value; name=value". Quotes belong to the value. */
static bool find_cookie(struct bytes line, struct bytes name, struct bytes *value)
{
    while (line.length > 0) {
        const char *semicolon = memchr(line.at, ';', line.length);
        size_t length = semicolon != NULL ? (size_t)(semicolon - line.at) : line.length;
        struct bytes pair = bytes_trim(bytes_first(line, length));

        if (pair.length > name.length && pair.at[name.length] == '=' &&
            bytes_start_with(pair, name)) {
            *value = bytes_skip(pair, name.length + 1);
            return true;
        }
        line = bytes_skip(line, semicolon != NULL ? length + 1 : length);
    }
    return false;
}

/* HTTP/2 clients may send several Cookie lines (RFC 9113 section 8.2.3). */
static bool cookie_value(struct bytes name, const struct http_request *request, struct bytes *value)
{
    const struct http_headers *headers = &request->headers;

    if (!http_has(headers, HTTP_HEADER_COOKIE)) {
        return false;
    }
    for (uint32_t i = 0; i < headers->count; i++) {
        if (headers->rows[i].id == HTTP_HEADER_COOKIE &&
            find_cookie(http_header_value(&headers->rows[i]), name, value)) {
            return true;
        }
    }
    return false;
}

static bool client_value(const struct ip *client, char *room, struct bytes *value)
{
    struct ip ip = *client;

    if (!ip_is_v4(&ip)) {
        memset(&ip.byte[8], 0, 8);
    }
    *value = (struct bytes){room, ip_format(&ip, room)};
    return true;
}

bool request_source_value(const struct request_source *source, const struct http_request *request,
                          const struct ip *client, char *room, struct bytes *value)
{
    bool found = false;

    switch (source->kind) {
    case SOURCE_COOKIE:
        found = cookie_value(source->name, request, value);
        break;
    case SOURCE_HEADER:
        found = header_value(source, request, value);
        break;
    case SOURCE_QUERY:
        found = uri_query_value(request->query, source->name, value);
        break;
    case SOURCE_CLIENT_ADDRESS:
        found = client_value(client, room, value);
        break;
    case SOURCE_PATH_SEGMENT:
    case SOURCE_CERTIFICATE:
    case SOURCE_KIND_COUNT:
        break; /* of rate limits only: exchange/rate_limits.c */
    }
    return found && value->length > 0;
}

const struct request_source *request_source_first(const struct request_source *sources,
                                                  uint32_t count,
                                                  const struct http_request *request,
                                                  const struct ip *client, char *room,
                                                  struct bytes *value)
{
    for (uint32_t i = 0; i < count; i++) {
        if (request_source_value(&sources[i], request, client, room, value)) {
            return &sources[i];
        }
    }
    return NULL;
}
