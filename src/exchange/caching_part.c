/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a request takes part in its route's cache at all, by what stands in it. Called by caching.c for
 * each, and by explain/ for one that is asked about: both say the same. */
#include "exchange/caching_part.h"

#include "http/connection_names.h"

/* A ticket of a waiting room is between the client and the gateway: nothing that it says is in an answer.
 * Browsers send it with all requests for the host, also to routes without a room. */
static bool is_ticket(const struct route_settings *route, struct bytes pair)
{
    const char *own = route->waiting_room.cookie;
    struct bytes name = bytes_trim(bytes_take_until(&pair, '='));

    return bytes_start_with(name, BYTES("turnpike-ticket-")) ||
           (own != NULL && bytes_equal(name, bytes_of(own)));
}

static bool has_cookie_of_origin(const struct route_settings *route,
                                 const struct http_headers *headers)
{
    for (uint32_t i = 0; i < headers->count; i++) {
        struct bytes cookies = http_header_value(&headers->rows[i]);

        while (headers->rows[i].id == HTTP_HEADER_COOKIE && cookies.length > 0) {
            if (!is_ticket(route, bytes_take_until(&cookies, ';'))) {
                return true;
            }
        }
    }
    return false;
}

void caching_part_read(const struct route_settings *route, const struct http_request *request,
                       struct cache_request *facts)
{
    cache_request_read(request, facts);
    facts->has_cookie = facts->has_cookie && has_cookie_of_origin(route, &request->headers);
}

/* The origin does not see the fields that Connection names (RFC 9110 section 7.6.1). An answer made
 * without them must not come to stand under a key that has them (Vary). */
const char *caching_part_refused(const struct caching_settings *settings,
                                 const struct http_request *request,
                                 const struct cache_request *facts)
{
    if (request->method != HTTP_GET && request->method != HTTP_HEAD) {
        return "its method is not GET or HEAD";
    }
    if (facts->has_authorization && !settings->requests_with_authorization) {
        return "it has Authorization, and cache.requests_with_authorization is false";
    }
    if (facts->has_cookie && !settings->requests_with_cookie) {
        return "it has a Cookie, and cache.requests_with_cookie is false";
    }
    if (facts->is_odd) {
        return "it has If-Match, If-Unmodified-Since, a condition or a Range twice, or asks for an "
               "event stream";
    }
    if (facts->control.no_store) {
        return "it says Cache-Control: no-store";
    }
    if (request->framing != HTTP_NO_BODY || request->expects_continue) {
        return "it has a body";
    }
    if (request->wants_upgrade) {
        return "it asks for an upgrade";
    }
    if (http_connection_names_fields(&request->headers)) {
        return "its Connection names fields, which the origin does not see";
    }
    return NULL;
}
