/* SPDX-License-Identifier: BSD-2-Clause */
/* net/socket_facts as Linux tells them. */
#include "net/socket_facts.h"

#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* recv and send of the C library are points at which a thread may be cancelled, which takes two
 * atomic operations around each call. Nothing cancels our threads. */
ssize_t socket_receive(int fd, void *into, size_t room)
{
    return syscall(SYS_recvfrom, fd, into, room, 0, NULL, NULL);
}

ssize_t socket_send(int fd, const struct iovec *piece)
{
    return syscall(SYS_sendto, fd, piece->iov_base, piece->iov_len, MSG_NOSIGNAL, NULL, 0);
}

size_t socket_unacknowledged(int fd)
{
    int count = 0;

    return ioctl(fd, SIOCOUTQ, &count) == 0 && count > 0 ? (size_t)count : 0;
}

static size_t left_of(size_t limit, size_t used)
{
    return limit > used ? limit - used : 0;
}

/* What the kernel counts for it, sent and unsent, is not asked further where it is nothing. */
size_t socket_room(int fd, size_t unsent_most)
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

static bool read_info(int fd, struct tcp_info *info)
{
    socklen_t length = sizeof(*info);

    memset(info, 0, sizeof(*info));
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) == 0;
}

uint32_t socket_round_trip_ms(int fd)
{
    struct tcp_info info;

    return read_info(fd, &info) ? info.tcpi_rtt / 1000 : 0;
}

enum socket_end socket_look(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};

    if (poll(&look, 1, 0) <= 0) {
        return SOCKET_OPEN;
    }
    return (look.revents & (POLLERR | POLLHUP)) != 0 ? SOCKET_GONE : SOCKET_ENDED;
}

bool socket_tcp_is_over(int fd)
{
    struct tcp_info info;

    return read_info(fd, &info) && info.tcpi_state != TCP_ESTABLISHED &&
           info.tcpi_state != TCP_SYN_RECV;
}

void socket_drop_unread(int fd, size_t most)
{
    (void)recv(fd, NULL, most, MSG_TRUNC | MSG_DONTWAIT);
}

bool socket_tell_peer(int fd, pid_t *pid, uid_t *uid)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.pid == 0) {
        return false;
    }
    *pid = peer.pid;
    *uid = peer.uid;
    return true;
}
