/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may come in: `allow` and `deny` of listeners and routes, routes in maintenance and their
 * testers. Called by exchange_begin and admit_listener, for requests that have such a door. */
#include "exchange/doors.h"

#include "exchange/exchange_private.h"
#include "exchange/maintenance.h"

static bool lists(const struct network *networks, uint32_t count, const struct ip *ip)
{
    for (uint32_t i = 0; i < count; i++) {
        if (network_contains(&networks[i], ip)) {
            return true;
        }
    }
    return false;
}

bool doors_let_in(const struct doors_settings *doors, const struct ip *ip)
{
    if (ip_is_none(ip)) {
        return doors->allow_count == 0;
    }
    return !lists(doors->deny, doors->deny_count, ip) &&
           (doors->allow_count == 0 || lists(doors->allow, doors->allow_count, ip));
}

bool doors_admit(struct exchange *exchange, const struct doors_settings *doors)
{
    if (doors_let_in(doors, &exchange->client.ip)) {
        return true;
    }
    metrics_note(exchange->context->metrics, METRICS_ADDRESS_REFUSED);
    reply_error(exchange, 403, "http_request_denied",
                "this client's address may not come in here (allow, deny)");
    return false;
}

static bool is_tester(const struct exchange *exchange, const struct doors_settings *doors)
{
    for (uint32_t i = 0; i < doors->pass_count; i++) {
        const struct http_header *row =
            http_find_named(&exchange->request.headers, doors->pass[i].name);

        if (row != NULL && (doors->pass[i].present_only ||
                            bytes_equal(http_header_value(row), doors->pass[i].value))) {
            return true;
        }
    }
    return false;
}

bool doors_admit_route(struct exchange *exchange)
{
    const struct route_settings *route = exchange->routing.route;

    if (!doors_admit(exchange, &route->doors)) {
        return false;
    }
    if (!maintenance_holds(route) || is_tester(exchange, &route->doors)) {
        return true;
    }
    metrics_note(exchange->context->metrics, METRICS_IN_MAINTENANCE);
    reply_maintenance(exchange);
    return false;
}
