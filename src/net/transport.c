/* SPDX-License-Identifier: BSD-2-Clause */
/* What all transports share: interest, closing, giving away. */
#include "net/transport.h"

#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
    if (transport->holds && (wanted & WATCH_READABLE) != 0 && transport->fd >= 0) {
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
    int count = 0;
    size_t kept = transport_kept(transport);

    return ioctl(transport->fd, TIOCOUTQ, &count) == 0 && count > 0 ? kept + (size_t)count : kept;
}

static size_t left_of(size_t limit, size_t used)
{
    return limit > used ? limit - used : 0;
}

/* What the kernel counts for it, sent and unsent, is not asked further where it is nothing. */
static size_t estimate_room(int fd, size_t unsent_most)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(memory);
    size_t by_memory;
    size_t by_unsent = unsent_most;
    int unsent = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) < 0) {
        return unsent_most;
    }
    by_memory = left_of(memory[SK_MEMINFO_SNDBUF], memory[SK_MEMINFO_WMEM_QUEUED]);
    if (memory[SK_MEMINFO_WMEM_QUEUED] > 0 && by_memory > 0 &&
        ioctl(fd, SIOCOUTQNSD, &unsent) == 0) {
        by_unsent = left_of(unsent_most, (size_t)unsent);
    }
    return by_memory < by_unsent ? by_memory : by_unsent;
}

static bool is_writable(int fd)
{
    struct pollfd check = {.fd = fd, .events = POLLOUT};

    return poll(&check, 1, 0) != 0;
}

/* Whoever is told that there is none waits for WRITABLE, and would be called at once where the loop
 * thinks otherwise. */
size_t transport_room(const struct transport *transport, size_t unsent_most)
{
    size_t room = estimate_room(transport->fd, unsent_most);

    return room == 0 && is_writable(transport->fd) ? 1 : room;
}

uint32_t transport_round_trip_ms(const struct transport *transport)
{
    struct tcp_info info;
    socklen_t length = sizeof(info);

    memset(&info, 0, sizeof(info));
    return getsockopt(transport->fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0
               ? info.tcpi_rtt / 1000
               : 0;
}

enum transport_sight transport_peek(const struct transport *transport)
{
    struct pollfd check = {.fd = transport->fd, .events = POLLRDHUP};

    if (poll(&check, 1, 0) <= 0) {
        return TRANSPORT_THERE;
    }
    return (check.revents & (POLLERR | POLLHUP)) != 0 ? TRANSPORT_GONE : TRANSPORT_FINISHED;
}

size_t transport_unread(const struct transport *transport)
{
    int count = 0;

    return ioctl(transport->fd, FIONREAD, &count) == 0 && count > 0 ? (size_t)count : 0;
}

void transport_drop_unread(const struct transport *transport)
{
    (void)recv(transport->fd, NULL, REST_BYTES, MSG_TRUNC | MSG_DONTWAIT);
}

int transport_give_up(struct transport *transport)
{
    int fd = transport->fd;

    watch_stop(&transport->watch);
    transport->fd = -1;
    return fd;
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
    struct ucred peer;
    socklen_t length = sizeof(peer);

    if (getsockopt(transport->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.pid == 0) {
        return false;
    }
    *pid = peer.pid;
    *uid = peer.uid;
    return true;
}
