/* SPDX-License-Identifier: BSD-2-Clause */
/* Passes an origin's answer on to the client as it comes, under back-pressure. */
#include "cache/cache_store.h"
#include "exchange/caching.h"
#include "exchange/exchange_private.h"
#include "exchange/forward.h"
#include "exchange/log_fields.h"
#include "exchange/trailers.h"
#include "http/connection_names.h"

void relay_interim(void *owner, const struct http_response *response)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;
    struct forward_page page;
    struct answer_head head;

    timer_clear(exchange->context->patience, &attempt->patience);
    if (response->status == 100 && !exchange->request.expects_continue &&
        http_has(&exchange->request.headers, HTTP_HEADER_EXPECT)) {
        return; /* it was said already, and maybe by us */
    }
    if (forward_answer(exchange, response, &page, &head)) {
        if (response->status == 100) {
            http_fields_clear(&page.fields);
            exchange->request.expects_continue = false; /* said once is enough */
        }
        exchange->client.ops->send_interim(exchange->client.stream, &head);
    }
}

static void refuse_head(struct exchange *exchange)
{
    reply_error(exchange, 502, "http_response_header_section_size",
                "the answer's head is too large with what is added to it");
}

/* --- a 101 --------------------------------------------------------------------------------- */

static bool names_protocol(const struct http_headers *headers, struct bytes protocol)
{
    for (uint32_t i = 0; i < headers->count; i++) {
        struct bytes list = http_header_value(&headers->rows[i]);
        struct bytes token;

        while (headers->rows[i].id == HTTP_HEADER_UPGRADE && http_list_next(&list, &token)) {
            if (bytes_equal_fold(token, protocol)) {
                return true;
            }
        }
    }
    return false;
}

/* It must say what to, and only what the client offered (RFC 9110 sections 7.8 and 15.2.2): two
 * sides of a tunnel that speak of different things may hide anything in it. */
static bool switches_as_asked(const struct exchange *exchange, const struct http_response *response)
{
    const struct http_header *row = http_find(&response->headers, HTTP_HEADER_UPGRADE);
    struct bytes list = row != NULL ? http_header_value(row) : BYTES("");
    struct bytes protocol;

    return http_list_next(&list, &protocol) && names_protocol(&exchange->request.headers, protocol);
}

/* In HTTP/2 any success says that the tunnel stands (RFC 8441 section 5); this one is none. */
static bool takes_for_tunnel(const struct exchange *exchange, const struct http_response *response)
{
    return exchange->request.wants_upgrade && exchange->request.version == HTTP_2 &&
           response->status >= 200 && response->status < 300;
}

static void refuse_switch(struct exchange *exchange)
{
    reply_error(exchange, 502, "http_upgrade_failed",
                "the origin did not switch to the protocol that it was asked for");
}

/* --- the answer ---------------------------------------------------------------------------- */

/* Of trailers, or of a head that stands for both. */
static void note_grpc_status(struct exchange *exchange, const struct http_headers *fields)
{
    const struct http_header *row = http_find_named(fields, BYTES("grpc-status"));

    if (row != NULL) {
        exchange->outcome.grpc_status = grpc_status_read(http_header_value(row));
    }
}

static void note_for_cache(struct exchange *exchange, const struct http_response *response,
                           struct forward_page *page)
{
    if (exchange->caching != NULL) {
        caching_head(exchange, response, page);
    }
    if (!http_method_is_safe(exchange->request.method) && response->status < 400 &&
        cache_store_is_used()) {
        caching_invalidate(exchange);
    }
}

void relay_head(void *owner, const struct http_response *response)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;
    struct forward_page page;
    struct answer_head head;

    timer_clear(exchange->context->patience, &attempt->patience);
    attempt_answered(attempt, response->status);
    if (exchange->outcome.extras != NULL) {
        log_fields_answer(exchange, &response->headers);
    }
    if ((response->status == 101 && !switches_as_asked(exchange, response)) ||
        takes_for_tunnel(exchange, response)) {
        refuse_switch(exchange);
        return;
    }
    if (exchange->caching != NULL && caching_takes_head(exchange, response)) {
        return;
    }
    if (!forward_answer(exchange, response, &page, &head)) {
        refuse_head(exchange);
        return;
    }
    note_for_cache(exchange, response, &page);
    if (!exchange->client.ops->send_head(exchange->client.stream, &head)) {
        refuse_head(exchange);
        return;
    }
    exchange->outcome.status = response->status;
    exchange->answer.keeps_trailers_here =
        response->framing == HTTP_CHUNKED && http_connection_names_fields(&response->headers);
    exchange->answer.begun = true;
    if (exchange->outcome.is_grpc) {
        exchange->answer.takes_status = head.framing == HTTP_CHUNKED;
        note_grpc_status(exchange, &response->headers);
    }
    if (response->status == 101) {
        exchange_set_state(exchange, EXCHANGE_TUNNELS);
        metrics_note(exchange->context->metrics, METRICS_TUNNEL_OPENED);
        exchange->client.ops->begin_tunnel(exchange->client.stream);
        return;
    }
    exchange_set_state(exchange, EXCHANGE_RELAYS);
}

size_t relay_body(void *owner, struct bytes bytes)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;
    size_t taken = exchange->client.ops->send_body(exchange->client.stream, bytes,
                                                   attempt->request.answer_ends);

    exchange->answer.blocked = taken < bytes.length;
    if (exchange->caching != NULL) {
        caching_body(exchange, bytes_first(bytes, taken));
        if (!attempt->request.answer_ends && !caching_is_of_use(exchange)) {
            orphan_end(exchange, NULL); /* it may have no end */
        }
    }
    return taken;
}

size_t relay_room(void *owner)
{
    struct exchange *exchange = ((struct attempt *)owner)->exchange;
    size_t room = exchange->client.ops->room(exchange->client.stream);

    exchange->answer.blocked = room == 0;
    return room;
}

void relay_drained(void *owner)
{
    struct exchange *exchange = ((struct attempt *)owner)->exchange;

    if (exchange->state == EXCHANGE_RELAYS || exchange->state == EXCHANGE_TUNNELS) {
        exchange->client.ops->flush(exchange->client.stream);
    }
}

void relay_ended(void *owner, const struct http_headers *trailers)
{
    struct attempt *attempt = owner;
    struct exchange *exchange = attempt->exchange;
    const struct http_fields *passed = NULL;
    struct http_fields fields;

    attempt_set_over(attempt);
    if (exchange->outcome.is_grpc) {
        if (trailers != NULL) {
            note_grpc_status(exchange, trailers);
        }
        origin_request_grpc_ended(&attempt->request, exchange->outcome.grpc_status);
    }
    if (exchange->caching != NULL && caching_ended(exchange, trailers)) {
        return;
    }
    if (trailers != NULL) {
        passed = trailers_of_answer(exchange, trailers, &fields);
    }
    exchange_answer_is_whole(exchange, passed,
                             exchange->state == EXCHANGE_TUNNELS ? OUTCOME_TUNNEL_CLOSED
                                                                 : OUTCOME_ANSWERED);
}
