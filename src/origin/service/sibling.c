/* SPDX-License-Identifier: BSD-2-Clause */
/* The addresses of one name are siblings. Where one accepts no connection, the next one is tried
 * within the same attempt, since nothing was sent yet. So a name with IPv6 addresses that cannot be
 * reached costs no request, whatever the route says of retries. The failure counts against its address
 * all the same. Called by pool.c and origin_connection.c, through the directory's events. */
#include "observe/origin_label.h"
#include "origin/service/service_private.h"

#define MOVES_MOST 8 /* of one attempt; where more addresses refuse, they are ejected soon */

static bool is_worth_it(enum origin_failure failure)
{
    return failure == ORIGIN_FAILURE_REFUSED || failure == ORIGIN_FAILURE_UNREACHABLE;
}

static bool is_sibling(const struct origin *a, const struct origin *b)
{
    struct bytes name = origin_label_name(bytes_of(a->name));

    return a != b && origin_label_address(bytes_of(b->name)).length > 0 &&
           bytes_equal(origin_label_name(bytes_of(b->name)), name);
}

static uint32_t index_of(const struct service *service, const struct origin *origin)
{
    uint32_t index = 0;

    while (index < service->host_set.count && service->host_set.origins[index] != origin) {
        index++;
    }
    return index;
}

/* Round from the one that failed, so that each is tried once. */
static struct origin *next_sibling(const struct service *service, const struct origin *origin,
                                   uint32_t moves)
{
    uint32_t index = index_of(service, origin);
    struct origin *next = NULL;
    uint32_t siblings = 0;

    for (uint32_t i = 1; i < service->host_set.count && index < service->host_set.count; i++) {
        uint32_t other = (index + i) % service->host_set.count;

        if (is_sibling(origin, service->host_set.origins[other])) {
            siblings++;
            if (next == NULL && service->host_set.fit[other]) {
                next = service->host_set.origins[other];
            }
        }
    }
    return moves < siblings ? next : NULL;
}

bool sibling_takes_over(struct origin *origin, enum origin_failure failure)
{
    struct origin_request *request = pool_first_in_line(origin);
    struct origin *next;

    if (request == NULL || !is_worth_it(failure)) {
        return false;
    }
    if (request->service == NULL || request->moves >= MOVES_MOST) {
        return false;
    }
    next = next_sibling(request->service, origin, request->moves);
    if (next == NULL) {
        return false;
    }
    metrics_origin_fails(origin->counters, failure);
    origin_health_failed(request, failure);
    request->moves++;
    pool_take(request);
    pool_move(request, next);
    return true;
}
