/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection fails, and with it its request, or the first in line if it was being opened. What
 * has become free serves the line. Called by all that read, write and wait. */
#include "origin/origin_private.h"

void origin_connection_fail(struct origin_connection *connection, enum origin_failure failure)
{
    struct origin *origin = connection->origin;
    struct origin_request *request = connection->request;
    bool connecting = origin_connection_is_opening(connection);

    metrics_note(origin->directory->metrics, METRICS_ORIGIN_FAILED);
    if (request != NULL) {
        origin_connection_judge(connection, request);
        if (failure == ORIGIN_FAILURE_CLOSED && request->reused) {
            origin_connection_note_closed_idle(connection);
        }
    }
    origin_connection_close(connection);
    if (connecting) {
        pool_dial_failed(origin, failure);
        pool_serve_line(origin);
    } else if (request != NULL) {
        origin_fail_request(request, failure);
        pool_serve_line(origin);
    }
}
