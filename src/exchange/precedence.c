/* SPDX-License-Identifier: BSD-2-Clause */
/* The class by the header of a trusted client, and the key of the client for `concurrency: auto`. */
#include "exchange/precedence.h"

#include "exchange/exchange_private.h"
#include "origin/origin_request.h"
#include "split/request_source.h"

#define HOUR_US 3600000000 /* turns are dealt anew, so that no client is last for ever */

static void take_from_header(const struct exchange *exchange, struct origin_request *request)
{
    static const char *const words[PRIORITY_COUNT] = {"critical", "normal", "bulk"};
    const struct settings *settings = generation_settings(exchange->generation);
    const struct http_header *row =
        http_find_named(&exchange->request.headers, bytes_of(settings->priority_header));

    for (uint8_t class = 0; row != NULL && class < PRIORITY_COUNT; class ++) {
        if (bytes_equal_fold(http_header_value(row), bytes_of(words[class]))) {
            request->priority = class;
        }
    }
}

/* Of a client whose route names nothing that the request has, its address. */
static uint32_t fair_key_of(const struct exchange *exchange)
{
    static const struct request_source address = {.kind = SOURCE_CLIENT_ADDRESS};
    const struct route_settings *route = exchange->routing.route;
    uint64_t hour = loop_now(exchange->context->worker_context->loop) / HOUR_US;
    char room[ADDRESS_TEXT_MAX];
    struct bytes value;
    uint32_t key;

    if (exchange->context->clients == NULL ||
        (request_source_first(route->fair_by, route->fair_by_count, &exchange->request,
                              &exchange->client.ip, room, &value) == NULL &&
         !request_source_value(&address, &exchange->request, &exchange->client.ip, room, &value))) {
        return 0;
    }
    key = (uint32_t)client_registry_key(exchange->context->clients, hour, value);
    return key != 0 ? key : 1;
}

void precedence_fill(const struct exchange *exchange, struct origin_request *request)
{
    if (generation_settings(exchange->generation)->priority_header != NULL &&
        exchange->client.trusted) {
        take_from_header(exchange, request);
    }
    if (exchange->routing.service->limits.adaptive) {
        request->fair_key = fair_key_of(exchange);
    }
}
