/* SPDX-License-Identifier: BSD-2-Clause */
/* Who asks, and whether the request may pass at all. */
#include "exchange/exchange_private.h"

static bool is_trusted(const struct settings *settings, const struct ip *ip)
{
    for (uint32_t i = 0; i < settings->trusted_proxy_count; i++) {
        if (network_contains(&settings->trusted_proxies[i], ip)) {
            return true;
        }
    }
    return false;
}

/* The last element of a comma-separated list, taken off it. */
static struct bytes take_last(struct bytes *list)
{
    size_t at = list->length;
    struct bytes last;

    while (at > 0 && list->at[at - 1] != ',') {
        at--;
    }
    last = bytes_trim(bytes_skip(*list, at));
    list->length = at > 0 ? at - 1 : 0;
    return last;
}

/* The last address in X-Forwarded-For that is not one of our proxies is the client. */
static void look_behind_proxies(struct exchange *exchange, const struct settings *settings)
{
    const struct http_headers *headers = &exchange->request.headers;

    for (uint32_t i = headers->count; i-- > 0;) {
        struct bytes list;

        if (headers->rows[i].id != HTTP_HEADER_X_FORWARDED_FOR) {
            continue;
        }
        list = http_header_value(&headers->rows[i]);
        while (list.length > 0) {
            struct ip ip;

            if (!ip_parse(take_last(&list), &ip)) {
                return;
            }
            exchange->client.ip = ip;
            exchange->outcome.client_port = 0;
            if (!is_trusted(settings, &ip)) {
                return;
            }
        }
    }
}

void admit_identify_client(struct exchange *exchange)
{
    const struct settings *settings = generation_settings(exchange->generation);

    if (settings->trusted_proxy_count == 0) {
        return;
    }
    exchange->client.trusted = is_trusted(settings, &exchange->client.facts->ip);
    if (exchange->client.trusted) {
        look_behind_proxies(exchange, settings);
    }
}

/* RFC 9110 section 7.6.2: TRACE and OPTIONS with no hops left are answered here. */
static bool has_no_hops_left(const struct http_request *request)
{
    const struct http_header *row = http_find(&request->headers, HTTP_HEADER_MAX_FORWARDS);

    return row != NULL && bytes_equal(http_header_value(row), BYTES("0"));
}

bool admit_method(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;

    if (request->method == HTTP_CONNECT) {
        reply_error(exchange, 501, "http_request_denied", "CONNECT is not offered here");
        return false;
    }
    if (request->method == HTTP_TRACE) {
        /* It would show a page's script the cookies it must not see. */
        reply_error(exchange, 405, "http_request_denied", "TRACE is not offered here");
        return false;
    }
    if (request->method == HTTP_OPTIONS && has_no_hops_left(request)) {
        reply_options(exchange);
        return false;
    }
    return true;
}

bool admit_size(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    uint64_t most = exchange->routing.route->body_bytes;

    if (most != 0 && request->framing == HTTP_LENGTH_KNOWN && request->body_length > most) {
        reply_error(exchange, 413, "http_request_error", "the request body is too large");
        return false;
    }
    return true;
}
