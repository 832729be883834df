/* SPDX-License-Identifier: BSD-2-Clause */
/* How many requests whose body is not whole may be under way: what pool.reserve leaves them of each
 * limit. Pure reckoning, for limits.c, pool.c and give_way.c. */
#include "origin/pool/limits.h"

#include "origin/service/service_private.h"

/* The share is rounded in favour of the others, but for the only one. */
uint32_t limits_most_unfinished(const struct pool_settings *pool, uint32_t limit)
{
    uint64_t kept = ((uint64_t)limit * pool->reserve + SPLIT_WHOLE - 1) / SPLIT_WHOLE;

    return limit != 0 && kept >= limit ? 1 : limit - (uint32_t)kept;
}

static uint32_t lower_limit(uint32_t a, uint32_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

uint32_t limits_most_unfinished_of_origin(const struct origin_request *request)
{
    uint32_t requests =
        request->service != NULL ? limits_most_at_origin(request, request->origin) : 0;

    return limits_most_unfinished(request->pool,
                                  lower_limit(request->pool->max_connections, requests));
}

uint32_t limits_most_unfinished_of_service(const struct origin_request *request)
{
    const struct service_limits_settings *limits;

    if (request->service == NULL) {
        return 0;
    }
    limits = &request->service->settings->limits;
    return limits_most_unfinished(
        request->pool, lower_limit(limits->max_concurrent_requests, limits->max_connections));
}
