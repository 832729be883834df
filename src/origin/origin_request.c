/* SPDX-License-Identifier: BSD-2-Clause */
/* What is so of every request, wherever it stands: how it fails, what it holds. */
#include "origin/pool/limits.h"

_Static_assert(ORIGIN_FAILURE_COUNT <= METRICS_FAILURES_MAX, "each failure has a counter");

void origin_fail_request(struct origin_request *request, enum origin_failure failure)
{
    metrics_origin_fails(request->origin->counters, failure);
    origin_health_failed(request, failure);
    limits_give_request(request);
    request->events->failed(request->owner, failure);
}

size_t origin_request_held(const struct origin_request *request)
{
    const struct origin_connection *connection = request->connection;

    return connection == NULL ? 0
                              : sizeof(*connection) + buffer_held(connection->in) +
                                    buffer_queue_held(&connection->out.queue);
}
