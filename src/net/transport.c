/* SPDX-License-Identifier: BSD-2-Clause */
/* What all transports share: interest, closing, giving away. */
#include "net/transport.h"

#include "net/socket_facts.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define REST_BYTES 65536

void transport_break(struct transport *transport)
{
    if (transport->fd >= 0) {
        shutdown(transport->fd, SHUT_RDWR);
        watch_call(&transport->watch);
    }
}

void transport_want(struct transport *transport, short wanted)
{
    if (transport->wanted != wanted && transport->fd >= 0) {
        transport->wanted = wanted;
        if (!watch_change(&transport->watch, wanted)) { /* out of memory */
            transport->wanted = -1;
            transport_break(transport);
        }
    }
    if (transport->holds && (wanted & WATCH_READABLE) != 0 && transport->fd >= 0 &&
        !watch_rests(&transport->watch)) { /* a rest ends with a call */
        watch_call(&transport->watch);
    }
}

void transport_finish(struct transport *transport)
{
    if (transport->fd >= 0) {
        transport->ops->finish(transport);
    }
}

static void end(struct transport *transport, bool clean)
{
    if (transport->fd >= 0) {
        watch_stop(&transport->watch);
        transport->ops->close(transport, clean);
        transport->fd = -1;
    }
}

void transport_close(struct transport *transport)
{
    end(transport, true);
}

void transport_reset(struct transport *transport)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (transport->fd >= 0) {
        setsockopt(transport->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        end(transport, false);
    }
}

size_t transport_unacknowledged(const struct transport *transport)
{
    return transport_kept(transport) + socket_unacknowledged(transport->fd);
}

static bool is_writable(int fd)
{
    struct pollfd check = {.fd = fd, .events = POLLOUT};

    return poll(&check, 1, 0) != 0;
}

/* A caller that is told that there is none waits for WRITABLE, and would be called at once where
 * the loop thinks otherwise. */
size_t transport_room(const struct transport *transport, size_t unsent_most)
{
    size_t room = socket_room(transport->fd, unsent_most);

    return room == 0 && is_writable(transport->fd) ? 1 : room;
}

uint32_t transport_round_trip_ms(const struct transport *transport)
{
    return socket_round_trip_ms(transport->fd);
}

enum socket_end transport_peek(const struct transport *transport)
{
    return socket_look(transport->fd);
}

size_t transport_unread(const struct transport *transport)
{
    int count = 0;

    return ioctl(transport->fd, FIONREAD, &count) == 0 && count > 0 ? (size_t)count : 0;
}

void transport_drop_unread(const struct transport *transport)
{
    socket_drop_unread(transport->fd, REST_BYTES);
}

int transport_give_up(struct transport *transport)
{
    int fd = transport->fd;

    watch_stop(&transport->watch);
    transport->fd = -1;
    return fd;
}

bool transport_has_input(const struct transport *transport)
{
    char byte;

    return recv(transport->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

bool transport_is_stale(struct transport *transport)
{
    return transport->ops->is_stale(transport);
}

bool transport_report_peer_ip(int fd, struct ip *ip)
{
    struct address peer = {.length = sizeof(struct sockaddr_un)};

    if (getpeername(fd, &peer.any, &peer.length) < 0) {
        return false;
    }
    *ip = ip_of_address(&peer);
    return true;
}

bool transport_report_peer(const struct transport *transport, pid_t *pid, uid_t *uid)
{
    return socket_tell_peer(transport->fd, pid, uid);
}
