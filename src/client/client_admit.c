/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a connection may come in at all: asked before anything is kept for it, so that one that
 * may not costs a few system calls and no memory. */
#include "client/client_private.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define EMPTY "Content-Length: 0\r\nConnection: close\r\n\r\n"

static const struct bytes too_many =
    BYTES("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\n" EMPTY);
static const struct bytes too_busy =
    BYTES("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\n" EMPTY);

/* What the client has sent is read first, as far as it is here: closing with bytes unread would
 * reset the connection, and the reset might overtake the answer (RFC 9112 section 9.6). Nobody
 * waits for anything: a client that has not spoken yet has its answer when it does. */
void client_turn_away(struct client_desk *desk, int fd, bool is_plain, enum metrics_event why)
{
    struct bytes answer = why == METRICS_CLIENT_OVER_LIMIT ? too_many : too_busy;
    char waste[8192];

    metrics_note(desk->metrics, why);
    if (is_plain && (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) >= 0 || errno == EAGAIN) &&
        send(fd, answer.at, answer.length, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
        shutdown(fd, SHUT_WR);
    }
}

bool client_may_come(struct client_listener *listener, int fd, const struct ip *ip, bool is_new,
                     bool knows_client, client_place *place)
{
    struct client_desk *desk = listener->desk;

    if (is_new && pressure_now(desk->bench->pressure) >= PRESSURE_REFUSES) {
        pressure_did(desk->bench->pressure, PRESSURE_REFUSED, 1);
        client_turn_away(desk, fd, !listener->speaks_tls, METRICS_PRESSURE_REFUSED);
        close(fd);
        return false;
    }
    if (!knows_client ||
        exchange_desk_admits(desk->exchanges, ip, listener->index, is_new, place)) {
        return true;
    }
    client_turn_away(desk, fd, !listener->speaks_tls, METRICS_CLIENT_OVER_LIMIT);
    close(fd);
    return false;
}
