/* SPDX-License-Identifier: BSD-2-Clause */
/* What answers of origins have beside the ordinary: interim ones, a switch of protocols, the status of
 * gRPC. Called by attempt.c, which passes answers on. */
#include "exchange/exchange_private.h"

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

void relay_refuse_head(struct exchange *exchange)
{
    reply_error(exchange, 502, "http_response_header_section_size",
                "the answer's head is too large with what is added to it");
}

/* --- a 101 --------------------------------------------------------------------------------- */

/* It must say what to, and only what the client offered (RFC 9110 sections 7.8 and 15.2.2): two
 * sides of a tunnel that speak of different things may hide anything in it. */
static bool switches_as_asked(const struct exchange *exchange, const struct http_response *response)
{
    const struct http_header *row = http_find(&response->headers, HTTP_HEADER_UPGRADE);
    struct bytes list = row != NULL ? http_header_value(row) : BYTES("");
    struct bytes protocol;

    return http_list_next(&list, &protocol) &&
           http_names(&exchange->request.headers, HTTP_HEADER_UPGRADE, protocol);
}

/* In HTTP/2 any success says that the tunnel stands (RFC 8441 section 5); this one is none. */
static bool takes_for_tunnel(const struct exchange *exchange, const struct http_response *response)
{
    return exchange->request.wants_upgrade && exchange->request.version == HTTP_2 &&
           response->status >= 200 && response->status < 300;
}

bool relay_may_switch(struct exchange *exchange, const struct http_response *response)
{
    if (response->status == 101 ? switches_as_asked(exchange, response)
                                : !takes_for_tunnel(exchange, response)) {
        return true;
    }
    reply_error(exchange, 502, "http_upgrade_failed",
                "the origin did not switch to the protocol that it was asked for");
    return false;
}

void relay_begin_tunnel(struct exchange *exchange)
{
    exchange_set_state(exchange, EXCHANGE_TUNNELS);
    metrics_note(exchange->context->metrics, METRICS_TUNNEL_OPENED);
    exchange->client.ops->begin_tunnel(exchange->client.stream);
}

/* --- gRPC ---------------------------------------------------------------------------------- */

void relay_note_grpc_status(struct exchange *exchange, const struct http_headers *fields)
{
    const struct http_header *row = http_find_named(fields, BYTES("grpc-status"));

    if (row != NULL) {
        exchange->outcome.grpc_status = grpc_status_read(http_header_value(row));
    }
}
