/* SPDX-License-Identifier: BSD-2-Clause */
/* net/socket_facts by what every system tells: often that it is unknown. */
#include "net/socket_facts.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t socket_receive(int fd, void *into, size_t room)
{
    return recv(fd, into, room, 0);
}

ssize_t socket_send(int fd, const struct iovec *pieces, int count)
{
    const struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};

    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

size_t socket_unacknowledged(int fd)
{
    (void)fd;
    return 0;
}

/* Either it is writable or it is not. */
size_t socket_room(int fd, size_t unsent_most)
{
    struct pollfd look = {.fd = fd, .events = POLLOUT};

    return poll(&look, 1, 0) == 0 ? 0 : unsent_most;
}

uint32_t socket_round_trip_ms(int fd)
{
    (void)fd;
    return 0;
}

enum socket_end socket_look(int fd)
{
    struct pollfd look = {.fd = fd, .events = 0};
    char byte;
    ssize_t count;

    if (poll(&look, 1, 0) > 0 && (look.revents & (POLLERR | POLLHUP)) != 0) {
        return SOCKET_GONE;
    }
    count = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (count < 0) {
        return errno == EAGAIN || errno == EINTR ? SOCKET_OPEN : SOCKET_GONE;
    }
    return count == 0 ? SOCKET_ENDED : SOCKET_OPEN;
}

bool socket_tcp_is_over(int fd)
{
    return socket_look(fd) == SOCKET_GONE;
}

void socket_drop_unread(int fd, size_t most)
{
    char unread[4096];
    ssize_t count;

    do {
        count = recv(fd, unread, most < sizeof(unread) ? most : sizeof(unread), MSG_DONTWAIT);
        most -= count > 0 ? (size_t)count : 0;
    } while (count > 0 && most > 0);
}

/* Both of the user and of the process there is no way that all systems share. */
bool socket_tell_peer(int fd, pid_t *pid, uid_t *uid)
{
    (void)fd;
    (void)pid;
    (void)uid;
    return false;
}

/* The delivery of what was sent is unknown then. */
bool tcp_ending_read(int fd, struct tcp_ending *ending)
{
    (void)fd;
    (void)ending;
    return false;
}

/* --- listening --------------------------------------------------------------------------- */

/* SO_REUSEPORT of BSD gives all connections to the socket that came last. */
bool listening_spreads(void)
{
    return false;
}

bool listening_share_port(int fd)
{
    (void)fd;
    return true;
}

void listening_defer(int fd, int seconds)
{
    (void)fd;
    (void)seconds;
}

void listening_bound_unsent(int fd, uint32_t bytes)
{
    (void)fd;
    (void)bytes;
}

long lock_holder(int fd)
{
    (void)fd;
    return 0;
}
