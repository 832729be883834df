/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a connection may come in at all: asked before anything is kept for it, so that one that
 * may not costs a few system calls and no memory. */
#include "client/client_private.h"

#include "base/log/log.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define EMPTY "Content-Length: 0\r\nConnection: close\r\n\r\n"

static const struct bytes too_many =
    BYTES("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\n" EMPTY);
static const struct bytes too_busy =
    BYTES("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\n" EMPTY);

/* What the client has sent is read first, as far as it is here: closing with bytes unread would
 * reset the connection, and the reset might overtake the answer (RFC 9112 section 9.6). Nothing
 * is waited for: a client that has not spoken yet has its answer when it does. */
void client_turn_away(struct client_context *context, int fd, bool is_plain, enum metrics_event why)
{
    struct bytes answer = why == METRICS_CLIENT_OVER_LIMIT ? too_many : too_busy;
    char waste[8192];

    metrics_note(context->metrics, why);
    if (is_plain && (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) >= 0 || errno == EAGAIN) &&
        send(fd, answer.at, answer.length, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
        shutdown(fd, SHUT_WR);
    }
}

#define PROXY_REPORT_US 10000000

static bool proxy_is_listed(const struct client_listener *listener, const struct ip *ip)
{
    if (ip_is_none(ip)) {
        return true; /* a Unix socket: its mode said who may connect */
    }
    return networks_contain(listener->proxy_from, listener->proxy_from_count, ip);
}

bool client_may_send_proxy_header(struct client_listener *listener, const struct ip *ip)
{
    struct client_context *context = listener->context;
    uint64_t now_us = loop_now(context->worker_context->loop);
    char text[ADDRESS_TEXT_MAX];

    if (proxy_is_listed(listener, ip)) {
        return true;
    }
    metrics_note(context->metrics, METRICS_PROXY_REFUSED);
    if (listener->proxy_reported_us == 0 ||
        now_us - listener->proxy_reported_us >= PROXY_REPORT_US) {
        listener->proxy_reported_us = now_us;
        text[ip_format(ip, text)] = '\0';
        log_warning("listener %s: closed a connection from %s, which its proxy_protocol.from does "
                    "not list",
                    listener->name, text);
    }
    return false;
}

/* NULL: it came by itself. One that cannot be told has gone, and with it the connection. */
static const struct ip *peer_of(const struct client_listener *listener, int fd, const struct ip *ip,
                                struct ip *peer)
{
    if (!listener->was_proxied) {
        return NULL;
    }
    if (!transport_report_peer_ip(fd, peer)) {
        *peer = *ip;
    }
    return peer;
}

bool client_may_come(struct client_listener *listener, int fd, const struct ip *ip, bool is_new,
                     bool knows_client, client_slot *slot)
{
    struct client_context *context = listener->context;
    struct ip peer;

    /* Who finds no descriptor waits in the kernel (client_accept.c). */
    if (is_new &&
        pressure_of(context->worker_context->pressure, PRESSURE_MEMORY) >= PRESSURE_REFUSES) {
        pressure_did(context->worker_context->pressure, PRESSURE_REFUSED, 1);
        client_turn_away(context, fd, !listener->speaks_tls, METRICS_PRESSURE_REFUSED);
        close(fd);
        return false;
    }
    if (!knows_client ||
        exchange_context_admits(context->exchanges, ip, peer_of(listener, fd, ip, &peer),
                                listener->index, is_new, slot)) {
        return true;
    }
    client_turn_away(context, fd, !listener->speaks_tls, METRICS_CLIENT_OVER_LIMIT);
    close(fd);
    return false;
}
