/* SPDX-License-Identifier: BSD-2-Clause */
/* The `rate_limits` of a route: requests with the same key are counted over all workers, and those
 * above a limit's rate are answered 429. Called by exchange_begin once the route is known. */
#include "exchange/exchange_private.h"

#include "http/uri.h"
#include "route/path_guard.h"
#include "split/request_source.h"

#define NS_A_MILLISECOND 1000000ULL

/* The segment of a path in normal form: none of its spellings counts apart. */
static bool segment_of(struct bytes path, uint32_t number, struct bytes *value)
{
    while (path.length > 0) {
        const char *slash;

        path = bytes_skip(path, 1);
        slash = memchr(path.at, '/', path.length);
        *value = bytes_first(path, slash != NULL ? (size_t)(slash - path.at) : path.length);
        if (--number == 0) {
            return value->length > 0;
        }
        path = bytes_skip(path, value->length);
    }
    return false;
}

/* Whatever stands in `room` must be used before the next part of the key is looked for. */
static bool part_of_key(const struct exchange *exchange, const struct request_source *source,
                        char *room, struct bytes *value)
{
    const struct http_request *request = &exchange->request;
    const struct tls_facts *tls = exchange->client.facts->tls;
    uint64_t address = client_registry_address(&exchange->client.ip);
    struct bytes path;
    unsigned marks;

    switch (source->kind) {
    case SOURCE_PATH_SEGMENT:
        return request->path.length > 0 && request->path.length <= PATH_MOST &&
               uri_normalise_path(request->path, room, &path, &marks) &&
               segment_of(path, source->segment, value);
    case SOURCE_CERTIFICATE:
        if (tls == NULL || tls->client == NULL) {
            return false;
        }
        *value = tls->client->subject;
        return value->length > 0;
    case SOURCE_QUERY:
        return request->query.length <= PATH_MOST &&
               uri_query_decoded(request->query, source->name, room, value) && value->length > 0;
    case SOURCE_CLIENT_ADDRESS:
        memcpy(room, &address, sizeof(address)); /* as text it would only be longer */
        *value = (struct bytes){room, sizeof(address)};
        return !ip_is_none(&exchange->client.ip);
    default:
        return request_source_value(source, request, &exchange->client.ip, room, value);
    }
}

/* false: the request lacks a part of it. Not inlined: its room would lie on the stack of every
 * request. */
static __attribute__((noinline)) bool hashed_key_of(const struct exchange *exchange,
                                                    const struct rate_limit_settings *limit,
                                                    uint64_t *key)
{
    char room[PATH_MOST];
    struct bytes value;

    *key = 0;
    for (uint32_t i = 0; i < limit->key_count; i++) {
        if (!part_of_key(exchange, &limit->key[i], room, &value)) {
            return false;
        }
        *key = client_registry_key(exchange->context->clients, *key, value);
    }
    return true;
}

/* An address alone is a number already, and no two of them share it. */
static bool key_of(const struct exchange *exchange, const struct rate_limit_settings *limit,
                   uint64_t *key)
{
    if (limit->key_count == 1 && limit->key[0].kind == SOURCE_CLIENT_ADDRESS) {
        *key = client_registry_address(&exchange->client.ip);
        return !ip_is_none(&exchange->client.ip);
    }
    return hashed_key_of(exchange, limit, key);
}

static struct client_rate rate_of(const struct rate_limit_settings *limit)
{
    return (struct client_rate){limit->scope, limit->window * NS_A_MILLISECOND / limit->requests,
                                limit->burst};
}

/* What the limits before this one have counted is given back: the request is not served. Also by
 * those that only report, or a trial would count more than its limit does later. `taken`: the keys,
 * 0 where nothing was counted. */
static void give_back(struct exchange *exchange, const uint64_t *taken, uint32_t before)
{
    for (uint32_t i = 0; i < before; i++) {
        const struct client_rate rate = rate_of(&exchange->routing.route->rate_limits[i]);

        if (taken[i] != 0) {
            client_registry_give_back(exchange->context->clients, taken[i], &rate);
        }
    }
}

static void refuse(struct exchange *exchange, const struct rate_limit_settings *limit,
                   uint64_t wait_ns)
{
    const struct reply_quota quota = {limit->policy, limit->state, limit->problem,
                                      (wait_ns + NS_A_MILLISECOND - 1) / NS_A_MILLISECOND,
                                      limit->sentence};

    metrics_note(exchange->context->metrics, METRICS_REQUEST_OVER_LIMIT);
    reply_over_limit(exchange, &quota);
}

bool rate_limits_admit(struct exchange *exchange)
{
    const struct route_settings *route = exchange->routing.route;
    uint64_t now = loop_now(exchange->context->worker_context->loop);
    uint64_t taken[RATE_LIMITS_MOST];

    if (exchange->context->clients == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < route->rate_limit_count; i++) {
        const struct rate_limit_settings *limit = &route->rate_limits[i];
        const struct client_rate rate = rate_of(limit);
        uint64_t wait_ns;

        if (!key_of(exchange, limit, &taken[i])) {
            taken[i] = 0;
            continue;
        }
        wait_ns = client_registry_take(exchange->context->clients, taken[i], &rate, now);
        if (wait_ns == 0) {
            continue;
        }
        taken[i] = 0;
        exchange->outcome.rate_limit = limit->name;
        if (limit->mode == RATE_LIMIT_ENFORCE) {
            give_back(exchange, taken, i);
            refuse(exchange, limit, wait_ns);
            return false;
        }
        metrics_note(exchange->context->metrics, METRICS_REQUEST_REPORTED);
    }
    return true;
}
