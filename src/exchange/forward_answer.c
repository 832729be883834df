/* SPDX-License-Identifier: BSD-2-Clause */
/* The head that goes to the client, and the fields that each answer has: decides field by field, writes nothing
 * itself. Called by attempt.c for the answers of origins, by caching_reply.c for stored ones, by reply*.c for the
 * gateway's own. */
#include "exchange/forward_private.h"

#include "cache/stored.h"
#include "exchange/caching.h"
#include "exchange/public_place.h"
#include "http/date.h"
#include "http/uri.h"

#include <time.h>

/* Written out once a second and worker. */
bool forward_add_date(const struct exchange *exchange, struct forward_page *page)
{
    struct exchange_context *context = exchange->context;
    uint64_t second =
        (exchange->outcome.start_realtime_us + exchange_elapsed_us(exchange)) / 1000000;

    if (context->date.second != second) {
        http_date_format((time_t)second, context->date.text);
        context->date.second = second;
    }
    return http_fields_add(&page->fields, BYTES("Date"),
                           (struct bytes){context->date.text, HTTP_DATE_LENGTH});
}

#define HSTS BYTES("Strict-Transport-Security")

/* RFC 6797 section 7.1: one field in each answer over TLS, ours and no other. */
static bool add_hsts(const struct exchange *exchange, struct forward_page *page)
{
    const struct listener_rules *rules = exchange->client.facts->rules;

    if (rules == NULL || rules->hsts.length == 0) {
        return true;
    }
    http_fields_drop(&page->fields, HSTS);
    return http_fields_add(&page->fields, HSTS, rules->hsts);
}

/* Whether no shared cache stores it as it is (RFC 9111 section 3). */
static bool is_private(const struct http_fields *fields)
{
    for (uint32_t i = 0; i < fields->count; i++) {
        struct bytes list = fields->rows[i].value;
        struct bytes member;

        if (!bytes_equal_fold(fields->rows[i].name, BYTES("Cache-Control"))) {
            continue;
        }
        if (bytes_equal(list, BYTES("no-store"))) {
            return true; /* as the gateway itself writes it */
        }
        while (http_list_next(&list, &member)) {
            if (bytes_equal_fold(member, BYTES("private")) ||
                bytes_equal_fold(member, BYTES("no-store"))) {
                return true;
            }
        }
    }
    return false;
}

/* It is one user's: out of a shared cache it would make one user of many. */
static bool add_cookie(const struct exchange *exchange, struct http_fields *fields)
{
    return http_fields_add(fields, BYTES("Set-Cookie"), exchange->answer.cookie) &&
           (is_private(fields) ||
            http_fields_add(fields, BYTES("Cache-Control"), BYTES("private")));
}

bool forward_common_answer_fields(const struct exchange *exchange, struct forward_page *page)
{
    const struct route_settings *route = exchange->routing.route;

    return http_fields_add(&page->fields, BYTES("X-Request-Id"), exchange_request_id(exchange)) &&
           add_hsts(exchange, page) &&
           (exchange->answer.cookie.length == 0 || add_cookie(exchange, &page->fields)) &&
           (route == NULL || !forward_has_additions(&route->response_headers) ||
            forward_add_edits(&route->response_headers, &page->fields));
}

/* An answer to gRPC that is a head alone stays one, without a Content-Length. */
static enum http_framing answer_framing(const struct exchange *exchange,
                                        const struct http_response *response)
{
    if (response->framing == HTTP_NO_BODY && !exchange->outcome.is_grpc &&
        !http_status_forbids_body(response->status) && exchange->request.method != HTTP_HEAD) {
        return HTTP_LENGTH_KNOWN;
    }
    return response->framing;
}

/* HEAD and 304 may say how long the body would be (RFC 9110 section 8.6). */
static void report_length_of_absent_body(const struct http_response *response,
                                         struct answer_head *head)
{
    head->reports_length = head->framing == HTTP_NO_BODY && response->status != 204 &&
                           response->status >= 200 &&
                           http_has(&response->headers, HTTP_HEADER_CONTENT_LENGTH);
}

static bool is_authority(struct bytes text)
{
    struct bytes host;
    struct bytes port;

    return uri_split_authority(text, &host, &port);
}

/* The place that the client used: what a trusted proxy says of it, where that is one. */
static void turn_to_public_place(const struct exchange *exchange, struct forward_page *page)
{
    struct bytes own = exchange->client.facts->scheme;
    struct bytes scheme = forward_trusted_or(exchange, HTTP_HEADER_X_FORWARDED_PROTO, own);
    struct bytes authority =
        forward_trusted_or(exchange, HTTP_HEADER_X_FORWARDED_HOST, exchange->request.authority);
    const struct stored *stored = exchange->caching != NULL ? caching_serves(exchange) : NULL;
    bool known = bytes_equal(scheme, BYTES("https")) || bytes_equal(scheme, BYTES("http"));
    const struct public_place place = {
        .route = exchange->routing.route,
        .origin =
            bytes_of(stored != NULL ? stored->origin : origin_name(exchange->attempt->origin)),
        .origin_tls = stored != NULL ? stored->origin_tls : exchange->routing.service->tls.on,
        .sent = forward_authority(exchange),
        .scheme = known ? scheme : own,
        .authority = is_authority(authority) ? authority : exchange->request.authority,
    };

    public_place_apply(&place, &page->fields, &page->text);
}

bool forward_answer(const struct exchange *exchange, const struct http_response *response,
                    struct forward_page *page, struct answer_head *head)
{
    const struct header_edits *edits =
        exchange->routing.route != NULL ? &exchange->routing.route->response_headers : NULL;
    uint64_t dropped = FORWARD_ALWAYS_DROPPED | FORWARD_BIT(X_REQUEST_ID);
    struct forward_passing passing;

    http_fields_clear(&page->fields);
    page->text = text_over(page->scratch, sizeof(page->scratch));
    memset(head, 0, sizeof(*head));
    head->status = response->status;
    head->reason = response->reason;
    head->fields = &page->fields;
    head->upgrades = response->status == 101;
    head->framing = answer_framing(exchange, response);
    head->body_length = response->body_length;
    head->goes_on = response->goes_on;
    report_length_of_absent_body(response, head);
    if (head->upgrades) {
        dropped &= ~FORWARD_BIT(UPGRADE);
    }
    if (head->framing != HTTP_CHUNKED) {
        dropped |= FORWARD_BIT(TRAILER);
    }
    forward_choose_passing(exchange, &response->headers, dropped, edits, BYTES(""), &passing);
    forward_add_passing(&passing, &page->fields);
    if (exchange->routing.route != NULL && exchange->routing.route->rewrites_location) {
        turn_to_public_place(exchange, page);
    }
    if (response->status >= 200 && !http_has(&response->headers, HTTP_HEADER_DATE) &&
        !forward_add_date(exchange, page)) {
        return false; /* RFC 9110 section 6.6.1: a recipient with a clock adds it */
    }
    return http_fields_add(&page->fields, BYTES("Via"), forward_via(exchange, response->version)) &&
           forward_common_answer_fields(exchange, page) && !page->text.overflowed;
}
