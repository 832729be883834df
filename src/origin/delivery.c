/* SPDX-License-Identifier: BSD-2-Clause */
/* The judgement. `unread` is claimed only where the kernel proves it, on plain TCP:
 *
 * - The origin's FIN came, and it acknowledges none of the request. A FIN acknowledges all that
 *   the origin's kernel had taken when it was sent, so the request came after the origin had
 *   closed.
 * - The request was then met with a reset. A connection that an origin's program has closed
 *   answers so, and nothing that arrives on it can be read any more. An origin that only ended
 *   its own side would take the bytes, and might read them.
 *
 * A reset without a FIN proves nothing, even with no byte acknowledged: the acknowledgement of
 * what the program has already read and carried out may wait up to 40 ms (RFC 9293 section
 * 3.8.6.3), and a program that dies in between resets the connection first. */
#include "origin/delivery.h"

#include "net/socket_facts.h"
#include "origin/origin_private.h"

static uint64_t acked_of_request(const struct origin_connection *connection,
                                 const struct tcp_ending *ending)
{
    uint64_t written = connection->out.written - connection->written_before;
    uint64_t acked =
        ending->acked > connection->written_before ? ending->acked - connection->written_before : 0;

    return acked < written ? acked : written;
}

#define VERDICT_LEAST_MS 20
#define VERDICT_MOST_MS 200

uint32_t origin_connection_verdict_ms(const struct origin_connection *connection)
{
    struct tcp_ending ending;
    uint32_t wait_ms;

    if (!connection->transport.ops->plain || origin_connection_is_untouched(connection) ||
        connection->out.broken || !tcp_ending_read(connection->transport.fd, &ending) ||
        ending.reset || acked_of_request(connection, &ending) > 0) {
        return 0;
    }
    /* The request's way there and the reset's way back, with room for a busy kernel. */
    wait_ms = ending.round_trip_us / 1000 * 2 + VERDICT_LEAST_MS;
    return wait_ms < VERDICT_MOST_MS ? wait_ms : VERDICT_MOST_MS;
}

void origin_h1_judge(struct origin_connection *connection, struct origin_request *request)
{
    struct tcp_ending ending;
    bool reported = false;

    request->evidence.bytes_written = connection->out.written - connection->written_before;
    if (connection->heard) {
        request->evidence.delivery = ORIGIN_DELIVERY_ANSWERED;
        request->evidence.bytes_acked = request->evidence.bytes_written;
        return;
    }
    if (origin_connection_is_untouched(connection)) {
        request->evidence.delivery = ORIGIN_DELIVERY_NOT_SENT;
        return;
    }
    request->evidence.delivery = ORIGIN_DELIVERY_MAYBE;
    reported = connection->transport.ops->plain && transport_is_open(&connection->transport) &&
               tcp_ending_read(connection->transport.fd, &ending);
    if (reported) {
        request->evidence.bytes_acked = acked_of_request(connection, &ending);
        if (connection->ended_cleanly && ending.reset && request->evidence.bytes_acked == 0) {
            request->evidence.delivery = ORIGIN_DELIVERY_UNREAD;
        }
    }
}
