/* SPDX-License-Identifier: BSD-2-Clause */
/* net/socket_facts as Linux tells them. TCP_INFO has its longer form in the kernel's own header only. */
#include "net/socket_facts.h"

#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The header that names them does not go with linux/tcp.h. */
enum { STATE_ESTABLISHED = 1, STATE_SYN_RECV = 3, STATE_CLOSE = 7 };

/* The first byte to be acknowledged was the SYN, which is none of the stream's. */
#define SYN_BYTES 1

/* recv, send and sendmsg of the C library are points at which a thread may be cancelled, which takes
 * two atomic operations around each call. Nothing cancels our threads. */
ssize_t socket_receive(int fd, void *into, size_t room)
{
    return syscall(SYS_recvfrom, fd, into, room, 0, NULL, NULL);
}

ssize_t socket_send(int fd, const struct iovec *pieces, int count)
{
    const struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};

    if (count == 1) {
        return syscall(SYS_sendto, fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL, NULL, 0);
    }
    return syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
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

static socklen_t read_info(int fd, struct tcp_info *info)
{
    socklen_t length = sizeof(*info);

    memset(info, 0, sizeof(*info));
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) == 0 ? length : 0;
}

uint32_t socket_round_trip_ms(int fd)
{
    struct tcp_info info;

    return read_info(fd, &info) > 0 ? info.tcpi_rtt / 1000 : 0;
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

    return read_info(fd, &info) > 0 && info.tcpi_state != STATE_ESTABLISHED &&
           info.tcpi_state != STATE_SYN_RECV;
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

bool tcp_ending_read(int fd, struct tcp_ending *ending)
{
    struct tcp_info info;

    if (read_info(fd, &info) < offsetof(struct tcp_info, tcpi_bytes_received)) {
        return false;
    }
    ending->acked = info.tcpi_bytes_acked > SYN_BYTES ? info.tcpi_bytes_acked - SYN_BYTES : 0;
    ending->round_trip_us = info.tcpi_rtt;
    ending->reset = info.tcpi_state == STATE_CLOSE;
    return true;
}

/* --- listening --------------------------------------------------------------------------- */

bool listening_spreads(void)
{
    return true;
}

bool listening_share_port(int fd)
{
    const int yes = 1;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)) == 0;
}

void listening_defer(int fd, int seconds)
{
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
}

/* Linux hands the option on from a listening socket to what it accepts. A Unix socket has none. */
void listening_bound_unsent(int fd, uint32_t bytes)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

/* By /proc/locks. */
long lock_holder(int fd)
{
    FILE *locks = fopen("/proc/locks", "re");
    struct stat facts;
    char line[256];
    long holder = 0;

    if (locks == NULL || fstat(fd, &facts) < 0) {
        facts.st_ino = 0;
    }
    while (locks != NULL && holder == 0 && fgets(line, sizeof(line), locks) != NULL) {
        unsigned long long number;
        long pid;

        if (sscanf(line, "%*s FLOCK %*s %*s %ld %*x:%*x:%llu", &pid, &number) == 2 &&
            number == facts.st_ino) {
            holder = pid;
        }
    }
    if (locks != NULL) {
        fclose(locks);
    }
    return holder;
}
